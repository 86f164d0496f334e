"""Points in rotated boxes, tile by tile."""
import torch
import triton
import triton.language as tl
from torch import Tensor

_POINTS, _BOXES = 64, 32


def points_in_boxes(points: Tensor, frames: Tensor) -> Tensor:
    """See :func:`m2ae_mm.ops.points_in_boxes`."""
    batch, num_points, _ = points.shape
    num_boxes = frames.shape[2]
    output = points.new_empty((batch, num_points, num_boxes), dtype=torch.bool)
    grid = (triton.cdiv(num_points, _POINTS), triton.cdiv(num_boxes, _BOXES), batch)
    if output.numel() == 0:
        return output  # an empty grid cannot be launched
    # Fused multiply-add would round points on a face differently from the reference.
    with torch.cuda.device_of(points):
        _contains[grid](points.contiguous(), frames.contiguous(), output.view(torch.uint8), num_points, num_boxes,
                        _POINTS, _BOXES, num_warps=4, enable_fp_fusion=False)
    return output


@triton.jit
def _contains(points, frames, output, num_points, num_boxes, POINTS: tl.constexpr, BOXES: tl.constexpr):
    cloud = tl.program_id(2).to(tl.int64)
    rows = tl.program_id(0) * POINTS + tl.arange(0, POINTS)
    columns = tl.program_id(1) * BOXES + tl.arange(0, BOXES)
    is_point, is_box = rows < num_points, columns < num_boxes
    points += (cloud * num_points + rows) * 3
    frames += cloud * 8 * num_boxes + columns
    dx = tl.load(points, is_point, 0.)[:, None] - tl.load(frames, is_box, 0.)[None, :]
    dy = tl.load(points + 1, is_point, 0.)[:, None] - tl.load(frames + num_boxes, is_box, 0.)[None, :]
    dz = tl.load(points + 2, is_point, 0.)[:, None] - tl.load(frames + 2 * num_boxes, is_box, 0.)[None, :]
    half_x = tl.load(frames + 3 * num_boxes, is_box, 0.)[None, :]
    half_y = tl.load(frames + 4 * num_boxes, is_box, 0.)[None, :]
    half_z = tl.load(frames + 5 * num_boxes, is_box, 0.)[None, :]
    cos = tl.load(frames + 6 * num_boxes, is_box, 0.)[None, :]
    sin = tl.load(frames + 7 * num_boxes, is_box, 0.)[None, :]
    inside = (tl.abs(dx * cos + dy * sin) < half_x) & (tl.abs(dy * cos - dx * sin) < half_y)
    inside = inside & (tl.abs(dz) <= half_z)
    cells = (cloud * num_points + rows)[:, None] * num_boxes + columns[None, :]
    tl.store(output + cells, inside.to(tl.uint8), is_point[:, None] & is_box[None, :])
