"""Trainings on composed rooms that lie in memory: no loader in the way, for comparisons of many short runs."""
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from m2ae_mm.checkpoint import write_checkpoint
from m2ae_mm.datasets.io.annotations import read_annotations
from m2ae_mm.datasets.scannet_layout import MASK_VALUES
from m2ae_mm.datasets.scene_geometry import scene_bounds
from m2ae_mm.datasets.scene_segmentation import label_mapping
from m2ae_mm.engine import set_tuning
from m2ae_mm.surroundings import find_config
from mmdet3d.datasets import ScanNetSegDataset
from mmdet3d.evaluation.functional.seg_eval import fast_hist, get_acc, per_class_iou
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample, PointData

from ..option_values import parse_option

CLASSES = ScanNetSegDataset.METAINFO['classes']
# As in configs/_base_/datasets/rooms_seg.py.
_ROTATION, _SCALES = 0.087266, (0.9, 1.1)


class SegRooms(NamedTuple):
    """Rooms of one split.

    Attributes:
        points: One ``(N, 3)`` float32 a room, in metres and in random order.
        labels: One ``(N,)`` int64 a room; as many as there are classes for points without.
    """
    points: list[Tensor]
    labels: list[Tensor]

    @classmethod
    def load(cls, root: Path, split: str, device: str = 'cpu') -> 'SegRooms':
        """Rooms that ``create_rooms`` has written, on a device."""
        content = read_annotations(root / f'scannet_infos_{split}.pkl')
        mapping = label_mapping(CLASSES, content['metainfo'][MASK_VALUES], len(CLASSES))
        points, labels = [], []
        for i, entry in enumerate(content['data_list']):
            xyz = np.fromfile(root / 'points' / entry['lidar_points']['lidar_path'], '<f4').reshape(-1, 6)[:, :3]
            xyz[:, :2] -= sum(scene_bounds(xyz.astype(np.float64)))[:2] / 2  # as M2AECenterScene
            mask = np.fromfile(root / 'semantic_mask' / entry['pts_semantic_mask_path'], '<i8')
            order = np.random.default_rng(i).permutation(len(xyz))
            points.append(torch.from_numpy(xyz[order]).to(device))
            labels.append(torch.from_numpy(mapping[mask[order]]).to(device))
        return cls(points, labels)

    def first(self, share: float) -> 'SegRooms':
        """A share of the rooms, one at the least."""
        count = max(1, round(share * len(self.points)))
        return SegRooms(self.points[:count], self.labels[:count])

    def batch(self, chosen: Sequence[int], count: int, generator: torch.Generator) -> dict[str, Any]:
        """Arguments of a model for some rooms: ``count`` other points of each every time, flipped, turned, scaled."""
        clouds, samples = [], []
        for room in chosen:
            draw = torch.rand(5, generator=generator).tolist()
            start = int(draw[0] * len(self.points[room]))
            kept = torch.arange(start, start + count, device=self.points[room].device) % len(self.points[room])
            turn = _ROTATION * (2 * draw[1] - 1)
            scale = _SCALES[0] + draw[2] * (_SCALES[1] - _SCALES[0])
            x, y = ((1. if each < 0.5 else -1.) * scale for each in draw[3:])
            cos, sin = math.cos(turn), math.sin(turn)
            clouds.append(self.points[room][kept] @ self.points[room].new_tensor(
                [[x * cos, x * sin, 0.], [-y * sin, y * cos, 0.], [0., 0., scale]]))
            sample = Det3DDataSample()
            sample.gt_pts_seg = PointData(pts_semantic_mask=self.labels[room][kept])
            samples.append(sample)
        return dict(inputs=dict(points=clouds), data_samples=samples)


def pretrain(args, rooms: SegRooms, seed: int) -> Path:
    """Weights of an encoder pre-trained on the rooms without their labels, from an earlier call or made now."""
    path = args.out / 'pretrained' / f'seed_{seed}.safetensors'
    if not path.is_file():
        encoder = {key: value for key, value in _options(args).items()
                   if key.startswith('model.backbone.') and not key.endswith(('.radii', '.drop_path_rate'))}
        config = _config('m2ae_mm::m2ae/rooms_pretrain.py', encoder)
        model = _build(config, seed, args.device)
        losses = _train(model, config, rooms, args, args.pretrain_steps, seed)
        print(f'pre-trained, seed {seed}: {len(losses)} steps, loss {np.mean(losses[:50]):.4f} at first, '
              f'{np.mean(losses[-50:]):.4f} at last', flush=True)
        write_checkpoint(model.state_dict(), path)
    return path


