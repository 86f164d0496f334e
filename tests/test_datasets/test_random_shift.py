"""Random shifts of scenes."""
import numpy as np
import pytest
import torch

from m2ae_mm.datasets.transforms import M2AERandomShift
from mmdet3d.structures import DepthInstance3DBoxes, DepthPoints


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
    assert repr(M2AERandomShift(0.1)) == 'M2AERandomShift(max_shift=0.1)'
    with pytest.raises(ValueError, match='got -1'):
        M2AERandomShift(-1)
