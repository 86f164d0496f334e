"""Pictures of test samples as PNG files, without a screen."""
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.dist import all_reduce, get_world_size, master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from m2ae_mm.datasets.scene_segmentation import seg_palette
from m2ae_mm.visualization import M2AELocalVisualizer
from m2ae_mm.visualization.figures import class_image, parts_image, reconstruction_image
from m2ae_mm.visualization.labels import labels_image
from m2ae_mm.visualization.page import write_labels_page
from m2ae_mm.visualization.text import save
from mmdet3d.registry import HOOKS
from mmdet3d.structures import Det3DDataSample

# Of a sample: any of these can be drawn.
_DRAWN = ('reconstructed_points', 'pred_instances_3d', 'pred_pts_seg', 'pred_label')


@HOOKS.register_module()
class M2AEPictureHook(Hook):
    """Draw each test sample: its boxes, parts, the classes of its points, class or reconstruction, true and predicted.

    Args:
        out_dir: Folder for the PNG files, named after the samples' files.
        score_thr: Boxes with lower scores are not drawn.
        limit: Samples to draw at most, by all processes together.
        pages: Write a page that turns in the browser in place of each picture, for scenes with classes of points.
    """

    def __init__(self, out_dir: str, score_thr: float = 0.3, limit: int = 50, pages: bool = False) -> None:
        self.out_dir = Path(out_dir)
        self.pages = pages
        self.score_thr = score_thr
        self.limit = -(-limit // get_world_size())
        self.drawn = 0
        self.visualizer = M2AELocalVisualizer(name='pictures')

    def after_test_iter(self,
                        runner: Runner,
                        batch_idx: int,
                        data_batch: dict | None = None,
                        outputs: Sequence[Det3DDataSample] | None = None) -> None:
        """Draw the samples of one batch, in the process that has tested them."""
        self.visualizer.dataset_meta = runner.test_dataloader.dataset.metainfo
        for points, sample in zip(data_batch['inputs']['points'], outputs):
            if self.drawn >= self.limit:
                return
            if not any(result in sample for result in _DRAWN):
                runner.logger.warning(f'only samples with {", ".join(_DRAWN)} can be drawn; this task has none.')
                self.limit = 0
                return
            self.out_dir.mkdir(parents=True, exist_ok=True)
            self._draw(points, sample, self.out_dir / f'{file_name(sample)}.png')
            self.drawn += 1

    def after_test(self, runner: Runner) -> None:
        """Say where the pictures are."""
        drawn = torch.tensor(self.drawn)
        all_reduce(drawn)
        master_only(runner.logger.info)(f'{int(drawn)} {"pages" if self.pages else "pictures"} in {self.out_dir}')

    def _draw(self, points, sample: Det3DDataSample, path: Path) -> None:
        xyz = points[:, :3]
        if 'reconstructed_points' in sample:
            save(reconstruction_image(xyz.cpu().numpy(), sample.visible_points.cpu().numpy(),
                                      sample.reconstructed_points.cpu().numpy()), path)
        elif 'pred_pts_seg' in sample:
            true, predicted = _parts(sample, 'gt_pts_seg'), _parts(sample, 'pred_pts_seg')
            if sample.metainfo.get('lidar_path'):
                self._draw_scene(xyz.cpu().numpy(), true, predicted, path)
            else:
                save(parts_image(xyz.cpu().numpy(), true, predicted), path)
        elif 'pred_label' in sample:
            save(class_image(xyz.cpu().numpy(), self._title(sample)), path)
        else:
            self.visualizer.add_datasample('sample', dict(points=cloud_of(points, sample)), sample, out_file=str(path),
                                           vis_task='lidar_det', pred_score_thr=self.score_thr, show_pcd_rgb=True)

    def _draw_scene(self, xyz: np.ndarray, true: np.ndarray | None, predicted: np.ndarray, path: Path) -> None:
        names = (self.visualizer.dataset_meta or {}).get('classes') or ()
        palette = (self.visualizer.dataset_meta or {}).get('palette') or seg_palette(names)
        if self.pages:
            write_labels_page(path.with_suffix('.html'), xyz, true, predicted, names, palette, f'{path.stem}: what is '
                              'there, and on the right what is predicted')
        else:
            save(labels_image(xyz, true, predicted, names, palette), path)

    def _title(self, sample: Det3DDataSample) -> str:
        """True and predicted class, by name where the data set has names, and the score."""
        names = (self.visualizer.dataset_meta or {}).get('classes') or ()
        label, true = int(sample.pred_label), int(sample.get('gt_label', -1))
        name, true_name = (names[i] if 0 <= i < len(names) else f'class {i}' for i in (label, true))
        told = f'taken for {name} ({100 * float(sample.pred_score[label]):.0f} %)'
        return told if true < 0 else f'{true_name}, {"rightly" if label == true else "wrongly"} {told}'


def cloud_of(points: torch.Tensor, sample: Det3DDataSample) -> np.ndarray:
    """(N, 3 or more) points of a scene: its file if that is known, or what the model saw."""
    if 'lidar_path' in sample.metainfo:  # the file has colours and more points than the model saw
        return np.fromfile(sample.lidar_path, np.float32).reshape(-1, sample.num_pts_feats)
    return points[:, :3].cpu().numpy()  # mmdet3d's SUNRGBDDataset does not tell it, nor what further columns hold


def file_name(sample: Det3DDataSample) -> str:
    """The stem of the sample's file, its name, or its number."""
    meta = sample.metainfo
    name = Path(meta['lidar_path']).stem if meta.get('lidar_path') else meta.get('name')
    return str(name).replace('/', '_') if name else f'sample_{meta.get("sample_idx", 0):05d}'


def _parts(sample: Det3DDataSample, field: str) -> np.ndarray | None:
    """(N,) part labels, if there are any."""
    labels = sample.get(field, {}).get('pts_semantic_mask')
    return None if labels is None else labels.cpu().numpy()