def train_row(args, mode: str, weights: Path | None, train: SegRooms, val: SegRooms, seed: int) -> dict[str, Any]:
    """Train a segmentor and score it on unseen rooms.

    Args:
        args: Of ``seg_benchmark``.
        mode: What learns, see :func:`set_tuning`.
        weights: To start the encoder from; None for random ones.
        train, val: Rooms.
        seed: Of the initial weights and of all that is drawn.

    Returns:
        ``miou``, ``acc``, ``iou`` by class, ``ms_per_step`` (the median), ``trained`` weights and the last ``loss``.
    """
    config = _config('m2ae_mm::m2ae/rooms_seg.py', _options(args))
    set_tuning(config, mode)
    config.model.backbone.init_cfg.checkpoint = str(weights) if weights else None
    config.model.test_cfg.num_points = args.points  # as many as in training
    model = _build(config, seed, args.device)
    times: list[float] = []
    losses = _train(model, config, train, args, args.steps, seed, times)
    matrix = confusion(model, val)
    iou = per_class_iou(matrix)
    return dict(miou=float(np.nanmean(iou)), acc=float(get_acc(matrix)), loss=float(np.mean(losses[-20:])),
                iou={name: None if np.isnan(value) else float(value) for name, value in zip(CLASSES, iou)},
                ms_per_step=1000 * float(np.median(times)),
                trained=sum(each.numel() for each in model.parameters() if each.requires_grad))


@torch.no_grad()
def confusion(model: nn.Module, rooms: SegRooms) -> np.ndarray:
    """How often points of a class (row) are taken for each class (column), as mmdet3d's ``SegMetric`` counts them."""
    model.eval()
    matrix = np.zeros((len(CLASSES), ) * 2, np.int64)
    for points, labels in zip(rooms.points, rooms.labels):
        found = model.inference(points[None], [{}], True)[0].argmax(0)
        matrix += fast_hist(found.cpu().numpy(), labels.cpu().numpy(), len(CLASSES))
    return matrix


def _options(args) -> dict[str, Any]:
    config = Config.fromfile(find_config('m2ae_mm::m2ae/rooms_seg.py')).to_dict()
    return dict(parse_option(option, config) for option in args.cfg_options)


def _config(name: str, options: dict[str, Any]) -> Config:
    config = Config.fromfile(find_config(name))
    config.merge_from_dict(options)
    return config


def _build(config: Config, seed: int, device: str) -> nn.Module:
    init_default_scope('mmdet3d')
    MMLogger.get_instance('benchmark', log_level='WARNING')  # without the list of initial weights
    torch.manual_seed(seed)
    model = MODELS.build(config.model)
    model.init_weights()
    return model.to(device)


def _train(model: nn.Module, config: Config, rooms: SegRooms, args, steps: int, seed: int,
           times: list[float] | None = None) -> list[float]:
    """Losses of all steps: a linear warm-up over a twentieth of them, then a cosine to a hundredth."""
    wrapper = build_optim_wrapper(model.train(), config.optim_wrapper)
    rates = [group['lr'] for group in wrapper.optimizer.param_groups]
    generator = torch.Generator().manual_seed(seed)
    order: list[int] = []
    losses = []
    for step in range(steps):
        begun = time.perf_counter()
        for group, rate in zip(wrapper.optimizer.param_groups, rates):
            group['lr'] = rate * _factor(step, steps)
        while len(order) < args.batch_size:
            order += torch.randperm(len(rooms.points), generator=generator).tolist()
        chosen, order = order[:args.batch_size], order[args.batch_size:]
        data = rooms.batch(chosen, args.points, generator)
        with wrapper.optim_context(model):
            loss, _ = model.parse_losses(model(**data, mode='loss'))
        wrapper.update_params(loss)
        losses.append(float(loss.detach()))
        if times is not None:
            times.append(time.perf_counter() - begun)
    return losses


def _factor(step: int, steps: int) -> float:
    warm = max(steps // 20, 1)
    if step < warm:
        return (step + 1) / warm
    return 0.01 + 0.495 * (1 + math.cos(math.pi * (step - warm) / max(steps - warm, 1)))
