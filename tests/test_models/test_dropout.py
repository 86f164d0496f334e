"""Dropout of every layer that has some: at work in training, gone in evaluation."""
import pytest
import torch

from m2ae_mm.models.heads import PointM2AEClsHead, PointM2AEPartHead
from m2ae_mm.models.heads.box_set_head import box_mlp
from m2ae_mm.models.layers.attention import attend
from m2ae_mm.models.layers.detr_transformer import FeedForward, MultiheadAttention
from m2ae_mm.models.layers.scales_and_masks import build_scales
from m2ae_mm.models.layers.token_layers import TokenLayer


def part_head(points):
    head = PointM2AEPartHead(4, 2, in_channels=[8], propagated=[8], hidden=[32, 8], category_channels=4, dropout=0.9)
    scales = build_scales(points, [6], [2])
    tokens = torch.randn(len(points), 6, 8)
    return head, (points, scales, [tokens], torch.tensor([0, 1, 0]))


LAYERS = dict(
    attention=lambda x: (MultiheadAttention(32, 2, dropout=0.9), (x, x, x)),
    feed_forward=lambda x: (FeedForward(32, 32, dropout=0.9), (x, )),
    token_layer=lambda x: (TokenLayer(32, 8, dropout=0.9), (x, )),
    box_head=lambda x: (box_mlp(32, 5, dropout=0.9), (x, )),
    class_head=lambda x: (PointM2AEClsHead(3, 32, hidden=(32, ), dropout=0.9), (x, )),
    part_head=lambda x: part_head(x[..., :3]))


@pytest.mark.parametrize('make', LAYERS.values(), ids=LAYERS)
def test_two_passes_differ_in_training_only(make):
    torch.manual_seed(0)
    layer, inputs = make(torch.randn(3, 12, 32))
    with torch.no_grad():
        assert not torch.allclose(layer(*inputs), layer(*inputs))
        layer.eval()
        assert torch.equal(layer(*inputs), layer(*inputs))


def test_attention_drops_as_many_weights_as_it_is_told():
    torch.manual_seed(0)
    q, v = torch.zeros(1, 1, 4000, 4), torch.eye(4).view(1, 1, 4, 4)  # each of four keys has a weight of 1/4
    dropped = attend(q, v, v, None, dropout=0.2)
    assert (dropped == 0).float().mean().item() == pytest.approx(0.2, abs=0.02)
    assert dropped.max().item() == pytest.approx(0.25 / 0.8)
