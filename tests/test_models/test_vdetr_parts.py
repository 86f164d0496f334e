"""Parts of V-DETR on cases worked out by hand."""
import contextlib
import math

import pytest
import torch

from m2ae_mm.models.heads.box_targets import BoxTargets
from m2ae_mm.models.heads.detr_matcher import assign
from m2ae_mm.models.heads.vdetr_boxes import decode_relative, encode_relative
from m2ae_mm.models.heads.vdetr_losses import focal_loss, overlap_loss, point_labels
from m2ae_mm.models.heads.vdetr_matcher import assign_nearest
from m2ae_mm.models.layers.box_points import BoxPoints
from m2ae_mm.models.layers.vdetr_decoder import BoxCrossAttention, Memory, positions_in_boxes
from m2ae_mm.models.layers.vertex_bias import VertexBias
from m2ae_mm.ops import use_reference


def targets_of(*rows, labels=None):
    boxes = torch.tensor([[*row, 0.] for row in rows], dtype=torch.float32)[None]
    return BoxTargets(boxes, torch.tensor([labels or list(range(len(rows)))]), [len(rows)])


# --- boxes relative to others


def test_object_normalised_boxes_by_hand():
    reference = torch.tensor([1., 2, 3, 2, 4, 1])
    centers, sizes = torch.tensor([0.5, -0.25, 1]), torch.tensor([math.log(2), 0, math.log(3)])
    box = decode_relative(centers, sizes, reference, None)
    torch.testing.assert_close(box, torch.tensor([2., 1, 4, 4, 4, 3]))


def test_scene_normalised_boxes_by_hand():
    reference, extent = torch.tensor([1., 2, 3, 2, 4, 1]), torch.tensor([10., 5, 2])
    box = decode_relative(torch.full((3, ), 0.1), torch.tensor([0.1, 0, -1]), reference, extent)
    torch.testing.assert_close(box, torch.tensor([2., 2.5, 3.2, 3, 4, 0.001]))


@pytest.mark.parametrize('extent', [None, torch.tensor([5., 4, 3])])
def test_what_would_have_to_be_predicted_is_the_inverse(extent):
    boxes, references = torch.rand(2, 9, 6, generator=torch.Generator().manual_seed(0)) + 0.2
    torch.testing.assert_close(decode_relative(*encode_relative(boxes, references, extent), references, extent), boxes,
                               rtol=1e-3, atol=1e-3)


# --- assignment


def test_copies_give_a_box_to_the_queries_that_cost_least():
    costs = torch.tensor([[[[0., 9], [1, 9], [2, 9], [9, 0], [9, 1], [9, 9]]]])
    found, = assign([costs], [2], [2])
    assert found.matched.tolist() == [[[True, True, False, True, True, False]]]
    assert found.gt_index.tolist() == [[[0, 0, 0, 1, 1, 0]]]


def test_a_token_near_two_boxes_answers_for_the_nearer_and_padding_for_none():
    xyz = torch.tensor([[[0., 0, 0], [1, 0, 0], [2, 0, 0], [9, 0, 0]]])
    targets = targets_of([0.1, 0, 0, 1, 1, 1], [1.8, 0, 0, 1, 1, 1], [9, 0, 0, 1, 1, 1])
    found = assign_nearest(xyz, targets._replace(counts=[2]), 2)
    assert found.matched.tolist() == [[[True, True, True, False]]]
    assert found.gt_index[0, 0, :3].tolist() == [0, 1, 1]


def test_tokens_have_the_class_of_the_smallest_box_around_them():
    xyz = torch.tensor([[[0., 0, 0], [1.4, 0, 0], [7, 0, 0], [0, 4.9, 0]]])
    targets = targets_of([0, 0, 0, 3, 3, 3], [0, 0, 0, 1, 1, 1], [0, 0, 0, 10, 10, 1.1], labels=[4, 2, 3])
    assert point_labels(xyz, targets, 5).tolist() == [[2, 4, 5, 5]]  # the last box is above 100 cubic metres
    assert point_labels(xyz, targets._replace(counts=[1]), 5).tolist() == [[4, 4, 5, 5]]


