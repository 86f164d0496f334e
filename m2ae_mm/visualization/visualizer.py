"""mmdet3d's visualizer for machines without a screen."""
from __future__ import annotations

import functools
import inspect
import logging
from pathlib import Path

import numpy as np
import torch
from mmengine.dist import is_main_process
from mmengine.logging import print_log
from mmengine.structures import InstanceData

from m2ae_mm.class_names import check_class_names
from m2ae_mm.ops import nms3d
from mmdet3d.registry import VISUALIZERS
from mmdet3d.structures import Det3DDataSample
from mmdet3d.visualization import Det3DLocalVisualizer

from .figures import detection_image
from .text import save
from .windows import can_open

INSTEAD_OF_WINDOWS = Path('pictures')
_SUFFIXES = ('.png', '.jpg', '.jpeg')
# Of two predicted boxes with a larger IoU a picture shows the one with the higher score.
_SHOWN_OVERLAP = 0.25


@VISUALIZERS.register_module()
class M2AELocalVisualizer(Det3DLocalVisualizer):
    """Draws detections on point clouds into image files, without a screen, OpenGL or Open3D.

    Takes the place of ``Det3DLocalVisualizer`` in a config::

        visualizer = dict(type='M2AELocalVisualizer', name='visualizer',
                          vis_backends=[dict(type='LocalVisBackend')])
        default_hooks = dict(visualization=dict(
            type='Det3DVisualizationHook', draw=True, vis_task='lidar_det', test_out_dir='pictures'))

    Only ``vis_task='lidar_det'`` is drawn here, other tasks are left to
    mmdet3d. So is ``show=True``, which asks for a window, where one can be
    opened; elsewhere a file is written.
    """

    def add_datasample(self, name: str, data_input: dict, data_sample: Det3DDataSample | None = None,
                       draw_gt: bool = True, draw_pred: bool = True, show: bool = False, wait_time: float = 0,
                       out_file: str | None = None, o3d_save_path: str | None = None, vis_task: str = 'mono_det',
                       pred_score_thr: float = 0.3, step: int = 0, show_pcd_rgb: bool = False) -> None:
        """Draw one sample into ``out_file``, ``o3d_save_path`` or, without either, the backends.

        Args:
            name: Of the picture in the backends.
            data_input: ``points`` (N, 3 or more) as in the file, tensor or array: the sample's
                ``axis_align_matrix``, if any, is applied here. Columns 4 to 6 are r, g, b.
            data_sample: Boxes to draw.
            draw_gt, draw_pred: Which boxes to draw.
            show: Open a window with mmdet3d's Open3D viewer instead, if there is a screen.
            wait_time: Passed on to that viewer.
            out_file, o3d_save_path: Picture to write; the hook of mmdet3d uses the second.
            vis_task: Task; see the class.
            pred_score_thr: Predictions with lower scores are left out.
            step: Passed on to the backends.
            show_pcd_rgb: Whether to colour the points as they are in the file.
        """
        path = out_file or o3d_save_path
        if vis_task != 'lidar_det' or show and can_open():
            super().add_datasample(name, data_input, data_sample, draw_gt, draw_pred, show, wait_time, out_file,
                                   o3d_save_path, vis_task, pred_score_thr, step, show_pcd_rgb)
            return
        if path is None and not is_main_process():
            return  # files are every process's own, the backends are the first's
        if 'points' not in data_input:
            raise ValueError(f"data_input must hold 'points' to draw detections on, got {sorted(data_input)}.")
        image = detection_image(_points(data_input['points'], data_sample, show_pcd_rgb),
                                *_true_boxes(data_sample if draw_gt else None),
                                *_predicted_boxes(data_sample if draw_pred else None, pred_score_thr),
                                _class_names(self.dataset_meta))
        self.set_image(image)
        if path is None and show:
            path = _next_in(INSTEAD_OF_WINDOWS)
        if path is None:
            self.add_image(name, image, step)
        else:
            save(image, Path(path if path.endswith(_SUFFIXES) else f'{path}.png'))


