"""Bad files of shapes and of sets of shapes, by the row.

Every row runs as a tool does: it must end with exit code 1 and a message with the expected words, without anyone's
traceback on the screen; the last line names the file that has it.
"""
import pickle
import struct
from pathlib import Path

import h5py
import numpy as np
from ends import check, npy, rows
from shapes import shape_points, write_fewshot, write_modelnet40, write_packs, write_shapenet55, write_shapenetpart

from m2ae_mm.datasets import (
    M2AEFewShot,
    M2AEFolder,
    M2AEModelNet40,
    M2AEModelNet40H5,
    M2AEPartsNpz,
    M2AEShapeNet55,
    M2AEShapeNetPart,
    M2AEShapesNpz,
)
from m2ae_mm.datasets.io.clouds import read_cloud

# One cloud file: its name, its bytes, the words.
PLY = (b'ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n'
       b'element face 1\nproperty list uchar int vertex_indices\nend_header\n0 0 0\n1 0 0\n1 1 0\n3 0 1 2\n')
PCD = b'VERSION .7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nPOINTS 2\nDATA ascii\n0 0 0\n1 1 1\n'
STL = bytes(80) + struct.pack('<I', 2) + bytes(100)
FACET = b'facet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\nendloop\nendfacet\n'


CLOUDS = {
    'ply empty': ('a.ply', b'', 'no PLY file, it begins with'),
    'ply cut in its header': ('a.ply', PLY[:60], 'PLY header without end_header'),
    'ply cut in a face': ('a.ply', PLY[:-3], 'PLY'),
    'ply cut before its face': ('a.ply', PLY[:-8], 'PLY cut short: 4 lines of data expected, 3 found'),
    'ply with a negative count': ('a.ply', PLY.replace(b'vertex 3', b'vertex -3'), "header with the line 'element ver"),
    'ply with a huge count': ('a.ply', PLY.replace(b'vertex 3', b'vertex 99999999999'), 'cut short: 100000000000 line'),
    'ply with a word for a count': ('a.ply', PLY.replace(b'vertex 3', b'vertex x'), "the line 'element vertex x'"),
    'ply with a face of vertex 7': ('a.ply', PLY.replace(b'3 0 1 2', b'3 0 1 7'), 'faces between vertices 0 and 7, bu'),
    'ply with a negative corner': ('a.ply', PLY.replace(b'3 0 1 2', b'3 0 1 -2'), 'between vertices -2 and 1'),
    'ply with words': ('a.ply', PLY.replace(b'1 1 0', b'1 x 0'), 'could not convert'),
    'ply with a row too long': ('a.ply', PLY.replace(b'1 2\n', b'1 2 9\n'), 'with 14 numbers where its he'),
    'ply without z': ('a.ply', PLY.replace(b'property float z\n', b''), 'PLY'),
    'ply of no known format': ('a.ply', PLY.replace(b'ascii', b'klingon'), "PLY"),
    'ply of three equal points': ('a.ply', PLY.replace(b'1 0 0', b'0 0 0').replace(b'1 1 0', b'0 0 0'), 'without area'),
    'off empty': ('a.off', b'', 'no OFF file'),
    'off of another kind': ('a.off', b'hello', "no OFF file, it begins with b'hello'"),
    'off cut within its faces': ('a.off', b'OFF\n3 2 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n', 'cut short: 3 vertices and 2'),
    'off cut within a face': ('a.off', b'OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1\n', "a face b'3 0 1'"),
    'off with negative counts': ('a.off', b'OFF\n-3 1 0\n0 0 0\n', "the counts b'-3 1'"),
    'off with a huge count': ('a.off', b'OFF\n99999999999 1 0\n0 0 0\n', 'cut short: 99999999999 vertices'),
    'off with a face of vertex 9': ('a.off', b'OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 9\n', 'between vertices 0 and 9'),
    'off with a face of half a vertex': ('a.off', b'OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 1.5\n', 'no whole numbers'),
    'off as binary': ('a.off', b'OFF BINARY\n\x00', 'a binary OFF file'),
    'obj empty': ('a.obj', b'', 'holds an array of shape (0, 3)'),
    'obj with two numbers': ('a.obj', b'v 1 2\nv 1 2 3\n', 'column'),
    'obj cut within a face': ('a.obj', b'v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2', 'a face of 2 corners'),
    'obj with vertex 0': ('a.obj', b'v 0 0 0\nv 1 0 0\nv 0 1 0\nf 0 1 2', 'between vertices 0 and 2, but there are 3'),
    'obj with vertex -4': ('a.obj', b'v 0 0 0\nv 1 0 0\nv 0 1 0\nf -4 -1 -2', 'between vertices 0 and 3'),
    'obj with words': ('a.obj', b'v a b c\n', 'could not convert'),
    'stl cut in its header': ('a.stl', STL[:50], 'STL cut short: 0 faces expected'),
    'stl cut in a face': ('a.stl', STL[:-7], 'STL cut short: 2 faces expected, 1 found'),
    'stl with a huge count': ('a.stl', STL[:80] + b'\xff' * 104, 'STL cut short: 4294967295 faces'),
    'stl text cut in a face': ('a.stl', b'solid a\n' + FACET + FACET[:60], 'STL cut short or damaged: 2 faces begin,'),
    'stl text cut after a face': ('a.stl', b'solid a\n' + FACET, 'STL cut short or damaged: 1 faces begin'),
    'pcd without data': ('a.pcd', PCD[:40], 'PCD header without'),
    'pcd with negative points': ('a.pcd', PCD.replace(b'POINTS 2', b'POINTS -1'), 'PCD of -1 points'),
    'pcd with more points than lines': ('a.pcd', PCD.replace(b'POINTS 2', b'POINTS 3'), '3 points expected, 2 found'),
    'pcd with too few sizes': ('a.pcd', PCD.replace(b'SIZE 4 4 4', b'SIZE 4'), 'PCD'),
    'pcd of no type': ('a.pcd', PCD.replace(b'TYPE F F F', b'TYPE Q Q Q'), 'PCD of the types Q Q Q; there are F, I, U'),
    'pcd that unpacks to 4 GB': ('a.pcd', PCD[:PCD.index(b'ascii')] + b'binary_compressed\n' + struct.pack(
        '<II', 8, 2**32 - 1) + bytes(8), 'PCD with 4294967295 bytes in 16 compressed ones'),
    'npy cut': ('a.npy', npy((100, 3), body=bytes(60)), 'has 1200 bytes, the file holds 60'),
    'npy of 22 TB': ('a.npy', npy((10**12, 6)), 'has 24000000000000 bytes'),
    'npy with a negative length': ('a.npy', npy((-3, -3)), 'an array'),
    'npy of objects': ('a.npy', npy((1, 3), '|O', b'cos\nsystem\n.'), 'an array of Python objects, which is not read'),
    'npy of texts': ('a.npy', npy((1, 3), '<U1', bytes(12)), 'holds <U1, not numbers'),
    'npy of one column': ('a.npy', npy((3, 1), body=bytes(12)), 'of shape (3, 1), not points (N, 3)'),
    'npy of columns': ('a.npy', npy((3, 100), body=bytes(1200)), 'each point must be a row'),
    'npz that is none': ('a.npz', b'PK none', 'File is not a zip file'),
    'txt of words': ('a.txt', b'hello world\n', 'no lines of numbers'),
    'txt with a short line': ('a.txt', b'1 2 3\n1 2\n', 'number of columns changed'),
    'xyz of bytes': ('a.xyz', bytes(range(256)), 'could not convert string'),
    'xyz of nan': ('a.xyz', b'nan nan nan\n', 'all 1 points hold NaN or infinite values'),
    'a suffix nobody knows': ('a.abc', b'1 2 3', "unknown suffix '.abc'"),
}


