"""The stand-in's operators as mmcv's Python wrappers call them."""
import math
import sys

import mmcv.ops
import numpy as np
import pytest
import torch
from mmcv.ops.chamfer_distance import chamfer_distance
from mmcv.ops.furthest_point_sample import furthest_point_sample_with_dist
from mmcv.utils import ext_loader

from m2ae_mm import ops
from m2ae_mm.mmcv_ops import MissingOperatorError, kernel
from m2ae_mm.mmcv_ops.extension import KERNELS


@pytest.fixture
def points():
    return torch.rand(2, 30, 3, generator=torch.Generator().manual_seed(0))


def test_sampling(points):
    picked = mmcv.ops.furthest_point_sample(points, 9)
    assert picked.dtype == torch.int32
    assert torch.equal(picked.long(), ops.furthest_point_sample(points, 9))
    by_distance = furthest_point_sample_with_dist(ops.squared_distances(points, points), 9)
    assert by_distance.dtype == torch.int32 and torch.equal(by_distance, picked)


def test_search(points):
    centers = points[:, :6].contiguous()
    nearest = mmcv.ops.knn(4, points, centers)
    assert nearest.shape == (2, 4, 6) and nearest.dtype == torch.int32
    assert torch.equal(nearest.transpose(1, 2).long(), ops.knn(centers, points, 4))
    transposed = mmcv.ops.knn(4, points.transpose(1, 2).contiguous(), centers.transpose(1, 2).contiguous(), True)
    assert torch.equal(transposed, nearest)
    assert torch.equal(mmcv.ops.knn(1, points)[:, 0], torch.arange(30, dtype=torch.int32).expand(2, 30))

    inside = mmcv.ops.ball_query(0.1, 0.4, 5, points, centers)
    assert inside.dtype == torch.int32
    assert torch.equal(inside.long(), ops.ball_query(centers, points, 0.4, 5, min_radius=0.1))

    distances, indices = mmcv.ops.three_nn(centers, points)
    assert indices.dtype == torch.int32
    assert torch.allclose(distances**2, ops.three_nn(centers, points)[0], atol=1e-6)


def test_grouping_and_its_gradients(points):
    features = torch.rand(2, 4, 30, requires_grad=True)
    picked = torch.randint(0, 30, (2, 6), dtype=torch.int32)
    groups = torch.randint(0, 30, (2, 6, 3), dtype=torch.int32)
    weights = torch.rand(2, 6, 3)
    by_row = ops.gather(features.transpose(1, 2), groups.long())
    expected = [
        ops.gather(features.transpose(1, 2), picked.long()).transpose(1, 2),
        by_row.permute(0, 3, 1, 2),
        (by_row * weights.unsqueeze(-1)).sum(2).transpose(1, 2),
    ]
    results = [
        mmcv.ops.gather_points(features, picked),
        mmcv.ops.grouping_operation(features, groups),
        mmcv.ops.three_interpolate(features, groups, weights),
    ]
    for result, wanted in zip(results, expected):
        assert torch.allclose(result, wanted)
        upstream = torch.rand_like(result)
        gradients = [torch.autograd.grad(output, features, upstream, retain_graph=True)[0]
                     for output in (result, wanted)]
        assert torch.allclose(*gradients, atol=1e-6) and gradients[0].any()


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_interpolation_of_features_in_half_precision(dtype):
    features = torch.rand(1, 4, 6, requires_grad=True)
    groups, weights = torch.tensor([[[0, 1, 5], [2, 2, 3]]], dtype=torch.int32), torch.tensor([[[.5, .25, .25]] * 2])
    result = mmcv.ops.three_interpolate(features.to(dtype), groups, weights)
    result.sum().backward()
    assert features.grad[0].tolist() == [[0.5, 0.25, 0.75, 0.25, 0, 0.25]] * 4


