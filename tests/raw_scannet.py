"""Scans in the format of ScanNet's raw release, written byte by byte."""
import json
import struct

import numpy as np

LABELS = 'scannetv2-labels.combined.tsv'


def write_labels(path, rows):
    """The label table with ``(raw label, nyu40id)`` rows and columns that nobody needs."""
    lines = ['id\traw_category\tcategory\tcount\tnyu40id\tnyu40class']
    lines += [f'{i}\t{label}\tx\t1\t{number}\ty' for i, (label, number) in enumerate(rows)]
    path.write_text('\n'.join(lines) + '\n')


def write_ply(path, points, kind='float'):
    """Binary little-endian vertices with colour and alpha, and one triangle."""
    header = ('ply\nformat binary_little_endian 1.0\ncomment made for a test\n'
              f'element vertex {len(points)}\nproperty {kind} x\nproperty {kind} y\nproperty {kind} z\n'
              'property uchar red\nproperty uchar green\nproperty uchar blue\nproperty uchar alpha\n'
              'element face 1\nproperty list uchar int vertex_indices\nend_header\n')
    body = b''.join(struct.pack(f'<3{kind[0]}4B', *point[:3], *map(int, point[3:]), 255) for point in points)
    path.write_bytes(header.encode() + body + struct.pack('<B3i', 3, 0, 1, 2))


def write_scan(scans, name, points, segments=None, objects=(), alignment=None):
    """One scan: ``(N, 6)`` points, a segment id per point, ``(label, segments)`` objects; no annotation if None."""
    folder = scans / name
    folder.mkdir(parents=True)
    write_ply(folder / f'{name}_vh_clean_2.ply', np.asarray(points, float))
    lines = ['numDepthFrames = 5578', 'sceneType = Apartment']
    if segments is not None:
        numbers = ' '.join(f'{value:.6f}' for value in np.ravel(np.eye(4) if alignment is None else alignment))
        lines.insert(0, f'axisAlignment = {numbers} ')
        groups = [dict(id=i, objectId=i, segments=list(members), label=label)
                  for i, (label, members) in enumerate(objects)]
        (folder / f'{name}.aggregation.json').write_text(json.dumps(dict(sceneId=name, segGroups=groups)))
        (folder / f'{name}_vh_clean_2.0.010000.segs.json').write_text(
            json.dumps(dict(sceneId=name, segIndices=list(map(int, segments)))))
    (folder / f'{name}.txt').write_text('\n'.join(lines) + '\n')
    return folder


def write_release(root):
    """A release with one annotated scan; its folder."""
    write_scan(root / 'scans', 'scene0000_00', np.random.default_rng(0).uniform(0, 3, (9, 6)), [1, 2, 3] * 3,
               [('chair', [1])])
    write_labels(root / LABELS, [('chair', 5)])
    (root / 'scannetv2_train.txt').write_text('scene0000_00\n')
    return root / 'scans' / 'scene0000_00'
