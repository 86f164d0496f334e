"""Scans of rooms as the models of scenes take them, and boxes in scans."""
import copy
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from torch import nn

from m2ae_mm.checkpoint import describe, shipped_names
from m2ae_mm.datasets.io.ply import write_ply
from m2ae_mm.datasets.io.scans import USUAL_UP, Scan, read_scan, scan_of
from m2ae_mm.datasets.scan_frame import ScanFrame, find_frame
from m2ae_mm.engine.config_parts import step_name
from m2ae_mm.models.heads.box_set_head import BoxSetHead
from m2ae_mm.ops import nms3d
from m2ae_mm.visualization.boxes import array_of_boxes, to_numpy
from m2ae_mm.visualization.colours import distinct_colours
from m2ae_mm.visualization.figures import by_height, detection_image
from m2ae_mm.visualization.render import box_corners
from mmdet3d.models.detectors import Base3DDetector
from mmdet3d.registry import TRANSFORMS
from mmdet3d.structures import Box3DMode, DepthInstance3DBoxes

from .base import Entry, Item, M2AEInferencer
from .results import Writer, edge_points, plain

# Data sets of single views: the camera is at the origin.
_VIEWS = ('SUNRGBDDataset', 'mmdet3d.SUNRGBDDataset')
# Pipeline steps that reading a scan and finding its frame replace, or that need labels.
_REPLACED = ('LoadPointsFromFile', 'GlobalAlignment', 'M2AESceneFrame', 'LoadAnnotations3D', 'PointSegClassMapping',
             'M2AEMapLabels')
# NMS threshold (IoU) for heads of mmdet3d, over all classes.
_OVERLAP = 0.25
# Default score threshold.
_SCORE = 0.3


class SceneSource(NamedTuple):
    """What results of a scan refer to.

    Attributes:
        scan: The points as recorded.
        frame: The frame that they were recorded in.
    """
    scan: Scan
    frame: ScanFrame


class SceneSteps:
    """Prepares a scan for a model of scenes: its test pipeline without the steps that read files.

    Raises:
        ValueError: If its test data are not indoor scenes.
    """

    def __init__(self, config: Config) -> None:
        pipeline = list(pipeline_of(config))
        names = [step_name(step) for step in pipeline]
        if 'LoadPointsFromFile' not in names:
            raise ValueError(f'the test pipeline of this model reads no points ({", ".join(names)}), so it is not '
                             'known what it wants of a scan.')
        self.load = pipeline[names.index('LoadPointsFromFile')]
        if self.load.get('coord_type') != 'DEPTH':
            raise ValueError(f'this model is made for points of coord_type={self.load.get("coord_type")!r}, and scans '
                             "of rooms are of 'DEPTH'.")
        used = self.load.get('use_dim', [0, 1, 2])
        self.columns = list(range(used) if isinstance(used, int) else used)
        options = {key: value for key, value in self.load.items() if key not in ('type', 'backend_args')}
        kept = [dict(type='LoadPointsFromDict', **options),
                *(step for step, name in zip(pipeline, names) if name not in _REPLACED)]
        self.pipeline = Compose([TRANSFORMS.build(copy.deepcopy(dict(step))) for step in kept])
        self.of_views = test_data(config)['type'] in _VIEWS
        # mmdet3d divides coordinates by their maximum to get the place in the room, so they must start at 0.
        self.starts_at_zero = bool((config.model.get('test_cfg') or {}).get('use_normalized_coord'))

    def place(self, source: SceneSource) -> np.ndarray:
        """``(N, 3)`` the points of a scan in the frame of the model."""
        xyz = source.frame.apply(source.scan.xyz)
        return xyz - xyz.min(0) if self.starts_at_zero else xyz

    def __call__(self, name: str, source: SceneSource) -> dict:
        """``inputs`` and ``data_samples`` of a scan.

        Raises:
            ValueError: If the model reads colours and the scan has none.
        """
        xyz = self.place(source)
        if max(self.columns) > 2:
            if source.scan.colours is None or max(self.columns) > 5:
                raise ValueError(f'the model reads columns {self.columns} of a point, and this scan has '
                                 f'{"x, y, z" if source.scan.colours is None else "x, y, z, r, g, b"} only')
            xyz = np.hstack([xyz, source.scan.colours])[:, self.columns]
        state = np.random.get_state()
        np.random.seed(0)  # some steps of mmdet3d draw at random; a scan always gives the same points
        try:
            return self.pipeline(dict(points=xyz.astype(np.float32), name=name, sample_idx=0, lidar_path=name,
                                      box_type_3d=DepthInstance3DBoxes, box_mode_3d=Box3DMode.DEPTH))
        finally:
            np.random.set_state(state)