@rows(CLOUDS)
def test_clouds(message, tmp_path, row):
    """As the only file of a folder with on_bad='raise'."""
    name, content, words = row
    (tmp_path / name).write_bytes(content)
    if name == 'a.abc':
        check(message, lambda: read_cloud(tmp_path / name, 10), words)
        return
    check(message, lambda: M2AEFolder(str(tmp_path), on_bad='raise', min_points=1), f'{name} in ... {words}')


def part_list(root, entries):
    (root / 'train_test_split' / 'shuffled_train_file_list.json').write_text(entries)


def shapenetpart(break_it):
    def prepare(root):
        write_shapenetpart(root, 40)
        break_it(root)
        return M2AEShapeNetPart(str(root))[0]
    return prepare


def modelnet(content):
    def prepare(root):
        write_modelnet40(root, num_points=40)
        (root / 'modelnet40_train_8192pts_fps.dat').write_bytes(
            content if isinstance(content, bytes) else pickle.dumps(content))
        return M2AEModelNet40(str(root))[0]
    return prepare


def h5(fill):
    def prepare(root):
        root.mkdir()
        with h5py.File(root / 'ply_data_train0.h5', 'w') as file:
            fill(file)
        return M2AEModelNet40H5(str(root))
    return prepare


def data_and(label):
    def fill(file):
        file['data'], file['label'] = np.zeros((2, 5, 3), np.float32), label
    return fill


