"""Scans and label files become rooms: every format, any frame, and what cannot be used."""
import json
import pickle
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from own_rooms import CUPBOARD, TABLE, centroid, labelcloud, room_points, write_labels, write_scans, write_table

from m2ae_mm.cli import data
from m2ae_mm.datasets.own_boxes import create_own_boxes
from m2ae_mm.datasets.own_boxes.check import summary, write_check
from m2ae_mm.datasets.scan_frame import UNITS, ScanFrame
from m2ae_mm.datasets.scene_geometry import TO_Z_UP
from m2ae_mm.errors import UserError


def written(out):
    """Boxes and labels by room, points by room, and the classes, from the files."""
    entries, classes = {}, None
    for split in ('train', 'val'):
        content = pickle.loads((out / f'infos_{split}.pkl').read_bytes())
        classes = content['metainfo']['categories']
        for entry in content['data_list']:
            entries[entry['lidar_points']['lidar_path'].removesuffix('.bin')] = entry['instances']
    boxes = {name: np.array([box['bbox_3d'] for box in each]) for name, each in entries.items()}
    labels = {name: [list(classes)[box['bbox_label_3d']] for box in each] for name, each in entries.items()}
    points = {name: np.fromfile(out / 'points' / f'{name}.bin', '<f4').reshape(-1, 6) for name in entries}
    return boxes, labels, points, list(classes)


@pytest.fixture(scope='module')
def reference(tmp_path_factory):
    root = tmp_path_factory.mktemp('reference')
    create_own_boxes(write_scans(root / 'scans'), write_labels(root / 'labels'), root / 'out')
    return written(root / 'out')


def test_rooms_are_on_the_floor_around_the_origin(reference):
    boxes, labels, points, classes = reference
    assert classes == ['cupboard', 'table'] and sorted(boxes) == ['a', 'b', 'c']
    for name in boxes:
        assert labels[name] == ['table', 'cupboard'] and boxes[name].shape == (2, 6)
        np.testing.assert_allclose(points[name][:, :3].min(0), [-2.5, -2, 0], atol=0.05)
        np.testing.assert_allclose(boxes[name][:, :3] - points[name][:, :3].min(0),
                                   np.array([TABLE, CUPBOARD])[:, :3], atol=0.01)
        np.testing.assert_allclose(boxes[name][:, 3:], np.array([TABLE, CUPBOARD])[:, 3:6])
        assert (points[name][:, 3:] == 128).all()  # scans without colours


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(unit=st.sampled_from(['m', 'cm', 'mm']), up=st.sampled_from(sorted(TO_Z_UP)),
       offset=st.tuples(*[st.floats(-5e4, 5e4)] * 3), heading=st.sampled_from([0., 0.3, -0.6]))
def test_boxes_survive_changes_of_unit_axis_place_and_heading(reference, tmp_path_factory, unit, up, offset, heading):
    root = tmp_path_factory.mktemp('changed')
    frame = ScanFrame(UNITS[unit], up, np.array(offset), heading)
    write_scans(root / 'scans', change=frame.undo)
    recorded = frame.undo_boxes(np.array([TABLE, CUPBOARD]))
    table = write_table(root / 'boxes.csv', [[f'{name}.npy', label, *box] for name in 'abc'
                                             for label, box in zip(('table', 'cupboard'), recorded)])
    prepared = create_own_boxes(root / 'scans', table, root / 'out')
    assert not prepared.left_out and not prepared.rotated
    for expected, found in zip(reference[:3], written(root / 'out')[:3]):
        for name in expected:
            if expected is reference[1]:
                assert found[name] == expected[name]
            else:
                np.testing.assert_allclose(found[name], expected[name], atol=0.02 if heading else 2e-3)
    shutil.rmtree(root)


def corners(box):
    signs = np.array([(i >> 2 & 1, i >> 1 & 1, i & 1) for i in range(8)]) - 0.5
    cos, sin = np.cos(box[6]), np.sin(box[6])
    return (signs * box[3:6]) @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]]) + box[:3]


