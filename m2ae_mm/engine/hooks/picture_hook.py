"""Pictures of test samples as PNG files, without a screen."""
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.dist import all_reduce, get_world_size, master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from m2ae_mm.visualization import M2AELocalVisualizer, reconstruction_figure
from mmdet3d.registry import HOOKS
from mmdet3d.structures import Det3DDataSample


@HOOKS.register_module()
class M2AEPictureHook(Hook):
    """Draw each test sample: boxes for detection, the reconstruction for pre-training.

    Args:
        out_dir: Folder for the PNG files, named after the samples' files.
        score_thr: Boxes with lower scores are not drawn.
        limit: Samples to draw at most, by all processes together.
    """

    def __init__(self, out_dir: str, score_thr: float = 0.3, limit: int = 50) -> None:
        self.out_dir = Path(out_dir)
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
            if 'reconstructed_points' not in sample and 'pred_instances_3d' not in sample:
                runner.logger.warning('there are pictures of detections and reconstructions only; this task has none.')
                self.limit = 0
                return
            self.out_dir.mkdir(parents=True, exist_ok=True)
            name = Path(sample.metainfo.get('lidar_path', f'sample_{sample.metainfo.get("sample_idx", 0):05d}')).stem
            self._draw(points, sample, self.out_dir / f'{name}.png')
            self.drawn += 1

    def after_test(self, runner: Runner) -> None:
        """Say where the pictures are."""
        drawn = torch.tensor(self.drawn)
        all_reduce(drawn)
        master_only(runner.logger.info)(f'{int(drawn)} pictures in {self.out_dir}')

    def _draw(self, points, sample: Det3DDataSample, path: Path) -> None:
        if 'reconstructed_points' in sample:
            reconstruction_figure(points[:, :3].cpu().numpy(), sample.visible_points.cpu().numpy(),
                                  sample.reconstructed_points.cpu().numpy(), path)
            return
        if 'lidar_path' in sample.metainfo:  # the file has colours and more points than the model saw
            cloud = np.fromfile(sample.lidar_path, np.float32).reshape(-1, sample.num_pts_feats)
        else:  # mmdet3d's SUNRGBDDataset does not tell
            cloud = points[:, :3].cpu().numpy()  # nor what further columns hold
        self.visualizer.add_datasample('sample', dict(points=cloud), sample, out_file=str(path), vis_task='lidar_det',
                                       pred_score_thr=self.score_thr, show_pcd_rgb=True)
