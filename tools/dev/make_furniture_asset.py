#!/usr/bin/env python
"""Pack furniture clouds into the small asset that the room composer reads.

The source folder holds ``public_domain.npz`` (CC0), ``cc_by.npz`` (CC BY 3.0)
and ``CREDITS.tsv``: per item 4096 surface points with normals, sizes, labels
and credits. Only needed to rebuild the asset; the asset itself is in the
repository.
"""
import argparse
import csv
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

ASSETS = Path(__file__).resolve().parents[2] / 'm2ae_mm' / 'assets'
FILES = ('public_domain.npz', 'cc_by.npz')
COPIED = ('size', 'elevation', 'top_height', 'mount', 'label', 'nyu40', 'kind', 'name', 'item', 'author', 'licence',
          'source')
# 1024 steps across the item's box: 2.5 mm on a bed, below the scan's noise.
STEPS = 1023
NORMAL_STEPS = 7
SMALL = 0.5  # metres; items below this in all directions need fewer points
POINTS, POINTS_SMALL = 4096, 1024
WINDOW = 6
PANE_SLOTS, PANE_SHARE = 40, 0.22


def pack_item(points: np.ndarray, normals: np.ndarray, transparent: np.ndarray, size: np.ndarray):
    """Quantise one item to its box.

    Args:
        points: (P, 3) in metres, centred in x and y, lowest point at z = 0.
        normals: (P, 3) int8, unit normal times 127.
        transparent: (P,) bool.
        size: (3,) metres.

    Returns:
        Steps (K, 3) uint16, normals (K, 3) int8, transparent (K,) bool and the
        mean distance between neighbouring points in metres.
    """
    count = POINTS if size.max() > SMALL else POINTS_SMALL
    points = points[:count].astype(np.float64)
    distance, _ = cKDTree(points).query(points, k=2)
    low = np.array([-size[0] / 2, -size[1] / 2, 0])
    steps = np.clip(np.round((points - low) / size * STEPS), 0, STEPS).astype(np.uint16)
    normals = np.round(normals[:count] / 127 * NORMAL_STEPS).astype(np.int8)
    # Sorting costs nothing at load time and makes the file a fifth smaller.
    order = np.lexsort((*steps.T, *normals.T))
    # Uniform random points of density d have their nearest neighbour at 0.5 / sqrt(d).
    return steps[order], normals[order], transparent[:count][order], 2 * distance[:, 1].mean()


def panes(points: np.ndarray, normals: np.ndarray, depth: float) -> np.ndarray:
    """Points (P,) bool on the panes of a window whose material is not marked as transparent.

    Panes lie in one or two planes across the depth (y) that hold more of the
    surface than any part of the frame does.
    """
    slot = np.clip((points[:, 1].astype(np.float64) / depth + 0.5) * PANE_SLOTS, 0, PANE_SLOTS - 1).astype(int)
    flat = np.abs(normals[:, 1].astype(int)) > 0.9 * 127
    share = np.bincount(slot[flat], minlength=PANE_SLOTS) / len(points)
    return flat & (share[slot] > PANE_SHARE)


def see_through(file) -> np.ndarray:
    """(N, P) bool: glass, with the panes of windows and glass doors that the source leaves opaque."""
    transparent = file['transparent'].copy()
    glazed = (file['label'] == WINDOW) | (file['name'] == 'Glass door')
    for i in np.flatnonzero(glazed & ~transparent.any(axis=1)):
        transparent[i] = panes(file['points'][i], file['normals'][i], file['size'][i, 1])
    return transparent


def pack(source: Path) -> dict[str, np.ndarray]:
    """All items of the source folder as the arrays of the asset."""
    files = [np.load(source / name, allow_pickle=False) for name in FILES]
    packed = [pack_item(*item) for f in files for item in zip(f['points'], f['normals'], see_through(f), f['size'])]
    steps, normals, transparent, spacing = zip(*packed)
    arrays = {key: np.concatenate([f[key] for f in files]) for key in COPIED}
    for key in ('label', 'nyu40'):
        arrays[key] = arrays[key].astype(np.uint8)
    joined = np.concatenate(steps).T
    return dict(arrays,
                count=np.array([len(s) for s in steps], dtype=np.int32),
                spacing=np.array(spacing, dtype=np.float32),
                # High and low bytes apart, one axis after the other: deflate finds more in them.
                steps_high=np.ascontiguousarray(joined >> 8).astype(np.uint8),
                steps_low=np.ascontiguousarray(joined & 255).astype(np.uint8),
                normals=np.ascontiguousarray(np.concatenate(normals).T),
                transparent=np.packbits(np.concatenate(transparent)))


def write_credits(source: Path, target: Path) -> None:
    """Copy the credits without the column that names the source's file."""
    with open(source / 'CREDITS.tsv', newline='', encoding='utf-8') as stream:
        rows = list(csv.DictReader(stream, delimiter='\t'))
    with open(target, 'w', newline='', encoding='utf-8') as stream:
        fields = [name for name in rows[0] if name != 'file']
        writer = csv.DictWriter(stream, fields, delimiter='\t', extrasaction='ignore', lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--source', type=Path, required=True, help='folder with the source files')
    args = parser.parse_args()
    missing = [name for name in (*FILES, 'CREDITS.tsv') if not (args.source / name).is_file()]
    if missing:
        parser.error(f'--source {str(args.source)!r} lacks {", ".join(missing)}')
    np.savez_compressed(ASSETS / 'furniture.npz', **pack(args.source))
    write_credits(args.source, ASSETS / 'FURNITURE_CREDITS.tsv')
    print(f'wrote {ASSETS / "furniture.npz"} ({(ASSETS / "furniture.npz").stat().st_size / 1e6:.1f} MB)')


if __name__ == '__main__':
    main()
