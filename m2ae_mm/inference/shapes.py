"""Single shapes as the models of shapes take them; their classes and parts."""
import copy
from typing import Any, NamedTuple

import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose
from scipy.spatial import cKDTree
from torch import nn

from m2ae_mm.datasets.io.clouds import SUFFIXES, read_cloud
from m2ae_mm.datasets.io.local import local_cloud
from m2ae_mm.datasets.io.ply import write_ply
from m2ae_mm.datasets.io.scans import check_exists
from m2ae_mm.datasets.scene_geometry import TO_Z_UP
from m2ae_mm.datasets.transforms.points import normalize_unit_sphere
from m2ae_mm.engine.config_parts import step_name
from m2ae_mm.models.classifiers import PointM2AEClassifier
from m2ae_mm.models.segmentors import PointM2AESegmentor
from m2ae_mm.visualization.boxes import to_numpy
from m2ae_mm.visualization.colours import distinct_colours
from m2ae_mm.visualization.figures import class_image, parts_image
from mmdet3d.registry import TRANSFORMS

from .base import Entry, Item, M2AEInferencer
from .results import Writer, plain
from .scenes import pipeline_of

# Points drawn from a mesh, as in M2AEFolder; points taken of larger clouds if no step of the pipeline samples.
MESH_POINTS, MOST_POINTS = 8192, 2048
_LEAST_POINTS = 32
# Sampling steps of pipelines and data preprocessors.
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
    """Prepares points in the unit sphere for a model of shapes: its test pipeline."""

    def __init__(self, config: Config) -> None:
        steps = [dict(step) for step in pipeline_of(config)]
        later = (config.model.get('data_preprocessor') or {}).get('test_transforms') or []
        if not any(step_name(step) in _SAMPLING for step in [*steps, *later]):
            # The files of such a data set have the right number of points.
            steps.insert(0, dict(type='M2AESamplePoints', num_points=MOST_POINTS, seed=0))
        self.pipeline = Compose([TRANSFORMS.build(copy.deepcopy(step)) for step in steps])

    def __call__(self, name: str, points: np.ndarray, label: int = -1) -> dict:
        """``inputs`` and ``data_samples`` of a shape ``(N, 3)``; ``label`` is its category, if that is given."""
        return self.pipeline(dict(points=points, name=name, sample_idx=0, gt_label=label, split='test'))


class ShapeInferencer(M2AEInferencer):
    """Base of the inferencers for shapes, which are turned to z up, centred and scaled to the unit sphere."""

    suffixes = SUFFIXES
    preprocess_kwargs = {'up'}
    visualize_kwargs = {'return_vis'}

    def read(self, item: Item, up: str = 'z', label: int = -1) -> Entry:
        """A shape with ``up`` as the axis that points up in its file."""
        source = read_shape(item, up)
        return Entry(item, self.pipeline(item.name, source.points, label), source)

    def _init_pipeline(self, cfg: Config) -> ShapeSteps:
        return ShapeSteps(cfg)


class M2AEClassifyInferencer(ShapeInferencer):
    """The class of each shape.

    Options of a call: ``up``, the axis that points up in the files; ``return_vis``, ``out_dir`` and ``write``.

    Each prediction holds ``name``, ``label``, ``class_name``, ``score`` and ``scores`` ``(classes,)``.

    Args:
        args, kwargs: See :class:`M2AEInferencer`.
    """

    command = 'classify'
    tasks = ('classification', )
    formats = ('json', 'png')

    def accepts(self, model: nn.Module) -> bool:
        """Classifiers."""
        return isinstance(model, PointM2AEClassifier)

    def result(self, entry: Entry, sample: Any) -> dict:
        """See the class."""
        scores = to_numpy(sample.pred_score).astype(np.float64)
        label = int(scores.argmax())
        return dict(name=entry.item.name, label=label, class_name=self.class_name(label), score=float(scores[label]),
                    scores=scores)

    def write(self, result: dict, entry: Entry, writer: Writer) -> None:
        """The scores of all classes as JSON."""
        named = {self.class_name(i): score for i, score in enumerate(result['scores'])}
        writer.json(entry.item.stem, plain(dict(shape=result['name'], model=self.title, label=result['class_name'],
                                                score=result['score'], scores=named)))

    def picture(self, entry: Entry, result: dict) -> np.ndarray:
        """The shape under its class."""
        return class_image(entry.source.points, f'{result["class_name"]} ({100 * result["score"]:.0f} %)')


