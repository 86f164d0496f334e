"""Trainings on composed rooms that are all in the memory of the device: no loader, and the host does not hold it up."""
import math
import multiprocessing
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from .records import ROOT

_POINTS = 20000
_ROTATION = 0.087266  # +-5 degrees, as 3DETR


def compose(path: Path, train: int, val: int, seed: int, workers: int, profile: str = 'normal') -> None:
    """Compose rooms, in parallel or by one worker in this process, and write them to one ``.npz``."""
    jobs = [(split, index, seed, _POINTS, profile) for split, count in (('train', train), ('val', val))
            for index in range(count)]
    if workers == 1:
        rooms = [_compose(*job) for job in jobs]
    else:
        with multiprocessing.get_context('spawn').Pool(workers) as pool:
            rooms = pool.starmap(_compose, jobs, chunksize=4)
    counts = np.array([len(boxes) for _, boxes, _ in rooms])
    np.savez(path, points=np.stack([points for points, _, _ in rooms]), counts=counts,
             boxes=np.concatenate([boxes for _, boxes, _ in rooms]),
             labels=np.concatenate([labels for _, _, labels in rooms]), train=train)


def _compose(split: str, index: int, seed: int, points: int, profile: str) -> tuple[np.ndarray, ...]:
    import torch as _torch
    _torch.set_num_threads(1)
    from m2ae_mm.datasets.rooms.scene import compose_scene
    room = compose_scene(split, index, seed, points, profile)
    order = np.random.default_rng(index).permutation(len(room.points))
    chosen = room.points[order[np.arange(points) % len(order)], :3]
    return chosen.astype(np.float32), room.boxes.astype(np.float32), room.labels.astype(np.int64)


class Rooms(NamedTuple):
    """Rooms of one split.

    Attributes:
        points: ``(R, 20000, 3)`` in metres, in random order.
        boxes: One ``(G, 6)`` per room: centre and size.
        labels: One ``(G,)`` per room.
    """
    points: Tensor
    boxes: list[Tensor]
    labels: list[Tensor]

    @classmethod
    def load(cls, path: Path, device: str) -> tuple['Rooms', 'Rooms']:
        """Training and validation rooms."""
        with np.load(path) as pack:
            points = torch.from_numpy(pack['points']).to(device)
            boxes = torch.from_numpy(pack['boxes']).to(device).split(pack['counts'].tolist())
            labels = torch.from_numpy(pack['labels']).to(device).split(pack['counts'].tolist())
            train = int(pack['train'])
        return (cls(points[:train], list(boxes[:train]), list(labels[:train])),
                cls(points[train:], list(boxes[train:]), list(labels[train:])))

    def batch(self, chosen: Sequence[int], count: int, generator: torch.Generator | None) -> dict[str, Any]:
        """Arguments of a model for some rooms; ``count`` points of each.

        With a generator, new points each time, flipped and turned as in
        3DETR's training; without, the first points as they are.
        """
        clouds, samples = [], []
        for room in chosen:
            points, boxes = self.points[room], self.boxes[room]
            start, flips, turn = 0, (1., 1.), 0.
            if generator is not None:
                draw = torch.rand(4, generator=generator).tolist()
                start = int(draw[0] * len(points))
                flips = tuple(1. if each < 0.5 else -1. for each in draw[1:3])
                turn = _ROTATION * (2 * draw[3] - 1)
            points = torch.cat([points[start:start + count], points[:max(0, start + count - len(points))]])
            cos, sin = math.cos(turn), math.sin(turn)
            matrix = points.new_tensor([[flips[0] * cos, flips[0] * sin, 0], [-flips[1] * sin, flips[1] * cos, 0],
                                        [0, 0, 1]])
            clouds.append(points @ matrix)
            # Axis-aligned boxes become the hull of the turned ones.
            boxes = torch.cat([boxes[:, :3] @ matrix, boxes[:, 3:] @ matrix.abs()], 1)
            samples.append(_sample(boxes, self.labels[room]))
        return dict(inputs=dict(points=clouds), data_samples=samples)


def _sample(boxes: Tensor, labels: Tensor):
    from mmengine.structures import InstanceData

    from mmdet3d.structures import DepthInstance3DBoxes, Det3DDataSample
    sample = Det3DDataSample(metainfo=dict(box_type_3d=DepthInstance3DBoxes))
    sample.gt_instances_3d = InstanceData(
        bboxes_3d=DepthInstance3DBoxes(boxes, box_dim=6, with_yaw=False, origin=(0.5, 0.5, 0.5)), labels_3d=labels)
    return sample


class Schedule(NamedTuple):
    """One linear warm-up, then a cosine.

    Attributes:
        steps: All in all.
        batch: Rooms a step.
        lr: Highest learning rate; None for the config's.
        points: Of each room.
        encoder_lr: Factor of the encoder's learning rate.
        frozen: Share of the steps in which the encoder stays as it is.
    """
    steps: int
    batch: int = 8
    lr: float | None = None
    points: int = 8192
    encoder_lr: float = 1.
    frozen: float = 0.

    def factor(self, step: int) -> float:
        """Of the learning rate."""
        warm = max(self.steps // 20, 1)
        if step < warm:
            return (step + 1) / warm
        return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(self.steps - warm, 1))) * 0.99 + 0.01