TURNED = [2.75, 1.8, 0.4, 1.5, 1.1, 0.8, 0.4]
DIRECTION = [np.cos(TURNED[6]), np.sin(TURNED[6])]
SUN = ' '.join(map(str, [0, 0, 9, 9, *TURNED[:3], TURNED[4] / 2, TURNED[3] / 2, TURNED[5] / 2, *DIRECTION]))
AXES = [*DIRECTION, 0, -DIRECTION[1], DIRECTION[0], 0, 0, 0, 1]
# A table that is turned, in each format: the file's name and content for a scan, and settings beside it.
TURNED_FILES = {
    'labelCloud, degrees': ('{0}.json', lambda name: labelcloud(name, centroid('table', TURNED)), None),
    'labelCloud, radians': ('{0}.json', lambda name: labelcloud(name, centroid(
        'table', TURNED, rotations=dict(x=0, y=0, z=0.4))), dict(format='centroid_rel')),
    'labelCloud, vertices': ('{0}.json', lambda name: labelcloud(name, dict(
        name='table', vertices=np.random.default_rng(1).permutation(corners(TURNED)).tolist())), None),
    'CSV': ('{0}.csv', lambda name: 'file;Class; x;y;z;dx;dy;dz;yaw;note\n'
            + ';'.join(map(str, [f'scans\\{name}.npy', ' table', *TURNED, 'mine'])) + '\n', None),
    'SUN RGB-D': ('{0}.txt', lambda name: f'table {SUN}\n', None),
    'ScanNet, obb': ('{0}.json', lambda name: json.dumps(dict(sceneId=f'scannet.{name}', segGroups=[dict(
        label='table', obb=dict(centroid=TURNED[:3], axesLengths=TURNED[3:6], normalizedAxes=AXES))])), None),
}


@pytest.mark.parametrize('style', TURNED_FILES)
def test_every_format_gives_the_same_box(style, tmp_path):
    name, content, beside = TURNED_FILES[style]
    write_scans(tmp_path / 'scans')
    (tmp_path / 'labels').mkdir()
    for scan in 'abc':
        (tmp_path / 'labels' / name.format(scan)).write_text(content(scan))
    if beside:
        (tmp_path / 'labels' / '_classes.json').write_text(json.dumps(beside))
    prepared = create_own_boxes(tmp_path / 'scans', tmp_path / 'labels', tmp_path / 'out')
    assert prepared.rotated and not prepared.left_out and prepared.classes == ('table', )
    boxes, _, points, _ = written(tmp_path / 'out')
    for scan in 'abc':
        found = boxes[scan][0]
        np.testing.assert_allclose(found[:3] - points[scan][:, :3].min(0), TURNED[:3], atol=0.01)
        np.testing.assert_allclose(found[3:], TURNED[3:], atol=1e-5)


def test_segments_of_scannet_are_enclosed_in_the_aligned_frame(tmp_path):
    turned = ScanFrame(1., 'z', np.array([3., 4, 5]), 0.5)
    write_scans(tmp_path, ('a_vh_clean_2', 'b_vh_clean_2'), turned.undo)
    for seed, name in enumerate('ab'):
        xyz = room_points(seed)
        of = np.zeros(len(xyz), int)
        of[-500:], of[-1000:-500] = 7, 8
        (tmp_path / f'{name}_vh_clean_2.0.01.segs.json').write_text(json.dumps(dict(segIndices=of.tolist())))
        (tmp_path / f'{name}.aggregation.json').write_text(json.dumps(dict(sceneId=f'scannet.{name}', segGroups=[
            dict(objectId=0, label='cupboard', segments=[7]), dict(objectId=1, label='nothing', segments=[99])])))
        (tmp_path / f'{name}.txt').write_text('axisAlignment = 1 0 0 0\n')
    prepared = create_own_boxes(tmp_path, tmp_path, tmp_path / 'out')
    assert prepared.left_out.lines() == [
        f'{name}.aggregation.json, object 2 (nothing): none of its 1 segments has a point' for name in 'ab']
    boxes = written(tmp_path / 'out')[0]
    for found in boxes.values():
        np.testing.assert_allclose(found[0, 3:], CUPBOARD[3:6], atol=0.02)