class M2AESegmentInferencer(ShapeInferencer):
    """The part that each point of a shape belongs to.

    Options of a call: ``category``, the category of the shapes by name or
    number; ``up``, the axis that points up in the files; ``return_vis``, ``out_dir`` and ``write``.

    Each prediction holds ``name``, ``points`` (N, 3), those of the file or
    drawn from its surface, and ``parts`` (N,) int64. A point that was not
    sampled gets the part of the nearest sampled one.

    Args:
        args, kwargs: See :class:`M2AEInferencer`.
    """

    command = 'segment'
    tasks = ('part segmentation', )
    formats = ('json', 'ply', 'png', 'html', 'npz')
    preprocess_kwargs = {'up', 'category'}

    def accepts(self, model: nn.Module) -> bool:
        """Part segmentors."""
        return isinstance(model, PointM2AESegmentor)

    def read(self, item: Item, up: str = 'z', category: str | int | None = None) -> Entry:
        """A shape of a category."""
        return super().read(item, up, self._category(category))

    def _category(self, category: str | int | None) -> int:
        names, count = self.model.dataset_meta['classes'], self.model.head.num_categories
        if category is None and count == 1:
            return 0
        if category in names:
            return names.index(category)
        if str(category).isdecimal() and int(category) < count:
            return int(category)
        known = ', '.join(names) or f'0 to {count - 1}'
        raise ValueError(f'the model needs the category of the shape (--category, in Python category=...), one of '
                         f'{known}; got {category!r}')

    def result(self, entry: Entry, sample: Any) -> dict:
        """See the class."""
        given = to_numpy(entry.packed['inputs']['points'])[:, :3]
        parts = to_numpy(sample.pred_pts_seg.pts_semantic_mask)
        nearest = cKDTree(given[:len(parts)]).query(entry.source.points)[1]
        return dict(name=entry.item.name, points=entry.source.cloud, parts=parts[nearest].astype(np.int64))

    def write(self, result: dict, entry: Entry, writer: Writer) -> None:
        """Points per part as JSON; labelled points as PLY and arrays; a page."""
        stem, (numbers, counts) = entry.item.stem, np.unique(result['parts'], return_counts=True)
        colours = np.round(255 * distinct_colours(len(numbers), soft=True))
        writer.json(stem, plain(dict(shape=result['name'], model=self.title,
                                     parts=dict(zip(map(str, numbers), counts)))))
        if path := writer.path('ply', stem):
            write_ply(path, result['points'], colours[np.searchsorted(numbers, result['parts'])].astype(np.uint8),
                      part=result['parts'])
        if path := writer.path('npz', stem):
            np.savez(path, points=result['points'], parts=result['parts'])
        if path := writer.path('html', stem):
            from m2ae_mm.visualization.page import write_cloud_page
            write_cloud_page(path, {f'part {number}': entry.source.points[result['parts'] == number]
                                    for number in numbers}, colours, f'{result["name"]}: parts by {self.title}')

    def picture(self, entry: Entry, result: dict) -> np.ndarray:
        """The shape, one colour a part."""
        return parts_image(entry.source.points, None, result['parts'])


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
        check_exists(item.value)
        cloud = read_cloud(item.value, MESH_POINTS)
    cloud = np.asarray(cloud, np.float32)
    if len(cloud) < _LEAST_POINTS:
        raise ValueError(f'it has {len(cloud)} points, and a shape needs {_LEAST_POINTS} at the least')
    if not np.ptp(cloud, axis=0).max() > 0:
        raise ValueError('all of its points are in one place')
    return ShapeSource(cloud, normalize_unit_sphere(cloud @ TO_Z_UP[up].T.astype(np.float32)))