def test_chamfer_distance_and_its_gradient():
    first, second = torch.rand(2, 5, 2, requires_grad=True), torch.rand(2, 8, 2, requires_grad=True)
    squared = (first.unsqueeze(2) - second.unsqueeze(1)).square().sum(-1)
    outputs = chamfer_distance(first, second)
    for output, wanted in zip(outputs[:2], (squared.amin(2), squared.amin(1))):
        assert torch.allclose(output, wanted)
    wanted = torch.autograd.grad((squared.amin(2).sum() + 3 * squared.amin(1).sum()), (first, second))
    gradients = torch.autograd.grad((outputs[0].sum() + 3 * outputs[1].sum()), (first, second))
    assert torch.allclose(gradients[0], wanted[0]) and torch.allclose(gradients[1], wanted[1])


def test_points_in_boxes_from_the_bottom_centre():
    points = torch.tensor([[[0., 0, 0.1], [0, 0, 1.9], [0, 0, -0.1], [0.9, 0, 1]]])
    boxes = torch.tensor([[[0., 0, 0, 1, 1, 2, 0], [0, 0, 0, 2, 2, 2, 0]]])
    assert mmcv.ops.points_in_boxes_all(points, boxes).tolist() == [[[1, 1], [1, 1], [0, 0], [0, 1]]]
    assert mmcv.ops.points_in_boxes_cpu(points, boxes).tolist() == [[[1, 1], [1, 1], [0, 0], [0, 1]]]
    assert mmcv.ops.points_in_boxes_part(points, boxes).tolist() == [[0, 0, -1, 1]]
    assert mmcv.ops.points_in_boxes_part(points, boxes[:, :0]).tolist() == [[-1, -1, -1, -1]]
    with pytest.raises(ValueError, match='same B'):
        mmcv.ops.points_in_boxes_all(points, boxes.repeat(2, 1, 1))


def test_points_and_boxes_on_two_devices_are_refused():
    points, boxes = torch.zeros(1, 2, 3), torch.zeros(1, 1, 7, device='meta')
    for operator in (mmcv.ops.points_in_boxes_all, mmcv.ops.points_in_boxes_part):
        with pytest.raises(ValueError, match='on one device, got cpu and meta'):
            operator(points, boxes)


def test_box_iou_rotated_directions():
    """Only the angle's direction tells the two cases apart: 'clockwise' turns x towards y."""
    bar, dot = torch.tensor([[0., 0, 4, 0.2, math.pi / 4]]), torch.tensor([[1., 1, 0.1, 0.1, 0]])
    assert mmcv.ops.box_iou_rotated(bar, dot, mode='iof').item() == pytest.approx(0.01 / 0.8, rel=1e-4)
    assert mmcv.ops.box_iou_rotated(bar, dot, clockwise=False).item() == 0
    assert mmcv.ops.box_iou_rotated(bar, bar, aligned=True).tolist() == [pytest.approx(1)]


def test_suppression():
    corners = torch.tensor([[0., 0, 2, 2], [0, 0, 2, 1.9], [5, 5, 6, 6], [0, 0, 2, 0.5]])
    scores = torch.tensor([0.5, 0.9, 0.3, 0.8])
    kept = mmcv.ops.nms(corners, scores, 0.3)
    assert kept[1].tolist() == [1, 3, 2]
    assert kept[0][:, 4].tolist() == pytest.approx([0.9, 0.8, 0.3])
    assert mmcv.ops.nms(corners, scores, 0.2)[1].tolist() == [1, 2]

    rectangles = torch.cat([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2],
                            torch.zeros(4, 1)], 1)
    assert mmcv.ops.nms_rotated(rectangles, scores, 0.3)[1].tolist() == [1, 3, 2]
    labels = torch.tensor([0, 1, 0, 1])
    assert mmcv.ops.nms_rotated(rectangles, scores, 0.3, labels)[1].tolist() == [1, 3, 0, 2]

    boxes = torch.cat([rectangles[:, :2], torch.zeros(4, 1), rectangles[:, 2:4], torch.ones(4, 1), torch.zeros(4, 1)],
                      1)
    assert mmcv.ops.nms3d(boxes, scores, 0.3).tolist() == [1, 3, 2]
    boxes[1, 6] = math.pi / 2
    assert mmcv.ops.nms3d_normal(boxes, scores, 0.2).tolist() == [1, 2]
    assert mmcv.ops.boxes_iou3d(boxes, boxes).diag().tolist() == pytest.approx([1.] * 4, abs=1e-5)


