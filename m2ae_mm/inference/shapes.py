"""Single shapes as the models of shapes take them."""
import copy
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose

from m2ae_mm.datasets.io.clouds import SUFFIXES, read_cloud
from m2ae_mm.datasets.io.local import local_cloud
from m2ae_mm.datasets.scene_geometry import TO_Z_UP
from m2ae_mm.datasets.transforms.points import normalize_unit_sphere
from mmdet3d.registry import TRANSFORMS

from .base import Entry, Item, M2AEInferencer
from .scenes import pipeline_of, step_name

# Points drawn from a mesh, as M2AEFolder draws them; of larger clouds without a step that samples, so many are taken.
MESH_POINTS, MOST_POINTS = 8192, 2048
_LEAST_POINTS = 32
# Steps that sample, of pipelines and of data preprocessors.
_SAMPLING = ('M2AESamplePoints', 'PointSample', 'M2AEBatchSample')


class ShapeSource(NamedTuple):
    """What results of a shape refer to.

    Attributes:
        cloud: ``(N, 3)`` float32 points of the file.
        points: ``(N, 3)`` float32 the same, z up, in the unit sphere.
    """
    cloud: np.ndarray
    points: np.ndarray


class ShapeSteps:
    """From points in the unit sphere to what a model of shapes takes: the steps of its test pipeline.

    Args:
        config: Of the model.
    """

    def __init__(self, config: Config) -> None:
        steps = [dict(step) for step in pipeline_of(config)]
        later = (config.model.get('data_preprocessor') or {}).get('test_transforms') or []
        if not any(step_name(step) in _SAMPLING for step in [*steps, *later]):
            # Data sets whose files have the right number of points.
            steps.insert(0, dict(type='M2AESamplePoints', num_points=MOST_POINTS, seed=0))
        self.pipeline = Compose([TRANSFORMS.build(copy.deepcopy(step)) for step in steps])

    def __call__(self, name: str, points: np.ndarray, label: int = -1) -> dict:
        """``inputs`` and ``data_samples`` of a shape ``(N, 3)``; ``label`` is its category, if that is given."""
        return self.pipeline(dict(points=points, name=name, sample_idx=0, gt_label=label, split='test'))


class ShapeInferencer(M2AEInferencer):
    """What inferencers of shapes have in common: a shape is turned to z up, centred and scaled to the unit sphere."""

    suffixes = SUFFIXES
    preprocess_kwargs = {'up'}
    visualize_kwargs = {'return_vis'}

    def read(self, item: Item, up: str = 'z', label: int = -1) -> Entry:
        """A shape with ``up`` as the axis that points up in its file."""
        source = read_shape(item, up)
        return Entry(item, self.pipeline(item.name, source.points, label), source)

    def _init_pipeline(self, cfg: Config) -> ShapeSteps:
        return ShapeSteps(cfg)


def read_shape(item: Item, up: str = 'z') -> ShapeSource:
    """A shape from a file or an array.

    Raises:
        ValueError: If it gives too few points, or they are all in one place.
    """
    if up not in TO_Z_UP:
        raise ValueError(f'up must be one of {", ".join(TO_Z_UP)}, got {up!r}.')
    if isinstance(item.value, np.ndarray):
        if item.value.ndim != 2 or item.value.shape[1] < 3:
            raise ValueError(f'an array of shape {item.value.shape}, not points (N, 3)')
        cloud = local_cloud(item.value[:, :3], item.name)
    else:
        if not item.value.is_file():
            raise ValueError('there is no such file')
        if not item.value.stat().st_size:
            raise ValueError('the file is empty')
        cloud = read_cloud(item.value, MESH_POINTS)
    cloud = np.asarray(cloud, np.float32)
    if len(cloud) < _LEAST_POINTS:
        raise ValueError(f'it has {len(cloud)} points, and a shape needs {_LEAST_POINTS} at the least')
    if not np.ptp(cloud, axis=0).max() > 0:
        raise ValueError('all of its points are in one place')
    return ShapeSource(cloud, normalize_unit_sphere(cloud @ TO_Z_UP[up].T.astype(np.float32)))


def host(value: Any) -> np.ndarray:
    """A tensor as array."""
    return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
