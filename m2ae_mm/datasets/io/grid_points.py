"""Points of shapes in few bytes: cells of a fine grid, sorted, and how far each is from the one before."""
import numpy as np

_BITS = 10  # of each axis: cells of 2 mm in a unit sphere
_PLANES = 4  # bytes that 3 * _BITS bits take


def to_steps(points: np.ndarray) -> np.ndarray:
    """Shapes ``(n, k, 3)`` in the unit sphere as ``(4, n, k)`` uint8 that compress well; points change their order."""
    cells = np.clip((points.astype(np.float64) + 1) * 2**(_BITS - 1), 0, 2**_BITS - 1).astype(np.uint32)
    codes = np.zeros(cells.shape[:2], np.uint32)
    for bit in range(_BITS):
        for axis in range(3):
            codes |= ((cells[..., axis] >> bit) & 1) << (3 * bit + axis)
    steps = np.diff(np.sort(codes, 1), axis=1, prepend=np.uint32(0))
    return np.stack([((steps >> (8 * byte)) & 255).astype(np.uint8) for byte in range(_PLANES)])


def from_steps(planes: np.ndarray) -> np.ndarray:
    """``(n, k, 3)`` float32, the same for the same input: each point somewhere in its cell, in random order.

    Raises:
        ValueError: For another shape or type.
    """
    if planes.ndim != 3 or len(planes) != _PLANES or planes.dtype != np.uint8:
        raise ValueError(f'steps between the cells of points must be ({_PLANES}, n, N) of uint8, found {planes.shape} '
                         f'of {planes.dtype}')
    codes = sum(plane.astype(np.uint32) << (8 * byte) for byte, plane in enumerate(planes)).cumsum(1, dtype=np.uint32)
    cells = np.zeros((*codes.shape, 3), np.uint32)
    for bit in range(_BITS):
        for axis in range(3):
            cells[..., axis] |= ((codes >> (3 * bit + axis)) & 1) << bit
    generator = np.random.default_rng(0)
    points = (cells + generator.random(cells.shape, np.float32)) / np.float32(2**(_BITS - 1)) - 1
    order = generator.random(codes.shape, np.float32).argsort(1)
    return np.take_along_axis(points.astype(np.float32), order[..., None], 1)