def test_corners_may_be_the_last_pixels_and_distant_boxes_share_nothing():
    neighbours = torch.tensor([[0., 0, 1, 1], [1, 0, 2, 1]])  # with pixels 2 of 6
    assert mmcv.ops.nms(neighbours, torch.tensor([0.9, 0.8]), 0.3, offset=0)[1].tolist() == [0, 1]
    assert mmcv.ops.nms(neighbours, torch.tensor([0.9, 0.8]), 0.3, offset=1)[1].tolist() == [0]
    apart = torch.tensor([[0., 0, 10, 10], [18, 18, 28, 28]])
    assert mmcv.ops.nms(apart, torch.tensor([0.9, 0.8]), 0.3)[1].tolist() == [0, 1]


def test_sigmoid_focal_loss():
    """Against mmdet's formula in plain PyTorch; background is class 3 of 3."""
    from mmdet.models.losses.focal_loss import py_focal_loss_with_prob
    logits = torch.randn(6, 3, requires_grad=True)
    target = torch.tensor([0, 1, 2, 3, 3, 0])
    loss = mmcv.ops.sigmoid_focal_loss(logits, target, 2.0, 0.25, None, 'sum')
    one_hot = torch.nn.functional.one_hot(target, 4)[:, :3].float()
    wanted = py_focal_loss_with_prob(logits.sigmoid(), one_hot, gamma=2.0, alpha=0.25, reduction='sum')
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-5)
    gradients = [torch.autograd.grad(value, logits)[0] for value in (loss, wanted)]
    assert torch.allclose(*gradients, atol=1e-5)


def test_focal_loss_weights_a_row_by_its_class_and_leaves_background_alone():
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    target = torch.tensor([0, 1, 2, 3, 7])
    plain, weighted = (mmcv.ops.sigmoid_focal_loss(logits, target, 2.0, 0.25, weight, 'none')
                       for weight in (None, torch.tensor([2., 3., 5.])))
    torch.testing.assert_close(weighted, plain * torch.tensor([2., 3, 5, 1, 1]).unsqueeze(1))


def test_missing_operator_says_what_to_do():
    with pytest.raises(MissingOperatorError, match=r"'roi_align_forward' is not .* Install a compiled mmcv"):
        mmcv.ops.roi_align(torch.rand(1, 1, 4, 4), torch.tensor([[0., 0, 0, 2, 2]]), (2, 2))
    assert issubclass(MissingOperatorError, NotImplementedError)


def test_module_is_complete():
    extension = sys.modules['mmcv._ext']
    assert extension.__spec__.name == extension.__name__ == 'mmcv._ext'
    assert extension.__loader__ is extension.__spec__.loader
    assert not hasattr(extension, '__path__') and hasattr(extension, 'any_name')
    assert all(kernel(name) is function for name, function in KERNELS.items())
    assert ext_loader.check_ops_exist()
    assert 'm2ae_mm' in mmcv.ops.get_compiler_version()
    assert 'm2ae_mm' in mmcv.ops.get_compiling_cuda_version()


def test_numpy_boxes_pass_through():
    kept = mmcv.ops.nms(np.array([[0, 0, 1, 1], [0, 0, 1, 1]], np.float32), np.array([0.1, 0.2], np.float32), 0.5)
    assert kept[1].tolist() == [1] and isinstance(kept[0], np.ndarray)
