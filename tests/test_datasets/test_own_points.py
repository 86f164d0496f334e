"""Scans with a class for each point become a data set: formats, frames, values, and what cannot be used."""
import pickle

import numpy as np
import pytest
from own_rooms import room_points

from m2ae_mm.cli import data
from m2ae_mm.datasets.io.ply import write_ply
from m2ae_mm.datasets.own_points import create_own_points, read_labelled
from m2ae_mm.errors import UserError

CLASSES = ('floor', 'rest')


def labelled(seed=0):
    """A room, r, g, b, and 0 for its floor, 1 for the rest."""
    xyz = room_points(seed)
    return xyz, np.full(xyz.shape, seed % 200, np.uint8), (xyz[:, 2] > 0.01).astype(np.int64)


def write(folder, suffix, name, change=lambda xyz: xyz, seed=0, values=lambda labels: labels):
    folder.mkdir(parents=True, exist_ok=True)
    xyz, colours, labels = labelled(seed)
    xyz, labels, path = change(xyz), values(labels), folder / f'{name}{suffix}'
    if suffix == '.ply':
        write_ply(path, xyz, colours, label=labels)
    elif suffix == '.npz':
        np.savez(path, points=xyz, labels=labels, colors=colours)
    elif suffix == '.npy':
        np.save(path, np.column_stack([xyz, labels]))
    else:
        np.savetxt(path, np.column_stack([xyz, colours, labels]), fmt='%.4f')
    return path


@pytest.mark.parametrize('suffix', ['.ply', '.npz', '.npy', '.txt'])
def test_every_format_gives_the_same(tmp_path, suffix):
    xyz, colours, labels = labelled(7)
    found = read_labelled(write(tmp_path, suffix, 'a', seed=7))
    np.testing.assert_allclose(found.xyz, xyz, atol=1e-4)
    assert (found.values == labels).all()
    assert found.colours is None if suffix == '.npy' else (found.colours == colours).all()


def test_values_as_cloudcompare_and_scanners_have_them(tmp_path):
    head = 'ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n'
    (tmp_path / 'a.ply').write_text(head + 'property float scalar_Classification\nend_header\n'
                                    '0 0 0 2.0\n1 0 0 nan\nnan 0 0 3.0\n')
    found = read_labelled(tmp_path / 'a.ply')
    assert found.values.tolist() == [2, -1] and len(found.xyz) == 2


def test_rooms_are_in_metres_on_the_floor_with_the_values_of_the_scans(tmp_path):
    for i, suffix in enumerate(('.ply', '.npz', '.txt')):
        write(tmp_path / 'scans' / 'deep', suffix, f'room{i}', lambda xyz: xyz[:, [0, 2, 1]] * [1000, 1000, -1000],
              i, lambda labels: np.where(labels == 0, 9, np.where(np.arange(len(labels)) % 50 == 1, 255, 4)))
    split, left_out = create_own_points(tmp_path / 'scans', tmp_path / 'out', CLASSES, dict(rest=4, floor=9),
                                        max_points=2000)
    assert not left_out and {part: len(rooms) for part, rooms in split.items()} == dict(train=2, val=1)
    content = pickle.loads((tmp_path / 'out' / 'infos_train.pkl').read_bytes())
    assert content['metainfo']['seg_categories'] == dict(rest=4, floor=9)
    for entry in content['data_list']:
        name = entry['pts_semantic_mask_path']
        points = np.fromfile(tmp_path / 'out' / 'points' / name, '<f4').reshape(-1, 6)
        mask = np.fromfile(tmp_path / 'out' / 'semantic_mask' / name, '<i8')
        assert len(points) == len(mask) == 2000 and set(mask.tolist()) == {4, 9, 255}
        np.testing.assert_allclose(points[:, :3].min(0), [-2.5, -2, 0], atol=0.05)
        assert (points[mask == 9, 2] < 0.05).all() and (points[mask == 4, 2] > 0).all()


@pytest.mark.parametrize('spoil, text', [
    (lambda f: write(f, '.npz', 'x', values=lambda labels: labels + 1), r"'x.npz' has values .* 2 \(\d+ points\)"),
    (lambda f: np.savez(f / 'x.npz', points=labelled()[0], labels=[0, 1]), r'x.npz: it has \d+ points and 2 labels'),
    (lambda f: np.savez(f / 'x.npz', points=labelled()[0]), 'x.npz: it has no label of its points'),
    (lambda f: write_ply(f / 'x.ply', *labelled()[:2]), 'x.ply: it has no label of its points'),
    (lambda f: np.save(f / 'x.npy', labelled()[0]), 'x.npy: it has 3 columns'),
    (lambda f: write(f, '.npz', 'x', values=lambda labels: labels / 2), r'no whole numbers: \[0.5'),
    (lambda f: (f / 'x.off').write_text('OFF\n'), 'files of .off have no class'),
    (lambda f: (f / 'x.ply').write_bytes(b'ply'), 'x.ply: '),
    (lambda f: np.savez(f / 'x.npz', points=labelled()[0], labels=labelled()[2].astype(str)), 'not numbers'),
    (lambda f: write(f, '.npz', 'x', lambda xyz: xyz * np.nan), 'x.npz: '),
])
def test_what_cannot_be_used_is_told_and_the_rest_is_written(tmp_path, capsys, spoil, text):
    for i in range(2):
        write(tmp_path / 'scans', '.ply', f'room{i}', seed=i)
    spoil(tmp_path / 'scans')
    with pytest.raises(UserError, match=r'(?s)1 left out.*' + text):
        data.main(data.parse_args(['points', '--scans', str(tmp_path / 'scans'), '--classes', 'floor,rest', '--out',
                                   str(tmp_path / 'out')]))
    assert 'floor ' in capsys.readouterr().out
    assert len(pickle.loads((tmp_path / 'out' / 'infos_val.pkl').read_bytes())['data_list']) == 1


@pytest.mark.parametrize('options, text', [
    (['--classes', 'floor=1,rest'], "--classes has 'rest' where"),
    (['--classes', 'floor,floor'], 'lists floor more than once'),
    (['--classes', 'floor=300,rest=1'], 'values from 0 to 254'), (['--val-share', '2'], '--val-share'),
    (['--classes', ''], '--classes'), (['--scans', 'nowhere'], "no folder 'nowhere'"),
])
def test_wrong_options_are_named(tmp_path, options, text):
    write(tmp_path / 'scans', '.ply', 'a')
    with pytest.raises((ValueError, FileNotFoundError), match=text):
        data.main(data.parse_args(['points', '--scans', str(tmp_path / 'scans'), '--classes', 'floor,rest', '--out',
                                   str(tmp_path / 'out'), *options]))
