"""Made-up inputs, the same for equal seeds, on the CPU."""
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

# ShapeNet55 stores so many points a shape.
FILE_POINTS = 8192


def shape_clouds(batch: int, points: int, seed: int) -> Tensor:
    """``(batch, points, 3)`` float32: surfaces of boxes and ellipsoids of all proportions in the unit sphere."""
    generator = torch.Generator().manual_seed(seed)
    direction = torch.randn(batch, points, 3, generator=generator)
    direction[::2] /= direction[::2].norm(dim=-1, keepdim=True)
    direction[1::2] /= direction[1::2].abs().amax(-1, keepdim=True)
    surface = direction * (0.2 + 0.8 * torch.rand(batch, 1, 3, generator=generator))
    return surface / surface.norm(dim=-1).amax(1).view(-1, 1, 1)


def composed_rooms(batch: int, points: int, seed: int) -> list:
    """Scanned rooms with furniture in metres (``m2ae_mm.datasets.rooms.scene.Scene``)."""
    from m2ae_mm.datasets.rooms.scene import compose_scene
    return [compose_scene('train', index, seed, points) for index in range(batch)]


def room_clouds(rooms: list, points: int) -> Tensor:
    """``(batch, points, 3)`` float32 in metres; a room with fewer points repeats some."""
    return torch.stack([torch.from_numpy(room.points[np.arange(points) % len(room.points), :3]) for room in rooms])


def room_targets(rooms: list) -> list:
    """Ground truth of :func:`composed_rooms` as mmdet3d's data samples, one a room."""
    from mmengine.structures import InstanceData

    from mmdet3d.structures import DepthInstance3DBoxes, Det3DDataSample
    samples = []
    for room in rooms:
        boxes = DepthInstance3DBoxes(torch.from_numpy(room.boxes).float(), box_dim=6, with_yaw=False,
                                     origin=(0.5, 0.5, 0.5))
        sample = Det3DDataSample(metainfo=dict(box_type_3d=DepthInstance3DBoxes))
        sample.gt_instances_3d = InstanceData(bboxes_3d=boxes, labels_3d=torch.from_numpy(room.labels))
        samples.append(sample)
    return samples


def write_shapenet55(root: Path, count: int, seed: int) -> None:
    """``count`` shapes in ShapeNet55's layout below ``root``."""
    (root / 'ShapeNet-55').mkdir(parents=True)
    (root / 'shapenet_pc').mkdir()
    names = [f'02691156-{index:06d}.npy' for index in range(count)]
    for name, cloud in zip(names, shape_clouds(count, FILE_POINTS, seed)):
        np.save(root / 'shapenet_pc' / name, cloud.numpy())
    (root / 'ShapeNet-55' / 'train.txt').write_text('\n'.join(names))


def write_pack(path: Path, count: int, seed: int) -> None:
    """A pack of ``count`` shapes of 2,048 points in the layout of cad_shapes."""
    path.parent.mkdir(parents=True)
    np.savez(path, points=shape_clouds(count, 2048, seed).numpy().astype(np.float16))
