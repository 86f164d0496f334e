"""Box geometry against clipping, corner by corner, and by known values."""
import math

import pytest
import torch

from m2ae_mm import ops
from m2ae_mm.ops.boxes import rectangle_overlap, suppress

UNIT = [0., 0., 0., 1., 1., 1., 0.]


def rectangles(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 5, generator=generator, dtype=torch.double) * torch.tensor([2, 2, 1.5, 1.5, 7.])


def boxes(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 7, generator=generator, dtype=torch.double) * torch.tensor([2, 2, 2, 1.5, 1.5, 1.5, 7.])


def corners(x, y, width, height, angle):
    cos, sin = math.cos(angle), math.sin(angle)
    half = [(width / 2, height / 2), (-width / 2, height / 2), (-width / 2, -height / 2), (width / 2, -height / 2)]
    return [(x + u * cos - v * sin, y + u * sin + v * cos) for u, v in half]


def clipped_area(subject, clip):
    """Sutherland-Hodgman clipping of one polygon by another, then the shoelace formula."""
    for (x0, y0), (x1, y1) in zip(clip, clip[1:] + clip[:1]):
        sides = [(x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) for x, y in subject]
        kept = []
        for i in range(len(subject)):
            (px, py), (qx, qy), p, q = subject[i - 1], subject[i], sides[i - 1], sides[i]
            if p * q < 0:
                kept.append((px + (qx - px) * p / (p - q), py + (qy - py) * p / (p - q)))
            if q >= 0:
                kept.append((qx, qy))
        subject = kept
    return abs(sum(subject[i - 1][0] * y - subject[i - 1][1] * x for i, (x, y) in enumerate(subject))) / 2


def brute_force_overlap(a, b):
    return clipped_area(corners(*a), corners(*b))


def brute_force_iou_3d(a, b):
    height = max(0, min(a[2] + a[5] / 2, b[2] + b[5] / 2) - max(a[2] - a[5] / 2, b[2] - b[5] / 2))
    shared = brute_force_overlap(a[:2] + a[3:5] + a[6:], b[:2] + b[3:5] + b[6:]) * height
    return shared / (math.prod(a[3:6]) + math.prod(b[3:6]) - shared)


@pytest.mark.parametrize(('dtype', 'tolerance'), [(torch.double, 1e-12), (torch.float, 1e-5)])
def test_rotated_iou_matches_clipping(dtype, tolerance):
    a, b = rectangles(30).to(dtype), rectangles(20, seed=1).to(dtype)
    overlap = torch.tensor([[brute_force_overlap(p, q) for q in b.tolist()] for p in a.tolist()], dtype=torch.double)
    assert (overlap > 0).sum() > 50 and (overlap == 0).sum() > 50
    area_a, area_b = (a[:, 2] * a[:, 3])[:, None], b[:, 2] * b[:, 3]
    iou = overlap / (area_a + area_b - overlap)
    assert torch.allclose(ops.rotated_iou_bev(a, b).double(), iou, atol=tolerance)
    assert torch.allclose(ops.rotated_iou_bev(a[:20], b, aligned=True).double(), iou[:20].diag(), atol=tolerance)
    assert torch.allclose(ops.rotated_iou_bev(a, b, mode='iof').double(), overlap / area_a, atol=tolerance)


@pytest.mark.parametrize(('other', 'expected'), [
    ([0, 0, 2, 1, 0.7], 1),  # identical
    ([0, 0, 2, 1, 0.7 + math.pi], 1),  # half a turn
    ([0, 0, 1, 2, 0.7 + math.pi / 2], 1),  # sides swapped and a quarter turn
    ([2 * math.cos(0.7), 2 * math.sin(0.7), 2, 1, 0.7], 0),  # touching along a side
    ([0, 0, 1, 0.5, 0.7], 0.25),  # inside
    ([0, 0, 0, 1, 0.7], 0),  # no width
    ([0, 0, -2, 1, 0.7], 0),  # negative width
])
@pytest.mark.parametrize('offset', [0., 1000.])
def test_rotated_iou_of_special_pairs(other, expected, offset):
    move = torch.tensor([offset, -offset, 0, 0, 0])
    a, b = torch.tensor([[0, 0, 2, 1, 0.7]]) + move, torch.tensor([other]) + move
    tolerance = 2e-6 if offset == 0 else 3e-4  # float32 at 1000 resolves 6e-5
    assert ops.rotated_iou_bev(a, b).item() == pytest.approx(expected, abs=tolerance)
    assert ops.rotated_iou_bev(b, a).item() == pytest.approx(expected, abs=tolerance)


def test_rotated_iou_stays_within_bounds_for_nearly_equal_boxes():
    a = rectangles(500).float()
    a[:, 2:4] += 0.1
    ious = ops.rotated_iou_bev(a, a + 1e-7 * torch.randn(500, 5), aligned=True)
    assert ious.max() <= 1 and ious.min() > 0.999


def test_rounding_makes_no_overlap_negative_or_larger_than_a_box():
    a, b = rectangles(3000).float(), rectangles(3000, seed=1).float()
    overlap, smaller = rectangle_overlap(a, b), torch.minimum(*(r[:, 2] * r[:, 3] for r in (a, b)))
    assert (overlap >= 0).all() and (overlap <= smaller).all()
    assert (overlap == 0).any() and (overlap == smaller).any()


