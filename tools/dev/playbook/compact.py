"""Shapes in few bytes, to be carried to a machine: points as sorted cells of a fine grid, differences compressed.

    python tools/dev/playbook/compact.py OUT.xz PACK.npz...   # training shapes of these packs
"""
import lzma
import sys
from pathlib import Path

import numpy as np

_BITS = 10  # of each axis: cells of 2 mm in a unit sphere


def write(path: Path, points: np.ndarray) -> None:
    """``(n, k, 3)`` of shapes in the unit sphere; their order within a shape is lost."""
    cells = np.clip((points.astype(np.float64) + 1) * 2**(_BITS - 1), 0, 2**_BITS - 1).astype(np.uint32)
    codes = np.zeros(cells.shape[:2], np.uint32)
    for bit in range(_BITS):
        for axis in range(3):
            codes |= ((cells[..., axis] >> bit) & 1) << (3 * bit + axis)
    steps = np.diff(np.sort(codes, 1), axis=1, prepend=np.uint32(0))
    planes = [((steps >> (8 * byte)) & 255).astype(np.uint8).tobytes() for byte in range(4)]
    header = np.array(steps.shape, '<u4').tobytes()
    path.write_bytes(lzma.compress(header + b''.join(planes), preset=6))


def read(path: Path) -> np.ndarray:
    """``(n, k, 3)`` float32, the points of a shape in random order."""
    content = lzma.decompress(path.read_bytes())
    count, k = np.frombuffer(content[:8], '<u4')
    planes = np.frombuffer(content[8:], np.uint8).reshape(4, count, k)
    codes = sum(plane.astype(np.uint32) << (8 * byte) for byte, plane in enumerate(planes)).cumsum(1, dtype=np.uint32)
    cells = np.zeros((count, k, 3), np.uint32)
    for bit in range(_BITS):
        for axis in range(3):
            cells[..., axis] |= ((codes >> (3 * bit + axis)) & 1) << bit
    generator = np.random.default_rng(0)
    points = (cells + generator.random(cells.shape, np.float32)) / np.float32(2**(_BITS - 1)) - 1
    order = generator.random((count, k), np.float32).argsort(1)
    return np.take_along_axis(points.astype(np.float32), order[..., None], 1)


def main(out: str, *packs: str) -> None:
    shapes = []
    for name in packs:
        with np.load(name) as pack:
            shapes.append(pack['points'][pack['split'] == 0])
        print(name, len(shapes[-1]))
    write(Path(out), np.concatenate(shapes))
    print(f'{out}: {Path(out).stat().st_size / 2**20:.1f} MiB')


if __name__ == '__main__':
    main(*sys.argv[1:])
