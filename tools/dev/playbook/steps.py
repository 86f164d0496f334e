"""Steps of our models on made-up clouds that lie on the device: forward, backward and the optimiser."""
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .records import ROOT

_CONFIGS = dict(pretrain='m2ae/shapenet_pretrain.py', features='m2ae/shapenet_pretrain.py',
                classify='m2ae/modelnet40_cls.py', detect='3detr/3detr-m_scannet.py',
                detect_infer='3detr/3detr-m_scannet.py', vdetr='vdetr/vdetr-m2ae_scannet.py',
                vdetr_infer='vdetr/vdetr-m2ae_scannet.py')
# Published batch sizes; 40,000 points a room.
_BATCHES = dict(pretrain=128, features=128, classify=32, detect=8, detect_infer=8, vdetr=8, vdetr_infer=8)
# Without stochastic depth, which draws other numbers on packed rows, all variants have the same losses.
_SMALL = dict(num_centers=[32, 16, 8], num_neighbors=[8, 4, 4], depths=[1, 1, 1], drop_path_rate=0.)


def build_step(case: str, device: str, small: bool) -> tuple[nn.Module, Callable[[], Tensor], int]:
    """The model, a function that makes a step and returns its loss, and the clouds of a step."""
    from mmengine.config import Config
    from mmengine.logging import MMLogger
    from mmengine.registry import init_default_scope

    import m2ae_mm  # noqa: F401
    from mmdet3d.registry import MODELS
    MMLogger.get_instance('playbook', log_level='WARNING')  # without the list of initial weights
    init_default_scope('mmdet3d')
    config = Config.fromfile(ROOT / 'configs' / _CONFIGS[case])
    if small:
        _make_small(config.model, case)
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    model.init_weights()
    model.to(device)
    batch = 2 if small else _BATCHES[case]
    rooms = 'detr' in case or 'detect' in case
    points = 40000 if rooms else 2048 if case == 'pretrain' else 1024
    data = _data(case, batch, device, 1000 if small and rooms else 128 if small else points)
    if case == 'features' or case.endswith('_infer'):
        return model.eval(), _inference(model, data, 'tensor' if case == 'features' else 'predict'), batch
    return model.train(), _training(model, config, data, device), batch


def _make_small(model, case: str) -> None:
    """Sizes for a rehearsal on a CPU."""
    model.backbone.update(_SMALL)
    if case == 'vdetr':
        model.bbox_head.update(num_queries=8, num_layers=1)
    else:
        model.neck.drop_path_rate = 0.


def _data(case: str, batch: int, device: str, points: int) -> dict[str, Any]:
    if 'detr' in case or 'detect' in case:
        return _rooms(batch, device, points)
    generator = torch.Generator().manual_seed(0)
    clouds = torch.randn(batch, points, 3, generator=generator)
    clouds = (clouds / clouds.norm(dim=-1, keepdim=True) * torch.rand(batch, 1, 3, generator=generator)).to(device)
    if case != 'classify':
        return dict(inputs=dict(points=clouds))
    from mmdet3d.structures import Det3DDataSample
    samples = [Det3DDataSample() for _ in range(batch)]
    for label, sample in enumerate(samples):
        sample.gt_label = torch.tensor(label % 40, device=device)
    return dict(inputs=dict(points=clouds), data_samples=samples)


def _rooms(batch: int, device: str, points: int) -> dict[str, Any]:
    from mmengine.structures import InstanceData

    from m2ae_mm.datasets.rooms.scene import compose_scene
    from mmdet3d.structures import DepthInstance3DBoxes, Det3DDataSample
    clouds, samples = [], []
    for index in range(batch):
        room = compose_scene('train', index, 0, points)
        clouds.append(torch.from_numpy(room.points[np.arange(points) % len(room.points), :3]).to(device))
        boxes = DepthInstance3DBoxes(torch.from_numpy(room.boxes).float().to(device), box_dim=6, with_yaw=False,
                                     origin=(0.5, 0.5, 0.5))
        sample = Det3DDataSample(metainfo=dict(box_type_3d=DepthInstance3DBoxes))
        sample.gt_instances_3d = InstanceData(bboxes_3d=boxes, labels_3d=torch.from_numpy(room.labels).to(device))
        samples.append(sample)
    return dict(inputs=dict(points=clouds), data_samples=samples)


def _training(model: nn.Module, config, data: dict[str, Any], device: str) -> Callable[[], Tensor]:
    from mmengine.optim import build_optim_wrapper
    wrapper = build_optim_wrapper(model, config.optim_wrapper)

    def step() -> Tensor:
        with torch.autocast(device, torch.bfloat16, enabled=device == 'cuda'):
            loss, _ = model.parse_losses(model(**data, mode='loss'))
        wrapper.update_params(loss)
        return loss.detach()

    return step


def _inference(model: nn.Module, data: dict[str, Any], mode: str) -> Callable[[], Tensor]:
    first = data['inputs']['points'][0]

    def step() -> Tensor:
        with torch.no_grad(), torch.autocast(first.device.type, torch.bfloat16, enabled=first.is_cuda):
            result = model(**data, mode=mode)
        return result.float().mean() if mode == 'tensor' else result[0].pred_instances_3d.scores_3d.sum()

    return step
