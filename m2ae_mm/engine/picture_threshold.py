"""The score above which a detector's boxes are shown, chosen on training scenes."""
import copy

import torch
from mmengine.config import Config
from mmengine.dist import all_gather_object
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch import nn

from m2ae_mm.errors import UserError
from m2ae_mm.evaluation.shown_boxes import Threshold, best_threshold, match_boxes
from m2ae_mm.visualization.boxes import shown_boxes, true_boxes

# Some five hundred boxes: by then the score no longer depends on which scenes they are of.
SCENES = 40


def picture_threshold(config: Config, model: nn.Module, scenes: int = SCENES) -> Threshold:
    """The score above which a detector's boxes have the highest F1 on training scenes, read as test scenes are.

    Args:
        config: With the data sets of training and test.
        model: Has its weights; is left in evaluation mode.
        scenes: Of the training, from the first on.

    Raises:
        UserError: If the model finds no boxes, or the config has no training data of the kind that it tests.
        FileNotFoundError: If the training data are not there.
    """
    judged = []
    model.eval()
    with torch.no_grad():
        for batch in Runner.build_dataloader(training_scenes(config, scenes)):
            for sample in model.test_step(batch):
                truth, found = true_boxes(sample), shown_boxes(sample)
                if truth is None or found is None:
                    raise UserError('only for a detector, on scenes with boxes, can a score be chosen above which '
                                    'boxes are shown. Give --score-thr a number.')
                judged.append((found.scores, match_boxes(*found, *truth[:2]) >= 0, len(truth.labels)))
    chosen = best_threshold(sum(all_gather_object(judged), []))
    print_log(f'boxes with a score above {chosen.score:.3f} are shown: of those, {100 * chosen.precision:.0f} % are '
              f'right on {chosen.scenes} training scenes, and {100 * chosen.recall:.0f} % of all things are found '
              f'(F1 {100 * chosen.f1:.0f} %)', logger='current')
    return chosen


def training_scenes(config: Config, scenes: int) -> dict:
    """The loader of the test, with the first scenes of the training."""
    train = (config.get('train_dataloader') or {}).get('dataset') or {}
    while 'ann_file' not in train and 'dataset' in train:  # repeated
        train = train['dataset']
    loader = copy.deepcopy(config.test_dataloader)
    if 'ann_file' not in train or 'ann_file' not in loader.dataset:
        raise UserError('this config has no annotation file of training scenes to choose a score on. Give '
                        '--score-thr a number.')
    loader.dataset.update(ann_file=train['ann_file'], data_root=train['data_root'], indices=scenes)
    if loader.get('num_workers'):
        loader.persistent_workers = False
    return loader