def test_boxes_turn_about_the_up_axis_of_the_scan(tmp_path):
    frame = ScanFrame(1., 'y', np.zeros(3))
    write_scans(tmp_path / 'scans', change=frame.undo)
    center = frame.undo(np.array([TURNED[:3]]))[0]
    length, width, height = TURNED[3:6]
    (tmp_path / 'labels').mkdir()
    for name in 'abc':
        (tmp_path / 'labels' / f'{name}.json').write_text(labelcloud(name, dict(
            name='table', centroid=dict(zip('xyz', center)), rotations=dict(x=0, y=np.rad2deg(0.4), z=0),
            dimensions=dict(length=length, width=height, height=width)), centroid(
                'shelf', [*center, 1, 1, 1, 0.4])))
    prepared = create_own_boxes(tmp_path / 'scans', tmp_path / 'labels', tmp_path / 'out')
    assert [why for _, why in prepared.left_out] == [
        'it is tilted by 23 degrees against the floor (y is up), and boxes of rooms turn about the up axis only'] * 3
    for found in written(tmp_path / 'out')[0].values():
        np.testing.assert_allclose(found[0, 3:], TURNED[3:], atol=1e-5)


def test_a_box_turned_by_a_quarter_has_its_sides_exchanged(tmp_path):
    quarter = [*TURNED[:3], 1.5, 1.1, 0.8, np.pi / 2]
    table = write_table(tmp_path / 'boxes.csv', [[name, 'table', *quarter] for name in 'abc'])
    prepared = create_own_boxes(write_scans(tmp_path / 'scans'), table, tmp_path / 'out')
    assert not prepared.rotated
    for found in written(tmp_path / 'out')[0].values():
        np.testing.assert_allclose(found[0, 3:], [1.1, 1.5, 0.8], atol=1e-6)


def test_lists_seeds_and_classes(tmp_path):
    scans, labels = write_scans(tmp_path / 'scans', 'abcdef'), write_labels(tmp_path / 'labels', 'abcdef')
    parts = []
    for seed in (0, 0, 1, 2):
        prepared = create_own_boxes(scans, labels, tmp_path / 'out', val_share=0.34, seed=seed)
        parts.append([room.name for room in prepared.rooms['val']])
        assert len(prepared.rooms['val']) == 2 and len(prepared.rooms['train']) == 4
    assert parts[0] == parts[1] and len({tuple(part) for part in parts}) > 1
    (tmp_path / 'val.txt').write_text('b\nf.npy\n')
    prepared = create_own_boxes(scans, labels, tmp_path / 'out', val_list=tmp_path / 'val.txt', max_points=1000,
                                classes=['table', 'lamp'])
    assert [room.name for room in prepared.rooms['val']] == ['b', 'f']
    boxes, kept, points, classes = written(tmp_path / 'out')
    assert classes == ['table', 'lamp'] and kept['a'] == ['table'] and len(points['a']) == 1000
    assert prepared.left_out[0] == ('a.json, object 2 (cupboard)', "its class 'cupboard' is none of table, lamp")
    assert 'no room to train on has lamp' in summary(prepared)


