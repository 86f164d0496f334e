"""A page of all tested scenes."""
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.dist import all_gather_object, master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from m2ae_mm.class_names import check_class_names
from m2ae_mm.errors import UserError
from m2ae_mm.evaluation.shown_boxes import Threshold, match_boxes
from m2ae_mm.files import write_json
from m2ae_mm.visualization.boxes import shown_boxes, true_boxes
from m2ae_mm.visualization.gallery import JudgedScene, judge_scene, write_gallery
from m2ae_mm.visualization.visualizer import scene_points
from mmdet3d.registry import HOOKS
from mmdet3d.structures import Det3DDataSample

from .picture_hook import cloud_of, file_name

PAGE, COUNTS = 'index.html', 'counts.json'
_FIGURES = {'AP25': 'mAP_0.25', 'AP50': 'mAP_0.50', 'AR25': 'mAR_0.25', 'AR50': 'mAR_0.50'}


@HOOKS.register_module()
class M2AEGalleryHook(Hook):
    """Write an HTML page of all test scenes, truth beside prediction, and a file of what is right in each.

    Args:
        out_dir: Folder for ``index.html`` and ``counts.json``.
        score_thr: Boxes with lower scores are not shown.
        chosen: How that score was chosen, if it was.
        title: Heading of the page.
    """

    # Before the hook that takes the figures to the log.
    priority = 'HIGHEST'

    def __init__(self, out_dir: str, score_thr: float = 0.3, chosen: Threshold | None = None,
                 title: str = 'Detections') -> None:
        self.out_dir = Path(out_dir)
        self.score_thr = score_thr
        self.chosen = chosen
        self.title = title
        self.scenes: list[tuple[int, JudgedScene]] = []

    def after_test_iter(self,
                        runner: Runner,
                        batch_idx: int,
                        data_batch: dict | None = None,
                        outputs: Sequence[Det3DDataSample] | None = None) -> None:
        """Draw and judge the scenes of one batch, in the process that has tested them.

        Raises:
            UserError: If they are no detections, or without ground truth.
        """
        classes = _classes(runner)
        for points, sample in zip(data_batch['inputs']['points'], outputs):
            truth, found = true_boxes(sample), shown_boxes(sample, self.score_thr)
            if truth is None or found is None:
                raise UserError('a gallery shows detections beside the ground truth; this test has '
                                f'{"no detections" if found is None else "no ground truth"}. Leave out --gallery.')
            matches = match_boxes(*found, *truth[:2])
            cloud = scene_points(cloud_of(points, sample), sample, coloured=True)
            number = sample.metainfo.get('sample_idx', len(self.scenes))
            self.scenes.append((number, judge_scene(file_name(sample), cloud, truth, found, matches, classes)))

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Write the page, and the score to the other figures of the test."""
        gathered = sum(all_gather_object(self.scenes), [])
        # Several processes fill the last batch up with scenes that others have.
        scenes = [scene for _, scene in sorted(dict(gathered).items())]
        self.scenes = []
        if metrics is not None:
            metrics['picture_score_thr'] = self.score_thr
        self._write(runner, scenes, metrics or {})

    @master_only
    def _write(self, runner: Runner, scenes: list[JudgedScene], metrics: dict[str, float]) -> None:
        figures = {name: 100 * metrics[key] for name, key in _FIGURES.items() if np.isfinite(metrics.get(key, np.nan))}
        how = '' if self.chosen is None else (
            f', which had the best balance of right and wrong boxes (F1) on {self.chosen.scenes} training rooms')
        page = write_gallery(self.out_dir / PAGE, scenes, _classes(runner), self.title,
                             [f'Boxes with a score above {self.score_thr:.2f} are shown{how}.'], figures)
        write_json(self.out_dir / COUNTS, {
            'score_thr': self.score_thr, 'chosen_on_training_scenes': self.chosen and self.chosen._asdict(),
            'scenes': {scene.name: scene.counts() for scene in scenes}}, indent=1)
        runner.logger.info(f'{len(scenes)} scenes in {page}')


def _classes(runner: Runner) -> tuple[str, ...]:
    return check_class_names(runner.test_dataloader.dataset.metainfo['classes'], 'metainfo.classes of the test data')
