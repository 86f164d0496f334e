"""mmdet3d's visualizer for machines without a screen."""
import functools
import inspect
import logging
import os
from pathlib import Path

import numpy as np
import torch
from mmengine.dist import is_main_process
from mmengine.logging import print_log

from m2ae_mm.class_names import check_class_names
from mmdet3d.registry import VISUALIZERS
from mmdet3d.structures import Det3DDataSample
from mmdet3d.visualization import Det3DLocalVisualizer, local_visualizer

from .boxes import shown_boxes, true_boxes
from .figures import detection_image
from .text import save

INSTEAD_OF_WINDOWS = Path('pictures')
_SUFFIXES = ('.png', '.jpg', '.jpeg')
_NO_BOXES = None, None, None


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
        truth = true_boxes(data_sample) if draw_gt and data_sample is not None else None
        found = shown_boxes(data_sample, pred_score_thr) if draw_pred and data_sample is not None else None
        image = detection_image(scene_points(data_input['points'], data_sample, show_pcd_rgb),
                                *(truth or _NO_BOXES)[:2], *(found or _NO_BOXES), _class_names(self.dataset_meta))
        self.set_image(image)
        if path is None and show:
            path = _next_in(INSTEAD_OF_WINDOWS)
        if path is None:
            self.add_image(name, image, step)
        else:
            save(image, path if path.endswith(_SUFFIXES) else f'{path}.png')


@functools.cache
def can_open() -> bool:
    """Whether Open3D is there and can open a window; tried once, where mmdet3d would try it."""
    if local_visualizer.o3d is None or not os.environ.get('DISPLAY'):
        return False
    window = local_visualizer.o3d.visualization.Visualizer()
    opened = window.create_window(visible=False)
    if opened:
        window.destroy_window()
    return opened


def write_without_window(visualizer_class: type[Det3DLocalVisualizer]) -> None:
    """Let mmdet3d's visualizer write files where no window can be opened, which would crash it."""
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


def scene_points(points: torch.Tensor | np.ndarray, sample: Det3DDataSample | None, coloured: bool) -> np.ndarray:
    """(N, 3 or 6) aligned points."""
    points = np.array(points.cpu() if isinstance(points, torch.Tensor) else points, dtype=np.float64)
    matrix = sample.metainfo.get('axis_align_matrix') if sample is not None else None
    if matrix is not None:
        matrix = np.asarray(matrix)
        points[:, :3] = points[:, :3] @ matrix[:3, :3].T + matrix[:3, 3]
    return points[:, :6] if coloured and points.shape[1] >= 6 else points[:, :3]


write_without_window(Det3DLocalVisualizer)
