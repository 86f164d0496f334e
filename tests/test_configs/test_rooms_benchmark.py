"""The detectors of the rooms benchmark: equally long trainings, and pre-trainings that fit them."""
import pytest
import torch
from mmengine.config import Config

from m2ae_mm.checkpoint import write_checkpoint
from m2ae_mm.cli.option_values import parse_option
from m2ae_mm.cli.rooms_benchmark import PRETRAININGS, ROWS, RoomsBenchmark, mean_and_deviation, parse_args
from mmdet3d.registry import MODELS


def config_of(row):
    config = Config.fromfile(row.config)
    config.merge_from_dict(dict(parse_option(option, config.to_dict()) for option in row.options))
    return config


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
    assert height == (config.model.backbone.get('in_channels', 3) == 4)


def test_fewer_labels_are_fewer_rooms_and_as_many_steps(tmp_path, monkeypatch):
    calls = []

    def tool(self, name, *call):
        calls.append(call)
        (self.out / name).mkdir()
        (self.out / name / 'last_checkpoint').write_text('epoch_5.pth')

    monkeypatch.setattr(RoomsBenchmark, 'tool', tool)
    monkeypatch.setattr(RoomsBenchmark, 'test', lambda self, *_: {})
    args = parse_args(['--out', str(tmp_path), '--train', '800', '--labels', '1', '0.1'])
    benchmark = RoomsBenchmark(args)
    for labels in args.labels:
        benchmark.score(ROWS[0], labels, seed=0)
    full, few = calls
    assert '--epochs' not in full and not any('indices' in option for option in full)
    assert few[few.index('--epochs') + 1] == '50' and 'train_dataloader.dataset.indices=80' in few
    with pytest.raises(SystemExit):
        parse_args(['--labels', '0'])


def test_mean_and_deviation_by_hand():
    assert mean_and_deviation([1., 2., 3.]) == '2.0 +- 1.0'
    assert mean_and_deviation([4.]) == '4.0'