def test_the_check_counts_points_names_boxes_with_few_and_draws(tmp_path):
    write_scans(tmp_path / 'scans')
    low = [0.4, 0.7, 0.9, 0.16, 0.16, 0.16, 0]  # 1 to 3 points
    table = write_table(tmp_path / 'boxes.csv', [[name, *row] for name in 'abc' for row in (
        ['table', *TABLE], ['Table', *CUPBOARD], ['cup', *low])])
    prepared = create_own_boxes(tmp_path / 'scans', table, tmp_path / 'out')
    rows = (write_check(prepared) and tmp_path / 'out/check/boxes.csv').read_text().splitlines()
    assert rows[0] == 'file,class,x,y,z,dx,dy,dz,yaw,points,sampled,split'
    assert len(rows) == 10 and not prepared.left_out
    first = dict(zip(rows[0].split(','), rows[1].split(',')))
    assert [float(first[key]) for key in ['x', 'y', 'z', 'dx', 'dy', 'dz', 'yaw']] == pytest.approx(TABLE, abs=1e-4)
    number = ord(first['file'][0]) - ord('a')
    inside = np.abs(room_points(number) - low[:3]) < np.array(low[3:6]) / 2
    assert int(rows[3].split(',')[9]) == inside.all(1).sum() > 0
    assert len(list((tmp_path / 'out/check').glob('*.png'))) == 3
    text = summary(prepared)
    assert "'table' and 'Table' are different classes" in text or "'Table' and 'table' are different classes" in text
    assert 'boxes hold too few points to be found' in text and 'cup at' in text
    # The file of the check is itself a label file.
    again = create_own_boxes(tmp_path / 'scans', tmp_path / 'out/check/boxes.csv', tmp_path / 'again')
    for name, expected in written(tmp_path / 'out')[0].items():
        np.testing.assert_allclose(written(tmp_path / 'again')[0][name], expected, atol=1e-4)
    assert not again.left_out


def replaced(folder, name, text):
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())


def entry(**more):
    return labelcloud('b', centroid('table', TABLE), {**centroid('cupboard', CUPBOARD), **more})