def loop(file):
    file['data'] = h5py.SoftLink('/data')
    file['label'] = np.zeros(2, int)


def huge(file):
    file.create_dataset('data', (10**6, 2048, 3), 'f8', chunks=(1, 2048, 3))
    file['label'] = np.zeros(10**6, np.uint8)


def packs(**arrays):
    def prepare(root):
        write_packs(root, 40)
        with np.load(root / 'ldraw.npz') as pack:
            np.savez(root / 'ldraw.npz', **{**pack, **arrays})
        return M2AEShapesNpz(str(root), files=['ldraw.npz'])
    return prepare


def parts(text):
    def prepare(root):
        write_packs(root, 40)
        (root / 'categories.json').write_bytes(text)
        return M2AEPartsNpz(str(root))
    return prepare


def episode(content, **options):
    def prepare(root):
        write_fewshot(root, num_points=20)
        if content is not None:
            (root / '5way_10shot' / '0.pkl').write_bytes(pickle.dumps(content))
        return M2AEFewShot(str(root), **options)
    return prepare


def shapenet55(lines):
    def prepare(root):
        write_shapenet55(root, num_points=8192)
        (root / 'ShapeNet-55' / 'train.txt').write_bytes(lines)
        return M2AEShapeNet55(str(root))
    return prepare