def build(config_file: str, seed: int, device: str, changes: dict[str, Any] | None = None) -> tuple[nn.Module, Any]:
    """A model with its initial weights, and its config."""
    from mmengine.config import Config
    from mmengine.logging import MMLogger
    from mmengine.registry import init_default_scope

    import m2ae_mm  # noqa: F401
    from mmdet3d.registry import MODELS
    MMLogger.get_instance('playbook', log_level='WARNING')  # without the list of initial weights
    init_default_scope('mmdet3d')
    config = Config.fromfile(ROOT / config_file)
    config.merge_from_dict(changes or {})
    torch.manual_seed(seed)
    model = MODELS.build(config.model)
    model.init_weights()
    return model.to(device), config


def train(model: nn.Module, config, rooms: Rooms, schedule: Schedule, seed: int, stop: float = math.inf,
          after_step: Callable[[int], None] = lambda done: None) -> list[dict]:
    """Train; mean losses of every twentieth of the steps. Stops early at ``time.time() == stop``."""
    from mmengine.optim import build_optim_wrapper
    device = rooms.points.device.type
    options = config.optim_wrapper.copy()
    if schedule.lr is not None:
        options.optimizer.lr = schedule.lr
    options.type = 'M2AEBFloat16OptimWrapper' if device == 'cuda' else 'M2AEOptimWrapper'
    wrapper = build_optim_wrapper(model.train(), options)
    encoder = {id(each) for each in model.backbone.parameters()}
    groups = wrapper.optimizer.param_groups
    # Groups hold encoder or other parameters only if every parameter has a group; split them where they do not.
    for group in list(groups):
        inside = [each for each in group['params'] if id(each) in encoder]
        if inside and len(inside) < len(group['params']):
            group['params'] = [each for each in group['params'] if id(each) not in encoder]
            wrapper.optimizer.add_param_group({**group, 'params': inside})
    rates = [group['lr'] * (schedule.encoder_lr if id(group['params'][0]) in encoder else 1.) for group in groups]
    generator = torch.Generator().manual_seed(seed)
    order: list[int] = []
    history, losses = [], []
    for step in range(schedule.steps):
        if time.time() > stop:
            break
        for group, rate in zip(groups, rates):
            held = step < schedule.frozen * schedule.steps and id(group['params'][0]) in encoder
            group['lr'] = 0. if held else rate * schedule.factor(step)
        while len(order) < schedule.batch:
            order += torch.randperm(len(rooms.boxes), generator=generator).tolist()
        chosen, order = order[:schedule.batch], order[schedule.batch:]
        data = rooms.batch(chosen, schedule.points, generator)
        with wrapper.optim_context(model):
            loss, _ = model.parse_losses(model(**data, mode='loss'))
        wrapper.update_params(loss)
        losses.append(loss.detach())
        if len(losses) >= max(schedule.steps // 20, 1):
            history.append(dict(step=step + 1, loss=float(torch.stack(losses).mean())))
            losses = []
        after_step(step + 1)
    return history


def score(model: nn.Module, rooms: Rooms, points: int = 8192, batch: int = 8) -> dict[str, float]:
    """AP and recall at 0.25 and 0.5 as mmdet3d's indoor evaluation counts them, in percent."""
    from mmdet3d.evaluation.functional.indoor_eval import eval_map_recall
    truths: dict[int, dict[int, list]] = {}
    found: dict[int, dict[int, list]] = {}
    model.eval()
    for start in range(0, len(rooms.boxes), batch):
        chosen = range(start, min(start + batch, len(rooms.boxes)))
        data = rooms.batch(chosen, points, None)
        with torch.no_grad(), torch.autocast('cuda', torch.bfloat16, enabled=rooms.points.is_cuda):
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


def save_half(model: nn.Module, path: Path, keys: str = '') -> None:
    """Weights below ``keys`` in half precision; running statistics of norms, some too small for it, as they are."""
    from safetensors.torch import save_file
    weights = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()
               if name.startswith(keys)}
    save_file({name: value.half() if value.is_floating_point() and '.running_' not in name else value
               for name, value in weights.items()}, path)


def load_encoder(model: nn.Module, path: Path) -> None:
    """The encoder's weights of :func:`save_half`."""
    from safetensors.torch import load_file
    weights = {name.removeprefix('backbone.'): value.float() for name, value in load_file(path).items()
               if name.startswith('backbone.')}
    missing, unexpected = model.backbone.load_state_dict(weights, strict=False)
    if unexpected or len(missing) > 4:  # norms of stages that only one of the two has
        raise RuntimeError(f'encoder of {path} does not fit: {missing}, {unexpected}')
