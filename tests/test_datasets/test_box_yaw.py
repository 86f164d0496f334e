import math

import pytest
import torch

from m2ae_mm.datasets.transforms import M2AEBoxYaw
from mmdet3d.structures import DepthInstance3DBoxes, LiDARInstance3DBoxes


def boxes(with_yaw: bool = False) -> DepthInstance3DBoxes:
    yaws = [0., math.pi / 2, 0.4, -2.5]
    return DepthInstance3DBoxes(torch.tensor([[2, 1, 0.5, 3, .3, 1, yaw] for yaw in yaws]), with_yaw=with_yaw)


@pytest.mark.parametrize('with_yaw', [True, False])
def test_hulls_hold_the_corners_of_the_boxes(with_yaw):
    corners = boxes().corners
    hull = M2AEBoxYaw(keep=False).transform(dict(gt_bboxes_3d=boxes(with_yaw)))['gt_bboxes_3d']
    assert not hull.with_yaw and hull.yaw.eq(0).all()
    torch.testing.assert_close(hull.corners.amin(1), corners.amin(1))
    torch.testing.assert_close(hull.corners.amax(1), corners.amax(1))
    torch.testing.assert_close(hull.dims[1], torch.tensor([.3, 3, 1]))
    # Rotation by a quarter turn swaps the sides of such boxes.
    hull.rotate(math.pi / 2)
    torch.testing.assert_close(hull.dims[1], torch.tensor([3, .3, 1]))


def test_kept_yaw_is_flipped_with_the_scene():
    kept = M2AEBoxYaw(keep=True).transform(dict(gt_bboxes_3d=boxes()))['gt_bboxes_3d']
    torch.testing.assert_close(kept.tensor, boxes().tensor)
    before = kept.corners
    kept.flip('vertical')
    torch.testing.assert_close(kept.corners.amin(1)[:, 1], -before.amax(1)[:, 1])
    assert kept.yaw[2] == pytest.approx(-0.4)


@pytest.mark.parametrize('keep', [True, False])
def test_scene_without_boxes_and_other_coordinates(keep):
    step = M2AEBoxYaw(keep)
    for columns in (6, 7):
        empty = DepthInstance3DBoxes(torch.zeros(0, columns), box_dim=columns)
        assert len(step.transform(dict(gt_bboxes_3d=empty))['gt_bboxes_3d']) == 0
    with pytest.raises(ValueError, match='box_type_3d'):
        step.transform(dict(gt_bboxes_3d=LiDARInstance3DBoxes(torch.zeros(1, 7))))
