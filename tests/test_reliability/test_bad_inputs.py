"""Bad data of the tools, by the row: what is given, and what the one message says.

Every row runs as a tool does: it must end with exit code 1 and a message with the expected words, without anyone's
traceback on the screen; the last line names the file that has it.
"""
import json
import pickle
import shutil

import numpy as np
import pytest
from ends import DETECTOR, check, rows, tool
from raw_scannet import LABELS, write_labels, write_release

PLY = (b'ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\nend_header\n'
       b'0 0 0\n1 0 0\n1 1 0\n')


# Annotations: what is done to the first entry, or to the file as a whole.
def first(**changes):
    def change(content):
        content['data_list'][0].update(changes)
    return change


def first_box(**changes):
    def change(content):
        content['data_list'][0]['instances'][0].update(changes)
    return change


def whole(**changes):
    return lambda content: content.update(changes)


BOX = [0., 0., 0., 1., 1., 1.]
ANNOTATIONS = {
    'data_list that is a number': (whole(data_list=3), 'cannot be read as annotations of mmdet3d'),
    'data_list of numbers': (whole(data_list=[1, 2]), 'cannot be read at entry 0: TypeError'),
    'data_list of nothing': (whole(data_list=[]), 'lists no scene'),
    'metainfo that is a list': (whole(metainfo=[1]), 'cannot be read as annotations of mmdet3d'),
    'points that are a name': (first(lidar_points='a.bin'), 'cannot be read at entry 0'),
    'points without a name': (first(lidar_points={}), "no 'lidar_path', 'num_pts_feats' in lidar_points"),
    'points that lead out': (first(lidar_points=dict(lidar_path='../../a', num_pts_feats=6)), 'is no name of a file'),
    'instances of numbers': (first(instances=[1]), 'cannot be read at entry 0'),
    'a mask that is a number': (first(pts_instance_mask_path=5), 'while building'),
    'a box of words': (first_box(bbox_3d='small'), 'could not convert string to float'),
    'a box of boxes': (first_box(bbox_3d=[BOX]), 'a box [['),
    'a box of nan': (first_box(bbox_3d=[float('nan')] * 6), 'a box [nan'),
    'a box of negative height': (first_box(bbox_3d=[0, 0, 0, 1, 1, -1]), 'a box with the sides [1.0, 1.0, -1.0]'),
    'label 0.5': (first_box(bbox_label_3d=.5), 'a box with bbox_label_3d=0.5'),
    'an alignment of zeros': (first(axis_align_matrix=np.zeros((4, 4)).tolist()), 'which scales, shears or mirrors'),
    'an alignment that mirrors': (first(axis_align_matrix=np.diag([-1., 1, 1, 1]).tolist()), 'scales, shears or mirro'),
    'an alignment of 3 x 3': (first(axis_align_matrix=np.eye(3).tolist()), 'no 4 x 4 matrix of finite numbers'),
    'an alignment of words': (first(axis_align_matrix='none'), 'which holds other things than numbers'),
}


@rows(ANNOTATIONS)
def test_annotations(message, scenes, tmp_path, row):
    change, words = row
    content = pickle.loads((scenes / 'scannet_infos_train.pkl').read_bytes())
    change(content)
    shutil.copytree(scenes, tmp_path / 'scenes')
    (tmp_path / 'scenes' / 'scannet_infos_train.pkl').write_bytes(pickle.dumps(content))
    check(message, tool('train', DETECTOR, '--data', tmp_path / 'scenes', '--work-dir', tmp_path / 'out'), words)


FILES_OF_SCENES = {
    'annotations that are empty': ('scannet_infos_train.pkl', b'', 'cannot be read safely (0 bytes)'),
    'points cut within a point': ('points/train_0000.bin', bytes(100), '100 bytes, no multiple of 24'),
}


@rows(FILES_OF_SCENES)
def test_files_of_scenes(message, scenes, tmp_path, row):
    name, content, words = row
    shutil.copytree(scenes, tmp_path / 'scenes')
    (tmp_path / 'scenes' / name).write_bytes(content)
    check(message, tool('train', DETECTOR, '--data', tmp_path / 'scenes', '--work-dir', tmp_path / 'out'), words)


@pytest.mark.parametrize('size, words', [(59 * 8, '472 bytes, 8 for each of 60 points needed'), (60 * 4, '240 bytes'),
                                         (None, 'missing')])
def test_masks_are_as_long_as_their_points(message, scenes, tmp_path, size, words):
    shutil.copytree(scenes, tmp_path / 'scenes')
    for name in ('instance_mask', 'semantic_mask'):
        (tmp_path / 'scenes' / name).mkdir()
        for file in (scenes / 'points').iterdir():
            (tmp_path / 'scenes' / name / file.name).write_bytes(bytes(60 * 8))
    broken = tmp_path / 'scenes' / 'instance_mask' / 'train_0000.bin'
    broken.unlink() if size is None else broken.write_bytes(bytes(size))
    config = 'm2ae_mm::projects/votenet_m2ae/configs/votenet_rooms.py'
    check(message, tool('train', config, '--data', tmp_path / 'scenes', '--work-dir', tmp_path / 'out', '--cfg-options',
                        'train_dataloader.dataset.dataset.pipeline.1.with_mask_3d=True',
                        'train_dataloader.dataset.dataset.pipeline.1.with_seg_3d=True'), words)