def test_focal_loss_by_hand():
    logits = torch.tensor([[0., math.log(3)]])
    # True class: 0.25 (1 - p)^2 (-ln p); others: 0.75 p^2 (-ln (1 - p)); p = 1/2 and 3/4.
    none = [0.75 / 4 * math.log(2), 0.75 * 9 / 16 * math.log(4)]
    torch.testing.assert_close(focal_loss(logits, torch.tensor([2])), torch.tensor([none]))
    torch.testing.assert_close(focal_loss(logits, torch.tensor([1])),
                               torch.tensor([[none[0], 0.25 / 16 * math.log(4 / 3)]]))


def test_overlap_loss_by_hand():
    logits, overlaps = torch.tensor([[math.log(3), 0.]]), torch.tensor([0.5])
    # Cross-entropy of p = 3/4 and 1/2 with 1/2, times 0.25 and the overlap.
    wanted = 0.125 * torch.tensor([[(math.log(4 / 3) + math.log(4)) / 2, math.log(2)]])
    torch.testing.assert_close(overlap_loss(logits, overlaps), wanted)
    assert overlap_loss(logits, torch.tensor([0.])).sum() == 0


# --- attention


def test_positions_are_seen_from_the_turned_box():
    box = torch.tensor([[[1., 1, 0, 2, 0.1, 1, math.pi / 2]]])  # its x axis points along the scene's y
    found = positions_in_boxes(torch.tensor([[[1., 2, 0.25], [0.9, 1, 0]]]), box)[0, 0]
    torch.testing.assert_close(found[0], torch.tensor([0.5, 0, 0.25, 0, 0.5, 0.25, 1, 0.5, 0.75, 0.25, 0, 0.0625]),
                               rtol=0, atol=1e-6)
    torch.testing.assert_close(found[1, :3], torch.tensor([0, 0.5, 0.]), rtol=0, atol=1e-6)  # over 0.2 m, not 0.1


def test_point_reading_sees_a_margin_around_the_box_in_its_frame():
    box = torch.tensor([[[1., 2, 3, 4, 0.1, 1, math.pi / 2]]])  # 4 m along the scene's y, 0.1 m along x
    # The grid is 6 m long, 0.4 m thick and 1.5 m high. Two points in front of the thin side, one beyond it.
    points = torch.tensor([[[0.84, 4.9, 2.3], [0.84, 4.9, 2.3], [0.75, 2, 3]]])
    found = BoxPoints.counts(box, points).expm1().round().long()[0, 0]
    cells, slices = found[:216].view(6, 6, 6), found[216:].view(3, 16)
    assert cells.nonzero().tolist() == [[5, 5, 0]] and cells.sum() == 2
    assert slices.nonzero().tolist() == [[0, 15], [1, 14], [2, 0]]


def test_position_reading_returns_the_mean_position_attended_to():
    torch.manual_seed(0)
    attention = BoxCrossAttention(8, 2, 0., None, read_positions=True)
    xyz, boxes = torch.rand(2, 5, 3), torch.rand(2, 3, 7) + 0.5
    query, tokens = torch.randn(2, 3, 8), torch.randn(2, 5, 8)
    output = attention(query, boxes, Memory(tokens, tokens, xyz, xyz))
    plain = BoxCrossAttention(8, 2, 0., None, read_positions=False)
    plain.load_state_dict({k: v for k, v in attention.state_dict().items() if not k.startswith('position')})
    q = attention.q(query).view(2, 3, 2, 4)
    weights = (torch.einsum('bqhc,bnc->bqhn', q, attention.k(tokens)) / 2).softmax(-1)
    read = torch.einsum('bqhn,bqnp->bqhp', weights, positions_in_boxes(xyz, boxes))
    expected = plain(query, boxes, Memory(tokens, tokens, xyz, xyz)) + attention.position_proj(read.flatten(2))
    torch.testing.assert_close(output, expected)