def test_no_boxes():
    none = torch.zeros(0, 5)
    assert ops.rotated_iou_bev(none, rectangles(3).float()).shape == (0, 3)
    assert ops.rotated_iou_bev(rectangles(3).float(), none).shape == (3, 0)
    assert ops.nms3d(torch.zeros(0, 7), torch.zeros(0), 0.5).tolist() == []


def test_many_pairs_are_split_into_passes(monkeypatch):
    a, b = rectangles(40), rectangles(30, seed=1)
    whole = ops.rotated_iou_bev(a, b)
    monkeypatch.setattr('m2ae_mm.ops.boxes._PAIRS_AT_ONCE', 100)
    assert torch.equal(ops.rotated_iou_bev(a, b), whole)


def test_iou_3d_matches_brute_force():
    a, b = boxes(15), boxes(12, seed=1)
    expected = [[brute_force_iou_3d(p, q) for q in b.tolist()] for p in a.tolist()]
    assert torch.allclose(ops.box_iou_3d(a, b), torch.tensor(expected, dtype=torch.double), atol=1e-12)
    assert torch.equal(ops.box_iou_3d(a.view(3, 5, 7), b.view(3, 4, 7))[1], ops.box_iou_3d(a[5:10], b[4:8]))


@pytest.mark.parametrize('rotated', [True, False])
def test_giou_matches_brute_force(rotated):
    a, b = boxes(9), boxes(7, seed=1)
    if not rotated:  # yaw must not matter then
        expected_a, expected_b = (torch.cat([x[:, :6], 0 * x[:, 6:]], 1) for x in (a, b))
    else:
        expected_a, expected_b = a, b
    giou = ops.box_giou_3d(a, b, rotated)
    for i, p in enumerate(expected_a.tolist()):
        for j, q in enumerate(expected_b.tolist()):
            outline = corners(*p[:2], *p[3:5], p[6]) + corners(*q[:2], *q[3:5], q[6])
            heights = [p[2] - p[5] / 2, p[2] + p[5] / 2, q[2] - q[5] / 2, q[2] + q[5] / 2]
            enclosing = math.prod(max(side) - min(side) for side in (*zip(*outline), heights))
            iou = brute_force_iou_3d(p, q)
            union = (math.prod(p[3:6]) + math.prod(q[3:6])) / (1 + iou)
            assert giou[i, j].item() == pytest.approx(iou - 1 + union / enclosing, abs=1e-9)


def test_giou_known_values():
    """Unit cubes: equal 1, touching 0, a gap of one width between them -1/3; without volume 0."""
    others = [UNIT, [1., *UNIT[1:]], [2., *UNIT[1:]]]
    for rotated in (True, False):
        giou = ops.box_giou_3d(torch.tensor([UNIT]), torch.tensor(others), rotated)
        assert giou.tolist() == [pytest.approx([1, 0, -1 / 3], abs=1e-6)]
        assert ops.box_giou_3d(torch.zeros(1, 7), torch.zeros(1, 7), rotated).tolist() == [[0.]]


@pytest.mark.parametrize('rotated', [True, False])
def test_giou_gradients(rotated):
    a, b = boxes(4).view(2, 2, 7).requires_grad_(), boxes(6, seed=1).view(2, 3, 7).requires_grad_()
    assert torch.autograd.gradcheck(lambda p, q: ops.box_giou_3d(p, q, rotated), (a, b))


def test_gradients_are_finite_for_equal_and_empty_boxes():
    a = torch.tensor([UNIT, [0.] * 7, UNIT], requires_grad=True)
    for rotated in (True, False):
        gradient, = torch.autograd.grad(ops.box_giou_3d(a, a.detach(), rotated).sum(), a)
        assert gradient.isfinite().all()


def test_half_precision_is_computed_in_float32():
    a = boxes(5).half()
    assert ops.box_giou_3d(a, a, True).dtype == torch.float32


def test_nms3d_matches_brute_force():
    candidates, scores = boxes(40), torch.rand(40).round(decimals=1)  # with equal scores
    ious = ops.box_iou_3d(candidates, candidates)
    kept = []
    for i in sorted(range(40), key=lambda i: (-scores[i], i)):
        if all(ious[i, j] <= 0.1 for j in kept):
            kept.append(i)
    assert 1 < len(kept) < 40
    assert ops.nms3d(candidates, scores, 0.1).tolist() == kept


def test_an_overlap_of_exactly_the_threshold_suppresses_nothing():
    overlaps = torch.tensor([[1, 0.5, 0.75], [0.5, 1, 0], [0.75, 0, 1]])
    assert suppress(overlaps, torch.tensor([3, 2, 1]), 0.5).tolist() == [0, 1]


def test_bad_input():
    with pytest.raises(ValueError, match=r'shape \(N, 5\), got \(3, 7\) and \(2, 5\)'):
        ops.rotated_iou_bev(torch.zeros(3, 7), torch.zeros(2, 5))
    with pytest.raises(ValueError, match='got 3 and 2'):
        ops.rotated_iou_bev(torch.zeros(3, 5), torch.zeros(2, 5), aligned=True)
    with pytest.raises(ValueError, match="got 'giou'"):
        ops.rotated_iou_bev(torch.zeros(3, 5), torch.zeros(2, 5), mode='giou')
    with pytest.raises(ValueError, match='same leading axes'):
        ops.box_giou_3d(torch.zeros(2, 3, 7), torch.zeros(3, 7), True)
    with pytest.raises(ValueError, match=r'scores \(N,\), got \(3, 7\) and \(2,\)'):
        ops.nms3d(torch.zeros(3, 7), torch.zeros(2), 0.5)
