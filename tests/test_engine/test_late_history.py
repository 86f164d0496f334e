import copy
import pickle
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.optim import build_optim_wrapper
from torch import nn

from m2ae_mm.engine import late_history
from m2ae_mm.engine.hooks import M2AERuntimeInfoHook
from m2ae_mm.engine.late_history import LateHistory, log_late


@pytest.fixture
def hub(request):
    return MessageHub.get_instance(request.node.name)


def test_values_come_in_the_order_in_which_they_were_logged(hub):
    value = torch.tensor(2., requires_grad=True)
    for each in (1., 2 * value, torch.tensor([5.]), 7, torch.tensor(9., dtype=torch.bfloat16)):
        log_late(hub, 'loss', each)
    history = hub.get_scalar('loss')
    assert history.current() == 9 and history.mean(2) == 8 and history.mean() == 5.2
    assert history.max() == 9 and history.min(3) == 5 and history.statistics('mean', window_size=3) == 7
    values, counts = history.data
    np.testing.assert_array_equal(values, [1, 4, 5, 7, 9])
    np.testing.assert_array_equal(counts, np.ones(5))


def test_nothing_is_read_back_before_somebody_looks(hub, monkeypatch):
    log_late(hub, 'loss', torch.tensor(1.))
    reads = []
    monkeypatch.setattr(late_history.torch, 'stack', lambda late: reads.append(len(late)) or torch.cat(
        [each.view(1) for each in late]))
    monkeypatch.setattr(late_history, '_MAX_PENDING', 4)
    for i in range(3):
        log_late(hub, 'loss', torch.tensor(float(i)))
    assert not reads
    assert hub.get_scalar('loss').current() == 2 and reads == [3]
    for i in range(5):
        log_late(hub, 'loss', torch.tensor(float(i)))
    assert reads == [3, 4]  # nobody looked at the first four


def test_a_history_has_mmengines_length():
    history = LateHistory(HistoryBuffer([1., 2.], [1, 1], max_length=3))
    for i in range(4):
        history.append(torch.tensor(float(i)))
    np.testing.assert_array_equal(history.data[0], [1, 2, 3])
    assert history.data[1].shape == (3, )


def test_a_history_keeps_no_graph_alive():
    history, weight = LateHistory(HistoryBuffer([1.], [1])), torch.ones(1, requires_grad=True)
    history.append(2 * weight)
    graph = weakref.ref(weight)
    del weight
    assert graph() is None


@pytest.mark.parametrize('clone', [copy.deepcopy, lambda history: pickle.loads(pickle.dumps(history))])
def test_copies_and_checkpoints_hold_mmengines_class(clone):
    history = LateHistory(HistoryBuffer([1.], [1]))
    history.append(torch.tensor(3.))
    copied = clone(history)
    assert type(copied) is HistoryBuffer and copied.mean() == 2
    copied.update(8.)
    assert (copied.mean(), history.mean()) == (4, 2)


def test_the_hook_logs_what_mmengines_does(hub):
    runner = SimpleNamespace(message_hub=hub)
    hook = M2AERuntimeInfoHook()
    for i in range(3):
        hook.after_train_iter(runner, i, outputs=dict(loss=torch.tensor(i / 2), accuracy=i))
    hook.after_train_iter(runner, 3)
    assert hub.get_scalar('train/loss').mean() == 0.5 and hub.get_scalar('train/accuracy').mean() == 1
    assert list(hub.log_scalars) == ['train/loss', 'train/accuracy'] == list(hub.state_dict()['log_scalars'])


@pytest.mark.parametrize('clip', [dict(max_norm=1.), dict(type='value', clip_value=0.5)])
def test_the_wrapper_clips_and_logs_the_norm_as_mmengines_does(hub, clip):
    norms, weights = [], []
    for kind in ('OptimWrapper', 'M2AEOptimWrapper'):
        model = nn.Linear(2, 1, bias=False)
        nn.init.constant_(model.weight, 0.)
        wrapper = build_optim_wrapper(
            model, dict(type=kind, optimizer=dict(type='SGD', lr=1.), clip_grad=dict(clip)))
        wrapper.message_hub = MessageHub.get_instance(f'{hub.instance_name}_{kind}')
        for scale in (1., 2.):
            wrapper.update_params(model(scale * torch.tensor([[3., 4.]])).sum())
        norms.append({key: history.data[0].tolist() for key, history in wrapper.message_hub.log_scalars.items()})
        weights.append(model.weight.tolist())
    assert weights[0] == weights[1] and norms[0] == norms[1]
    assert norms[1] == ({} if 'type' in clip else {'train/grad_norm': [5., 10.]})
