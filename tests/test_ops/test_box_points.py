"""Points in boxes and their counts in grids: by hand, point by point, and the kernels against the reference."""
import itertools
import math

import pytest
import torch
from interpreted import compile_kernel, compiles_kernels, every_path

from m2ae_mm import ops
from m2ae_mm.ops.box_points import _count_in_grids, _points_in_boxes


def boxes(batch, count):
    generator = torch.Generator().manual_seed(0)
    return torch.rand(batch, count, 7, generator=generator) * torch.tensor([2, 2, 2, 1.5, 1.5, 1.5, 7.])


@every_path
def test_points_in_a_turned_box(device):
    box = [1., 2., 3., 4., 2., 6., math.pi / 2]  # 2 along x, 4 along y
    points = [[1, 3.9, 3], [1.9, 2, 3], [2.1, 2, 3], [1, 4.1, 3], [1, 2, 5.9], [1, 2, 6.1], [1, 2, 6], [1, 2, 0]]
    inside = ops.points_in_boxes(torch.tensor([points], device=device), torch.tensor([[box, [0.] * 7]], device=device))
    assert inside[0, :, 0].tolist() == [True, True, False, False, True, False, True, True]
    assert not inside[0, :, 1].any()


@every_path
def test_bottom_and_top_are_inside_and_sides_are_not(device):
    points = [[0., 0, 3], [0, 0, -3], [0, 0, 3.1], [1, 0, 0], [0, -2, 0], [0.9, -1.9, 0]]
    box = torch.tensor([[[0., 0, 0, 2, 4, 6, 0]]], device=device)
    found = ops.points_in_boxes(torch.tensor([points], device=device), box)
    assert found.flatten().tolist() == [True, True, False, False, False, True]


@every_path
@pytest.mark.parametrize('num_boxes', [0, 1, 40])
def test_points_in_boxes_matches_brute_force(num_boxes, device, monkeypatch):
    monkeypatch.setattr('m2ae_mm.ops.distances._PAIRS_AT_ONCE', 500)
    targets, points = boxes(2, num_boxes), torch.rand(2, 70, 3) * 2
    expected = torch.zeros(2, 70, num_boxes, dtype=torch.bool)
    for cloud, point, box in itertools.product(range(2), range(70), range(num_boxes)):
        x, y, z, dx, dy, dz, yaw = targets[cloud, box].tolist()
        offset = points[cloud, point].double() - torch.tensor([x, y, z])
        turned = offset[:2] @ torch.tensor([[math.cos(yaw), -math.sin(yaw)], [math.sin(yaw), math.cos(yaw)]]).double()
        within_sides = (turned.abs() < torch.tensor([dx, dy]) / 2).all()
        expected[cloud, point, box] = within_sides & (offset[2].abs() <= dz / 2)
    assert torch.equal(ops.points_in_boxes(points.to(device), targets.to(device)).cpu(), expected)
    assert num_boxes < 2 or 100 < expected.sum() < 5000


@every_path
def test_points_are_counted_in_cells_and_slices(device):
    box = [1., 2., 3., 4., 2., 6., math.pi / 2]  # turned: x from 0 to 2, y from 0 to 4, z from 0 to 6
    points = [[1.9, 0.1, 0.1], [1.9, 0.1, 0.1], [0.1, 3.9, 5.9], [0.1, 3.9, 0.1], [2.1, 2, 3], [1, 2, 6.1]]
    points, targets = torch.tensor([points], device=device), torch.tensor([[box, [0.] * 7]], device=device)
    counts = ops.count_in_grids(points, targets, 2, 3)
    # Along the box's x lies the scene's y, along its y the scene's -x.
    assert counts[0, 0, :8].view(2, 2, 2).tolist() == [[[2, 0], [0, 0]], [[0, 0], [1, 1]]]
    assert counts[0, 0, 8:].view(3, 3).tolist() == [[2, 0, 2], [2, 0, 2], [3, 0, 1]]
    assert not counts[0, 1].any()


@every_path
@pytest.mark.parametrize('num_boxes', [0, 1, 40])
def test_counts_equal_those_of_points_in_boxes_and_the_reference(num_boxes, device, monkeypatch):
    monkeypatch.setattr('m2ae_mm.ops.distances._PAIRS_AT_ONCE', 500)
    targets, points = boxes(2, num_boxes).to(device), torch.rand(2, 70, 3).to(device) * 2
    counts = ops.count_in_grids(points, targets, 3, 5)
    with ops.use_reference():
        assert torch.equal(ops.count_in_grids(points, targets, 3, 5), counts)
    inside = ops.points_in_boxes(points, targets).sum(1)
    assert torch.equal(counts[..., :27].sum(-1), inside)
    assert torch.equal(counts[..., 27:].unflatten(-1, (3, 5)).sum(-1), inside.unsqueeze(-1).expand(-1, -1, 3))


def test_keep_the_promises_of_operators():
    points, frames = torch.rand(2, 40, 3), torch.rand(2, 8, 3)
    torch.library.opcheck(_points_in_boxes, (points, frames))
    torch.library.opcheck(_count_in_grids, (points, frames, 2, 3))


def test_bad_input():
    with pytest.raises(ValueError, match=r'got \(2, 4, 3\) and \(1, 3, 7\)'):
        ops.points_in_boxes(torch.zeros(2, 4, 3), torch.zeros(1, 3, 7))
    with pytest.raises(ValueError, match='at least 1, got 0 and 3'):
        ops.count_in_grids(torch.zeros(1, 4, 3), torch.zeros(1, 1, 7), 0, 3)


@compiles_kernels
@pytest.mark.parametrize('ones', [False, True])
def test_kernel_compiles_without_a_gpu(ones):
    """Arguments equal to 1 become constants."""
    from m2ae_mm.ops.box_points.gpu import _contains
    constants = dict(POINTS=32, BOXES=16, **dict(num_points=1, num_boxes=1) if ones else {})
    types = dict(points='*fp32', frames='*fp32', output='*u8')
    compiled = compile_kernel(_contains, types, constants, num_warps=4, enable_fp_fusion=False)
    assert 'fma.rn.f32' not in compiled.asm['ptx']