CLOUD = np.zeros((5, 3), np.float32)
SETS = {
    'part list that is no JSON': (shapenetpart(lambda r: part_list(r, '["a/b/c"')), 'file_list.json ... cannot be rea'),
    'part list that is a dictionary': (shapenetpart(lambda r: part_list(r, '{}')), 'it holds dict, list is needed'),
    'part list without folders': (shapenetpart(lambda r: part_list(r, '["a"]')), "it lists 'a', expected"),
    'part list that goes up': (shapenetpart(lambda r: part_list(r, '["a/../b"]')), "'../b.txt' is no name of a file"),
    'part list nested': (shapenetpart(lambda r: part_list(r, '[' * 99999)), 'cannot be read as JSON: RecursionError'),
    'categories of one column': (shapenetpart(lambda r: (r / 'synsetoffset2category.txt').write_text('Airplane\n')),
                                 'synsetoffset2category.txt'),
    'categories that are not UTF-8': (
        shapenetpart(lambda r: (r / 'synsetoffset2category.txt').write_bytes(b'\xff\xfe\x00A')), 'Save it as text in'),
    'part labels of half': (shapenetpart(lambda r: np.savetxt(r / '02691156' / '0000.txt', np.full((9, 7), .5))),
                            'a Airplane has the part labels'),
    'dat that is no pickle': (modelnet(b'hello'), 'fps.dat ... cannot be read'),
    'dat that is no pair': (modelnet([CLOUD]), 'as a list of point arrays and a list of as many labels'),
    'dat with too few labels': (modelnet([[CLOUD, CLOUD], [0]]), '2 clouds and 1 labels'),
    'dat with texts for labels': (modelnet([[CLOUD], ['chair']]), "found 'chair'"),
    'dat with label 1.5': (modelnet([[CLOUD], [np.array([1.5])]]), 'labels must be whole numbers ... found 1.5'),
    'dat with flat clouds': (modelnet([[np.zeros(5)], [0]]), 'expected (N, 3) points, found shape (5,)'),
    'dat with texts for clouds': (modelnet([['cloud'], [0]]), 'expected (N, 3) points'),
    'h5 whose name leads to itself': (h5(loop), 'ply_data_train0.h5'),
    'h5 of 49 TB': (h5(huge), 'would take 49152000000 bytes'),
    'h5 without labels': (h5(lambda f: f.create_dataset('data', data=np.zeros((2, 5, 3)))), 'label'),
    'h5 with label 0.5': (h5(data_and(np.array([0, .5]))), 'labels must be whole numbers ... found 0.5'),
    'h5 with too many labels': (h5(data_and(np.zeros(3, int))), 'expected data (n, N, 3) and n labels'),
    'h5 with a group for data': (h5(lambda f: f.create_group('data')), 'data is no array'),
    'pack with label 1.5': (packs(label=np.full(12, 1.5)), 'label holds float64, it must hold whole numbers'),
    'pack with too few labels': (packs(label=np.zeros(3, int)), 'label has the shape (3,)'),
    'pack of flat points': (packs(points=np.zeros((12, 9))), 'points must be (n, N, 3)'),
    'parts that are no JSON': (parts(b'{'), 'categories.json ... cannot be read'),
    'parts that are a list': (parts(b'[1]'), 'it holds list, dict is needed'),
    'parts of words': (parts(b'{"Cup": ["handle"]}'), 'as a dictionary of part labels by category'),
    'episode that is a list': (episode([1, 2]), 'as a dictionary with lists of (points, label)'),
    'episode without test': (episode({'train': []}, split='test'), 'under train and test: KeyError: test'),
    'episode with label 0.5': (episode({'train': [(CLOUD, .5, 0)], 'test': []}), 'labels must be whole numbers'),
    'episode with label 9': (episode({'train': [(CLOUD, 9, 0)], 'test': []}), 'the label 9, in an episode of 5 classe'),
    'episode of numbers': (episode({'train': [1, 2], 'test': []}), 'as a dictionary with lists'),
    'test_shots=-1': (episode(None, test_shots=-1), 'test_shots must be a whole number from 1 on, got -1'),
    'shot=0': (episode(None, shot=0), 'shot must be a whole number from 1 on, got 0'),
    'list that is not UTF-8': (shapenet55(b'02691156-\xe4.npy\n'), 'train.txt ... Save it as text in UTF-8'),
    'list of a file that is not there': (shapenet55(b'02691156-f.npy\n'), '1 missing'),
    'list of no file': (shapenet55(b'\n'), 'holds no shapes'),
    'folder with on_bad=ignore': (lambda r: M2AEFolder(str(r), on_bad='ignore'), "on_bad is 'skip' or 'raise'"),
    'folder with test_share=2': (lambda r: M2AEFolder(str(r), test_share=2), 'test_share is a share from 0 to 1'),
    'folder that is not there': (lambda r: M2AEFolder(str(r)), 'there is no folder'),
    'a class that is not listed twice': (lambda r: M2AEFolder(str(r), classes=['a', 'a']), 'more than once'),
}


@rows(SETS)
def test_data_sets(message, tmp_path, row):
    prepare, words = row
    check(message, lambda: prepare(tmp_path / 'data'), words)


def test_a_folder_skips_and_names_its_bad_files(tmp_path, capsys):
    for i, (name, content, _) in enumerate(CLOUDS.values()):
        (tmp_path / f'{i:03d}{Path(name).suffix}').write_bytes(content)
    np.save(tmp_path / 'good.npy', shape_points(0, 50))
    found = M2AEFolder(str(tmp_path))
    assert len(found) == 1 and len(found.skipped) == len(CLOUDS)
    assert all(name and reason and 'Traceback' not in reason for name, reason in found.skipped)
    assert f'1 shapes in {str(tmp_path)!r}, {len(CLOUDS)} files skipped:' in ''.join(capsys.readouterr())
