import numpy as np
import pytest
import torch

from m2ae_mm.datasets.transforms import M2AECenterScene
from m2ae_mm.datasets.transforms.normals import M2AENormals
from mmdet3d.structures import DepthPoints


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


def test_scenes_are_moved_to_the_middle_of_their_extent():
    points = torch.tensor([[1., 2, 3, 7], [2, 2, 1, 8], [5, 4, 0, 9]])
    moved = M2AECenterScene().transform(dict(points=DepthPoints(points.clone(), 4, dict(height=3))))['points'].tensor
    assert moved.tolist() == [[-2, -1, 3, 7], [-1, -1, 1, 8], [2, 1, 0, 9]]