HEAD = 'file,class,x,y,z,dx,dy,dz,yaw\n'
GOOD = 'b,table,2.75,1.8,0.4,1.5,1.6,0.8,0\n'
SUN_LINE = 'table 0 0 9 9 2.75 1.8 0.4 0.8 0.75 0.4 1 0\n'
# Files of the labels to write or, if None, to remove; of the scans; rooms that are left; words of the list.
BAD = {
    'labels without a scan': ({'d.json': labelcloud('d', centroid('table', TABLE))}, {}, 3,
                              'd.json: there is no scan of this name'),
    'a line of a table for no scan': ({'x.csv': HEAD + GOOD.replace('b,', 'e.npy,'), }, {}, 3,
                                      'x.csv, e.npy: there is no scan of this name'),
    'a scan without labels': ({'b.json': None}, {}, 2, 'b.npy: it has no labels'),
    'a side of 0': ({'b.json': entry(dimensions=dict(length=1, width=0, height=1))}, {}, 3,
                    'b.json, object 2 (cupboard): its sides are 1 x 0 x 1, and all must be above 0'),
    'sides of vertices that are none': ({'b.json': labelcloud('b', centroid('table', TABLE), dict(
        name='flat', vertices=[[i & 1, i >> 1 & 1, 0] for i in range(8)]))}, {}, 3,
        'object 2 (flat): its eight vertices are not the corners of a box'),
    'seven vertices': ({'b.json': labelcloud('b', centroid('table', TABLE), dict(name='a', vertices=[[0, 0, 0]] * 7))},
                       {}, 3, 'its vertices must be eight times three'),
    'a box without points': ({'b.json': entry(centroid=dict(x=2.5, y=2, z=9))}, {}, 3,
                             'b.json, object 2 (cupboard): it holds no points'),
    'a box larger than any room': ({'b.json': entry(dimensions=dict(length=1e9, width=1, height=1))}, {}, 3,
                                   'object 2 (cupboard): its sides are 1e+09 x 1 x 1 m, and the scan reaches 5.0'),
    'boxes in another frame': ({'b.json': labelcloud('b', centroid('t', [900, 0, 0, *TABLE[3:]]), centroid(
        't', [800, 0, 0, *TABLE[3:]]))}, {}, 2, 'b.npy: none of its 2 boxes holds a point. Boxes must be in the frame'),
    'an empty class name': ({'b.json': entry(name=' ')}, {}, 3, 'b.json, object 2: its class name is empty'),
    'no number': ({'b.json': entry(centroid=dict(x='left', y=2, z=9))}, {}, 3,
                  'its centre must be three finite numbers'),
    'a yaw that is a word': ({'b.json': None, 'b.csv': HEAD + GOOD + GOOD.replace(',0\n', ',left\n')}, {}, 3,
                             "b.csv, line 3: its yaw is 'left'"),
    'no dimensions': ({'b.json': entry(dimensions=None)}, {}, 3, "it has no 'dimensions' with length, width, height"),
    'an object that is a list': ({'b.json': labelcloud('b', centroid('t', TABLE), [])}, {}, 3, 'object 2: it is list'),
    'JSON cut short': ({'b.json': entry()[:50]}, {}, 2, "b.json' cannot be read as JSON"),
    'JSON of something else': ({'b.json': '{"boxes": []}'}, {}, 2, 'b.json: it has no list "objects" (labelCloud)'),
    'wrong columns': ({'b.json': None, 'b.csv': 'file,label,x,y,z,l,w,h\nb,chair,1,1,1,1,1,1\n'}, {}, 2,
                      'b.csv: it lacks the columns class, dx, dy, dz'),
    'a short line': ({'b.json': None, 'b.csv': HEAD + GOOD + 'b,table,1,2\n'}, {}, 3,
                     'b.csv, line 3: its centre must be three'),
    'text that is no boxes': ({'b.json': None, 'b.txt': 'the chair is in the corner\n'}, {}, 2,
                              'b.txt: no line is a class and 12 numbers'),
    'not UTF-8': ({'b.json': None, 'b.csv': (HEAD + GOOD).replace('table', 'tür').encode('latin1')}, {}, 2,
                  "b.csv' cannot be read: ... Save it as text in UTF-8"),
    'mixed formats for one scan': ({'b.csv': HEAD + GOOD}, {}, 2,
                                   'b.npy: several label files are for it: b.csv, b.json. Keep one'),
    'a format that is not read': ({'b.xml': '<a/>'}, {}, 3, "b.xml: label files end in .json, .csv or .txt, this one"),
    'two scans of a name': ({'b.json': labelcloud('x', centroid('t', TABLE))}, {'b.xyz': '0 0 0\n'}, 2,
                            'b.json: several scans have this name'),
    'an empty scan': ({}, {'b.npy': b''}, 2, 'b.npy: the file is empty'),
    'a damaged scan': ({}, {'b.npy': b'\x93NUMPY'}, 2, 'b.npy: '),
    'a scan that is no room': ({}, {'b.npy': None, 'b.xyz': '0 0 0\n1 1 1\n'}, 2,
                               'b.xyz: it has 2 points, and a room needs 200'),
    'axes that are none': ({'b.json': json.dumps(dict(segGroups=[dict(label='a', obb=dict(
        centroid=TABLE[:3], axesLengths=TABLE[3:6], normalizedAxes=[1] * 9))]))}, {}, 2, 'are not at right angles'),
    'a table with zeros in it': ({'b.json': None, 'b.csv': (HEAD + GOOD).encode() + b'\0,\0\n'}, {}, None, 'b.csv'),
    'segments that are nowhere': ({'b.json': json.dumps(dict(segGroups=[dict(label='a', segments=[1])]))}, {}, 2,
                                  'its segments are in no file: there is no b*.segs.json beside it'),
    'segments of another scan': ({'b.json': json.dumps(dict(segGroups=[dict(label='a', segments=[1])])),
                                  'b.segs.json': json.dumps(dict(segIndices=[1] * 99999))}, {}, 2,
                                 'b.npy: its labels are of 99999 points or more, and it has 7000'),
}


