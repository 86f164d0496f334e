"""Steps for scenes: what must be inside a crop is inside, nothing else is lost, and boxes move with their points."""
import math

import numpy as np
import pytest
import torch

from m2ae_mm.datasets.transforms import M2AEAxisAlignedBoxes, M2AECenterScene, M2AERandomShift, ThreeDETRRandomCuboid
from m2ae_mm.datasets.transforms.normals import M2AENormals
from mmdet3d.structures import DepthInstance3DBoxes, DepthPoints, LiDARInstance3DBoxes


def crowded_scene(num_boxes=30, num_points=4000):
    generator = torch.Generator().manual_seed(0)
    centers = torch.rand(num_boxes, 3, generator=generator) * torch.tensor([6., 4., 2.])
    boxes = torch.cat([centers, torch.full((num_boxes, 3), 0.4)], 1)
    return dict(
        points=DepthPoints(torch.rand(num_points, 3, generator=generator) * torch.tensor([6., 4., 2.])),
        gt_bboxes_3d=DepthInstance3DBoxes(boxes, box_dim=6, with_yaw=False, origin=(0.5, 0.5, 0.5)),
        gt_labels_3d=np.arange(num_boxes),
        pts_semantic_mask=np.arange(num_points))


@pytest.mark.parametrize('seed', range(5))
def test_keeps_boxes_among_the_kept_points_and_their_labels(seed):
    np.random.seed(seed)
    before, after = crowded_scene(), ThreeDETRRandomCuboid(min_points=1000)(crowded_scene())
    coordinates = after['points'].coord
    assert 1000 <= len(coordinates) < 4000
    assert torch.equal(before['points'].coord[after['pts_semantic_mask']], coordinates)
    low, high = coordinates.aminmax(dim=0)
    centers = before['gt_bboxes_3d'].gravity_center
    expected = ((centers >= low) & (centers <= high)).all(1).nonzero().flatten()
    assert after['gt_labels_3d'].tolist() == expected.tolist() and len(expected) > 0
    assert torch.equal(after['gt_bboxes_3d'].gravity_center, centers[expected])
    # Every point of the hull that the crop spans is there: nothing is thinned out.
    all_points = before['points'].coord
    assert ((all_points >= low) & (all_points <= high)).all(1).sum() == len(coordinates)


def test_pre_training_crops_without_boxes():
    np.random.seed(0)
    given = {name: value for name, value in crowded_scene().items() if 'gt_' not in name}
    after = ThreeDETRRandomCuboid(min_points=1000, max_crop=0.8)(given)
    assert 1000 <= len(after['points']) == len(after['pts_semantic_mask']) < 4000 and 'gt_labels_3d' not in after


def test_scenes_that_are_too_small_stay_whole():
    assert len(ThreeDETRRandomCuboid(min_points=4001)(crowded_scene())['points']) == 4000
    assert len(ThreeDETRRandomCuboid(min_points=3999, max_crop=0.6)(crowded_scene())['points']) == 4000


def test_a_crop_never_loses_all_boxes():
    for seed in range(20):
        np.random.seed(seed)
        assert len(ThreeDETRRandomCuboid(min_points=100)(crowded_scene(num_boxes=1))['gt_labels_3d']) == 1


def test_scenes_without_boxes_are_cropped():
    np.random.seed(0)
    result = ThreeDETRRandomCuboid(min_points=1000)(crowded_scene(num_boxes=0))
    assert len(result['points']) < 4000 and len(result['gt_labels_3d']) == 0


@pytest.mark.parametrize('shares,balanced', [((.5, .7, 1.), False), ((1., .5, .85), True), ((.5, .6, .9), True)])
def test_one_pair_of_sides_is_similar(shares, balanced):
    assert ThreeDETRRandomCuboid()._is_balanced(np.array(shares)) == balanced


def line():
    """Points (0, 0, 0), (1, 1, 1) to (8, 8, 8)."""
    return dict(points=DepthPoints(torch.arange(9.)[:, None].repeat(1, 3)))


def test_crops_are_half_a_side_about_a_point_of_the_scene():
    np.random.seed(0)
    crop = ThreeDETRRandomCuboid(min_points=1, min_crop=0.5, max_crop=0.5)
    found = {tuple(crop(line())['points'].coord[:, 0].tolist()) for _ in range(200)}
    assert found == {tuple(range(max(middle - 2, 0), min(middle + 2, 8) + 1)) for middle in range(9)}


def test_no_crop_is_made_of_sides_that_differ():
    np.random.seed(0)
    always, never = (ThreeDETRRandomCuboid(min_points=1, max_crop=0.6, aspect=aspect) for aspect in (0.8, 1.1))
    assert {len(always(line())['points']) for _ in range(20)} <= {3, 4, 5}
    assert {len(never(line())['points']) for _ in range(20)} == {9}


def test_defaults_are_the_published_ones_for_scannet():
    assert repr(ThreeDETRRandomCuboid()) == (
        'ThreeDETRRandomCuboid(min_points=30000, aspect=0.8, min_crop=0.5, max_crop=1.0)')
    few = dict(points=DepthPoints(torch.rand(29_999, 3)))
    assert len(ThreeDETRRandomCuboid()(few)['points']) == 29_999


def scene():
    return dict(points=DepthPoints(torch.rand(20, 4), points_dim=4),
                gt_bboxes_3d=DepthInstance3DBoxes(torch.rand(3, 6) + 0.5, box_dim=6, with_yaw=False))


