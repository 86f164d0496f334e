"""Normals of the points of scenes as further columns."""
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from scipy.spatial import cKDTree

from mmdet3d.registry import TRANSFORMS

# Of who scans a room: above the floor, in metres.
_EYES = 1.5


@TRANSFORMS.register_module()
class M2AENormals(BaseTransform):
    """Append a unit normal to each point, estimated from its neighbours, that looks into the room.

    For models that take whole scenes: a block has its middle elsewhere. It
    belongs behind the steps that turn, flip or sample points, right before
    they are packed.

    Args:
        neighbors: Nearest points, itself included, through which a plane is laid; 3 or more.
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
        # The place in the room comes last, where a test in blocks appends it.
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