def write_without_window(visualizer_class: type[Det3DLocalVisualizer]) -> None:
    """Let mmdet3d's visualizer write files where no window can be opened; it would die there."""
    original = visualizer_class.add_datasample
    signature = inspect.signature(original)

    @functools.wraps(original)
    def add_datasample(self, *args, **kwargs) -> None:
        call = signature.bind(self, *args, **kwargs)
        call.apply_defaults()
        takes_files = call.arguments['vis_task'] == 'lidar_det' and not can_open()
        (M2AELocalVisualizer.add_datasample if takes_files else original)(self, *args, **kwargs)

    visualizer_class.add_datasample = add_datasample


def _next_in(folder: Path) -> str:
    """A file name that is free."""
    if not folder.is_dir():
        print_log(f'No window can be opened (no screen, or no Open3D): pictures are written to {str(folder)!r}.',
                  'current', logging.WARNING)
    numbers = (int(path.stem) for path in folder.glob('*.png') if path.stem.isdigit())
    return str(folder / f'{max(numbers, default=-1) + 1:06d}.png')


def _class_names(dataset_meta: dict | None) -> tuple[str, ...]:
    classes = (dataset_meta or {}).get('classes')
    if not classes:
        raise ValueError("class names are not known; set visualizer.dataset_meta = dict(classes=('cabinet', ...)).")
    return check_class_names(classes, 'classes of visualizer.dataset_meta')


def _points(points: torch.Tensor | np.ndarray, sample: Det3DDataSample | None, coloured: bool) -> np.ndarray:
    """(N, 3 or 6) aligned points."""
    points = np.array(points.cpu() if isinstance(points, torch.Tensor) else points, dtype=np.float64)
    matrix = sample.metainfo.get('axis_align_matrix') if sample is not None else None
    if matrix is not None:
        matrix = np.asarray(matrix)
        points[:, :3] = points[:, :3] @ matrix[:3, :3].T + matrix[:3, 3]
    return points[:, :6] if coloured and points.shape[1] >= 6 else points[:, :3]


def _true_boxes(sample: Det3DDataSample | None) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Boxes (M, 7) and labels (M,) of the ground truth; ``None`` if there is none."""
    if sample is None:
        return None, None
    # In testing, mmdet3d hands the ground truth to the metric only.
    annotation = sample.get('eval_ann_info') or {}
    if 'gt_instances_3d' in sample and 'bboxes_3d' in sample.gt_instances_3d:
        boxes, labels = sample.gt_instances_3d.bboxes_3d, sample.gt_instances_3d.labels_3d
    elif 'gt_bboxes_3d' in annotation:
        boxes, labels = annotation['gt_bboxes_3d'], annotation['gt_labels_3d']
    else:
        return None, None
    labels = _array(labels)
    named = labels >= 0  # -1: of a class that the data set leaves out
    return _array_boxes(boxes)[named], labels[named]


def _predicted_boxes(sample: Det3DDataSample | None,
                     threshold: float) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """Boxes (M, 7), labels (M,) and scores (M,) above the threshold, the best of those that overlap.

    Detectors emit a box once for each class, and perhaps several for one thing; a picture shows one.
    """
    if sample is None or 'pred_instances_3d' not in sample:
        return None, None, None
    found: InstanceData = sample.pred_instances_3d
    likely = _array(found.scores_3d) > threshold
    boxes, labels, scores = (each[likely] for each in (
        _array_boxes(found.bboxes_3d), _array(found.labels_3d), _array(found.scores_3d)))
    kept = nms3d(torch.from_numpy(boxes).float(), torch.from_numpy(scores).float(), _SHOWN_OVERLAP).numpy()
    return boxes[kept], labels[kept], scores[kept]


def _array_boxes(boxes) -> np.ndarray:
    """(M, 7) with gravity centres."""
    tensor = torch.cat([boxes.gravity_center, boxes.tensor[:, 3:6], boxes.tensor[:, 6:7]], dim=1)
    return _array(tensor).astype(np.float64)


def _array(tensor: torch.Tensor | np.ndarray) -> np.ndarray:
    return tensor.detach().cpu().numpy() if isinstance(tensor, torch.Tensor) else np.asarray(tensor)


write_without_window(Det3DLocalVisualizer)
