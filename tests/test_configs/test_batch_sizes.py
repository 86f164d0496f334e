"""Every learning rate is for the batch its config names: --auto-scale-lr alone, in one process, changes nothing."""
import pytest
from mmengine.config import Config
from runs import CONFIGS

import m2ae_mm  # noqa: F401

TRAINED = [path for path in sorted(CONFIGS.parent.glob('*/**/*.py')) if '_base_' not in path.parts]


@pytest.mark.parametrize('path', TRAINED, ids=lambda path: path.stem)
def test_base_batch_size_is_the_batch_size(path):
    config = Config.fromfile(path)
    if config.get('train_dataloader'):
        assert config.auto_scale_lr.base_batch_size == config.train_dataloader.batch_size
