"""Normals of the points of scenes as further columns."""
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from scipy.spatial import cKDTree

from mmdet3d.registry import TRANSFORMS

# Eye height of the person who scans a room, in metres above the floor.
_EYES = 1.5


@TRANSFORMS.register_module()
class M2AENormals(BaseTransform):
    """Append a unit normal to each point, estimated from its neighbours and pointing into the room.

    For models of whole scenes: normals point to the middle of the points,
    which in a block is not the middle of the room. This step belongs right
    before the points are packed, behind those that turn, flip or sample them.

    Args:
        neighbors: Nearest points, itself included, to which a plane is fitted; 3 or more.
    """

    def __init__(self, neighbors: int = 16) -> None:
        if neighbors < 3:
            raise ValueError(f'a plane needs 3 points, got neighbors={neighbors}.')
        self.neighbors = neighbors

    def transform(self, results: dict) -> dict:
        """Replace ``points`` (N, C), mmdet3d's, by (N, C + 3)."""
        points = results['points']
        normals = normals_of(points.tensor[:, :3].numpy(), self.neighbors)
        columns = dict(points.attribute_dims or {})
        # The place in the room stays last, where a test in blocks appends it.
        place = columns.get('normalized_coord')
        at = place[0] if place else points.tensor.shape[1]
        content = torch.cat([points.tensor[:, :at], torch.from_numpy(normals).to(points.tensor),
                             points.tensor[:, at:]], 1)
        if place:
            columns['normalized_coord'] = [column + 3 for column in place]
        results['points'] = type(points)(content, points_dim=content.shape[1], attribute_dims=columns or None)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(neighbors={self.neighbors})'


def normals_of(xyz: np.ndarray, neighbors: int) -> np.ndarray:
    """``(N, 3)`` float32 unit normals of points ``(N, 3)``, towards eye height over the middle of the floor."""
    xyz = xyz.astype(np.float64)
    nearest = cKDTree(xyz).query(xyz, k=range(1, min(neighbors, len(xyz)) + 1))[1]
    near = xyz[nearest] - xyz[nearest].mean(1, keepdims=True)
    normals = np.linalg.eigh(np.einsum('nki,nkj->nij', near, near))[1][:, :, 0]
    low, high = xyz.min(0), xyz.max(0)
    eyes = np.array([*(low + high)[:2] / 2, low[2] + _EYES])
    return np.where(((eyes - xyz) * normals).sum(1, keepdims=True) < 0, -normals, normals).astype(np.float32)
