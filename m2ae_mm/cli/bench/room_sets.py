"""Composed rooms that lie in memory, and batches of them with the labels of a task."""
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from mmengine.structures import InstanceData
from torch import Tensor

from m2ae_mm.datasets.io.annotations import read_annotations
from m2ae_mm.datasets.scannet_layout import MASK_VALUES
from m2ae_mm.datasets.scene_geometry import scene_bounds
from m2ae_mm.datasets.scene_segmentation import label_mapping
from mmdet3d.datasets import ScanNetSegDataset
from mmdet3d.structures import DepthInstance3DBoxes, Det3DDataSample, PointData

CLASSES = ScanNetSegDataset.METAINFO['classes']
# As in configs/_base_/datasets/rooms_seg.py and rooms_det.py: +-5 degrees.
_ROTATION, _SCALES = 0.087266, (0.9, 1.1)
_UNCHANGED = dict(start=0., turn=0.5, scale=0.5, x=0., y=0.)


class Rooms(ABC):
    """Rooms of one split, on a device.

    Attributes:
        points: One ``(N, 3)`` float32 a room, in metres and in random order.
        labels: What a task is to find in each.
        draws: What is drawn for a room of a batch, in order: flips along ``x`` and ``y``, ``turn``, ``scale``, and
            the ``start`` of the points taken.
    """
    draws: ClassVar[tuple[str, ...]]

    def __init__(self, points: list[Tensor], labels: list[Any]) -> None:
        self.points, self.labels = points, labels

    def __len__(self) -> int:
        return len(self.points)

    def __add__(self, other: 'Rooms') -> 'Rooms':
        return type(self)(self.points + other.points, self.labels + other.labels)

    @classmethod
    def load(cls, root: Path, split: str, device: str = 'cpu') -> 'Rooms':
        """Rooms that ``create_rooms`` has written."""
        content = read_annotations(root / f'scannet_infos_{split}.pkl')
        rooms = cls([], [])
        for i, entry in enumerate(content['data_list']):
            xyz = np.fromfile(root / 'points' / entry['lidar_points']['lidar_path'], '<f4').reshape(-1, 6)[:, :3]
            order = np.random.default_rng(i).permutation(len(xyz))
            points, labels = cls.read(xyz, order, root, entry, content['metainfo'])
            rooms.points.append(torch.from_numpy(points).to(device))
            rooms.labels.append(labels.to(device))
        return rooms

    @staticmethod
    @abstractmethod
    def read(xyz: np.ndarray, order: np.ndarray, root: Path, entry: dict, metainfo: dict) -> tuple[np.ndarray, Any]:
        """Points and labels of a room: of its points ``(N, 3)``, their new order, and what the annotations say."""

    @staticmethod
    @abstractmethod
    def sample(labels: Any, kept: Tensor, matrix: Tensor) -> Det3DDataSample:
        """Labels of the points kept, in a room that ``matrix`` (3, 3) has moved: ``points @ matrix``."""

    def first(self, share: float) -> 'Rooms':
        """A share of the rooms, one at the least."""
        count = max(1, round(share * len(self)))
        return type(self)(self.points[:count], self.labels[:count])

    def batch(self, chosen: Sequence[int], count: int, generator: torch.Generator | None) -> dict[str, Any]:
        """Arguments of a model for some rooms; ``count`` points of each.

        With a generator, other points each time, flipped, turned and scaled; without, the first points as they are.
        """
        clouds, samples = [], []
        for room in chosen:
            points, draw = self.points[room], _UNCHANGED
            if generator is not None:
                draw = draw | dict(zip(self.draws, torch.rand(len(self.draws), generator=generator).tolist()))
            start = int(draw['start'] * len(points))
            kept = torch.arange(start, start + count, device=points.device) % len(points)
            turn, scale = _ROTATION * (2 * draw['turn'] - 1), _SCALES[0] + draw['scale'] * (_SCALES[1] - _SCALES[0])
            x, y = ((1. if draw[axis] < 0.5 else -1.) * scale for axis in 'xy')
            cos, sin = math.cos(turn), math.sin(turn)
            matrix = points.new_tensor([[x * cos, x * sin, 0.], [-y * sin, y * cos, 0.], [0., 0., scale]])
            clouds.append(points[kept] @ matrix)
            samples.append(self.sample(self.labels[room], kept, matrix))
        return dict(inputs=dict(points=clouds), data_samples=samples)


class SegRooms(Rooms):
    """``labels`` are one ``(N,)`` int64 a room; as many as there are classes for points without."""

    draws = ('start', 'turn', 'scale', 'x', 'y')

    @staticmethod
    def read(xyz, order, root, entry, metainfo):
        xyz[:, :2] -= sum(scene_bounds(xyz.astype(np.float64)))[:2] / 2  # as M2AECenterScene
        mask = np.fromfile(root / 'semantic_mask' / entry['pts_semantic_mask_path'], '<i8')
        mapping = label_mapping(CLASSES, metainfo[MASK_VALUES], len(CLASSES))
        return xyz[order], torch.from_numpy(mapping[mask[order]])

    @staticmethod
    def sample(labels, kept, matrix):
        sample = Det3DDataSample()
        sample.gt_pts_seg = PointData(pts_semantic_mask=labels[kept])
        return sample


class Boxes(NamedTuple):
    """``(G, 6)`` centres and sizes, and ``(G,)`` classes."""
    boxes: Tensor
    classes: Tensor

    def to(self, device: str) -> 'Boxes':
        return Boxes(*(each.to(device) for each in self))


class DetRooms(Rooms):
    """``labels`` are the :class:`Boxes` of each room."""

    draws = ('start', 'x', 'y', 'turn')

    @staticmethod
    def read(xyz, order, root, entry, metainfo):
        boxes = [each['bbox_3d'] for each in entry['instances']]
        classes = [each['bbox_label_3d'] for each in entry['instances']]
        return xyz[order], Boxes(torch.tensor(boxes).reshape(-1, 6), torch.tensor(classes, dtype=torch.long))

    @staticmethod
    def sample(labels, kept, matrix):
        # Axis-aligned boxes become the hull of the turned ones.
        boxes = torch.cat([labels.boxes[:, :3] @ matrix, labels.boxes[:, 3:] @ matrix.abs()], 1)
        sample = Det3DDataSample(metainfo=dict(box_type_3d=DepthInstance3DBoxes))
        sample.gt_instances_3d = InstanceData(labels_3d=labels.classes, bboxes_3d=DepthInstance3DBoxes(
            boxes, box_dim=6, with_yaw=False, origin=(0.5, 0.5, 0.5)))
        return sample
