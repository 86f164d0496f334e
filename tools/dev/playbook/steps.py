"""Steps of our models on made-up clouds that lie on the device: forward, backward and the optimiser."""
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from m2ae_mm.cli.bench.models import build, inference, read_config, training
from m2ae_mm.cli.bench.work import Setting

_CONFIGS = dict(pretrain='m2ae_mm::m2ae/shapenet_pretrain.py', features='m2ae_mm::m2ae/shapenet_pretrain.py',
                classify='m2ae_mm::m2ae/modelnet40_cls.py', detect='m2ae_mm::3detr/3detr-m_scannet.py',
                detect_infer='m2ae_mm::3detr/3detr-m_scannet.py', vdetr='m2ae_mm::vdetr/vdetr-m2ae_scannet.py',
                vdetr_infer='m2ae_mm::vdetr/vdetr-m2ae_scannet.py')
# Published batch sizes; 40,000 points a room.
_BATCHES = dict(pretrain=128, features=128, classify=32, detect=8, detect_infer=8, vdetr=8, vdetr_infer=8)
# Without stochastic depth, which draws other numbers on packed rows, all variants have the same losses.
_SMALL = dict(num_centers=[32, 16, 8], num_neighbors=[8, 4, 4], depths=[1, 1, 1], drop_path_rate=0.)


def build_step(case: str, device: str, small: bool) -> tuple[nn.Module, Callable[[], Tensor], int]:
    """The model, a function that makes a step and returns its loss, and the clouds of a step."""
    config = read_config(_CONFIGS[case], _small_sizes(case) if small else {})
    model = build(config, 0, device)
    batch = 2 if small else _BATCHES[case]
    setting = Setting(device, 'bf16' if device == 'cuda' else 'fp32', batch, 0, Path())
    rooms = 'detr' in case or 'detect' in case
    points = 40000 if rooms else 2048 if case == 'pretrain' else 1024
    data = _data(case, batch, device, 1000 if small and rooms else 128 if small else points)

    def features() -> Tensor:
        return model(**data, mode='tensor').float().mean()

    def scores() -> Tensor:
        return model(**data, mode='predict')[0].pred_instances_3d.scores_3d.sum()

    if case == 'features' or case.endswith('_infer'):
        work = inference(features if case == 'features' else scores, model, (), setting)
    else:
        work = training(config, model, lambda: data, (), setting)
    return model, work.call, batch


def _small_sizes(case: str) -> dict[str, Any]:
    """Changes of the config for a rehearsal on a CPU."""
    changes = {f'model.backbone.{name}': value for name, value in _SMALL.items()}
    return {**changes, **({'model.bbox_head.num_queries': 8, 'model.bbox_head.num_layers': 1} if case == 'vdetr' else
                          {'model.neck.drop_path_rate': 0.})}


def _data(case: str, batch: int, device: str, points: int) -> dict[str, Any]:
    from m2ae_mm.cli.bench.inputs import composed_rooms, room_clouds, room_targets, shape_clouds
    if 'detr' in case or 'detect' in case:
        rooms = composed_rooms(batch, points, 0)
        return dict(inputs=dict(points=list(room_clouds(rooms, points).to(device))),
                    data_samples=[sample.to(device) for sample in room_targets(rooms)])
    inputs = dict(points=shape_clouds(batch, points, 0).to(device))
    if case != 'classify':
        return dict(inputs=inputs)
    from mmdet3d.structures import Det3DDataSample
    samples = [Det3DDataSample() for _ in range(batch)]
    for label, sample in enumerate(samples):
        sample.gt_label = torch.tensor(label % 40, device=device)
    return dict(inputs=inputs, data_samples=samples)
