"""compile=True in a config: what is trained stays the same."""
import pytest
import torch
from runs import tiny_config
from shapes import write_shapenet55

from m2ae_mm.engine import training_runner


@pytest.fixture
def build(tmp_path):
    """Builds a runner; Dynamo traces the model, but no compiler is needed."""
    write_shapenet55(tmp_path / 'data', num_train=4, num_test=2)
    return lambda compiled: training_runner(
        tiny_config('shapenet_pretrain.py', tmp_path / 'run', tmp_path / 'data', compile=compiled,
                    **{'train_cfg.val_begin': 2, 'model.backbone.depths': [1, 1, 1]}))  # tracing takes long


def loss_of(model, data):
    torch.manual_seed(0)
    return model(**data, mode='loss')['loss_chamfer']


def test_the_compiled_model_has_the_loss_of_the_model_and_is_trained(build):
    runner = build(dict(backend='eager'))
    model = runner.model
    data = model.data_preprocessor(next(iter(runner.train_dataloader)), training=True)
    compiled, call = loss_of(model, data), model._compiled_call_impl
    model._compiled_call_impl = None
    torch.testing.assert_close(compiled, loss_of(model, data), rtol=1e-5, atol=0)
    model._compiled_call_impl = call
    before = model.backbone.embeddings[0].lift.weight.clone()
    runner.train()
    assert not torch.equal(model.backbone.embeddings[0].lift.weight, before)


@pytest.mark.parametrize('compiled', [False, None])
def test_not_asked_for(build, compiled):
    assert build(compiled).model._compiled_call_impl is None


def test_other_values(build):
    with pytest.raises(ValueError, match="compile must be True, False or options of torch.compile, got 'inductor'"):
        build('inductor')
