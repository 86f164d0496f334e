"""A fused optimizer writes as far as its state says the parameters go: only what fits them gets there."""
import pytest
import torch
from training import config, run

from m2ae_mm.engine.optimizer_state import check_optimizer_state


@pytest.fixture(scope='module')
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp('trained')
    options = config(folder, 1)
    options.optim_wrapper.optimizer.fused = True
    run(options)
    return torch.load(folder / 'epoch_1.pth', weights_only=True)


def set_entry(name, value):
    return lambda state: state['state'][0].__setitem__(name, value)


@pytest.mark.parametrize('change, message', [
    (set_entry('exp_avg', torch.zeros(1)), r'has exp_avg \(1,\) for parameter 0, which is \(8, 4\)'),
    (set_entry('exp_avg_sq', torch.zeros(8, 5)), r'has exp_avg_sq \(8, 5\) for parameter 0'),
    (set_entry('exp_avg', torch.zeros(0)), r'has exp_avg \(0,\)'),
    (set_entry('step', torch.zeros(0)), r'has step \(0,\)'),
    (set_entry('step', torch.zeros(3)), r'has step \(3,\)'),
    (set_entry('exp_avg', torch.zeros(8, 4, dtype=torch.int64)), 'exp_avg of type int64 for parameter 0'),
    (set_entry('exp_avg', torch.zeros(8, 4, dtype=torch.complex64)), 'exp_avg of type complex64'),
    (set_entry('exp_avg', torch.full((8, 4), float('nan'))), r'NaN or infinite values in 1 entries .*state.0.exp_avg'),
    (set_entry('step', torch.tensor(float('inf'))), 'NaN or infinite values'),
    (lambda state: state['state'].__setitem__(0, [1]), 'has list as state of parameter 0'),
    (lambda state: state.pop('state'), 'is no state of one'),
    (lambda state: state.__setitem__('param_groups', 3), 'is no state of one'),
    (lambda state: state['param_groups'][0]['params'].pop(), 'has 5 parameters, the config.s has 6'),
    (lambda state: state['param_groups'][0]['params'].__setitem__(1, 0), 'names parameters twice'),
    (lambda state: state['param_groups'][0]['params'].__setitem__(1, [0]), 'names parameters twice'),
])
def test_what_does_not_fit_is_refused(tmp_path, stored, change, message):
    changed = torch.load(_saved(stored, tmp_path), weights_only=True)
    change(changed['optimizer'])
    options = config(tmp_path, 2, load_from=str(_saved(changed, tmp_path)), resume=True)
    options.optim_wrapper.optimizer.fused = True
    with pytest.raises(ValueError, match=message):
        run(options)


def _saved(content, folder):
    torch.save(content, folder / 'checkpoint.pth')
    return folder / 'checkpoint.pth'


def test_optimizers_with_other_shapes_pass(stored):
    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adafactor(layer.parameters())
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()

    class Wrapper:
        pass

    Wrapper.optimizer = optimizer
    check_optimizer_state(Wrapper, optimizer.state_dict())
