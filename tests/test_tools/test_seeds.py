"""tools/train.py --seeds: one training a seed, none twice, last and best figure."""
import json
from types import SimpleNamespace

import pytest
import torch
from runs import tiny_config
from shapes import write_modelnet40

from m2ae_mm.cli.seeds import summary, train_seeds


@pytest.fixture
def config(tmp_path):
    data = write_modelnet40(tmp_path / 'm', (4, 2), 120)
    config = tiny_config('modelnet40_cls.py', tmp_path / 'work', data, epochs=2)
    config.train_cfg.val_interval = 1
    config.optim_wrapper.optimizer.fused = False
    return config


def test_every_seed_is_trained_once_and_the_last_and_best_validation_count(config, tmp_path, capsys, monkeypatch):
    train_seeds(config, 2)
    table = tmp_path / 'work' / 'seeds.json'
    found = json.loads(table.read_text())
    for seed in (0, 1):
        scalars = next((tmp_path / 'work' / f'seed_{seed}').glob('*/vis_data/scalars.json')).read_text()
        values = [row['accuracy/overall'] for row in map(json.loads, scalars.splitlines()) if 'accuracy/overall' in row]
        assert len(values) == 2 and found[str(seed)] == dict(last=values[-1], best=max(values))
    weights = [torch.load(tmp_path / 'work' / f'seed_{seed}' / 'epoch_2.pth', weights_only=True)['state_dict']
               for seed in (0, 1)]
    assert not torch.equal(*(each['head.classify.weight'] for each in weights))
    assert 'accuracy/overall over 2 seeds: last ' in capsys.readouterr().out
    scalar = SimpleNamespace(data=([10., 30., 20.], [1, 1, 1]))
    runner = SimpleNamespace(message_hub=SimpleNamespace(get_scalar=lambda name: scalar))
    monkeypatch.setattr('m2ae_mm.cli.seeds.train_or_validate', lambda config: runner)
    train_seeds(config, 3)
    assert json.loads(table.read_text()) == {**found, '2': dict(last=20., best=30.)}
    config.optim_wrapper.optimizer.lr = 1e-3
    with pytest.raises(ValueError, match='results of other settings: optim_wrapper.optimizer.lr is'):
        train_seeds(config, 3)


def test_a_seed_that_stopped_in_its_last_validation_is_validated(config, tmp_path, monkeypatch):
    config.train_cfg.val_interval = 2
    train_seeds(config, 1)
    table = tmp_path / 'work' / 'seeds.json'
    found = table.read_text()
    table.unlink()
    train_seeds(config, 1)
    assert table.read_text() == found
    table.unlink()
    config.optim_wrapper.optimizer.lr = 1e-3
    with pytest.raises(ValueError, match='results of other settings: optim_wrapper.optimizer.lr is'):
        train_seeds(config, 1)


def test_what_is_printed():
    rows = [dict(last=80., best=90.), dict(last=84., best=90.)]
    assert summary('x', rows).startswith('x over 2 seeds: last 82 +- 2.828, best 90 +- 0.')


def test_bad_numbers_and_configs_are_one_message(config):
    with pytest.raises(ValueError, match='--seeds must be 1 or more, got 0'):
        train_seeds(config, 0)
    config.val_dataloader = config.val_evaluator = config.val_cfg = None
    with pytest.raises(ValueError, match='no validation whose main figure is known'):
        train_seeds(config, 2)