def test_points_and_boxes_move_together_and_along_every_axis_by_itself():
    np.random.seed(0)
    moves = []
    for _ in range(200):
        before, after = scene(), scene()
        for name in before:
            after[name].tensor.copy_(before[name].tensor)
        after = M2AERandomShift(0.4)(after)
        change = after['points'].tensor - before['points'].tensor
        assert (change[:, 3] == 0).all()
        moves.append(change[0, :3])
        torch.testing.assert_close(change[:, :3], moves[-1].expand(20, 3))
        boxes = after['gt_bboxes_3d'].tensor - before['gt_bboxes_3d'].tensor
        torch.testing.assert_close(boxes, torch.cat([moves[-1], torch.zeros(4)]).expand(3, 7))
    moves = torch.stack(moves)
    assert (moves.abs() <= 0.4).all() and (moves.amax(0) > 0.35).all() and (moves.amin(0) < -0.35).all()
    assert torch.corrcoef(moves.T)[0, 1].abs() < 0.3
    assert moves.std(0).tolist() == pytest.approx([0.8 / 12**0.5] * 3, rel=0.15)  # uniform


def test_clouds_without_boxes_move_and_bad_options_are_named():
    points = DepthPoints(torch.zeros(5, 3))
    assert (M2AERandomShift()(dict(points=points))['points'].tensor != 0).all()
    with pytest.raises(ValueError, match='got -1'):
        M2AERandomShift(-1)


@pytest.mark.parametrize('with_yaw', [True, False])
def test_hulls_hold_the_corners_of_the_boxes(with_yaw):
    yaws = [0., math.pi / 2, 0.4, -2.5]
    boxes = DepthInstance3DBoxes(torch.tensor([[2, 1, 0.5, 3, .3, 1, yaw] for yaw in yaws]), with_yaw=with_yaw)
    corners = boxes.corners
    hull = M2AEAxisAlignedBoxes().transform(dict(gt_bboxes_3d=boxes))['gt_bboxes_3d']
    assert not hull.with_yaw and hull.yaw.eq(0).all()
    torch.testing.assert_close(hull.corners.amin(1), corners.amin(1))
    torch.testing.assert_close(hull.corners.amax(1), corners.amax(1))
    torch.testing.assert_close(hull.dims[1], torch.tensor([.3, 3, 1]))
    # A quarter turn of the scene swaps their sides.
    hull.rotate(math.pi / 2)
    torch.testing.assert_close(hull.dims[1], torch.tensor([3, .3, 1]))


@pytest.mark.parametrize('columns', [6, 7])
def test_a_scene_without_boxes(columns):
    empty = DepthInstance3DBoxes(torch.zeros(0, columns), box_dim=columns)
    assert len(M2AEAxisAlignedBoxes().transform(dict(gt_bboxes_3d=empty))['gt_bboxes_3d']) == 0


def test_boxes_in_other_coordinates_are_refused():
    with pytest.raises(ValueError, match='box_type_3d'):
        M2AEAxisAlignedBoxes().transform(dict(gt_bboxes_3d=LiDARInstance3DBoxes(torch.zeros(1, 7))))


def test_normals_look_into_the_room():
    rng = np.random.default_rng(0)
    floor, ceiling, wall = rng.uniform(0, 3, (3, 500, 3))
    floor[:, 2], ceiling[:, 2], wall[:, 0] = 0, 3, 3
    inside = [((part[:, :2] > 0.4) & (part[:, :2] < 2.6)).all(1) for part in (floor, ceiling)]
    inside.append(((wall[:, 1:] > 0.4) & (wall[:, 1:] < 2.6)).all(1))
    points = torch.tensor(np.hstack([np.concatenate([floor, ceiling, wall]), np.full((1500, 1), 7)])).float()
    found = M2AENormals(8).transform(dict(points=DepthPoints(points, 4, dict(height=3))))['points']
    assert found.tensor.shape == (1500, 7) and found.attribute_dims == dict(height=3)
    assert torch.equal(found.tensor[:, :4], points)
    normals = found.tensor[:, 4:].reshape(3, 500, 3)
    for part, kept, expected in zip(normals, inside, ([0, 0, 1], [0, 0, -1], [-1, 0, 0])):
        torch.testing.assert_close(part[kept], torch.tensor(expected).float().expand(kept.sum(), 3), atol=1e-3, rtol=0)


def test_few_points_and_few_neighbours():
    few = M2AENormals(16).transform(dict(points=DepthPoints(torch.rand(2, 3), 3)))['points']
    assert few.tensor.shape == (2, 6) and few.tensor.isfinite().all()
    with pytest.raises(ValueError, match='neighbors=2'):
        M2AENormals(2)


def test_normals_stand_before_the_place_in_the_room():
    points = DepthPoints(torch.rand(20, 9), 9, dict(color=[3, 4, 5], normalized_coord=[6, 7, 8]))
    found = M2AENormals(8).transform(dict(points=points))['points']
    assert found.attribute_dims == dict(color=[3, 4, 5], normalized_coord=[9, 10, 11])
    torch.testing.assert_close(found.tensor[:, [*range(6), 9, 10, 11]], points.tensor)
    torch.testing.assert_close(found.tensor[:, 6:9].norm(dim=1), torch.ones(20))


def test_scenes_are_moved_to_the_middle_of_their_extent_without_stray_points():
    rng = np.random.default_rng(0)
    room, outside = rng.uniform(0, [4, 5, 2.5], (20000, 3)), rng.uniform(10, 12, (10, 3))
    points = torch.tensor(np.hstack([np.concatenate([room, outside]), np.full((20010, 1), 7)])).float()
    moved = M2AECenterScene().transform(dict(points=DepthPoints(points.clone(), 4, dict(height=3))))['points'].tensor
    torch.testing.assert_close(moved[:, 2:], points[:, 2:])
    torch.testing.assert_close(moved[:20000, :2], points[:20000, :2] - torch.tensor([2, 2.5]), atol=0.1, rtol=0)