def pipeline_of(config: Config) -> list[dict]:
    """The test pipeline; see :func:`test_data`."""
    return test_data(config)['pipeline']


def test_data(config: Config) -> dict:
    """The test data set, without wrappers.

    Raises:
        ValueError: If the config has none with a pipeline.
    """
    dataset = (config.get('test_dataloader') or {}).get('dataset') or {}
    while 'pipeline' not in dataset and isinstance(dataset.get('dataset'), Mapping):
        dataset = dataset['dataset']
    if 'pipeline' not in dataset:
        raise ValueError('the config has no test_dataloader with a pipeline, so it is not known what the model wants '
                         'of its input.')
    return dataset


def reads_scenes(config: Config) -> bool:
    """Whether the test data are scenes, not shapes."""
    return any(step_name(step) == 'LoadPointsFromFile' for step in pipeline_of(config))


def read_source(item: Item, unit: str | float | None = None, up: str | None = None, align: bool = True,
                columns: int | None = None, view: bool = False) -> SceneSource:
    """A scan with its frame.

    Args:
        item: The input.
        unit: Of the scan, see :func:`scale_of`; None finds it.
        up: The axis that points up; None finds it.
        align: Whether to turn the walls parallel to the axes.
        columns: Columns of a point in a ``.bin`` file; None finds their number.
        view: Whether the model was trained on single views from the origin, see :func:`find_frame`.

    Raises:
        ValueError: If there are no points, or this cannot be a scan of a room.
    """
    scan = (scan_of(item.value, item.name) if isinstance(item.value, np.ndarray) else
            read_scan(item.value, columns, item.name))
    usual = 'z' if isinstance(item.value, np.ndarray) else USUAL_UP.get(item.value.suffix.lower(), 'z')
    return SceneSource(scan, find_frame(scan.xyz, unit, up, align, usual, view))


class SceneInferencer(M2AEInferencer):
    """Base of the inferencers for scans of rooms."""

    preprocess_kwargs = {'unit', 'up', 'align', 'columns'}
    visualize_kwargs = {'return_vis'}

    def read(self, item: Item, **options) -> Entry:
        """See :func:`read_source`."""
        source = read_source(item, view=self.pipeline.of_views, **options)
        return Entry(item, self.pipeline(item.name, source), source)

    def _init_pipeline(self, cfg: Config) -> SceneSteps:
        return SceneSteps(cfg)