def bias_by_hand(bias, boxes, xyz):
    """The sum over vertices, with all offsets kept and an interpolation of its own."""
    tables, total = bias.tables().double(), 0
    for signs, table in zip(bias.signs.double(), tables):
        corner = signs * boxes[..., 3:6].double() / 2
        cos, sin = boxes[..., 6].double().cos(), boxes[..., 6].double().sin()
        turned = torch.stack([corner[..., 0] * cos - corner[..., 1] * sin, corner[..., 0] * sin + corner[..., 1] * cos,
                              corner[..., 2]], -1) + boxes[..., :3].double()
        offset = turned.unsqueeze(2) - xyz.double().unsqueeze(1)
        if bias.in_box_frame:
            x, y, z = offset.unbind(-1)
            cos, sin = cos.unsqueeze(2), sin.unsqueeze(2)
            offset = torch.stack([x * cos + y * sin, y * cos - x * sin, z], -1)
        place = (offset.sign() * (512 * offset.abs() + 1).log2() / 12 * 10 + 9) / 2  # node j at (2 j + 1) / 10 - 1
        nodes = torch.arange(10.)
        # Each axis' share of every node: 1 at the node, 0 from the next one on.
        x, y, z = ((1 - (place[..., axis, None] - nodes).abs()).clamp(min=0) for axis in range(3))
        total = total + torch.einsum('bqni,bqnj,bqnk,hijk->bhqn', z, y, x, table)
    return total


@pytest.mark.parametrize('path', [contextlib.nullcontext, use_reference], ids=['kernels', 'reference'])
@pytest.mark.parametrize('center_only', [False, True])
@pytest.mark.parametrize('in_box_frame, turned, heads', [(False, True, 3), (True, True, 4), (False, False, 6)])
def test_bias_and_its_gradient_equal_those_with_all_offsets_kept(path, center_only, in_box_frame, turned, heads):
    torch.manual_seed(0)
    bias = VertexBias(heads, 8, center_only, in_box_frame)
    boxes, xyz = torch.rand(2, 5, 7) * 3, torch.randn(2, 11, 3) * 4
    boxes[..., 6] *= turned
    xyz[0, 0, 0] = 30  # where the bias is 0
    xyz[1, 1] = boxes[1, 1, :3]  # offsets of 0 to the centre
    expected = bias_by_hand(bias, boxes, xyz)
    with path():
        found = bias(boxes, xyz)
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-5)
    assert center_only or (found[0, :, :, 0] == 0).all()
    weights = torch.randn_like(found)
    ours = torch.autograd.grad((found * weights).sum(), list(bias.parameters()))
    theirs = torch.autograd.grad((expected * weights).sum(), list(bias.parameters()))
    for one, other in zip(ours, theirs):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5 * other.abs().max().item())


@pytest.mark.parametrize('path', [contextlib.nullcontext, use_reference], ids=['kernels', 'reference'])
def test_nothing_the_size_of_pairs_is_kept_for_the_gradient(path):
    kept = []
    bias, boxes, xyz = VertexBias(2, 8), torch.rand(1, 300, 7), torch.rand(1, 400, 3)
    with path(), torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda x: x):
        found = bias(boxes, xyz)
    arrays = [value for value in getattr(found.grad_fn, 'geometry', ()) if value.ndim]
    sizes = [tensor.numel() for tensor in kept] + [array.size for array in arrays]
    # The largest is a hidden layer of the MLPs: 8 vertices, 1,000 nodes, 8 channels.
    assert max(sizes) == 64000 < found.numel() / 3


def test_offsets_in_parts_give_the_same(monkeypatch):
    torch.manual_seed(0)
    bias, boxes, xyz = VertexBias(2, 8), torch.rand(2, 7, 7), torch.rand(2, 11, 3)
    whole = bias(boxes, xyz)
    gradient = torch.autograd.grad(whole.square().sum(), bias.weight1)[0]
    monkeypatch.setattr('m2ae_mm.models.layers.vertex_bias._PAIRS_AT_ONCE', 8 * 2 * 11 * 3)
    with use_reference():
        parts = bias(boxes, xyz)
    torch.testing.assert_close(parts, whole)
    torch.testing.assert_close(torch.autograd.grad(parts.square().sum(), bias.weight1)[0], gradient, rtol=1e-4,
                               atol=1e-3)
