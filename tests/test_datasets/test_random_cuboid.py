"""Crops of scenes: what must be inside is inside, and nothing else is lost."""
import numpy as np
import pytest
import torch

from m2ae_mm.datasets.transforms.scene_steps import ThreeDETRRandomCuboid
from mmdet3d.structures import DepthInstance3DBoxes, DepthPoints


def scene(num_boxes=30, num_points=4000):
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
    before, after = scene(), ThreeDETRRandomCuboid(min_points=1000)(scene())
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
    given = {name: value for name, value in scene().items() if 'gt_' not in name}
    after = ThreeDETRRandomCuboid(min_points=1000, max_crop=0.8)(given)
    assert 1000 <= len(after['points']) == len(after['pts_semantic_mask']) < 4000 and 'gt_labels_3d' not in after


def test_scenes_that_are_too_small_stay_whole():
    assert len(ThreeDETRRandomCuboid(min_points=4001)(scene())['points']) == 4000
    assert len(ThreeDETRRandomCuboid(min_points=3999, max_crop=0.6)(scene())['points']) == 4000


def test_a_crop_never_loses_all_boxes():
    for seed in range(20):
        np.random.seed(seed)
        assert len(ThreeDETRRandomCuboid(min_points=100)(scene(num_boxes=1))['gt_labels_3d']) == 1


def test_scenes_without_boxes_are_cropped():
    np.random.seed(0)
    result = ThreeDETRRandomCuboid(min_points=1000)(scene(num_boxes=0))
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
