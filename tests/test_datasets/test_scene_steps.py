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