# Raw scans: what is done to the only one.
def scan_json(ending, **entries):
    def change(folder):
        file = folder / f'scene0000_00{ending}'
        file.write_text(json.dumps({**json.loads(file.read_text()), **entries}))
    return change


def scan_file(ending, content):
    return lambda folder: (folder / f'scene0000_00{ending}').write_bytes(content)


def group(**changes):
    return scan_json('.aggregation.json', segGroups=[dict(dict(objectId=0, segments=[1], label='chair'), **changes)])


SEGMENTS, TEXT = '_vh_clean_2.0.010000.segs.json', '.txt'
RAW = {
    'segIndices of null': (scan_json(SEGMENTS, segIndices=[None] * 9), 'segIndices must be whole numbers'),
    'segIndices too few': (scan_json(SEGMENTS, segIndices=[1]), '1 vertices, but ... has 9'),
    'segIndices that are null': (scan_json(SEGMENTS, segIndices=None), 'segIndices is NoneType, not a list'),
    'segments that are no JSON': (scan_file(SEGMENTS, b'{"segIndices": [1,'), 'cannot be read as JSON'),
    'segments that are not UTF-8': (scan_file(SEGMENTS, b'\xff\xfe{}'), 'cannot be read as JSON'),
    'segments of a group null': (group(segments=[None]), 'has no list of segments, but [None]'),
    'segments of a group unknown': (group(segments=[77]), 'has segment 77'),
    'groups that are null': (scan_json('.aggregation.json', segGroups=None), 'segGroups is NoneType'),
    'groups of numbers': (scan_json('.aggregation.json', segGroups=[1]), 'segGroups is no list of objects'),
    'objectId too large': (group(objectId=10**30), 'objectIds are numbers from 0 on'),
    'label that is a list': (group(label=['chair']), 'which is no text'),
    'label unknown': (group(label='dragon'), "labels that are not in the label table: 'dragon'"),
    'alignment of zeros': (scan_file(TEXT, b'axisAlignment = ' + b'0 ' * 16), 'which scales, shears or mirrors'),
    'alignment of 15 numbers': (scan_file(TEXT, b'axisAlignment = ' + b'1 ' * 15), 'needs 16 numbers'),
    'alignment of words': (scan_file(TEXT, b'axisAlignment = ' + b'x ' * 16), 'could not convert'),
    'alignment not UTF-8': (scan_file(TEXT, b'\xff\xfe'), 'Save it as text in UTF-8'),
    'no alignment': (scan_file(TEXT, b'a = 1'), 'no line axisAlignment'),
    'mesh cut': (scan_file('_vh_clean_2.ply', PLY[:60]), 'header without end_header'),
    'mesh with a negative count': (scan_file('_vh_clean_2.ply', PLY.replace(b'vertex 3', b'vertex -3')), "vertex -3'"),
}


@rows(RAW)
def test_raw_scans(message, tmp_path, row):
    change, words = row
    change(write_release(tmp_path))
    check(message, tool('data', 'scannet', '--root', tmp_path, '--out', tmp_path / 'out', '--workers', 1), words)
    assert not list((tmp_path / 'out').glob('*.pkl'))


RELEASES = {
    'a list that leads out': (lambda r: (r / 'scannetv2_train.txt').write_text('../../evil'), 'is no name of a file i'),
    'a list of folders': (lambda r: (r / 'scannetv2_train.txt').write_text('a/b'), 'is no name of a scene'),
    'a list that is not UTF-8': (lambda r: (r / 'scannetv2_train.txt').write_bytes(b'sc\xe4ne'), 'Save it as text in'),
    'a list of very long names': (lambda r: (r / 'scannetv2_train.txt').write_text('a' * 5000), 'name too long'),
    'a table with a huge field': (lambda r: (r / LABELS).write_text('raw_category\tnyu40id\n' + 'a' * 200000 + '\t1\n'),
                                  'field larger than field limit'),
    'a table of words': (lambda r: write_labels(r / LABELS, [('chair', 'five')]), "the nyu40id 'five'"),
    'an output that is a file': (lambda r: (r / 'out').write_text(''), 'A file is in the way'),
}


@rows(RELEASES)
def test_releases(message, tmp_path, row):
    change, words = row
    write_release(tmp_path / 'raw')
    change(tmp_path / 'raw')
    raw = tmp_path / 'raw'
    check(message, tool('data', 'scannet', '--root', raw, '--out', raw / 'out', '--workers', 1), words)
    assert not list(tmp_path.rglob('evil*'))
