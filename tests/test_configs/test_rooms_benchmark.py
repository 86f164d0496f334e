"""The detectors of the rooms benchmark: equally long trainings, and pre-trainings that fit them."""
import pytest
import torch
from mmengine.config import Config

from m2ae_mm.checkpoint import write_checkpoint
from m2ae_mm.cli.option_values import parse_option
from m2ae_mm.cli.rooms_benchmark import PRETRAININGS, ROWS, mean_and_deviation
from mmdet3d.registry import MODELS


def config_of(row):
    return Config.fromfile(row.config)


@pytest.mark.parametrize('row', ROWS, ids=lambda row: row.name)
def test_all_detectors_train_equally_long_on_equal_clouds(row):
    config = config_of(row)
    config.merge_from_dict({f'{row.train_set}.data_root': 'elsewhere/'})
    assert (config.train_cfg.max_epochs, config.train_dataloader.batch_size) == (5, 4)
    data = config.train_dataloader.dataset
    data = data.get('dataset', data)
    assert data.data_root == 'elsewhere/'
    samples = [step.num_points for step in data.pipeline if step.type == 'PointSample']
    assert samples == [8192]
    assert config.val_evaluator.type == 'M2AEIndoorMetric'


@pytest.mark.parametrize('row', [row for row in ROWS if row.pretraining], ids=lambda row: row.name)
def test_pretraining_fits_the_detector_whole(row, tmp_path):
    path, options = PRETRAININGS[row.pretraining]
    pretrain = Config.fromfile(path)
    pretrain.merge_from_dict(dict(parse_option(option, pretrain.to_dict()) for option in options))
    assert (pretrain.train_cfg.max_epochs, pretrain.train_dataloader.batch_size) == (5, 4)
    stored = MODELS.build(pretrain.model).state_dict()
    write_checkpoint(stored, tmp_path / 'pretrained.safetensors')
    config = config_of(row)
    config.model.backbone.init_cfg.checkpoint = str(tmp_path / 'pretrained.safetensors')
    detector = MODELS.build(config.model)
    detector.backbone.init_weights()
    own = detector.backbone.state_dict()
    assert all(torch.equal(value, stored[f'backbone.{name}']) for name, value in own.items())
    # A fourth column is the height: in the files' pipelines and in the encoder, or in neither.
    height = pretrain.train_dataloader.dataset.pipeline[0].shift_height
    assert height == (config.model.backbone.in_channels == 4)


def test_mean_and_deviation_by_hand():
    assert mean_and_deviation([1., 2., 3.]) == '2.0 +- 1.0'
    assert mean_and_deviation([4.]) == '4.0'