class M2AEDetInferencer(SceneInferencer):
    """Boxes in scans of rooms: 3DETR's, V-DETR's and mmdet3d's indoor detectors.

    A scan is brought to metres with z up. The origin is the middle of its
    floor, or the camera for models of SUN RGB-D. Boxes come back in the frame
    of the scan. NMS keeps one of several overlapping boxes, whatever their classes.

    Options of a call: ``unit``, ``up``, ``align`` and ``columns``, see
    :func:`read_source`; ``score_thr``, the least score of a box (None: for
    shipped weights the score of the best F1 in training rooms, else 0.3); ``return_vis``, ``out_dir`` and ``write``.

    Each prediction holds ``name``, ``boxes`` (M, 7) float64, see
    :meth:`ScanFrame.undo_boxes`, ``corners`` (M, 8, 3), ``scores`` (M,),
    ``labels`` (M,) int64, ``classes``, M names, and ``frame``. The highest score comes first.

    Args:
        args, kwargs: See :class:`M2AEInferencer`.
    """

    command = 'predict'
    tasks = ('detection', )
    default = 'rooms_det'
    formats = ('json', 'ply', 'png', 'html')
    forward_kwargs = {'score_thr'}

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        head = getattr(self.model, 'bbox_head', None)
        self.own_head = isinstance(head, BoxSetHead)
        known = describe(self.title) if self.title in shipped_names() else {}
        self.score_thr = known.get('score_threshold', _SCORE)
        if self.own_head:
            head.detection = head.detection._replace(class_agnostic=True, per_class_proposal=False)
        elif isinstance(getattr(head, 'test_cfg', None), dict):
            head.test_cfg['per_class_proposal'] = False

    def accepts(self, model: nn.Module) -> bool:
        """Detectors."""
        return isinstance(model, Base3DDetector)

    @torch.no_grad()
    def forward(self, inputs: dict, score_thr: float | None = None) -> list[Any]:
        """Samples with ``pred_instances_3d``, one box per object, highest score first."""
        score_thr = self.score_thr if score_thr is None else score_thr
        if not score_thr < 1:
            raise ValueError(f'scores are between 0 and 1, so no box reaches {score_thr}. Give a smaller score '
                             '(--score-thr, in Python score_thr=...).')
        samples = self.model.test_step(inputs)
        for sample in samples:
            found = sample.pred_instances_3d
            found = found[found.scores_3d > score_thr]
            if not self.own_head:
                boxes = torch.cat([found.bboxes_3d.gravity_center, found.bboxes_3d.tensor[:, 3:]], 1)
                found = found[nms3d(boxes.float(), found.scores_3d.float(), _OVERLAP)]
            sample.pred_instances_3d = found[found.scores_3d.argsort(descending=True, stable=True)]
        return samples

    def result(self, entry: Entry, sample: Any) -> dict:
        """See the class."""
        found, frame = sample.pred_instances_3d, entry.source.frame
        boxes, labels = array_of_boxes(found.bboxes_3d), to_numpy(found.labels_3d).astype(np.int64)
        return dict(name=entry.item.name, boxes=frame.undo_boxes(boxes),
                    corners=frame.undo(box_corners(boxes).reshape(-1, 3)).reshape(-1, 8, 3),
                    scores=to_numpy(found.scores_3d).astype(np.float64), labels=labels,
                    classes=[self.class_name(int(label)) for label in labels], frame=frame.describe())

    def write(self, result: dict, entry: Entry, writer: Writer) -> None:
        """Boxes as JSON, scan and boxes as PLY, a page that turns in the browser."""
        stem = entry.item.stem
        writer.json(stem, detections_json(result, self.title))
        if path := writer.path('ply', stem):
            write_boxed_ply(path, entry.source, result)
        if path := writer.path('html', stem):
            from m2ae_mm.visualization.page import write_scene_page
            xyz, rgb = scene_points(entry.source)
            write_scene_page(path, xyz, rgb, entry.source.frame.apply_to_boxes(result['boxes']), result,
                             f'{entry.item.name}: {len(result["boxes"])} boxes by {self.title}')

    def picture(self, entry: Entry, result: dict) -> np.ndarray:
        """The room, opened in front, with its boxes; ``(H, W, 3)`` uint8."""
        xyz, rgb = scene_points(entry.source)
        names = list(dict.fromkeys(result['classes']))
        labels = np.array([names.index(name) for name in result['classes']], np.int64)
        return detection_image(np.hstack([xyz, rgb]), None, None, entry.source.frame.apply_to_boxes(result['boxes']),
                               labels, result['scores'], names)


def scene_points(source: SceneSource) -> tuple[np.ndarray, np.ndarray]:
    """Points ``(N, 3)`` in metres with z up, and their colours; without colours, those of their heights."""
    xyz = source.frame.apply(source.scan.xyz)
    return xyz, by_height(xyz) if source.scan.colours is None else source.scan.colours.astype(np.float64)


def detections_json(result: dict, model: str) -> dict:
    """Detections as plain values for JSON."""
    rows = zip(result['classes'], result['scores'], result['boxes'], result['corners'])
    return plain(dict(
        scan=result['name'], model=model, frame=result['frame'],
        boxes=[dict(label=name, score=score, center=box[:3], size=box[3:6], yaw=box[6], corners=corners)
               for name, score, box, corners in rows]))


def write_boxed_ply(path, source: SceneSource, result: dict) -> None:
    """The scan and the edges of its boxes as points, in its own frame; ``box`` is 0 for the scan, then 1, 2, ..."""
    step = 0.01 / source.frame.unit_scale
    edges, owners = edge_points(result['corners'], step)
    names = sorted(set(result['classes']))
    palette = np.round(255 * distinct_colours(max(len(names), 1))).astype(np.uint8)
    tints = np.array([palette[names.index(name)] for name in result['classes']], np.uint8).reshape(-1, 3)
    _, rgb = scene_points(source)
    write_ply(path, np.concatenate([source.scan.xyz, edges]),
              np.concatenate([np.round(rgb).astype(np.uint8), tints[owners]]),
              box=np.concatenate([np.zeros(len(source.scan.xyz), np.int64), owners + 1]))