@pytest.mark.parametrize('row', BAD)
def test_one_message_each_and_the_rest_goes_on(row, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr('m2ae_mm.visualization.figures.detection_figure', lambda *arguments, **_: arguments[-1])  # slow
    labels, scans, left, words = BAD[row]
    for folder, files, write in (('labels', labels, write_labels), ('scans', scans, write_scans)):
        write(tmp_path / folder)
        for name, text in files.items():
            if text is None:
                (tmp_path / folder / name).unlink()
            else:
                replaced(tmp_path / folder, name, text)
    arguments = ['--scans', tmp_path / 'scans', '--labels', tmp_path / 'labels', '--out', tmp_path / 'out']
    with pytest.raises(UserError) as error:
        data.main(data.parse_args(['boxes', *map(str, arguments)]))
    listed = (tmp_path / 'out/left_out.txt').read_text()
    at = 0
    for word in map(str.strip, words.split('...')):
        assert word in listed[at:], listed
        at = listed.index(word)
    assert len(listed.splitlines()) <= 3 and str(error.value).count('\n') == len(listed.splitlines())
    if left is not None:
        names = written(tmp_path / 'out')[0]
        assert len(names) == left and not any(f'{name}.npy: none of its' in listed for name in names)
    assert 'rooms to train on' in capsys.readouterr().out


# Options and folders with which there is nothing to write; what is done before; the message.
REFUSED = {
    'no folder': (dict(scans='nowhere'), 'there is no folder .*nowhere'),
    'a folder without labels': (dict(labels='scans'), 'has no label files'),
    'a share of 1': (dict(val_share=1.), '--val-share must be between 0 and 1, got 1.0'),
    'a unit that makes no room': (dict(unit='mm'), 'a.npy: with unit mm it is 0.005 x .* metres large'),
    'too few points to keep': (dict(max_points=10), '--max-points must be 0, .* or 200 or more, got 10'),
    'the folder of the scans': (dict(out='scans'), '--out .*scans. holds the scans'),
    'a unit': (dict(unit='yards'), "unit must be m, cm, .*, got 'yards'"),
    'classes twice': (dict(classes=['a', 'a']), '--classes lists a more than once'),
    'no class': (dict(classes=['lamp']), 'there is no room to train on. Left out:\n.*'),
    'a list of others': (dict(val_list='list.txt'), "lists z, and there is no such scan"),
}


@pytest.mark.parametrize('row', REFUSED)
def test_what_cannot_be_prepared_at_all(row, tmp_path):
    options, message = REFUSED[row]
    write_scans(tmp_path / 'scans'), write_labels(tmp_path / 'labels')
    (tmp_path / 'list.txt').write_text('a\nz\n')
    places = dict(scans='scans', labels='labels', **{key: value for key, value in options.items() if key == 'val_list'})
    places = {key: tmp_path / value for key, value in {**places, **{
        key: value for key, value in options.items() if key in places}}.items()}
    options = {key: value for key, value in options.items() if key not in places}
    out = tmp_path / options.pop('out', 'out')
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        create_own_boxes(**places, **options, out=out)
    assert not list(tmp_path.rglob('*.pkl'))


def test_rotations_that_could_be_degrees_or_radians_are_asked_for(tmp_path):
    write_scans(tmp_path / 'scans'), write_labels(tmp_path / 'labels')
    (tmp_path / 'labels/b.json').write_text(labelcloud('b', centroid('table', TABLE, rotations=dict(x=0, y=0, z=0.5))))
    with pytest.raises(UserError, match='are from 0.5 to 0.5, which could be degrees or radians.*--angles'):
        create_own_boxes(tmp_path / 'scans', tmp_path / 'labels', tmp_path / 'out')
    for angles, rotated in (('deg', False), ('rad', True)):
        assert create_own_boxes(tmp_path / 'scans', tmp_path / 'labels', tmp_path / 'out',
                                angles=angles).rotated == rotated
