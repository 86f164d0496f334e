"""What layers start from: published schemes that differ from PyTorch's defaults."""
import pytest
import torch
from torch import nn

from m2ae_mm.models.backbones import PointM2AEEncoder
from m2ae_mm.models.layers.detr_transformer import FeedForward
from m2ae_mm.models.layers.initialization import init_xavier
from m2ae_mm.models.necks import PointM2AEPropagation


@pytest.mark.parametrize('make', [
    lambda: PointM2AEEncoder(num_centers=(8, 4), num_neighbors=(4, 4), embed_dims=(24, 48), depths=(1, 1), num_heads=3,
                             radii=None),
    lambda: PointM2AEPropagation((24, 48), (32, )),
], ids=['encoder', 'propagation'])
def test_encoder_and_propagation_start_truncated_normal_without_biases(make):
    torch.manual_seed(0)
    model = make()
    model.init_weights()
    linear = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    weights = torch.cat([layer.weight.flatten() for layer in linear])
    assert weights.std().item() == pytest.approx(0.02, rel=0.03)
    assert all((layer.bias == 0).all() for layer in linear if layer.bias is not None)


def test_xavier_weights_are_uniform_up_to_the_bound():
    torch.manual_seed(0)
    layer = nn.Linear(64, 32)
    init_xavier(layer)
    bound = (6 / (64 + 32))**0.5
    assert 0.98 * bound < layer.weight.abs().max() <= bound
    assert layer.weight.abs().mean().item() == pytest.approx(bound / 2, rel=0.05)
    assert (layer.bias == 0).all()


def test_both_layers_of_the_feed_forward_part_start_xavier():
    torch.manual_seed(0)
    part = FeedForward(16, 128, dropout=0.)
    bound = (6 / (16 + 128))**0.5  # PyTorch's own are 0.25 and 0.09
    for layer in (part.linear1, part.linear2):
        assert 0.98 * bound < layer.weight.abs().max() <= bound
