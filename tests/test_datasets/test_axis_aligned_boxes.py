import math

import pytest
import torch

from m2ae_mm.datasets.transforms import M2AEAxisAlignedBoxes
from mmdet3d.structures import DepthInstance3DBoxes, LiDARInstance3DBoxes


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
