"""Shapes in few bytes, to be carried to a machine: points as sorted cells of a fine grid, differences compressed.

    python tools/dev/playbook/compact.py OUT.xz PACK.npz...   # training shapes of these packs
"""
import lzma
import sys
from pathlib import Path

import numpy as np

from m2ae_mm.datasets.io.grid_points import from_steps, to_steps


def write(path: Path, points: np.ndarray) -> None:
    """``(n, k, 3)`` of shapes in the unit sphere; their order within a shape is lost."""
    planes = to_steps(points)
    path.write_bytes(lzma.compress(np.array(planes.shape[1:], '<u4').tobytes() + planes.tobytes(), preset=6))


def read(path: Path) -> np.ndarray:
    """``(n, k, 3)`` float32, the points of a shape in random order."""
    content = lzma.decompress(path.read_bytes())
    count, k = np.frombuffer(content[:8], '<u4')
    return from_steps(np.frombuffer(content[8:], np.uint8).reshape(4, count, k))


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
