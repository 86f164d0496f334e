"""Trainings on composed rooms that lie in memory: no loader in the way, for comparisons of many short runs."""
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper, build_optim_wrapper
from torch import Tensor, nn

from m2ae_mm.checkpoint import write_checkpoint
from m2ae_mm.engine import set_tuning
from mmdet3d.evaluation.functional.indoor_eval import eval_map_recall
from mmdet3d.evaluation.functional.seg_eval import fast_hist, get_acc, per_class_iou

from .models import build, read_config
from .room_sets import CLASSES, DetRooms, Rooms, SegRooms

PRETRAIN, DETECT, SEGMENT = (f'm2ae_mm::{name}.py' for name in ('m2ae/rooms_pretrain', 'vdetr/vdetr-m2ae_rooms',
                                                                'm2ae/rooms_seg'))
ENCODER = 'model.backbone.init_cfg.checkpoint'


class Schedule(NamedTuple):
    """One linear warm-up over a twentieth of the steps, then a cosine to a hundredth.

    Attributes:
        steps: All in all.
        batch: Rooms a step.
        lr: Highest learning rate; None for the config's.
        points: Of each room.
        encoder_lr: Factor of the encoder's learning rate.
    """
    steps: int
    batch: int = 8
    lr: float | None = None
    points: int = 8192
    encoder_lr: float = 1.

    def factor(self, step: int) -> float:
        """Of the learning rate."""
        warm = max(self.steps // 20, 1)
        if step < warm:
            return (step + 1) / warm
        return 0.01 + 0.495 * (1 + math.cos(math.pi * (step - warm) / max(self.steps - warm, 1)))


def train(model: nn.Module, config: Config, rooms: Rooms, schedule: Schedule, seed: int,
          after_step: Callable[[int, Tensor], None] = lambda done, loss: None) -> list[float]:
    """Train a model on rooms of its device.

    Args:
        model: Of the config.
        config: Has the optimiser.
        rooms: With the labels that the model wants.
        schedule: How long and how fast.
        seed: Of what is drawn.
        after_step: Called with the number of steps made and the loss of the last.

    Returns:
        The loss of every step.
    """
    wrapper, rates = _optimiser(model.train(), config, schedule, rooms.points[0].device.type)
    generator = torch.Generator().manual_seed(seed)
    order: list[int] = []
    losses: list[Tensor] = []
    while len(losses) < schedule.steps:
        for group, rate in zip(wrapper.optimizer.param_groups, rates):
            group['lr'] = rate * schedule.factor(len(losses))
        while len(order) < schedule.batch:
            order += torch.randperm(len(rooms), generator=generator).tolist()
        chosen, order = order[:schedule.batch], order[schedule.batch:]
        data = rooms.batch(chosen, schedule.points, generator)
        with wrapper.optim_context(model):
            loss, _ = model.parse_losses(model(**data, mode='loss'))
        wrapper.update_params(loss)
        losses.append(loss.detach())
        after_step(len(losses), losses[-1])
    return [float(each) for each in losses]  # not before: the host would wait for a GPU


def _optimiser(model: nn.Module, config: Config, schedule: Schedule, device: str) -> tuple[OptimWrapper, list[float]]:
    """The optimiser and the highest learning rate of each of its groups."""
    options = config.optim_wrapper.copy()
    if schedule.lr is not None:
        options.optimizer.lr = schedule.lr
    options.type = 'M2AEBFloat16OptimWrapper' if device == 'cuda' else 'M2AEOptimWrapper'
    wrapper = build_optim_wrapper(model, options)
    if schedule.encoder_lr == 1:
        return wrapper, [group['lr'] for group in wrapper.optimizer.param_groups]
    encoder = {id(each) for each in model.backbone.parameters()}
    groups = wrapper.optimizer.param_groups
    for group in list(groups):
        inside = [each for each in group['params'] if id(each) in encoder]
        if inside and len(inside) < len(group['params']):
            group['params'] = [each for each in group['params'] if id(each) not in encoder]
            wrapper.optimizer.add_param_group({**group, 'params': inside})
    return wrapper, [group['lr'] * (schedule.encoder_lr if id(group['params'][0]) in encoder else 1.)
                     for group in groups]


def in_parts(losses: list[float], parts: int = 20) -> list[float]:
    """Mean losses of equal parts of a training."""
    return [float(part.mean()) for part in np.array_split(losses, min(parts, len(losses)))]


def pretrain(path: Path, rooms: Rooms, schedule: Schedule, seed: int, changes: dict[str, Any] | None = None) -> Path:
    """Weights of an encoder pre-trained on the rooms without their labels: those of ``path``, or made now."""
    if not path.is_file():
        config = read_config(PRETRAIN, changes)
        model = build(config, seed, rooms.points[0].device.type)
        losses = in_parts(train(model, config, rooms, schedule, seed))
        print(f'{path.name}: {schedule.steps} steps of pre-training, loss {losses[0]:.4f} at first, {losses[-1]:.4f} '
              'at last', flush=True)
        write_checkpoint({f'backbone.{name}': value for name, value in model.backbone.state_dict().items()}, path)
    return path


def train_segmentor(config: Config, mode: str, weights: Path | None, train_rooms: SegRooms, val_rooms: SegRooms,
                    schedule: Schedule, seed: int) -> dict[str, Any]:
    """Train a segmentor and score it on unseen rooms.

    Args:
        config: Of the segmentor, changed in place.
        mode: What learns, see :func:`set_tuning`.
        weights: To start the encoder from; None for random ones.
        train_rooms, val_rooms: Rooms.
        schedule: Of the training.
        seed: Of the initial weights and of all that is drawn.

    Returns:
        ``miou``, ``acc``, ``iou`` by class, ``ms_per_step`` (the median), ``trained`` weights and the last ``loss``.
    """
    set_tuning(config, mode)
    config.merge_from_dict({ENCODER: str(weights) if weights else None,
                            'model.test_cfg.num_points': schedule.points})  # as many as in training
    model = build(config, seed, train_rooms.points[0].device.type)
    times = [time.perf_counter()]

    def clock(done: int, loss: Tensor) -> None:
        float(loss)  # once a GPU is there, too
        times.append(time.perf_counter())

    losses = train(model, config, train_rooms, schedule, seed, after_step=clock)
    matrix = confusion(model, val_rooms)
    iou = per_class_iou(matrix)
    return dict(miou=float(np.nanmean(iou)), acc=float(get_acc(matrix)), loss=float(np.mean(losses[-20:])),
                iou={name: None if np.isnan(value) else float(value) for name, value in zip(CLASSES, iou)},
                ms_per_step=1000 * float(np.median(np.diff(times))),
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


def score_boxes(model: nn.Module, rooms: DetRooms, points: int = 8192) -> dict[str, float]:
    """AP and recall at 0.25 and 0.5 as mmdet3d's indoor evaluation counts them, in percent."""
    truths: dict[int, dict[int, list]] = {}
    found: dict[int, dict[int, list]] = {}
    model.eval()
    for start in range(0, len(rooms), 8):
        chosen = range(start, min(start + 8, len(rooms)))
        data = rooms.batch(chosen, points, None)
        with torch.no_grad(), torch.autocast('cuda', torch.bfloat16, enabled=rooms.points[0].is_cuda):
            results = model(**data, mode='predict')
        for room, result in zip(chosen, results):
            truth, boxes = result.gt_instances_3d.cpu(), result.pred_instances_3d.cpu()
            for i, label in enumerate(truth.labels_3d.tolist()):
                truths.setdefault(label, {}).setdefault(room, []).append(truth.bboxes_3d[i])
            for i, (label, confidence) in enumerate(zip(boxes.labels_3d.tolist(), boxes.scores_3d.tolist())):
                found.setdefault(label, {}).setdefault(room, []).append((boxes.bboxes_3d[i], confidence))
    found = {label: found[label] for label in truths if label in found}
    for label, rooms_found in found.items():
        for room in rooms_found:
            truths[label].setdefault(room, [])
    recall, _, precision = eval_map_recall(found, truths, [0.25, 0.5])
    result = {}
    for i, name in enumerate(('25', '50')):
        average = [np.ravel(precision[i].get(label, 0.))[0] for label in truths]
        recalled = [np.ravel(recall[i].get(label, 0.))[-1] for label in truths]
        result.update({f'AP{name}': 100 * float(np.mean(average)), f'AR{name}': 100 * float(np.mean(recalled))})
    return result
