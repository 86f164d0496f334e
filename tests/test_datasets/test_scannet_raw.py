"""ScanNetV2 from raw files to what mmdet3d's data set gives, on scans small enough to do by hand."""
import json
import pickle

import numpy as np
import pytest
from mmengine.registry import DefaultScope
from raw_scannet import LABELS, write_labels, write_ply, write_scan

from m2ae_mm.datasets.scannet_raw import create_scannet
from m2ae_mm.datasets.scannet_raw.layout import read_labels
from m2ae_mm.datasets.scannet_raw.writer import summary
from mmdet3d.datasets import ScanNetDataset

# x -> y, y -> -x, then a shift: a quarter turn about z.
TURN = [[0, -1, 0, 10], [1, 0, 0, 20], [0, 0, 1, 0.5], [0, 0, 0, 1]]
POINTS = np.array([
    [0, 0, 0, 1, 2, 3],  # floor
    [2, 0, 0, 4, 5, 6],  # floor
    [1, 1, 0, 7, 8, 9],  # chair
    [1.5, 1, 1, 10, 11, 12],  # chair, another segment
    [1, 3, 0.5, 13, 14, 255],  # chair
    [0, 2, 0, 0, 0, 0],  # a lamp: none of the 18 classes
    [4, 4, 0.5, 0, 0, 0],  # desk
    [4.5, 5, 0.75, 0, 0, 0],  # desk
    [9, 9, 9, 0, 0, 0],  # in no object
])
SEGMENTS = [7, 7, 100, 3, 100, 41, 12, 12, 55]
OBJECTS = [('floor', [7]), ('office chair', [100, 3]), ('lamp', [41]), ('desk', [12])]
BROKEN = np.where(POINTS == 9, [np.nan] * 3 + [0] * 3, POINTS)  # the last vertex; colours stay numbers
CHAIR, DESK = 2, 10  # among the 18 classes
# By hand: the chair's x 1..1.5 and y 1..3 become y 21..21.5 and x 7..9, the desk's x 4..4.5 and y 4..5 become
# y 24..24.5 and x 5..6; z rises by 0.5.
BOXES = [[8, 21.25, 1, 2, 0.5, 1], [5.5, 24.25, 1.125, 1, 0.5, 0.25]]


@pytest.fixture
def release(tmp_path):
    """scans/ with two annotated scans, scans_test/ with one, labels and lists beside them."""
    write_labels(tmp_path / LABELS, [('floor', 2), ('office chair', 5), ('lamp', 35), ('desk', 14), ('thing', '')])
    write_scan(tmp_path / 'scans', 'scene0000_00', POINTS, SEGMENTS, OBJECTS, TURN)
    write_scan(tmp_path / 'scans', 'scene0001_00', POINTS[:3], [1, 1, 1], [('thing', [1])])
    write_scan(tmp_path / 'scans_test', 'scene0707_00', POINTS)
    for split, name in (('train', 'scene0000_00'), ('val', 'scene0001_00'), ('test', 'scene0707_00')):
        (tmp_path / f'scannetv2_{split}.txt').write_text(name + '\n')
    return tmp_path


def create(release, out='out', **options):
    return create_scannet(release / 'scans', release / out, workers=1, splits=release, **options)


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob('*') if path.is_file()}


def load(folder, kind, name, dtype):
    return np.fromfile(folder / kind / f'{name}.bin', dtype)


def test_boxes_masks_and_points_are_those_computed_by_hand(release):
    records = create(release)
    out = release / 'out'
    np.testing.assert_array_equal(load(out, 'points', 'scene0000_00', '<f4').reshape(-1, 6), POINTS)
    assert load(out, 'instance_mask', 'scene0000_00', '<i8').tolist() == [1, 1, 2, 2, 2, 3, 4, 4, 0]
    assert load(out, 'semantic_mask', 'scene0000_00', '<i8').tolist() == [2, 2, 5, 5, 5, 35, 14, 14, 0]
    infos = pickle.loads((out / 'scannet_infos_train.pkl').read_bytes())
    info, = infos['data_list']
    np.testing.assert_allclose([box['bbox_3d'] for box in info['instances']], BOXES, atol=1e-12)
    assert [box['bbox_label_3d'] for box in info['instances']] == [CHAIR, DESK]
    assert info['axis_align_matrix'] == TURN
    assert infos['metainfo']['categories']['chair'] == CHAIR
    assert infos['metainfo']['seg_categories']['desk'] == 14
    assert np.load(out / 'seg_info' / 'train_resampled_scene_idxs.npy').tolist() == [0]
    # Of seven labelled points two are floor, three chair and two desk; the lamp is none of the twenty.
    weights = np.load(out / 'seg_info' / 'train_label_weight.npy')[[0, 1, 4, 12]]
    np.testing.assert_allclose(weights, 1 / np.log(1.2 + np.array([0, 2, 3, 2]) / 7), rtol=1e-6)
    table = summary(records).splitlines()
    assert table[0].split() == ['train', 'val', 'test'] and table[3].split() == ['most', 'points', '9', '3', '9']
    assert [line.split()[1:] for line in table if line.startswith('chair')] == [['1', '0', '0']]


def test_mmdet3d_loads_it(release):
    create(release)
    steps = [
        dict(type='LoadPointsFromFile', coord_type='DEPTH', load_dim=6, use_dim=[0, 1, 2]),
        dict(type='LoadAnnotations3D', with_bbox_3d=True, with_label_3d=True, with_mask_3d=True, with_seg_3d=True),
        dict(type='GlobalAlignment', rotation_axis=2),
        dict(type='PointSegClassMapping'),
        dict(type='Pack3DDetInputs', keys=['points', 'gt_bboxes_3d', 'gt_labels_3d', 'pts_semantic_mask',
                                            'pts_instance_mask']),
    ]
    test_steps = [steps[0], steps[2], dict(type='Pack3DDetInputs', keys=['points'])]
    with DefaultScope.overwrite_default_scope('mmdet3d'):
        data = ScanNetDataset(str(release / 'out'), 'scannet_infos_train.pkl', pipeline=steps)[0]
        test = ScanNetDataset(str(release / 'out'), 'scannet_infos_test.pkl', pipeline=test_steps, test_mode=True)[0]
    boxes = data['data_samples'].gt_instances_3d.bboxes_3d
    np.testing.assert_allclose(boxes.gravity_center.numpy(), np.array(BOXES)[:, :3], atol=1e-5)
    chair = data['inputs']['points'][data['data_samples'].gt_pts_seg.pts_instance_mask == 2]
    np.testing.assert_allclose(chair.min(0).values, [7, 21, 0.5], atol=1e-5)
    assert data['data_samples'].gt_pts_seg.pts_semantic_mask.tolist() == [18, 18, 2, 2, 2, 18, 10, 10, 18]
    assert test['inputs']['points'].shape == (9, 3)
    assert not (release / 'out' / 'instance_mask' / 'scene0707_00.bin').exists()


def test_later_objects_win_shared_segments(release):
    """As in scene0217_00 of the release, which lists every object twice."""
    folder = write_scan(release / 'scans', 'scene0217_00', POINTS, SEGMENTS, OBJECTS + [('desk', [3, 100])])
    (release / 'scannetv2_train.txt').write_text(folder.name)
    record = create(release)['train'][folder.name]
    assert record['labels'] == [DESK, DESK]  # the chair has nothing left
    assert load(release / 'out', 'instance_mask', folder.name, '<i8').tolist() == [1, 1, 5, 5, 5, 3, 4, 4, 0]
    assert load(release / 'out', 'semantic_mask', folder.name, '<i8').tolist() == [2, 2, 14, 14, 14, 35, 14, 14, 0]


def test_resumes_and_processes_change_no_byte(release, capsys):
    create(release)
    once, out = contents(release / 'out'), release / 'out'
    kept = (out / 'points' / 'scene0000_00.bin').stat().st_mtime_ns
    (out / 'semantic_mask' / 'scene0001_00.bin').write_bytes(b'cut off')
    create(release)
    assert '2 of 3 scans are already in' in capsys.readouterr().out
    assert contents(out) == once and (out / 'points' / 'scene0000_00.bin').stat().st_mtime_ns == kept
    create_scannet(release, release / 'again', workers=2)  # root may be the folder around scans/
    assert contents(release / 'again') == once


def test_no_cap_unless_asked_for(release):
    record = create(release, 'capped', max_points=5)['train']['scene0000_00']
    assert (record['points'], record['scanned']) == (5, 9)
    np.testing.assert_allclose(record['boxes'], BOXES, atol=1e-12)  # of all points
    points = load(release / 'capped', 'points', 'scene0000_00', '<f4').reshape(-1, 6)
    semantic = load(release / 'capped', 'semantic_mask', 'scene0000_00', '<i8')
    rows = [POINTS.tolist().index(point) for point in points.tolist()]
    assert len(set(rows)) == 5 and semantic.tolist() == [[2, 2, 5, 5, 5, 35, 14, 14, 0][row] for row in rows]
    with pytest.raises(ValueError, match='prepared with --max-points 5, 0 asked for'):
        create(release, 'capped')


def test_missing_files_are_counted_before_anything_is_written(release):
    (release / 'scans' / 'scene0000_00' / 'scene0000_00.aggregation.json').unlink()
    (release / 'scans_test' / 'scene0707_00' / 'scene0707_00_vh_clean_2.ply').write_bytes(b'')
    with pytest.raises(FileNotFoundError, match=r'of 9 files checked, 1 missing, 1 short') as error:
        create(release)
    assert 'scene0000_00.aggregation.json' in str(error.value) and '--skip-incomplete' in str(error.value)
    assert not (release / 'out').exists()


def test_incomplete_scans_are_left_out_on_request(release, capsys):
    (release / 'scans' / 'scene0000_00' / 'scene0000_00.txt').unlink()
    (release / 'scannetv2_train.txt').write_text('scene0000_00 scene0002_00')
    records = create(release, skip_incomplete=True)
    assert list(records) == ['val', 'test'] and list(records['val']) == ['scene0001_00']
    assert '2 of 2 train scans lack files and are left out' in capsys.readouterr().out
    assert not (release / 'out' / 'scannet_infos_train.pkl').exists()


def change(path, **entries):
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


def cut(folder):
    mesh = folder / 'scene0000_00_vh_clean_2.ply'
    mesh.write_bytes(mesh.read_bytes()[:-30])


def group(**changes):
    return [{**dict(objectId=0, segments=[7], label='floor'), **changes}]


@pytest.mark.parametrize('damage,message', [
    (lambda f: change(f / 'scene0000_00_vh_clean_2.0.010000.segs.json', segIndices=[7] * 10), '10 vertices.*has 9'),
    (lambda f: change(f / 'scene0000_00.aggregation.json', segGroups=group() * 2), 'several objects .* objectId 0'),
    (lambda f: change(f / 'scene0000_00.aggregation.json', segGroups=[dict(objectId=0)]), 'without segments, label'),
    (lambda f: (f / 'scene0000_00.txt').write_text(f'axisAlignment = {"0 " * 15}nan'), "needs 16 numbers, got '0 0"),
    (cut, r'scene0000_00_vh_clean_2.ply: PLY cut short .* 9 rows of element vertex expected, 7 whole'),
    (lambda f: write_ply(f / 'scene0000_00_vh_clean_2.ply', BROKEN),
     '1 of 9 vertices are NaN'),
])
def test_damaged_scans_are_named_and_the_others_kept(release, damage, message):
    damage(release / 'scans' / 'scene0000_00')
    expected = f'of 3 files checked, 1 unreadable.\n.*scans/scene0000_00 .*{message}'
    with pytest.raises(ValueError, match=expected) as error:
        create(release)
    assert '--skip-incomplete' in str(error.value) and '--cfg-options' not in str(error.value)
    assert (release / 'out' / 'scenes' / 'scene0001_00.json').is_file()
    assert not (release / 'out' / 'scannet_infos_val.pkl').exists()


@pytest.mark.parametrize('prepare,error,message', [
    (lambda r: [path.unlink() for path in r.glob('scannetv2_*')], FileNotFoundError, 'none of scannetv2_'),
    (lambda r: (r / 'scannetv2_val.txt').write_text(' \n'), ValueError, 'scannetv2_val.txt.* lists no scene'),
    (lambda r: (r / 'scannetv2_val.txt').write_text('scene0000_00'), ValueError, 'scene0000_00 is listed twice'),
    (lambda r: (r / LABELS).unlink(), FileNotFoundError, f'no label table .*{LABELS}'),
    (lambda r: (r / LABELS).write_text('id,raw_category\n'), ValueError, 'raw_category and nyu40id.*got id,raw_cat'),
    (lambda r: (r / LABELS).write_bytes(b'id\xff'), ValueError, 'cannot be read: .*invalid start byte.* Use scannetv2'),
    (lambda r: write_labels(r / LABELS, [('floor', 41)]), ValueError, "'floor' the nyu40id '41'"),
    (lambda r: (r / 'out').write_text(''), OSError, 'out/points'),
])
def test_wrong_surroundings(release, prepare, error, message):
    prepare(release)
    with pytest.raises(error, match=message):
        create(release)


def test_a_cap_keeps_the_order_and_draws_anew_for_every_scan(release):
    many = np.arange(600.).reshape(100, 6) % 256
    for name in ('scene0002_00', 'scene0003_00'):
        write_scan(release / 'scans', name, many, [7] * 100, [('floor', [7])])
    (release / 'scannetv2_train.txt').write_text('scene0002_00\nscene0003_00\n')
    create(release, max_points=50)
    drawn = [load(release / 'out', 'points', f'scene000{i}_00', '<f4').reshape(-1, 6) for i in (2, 3)]
    rows = [[many.tolist().index(point) for point in points.tolist()] for points in drawn]
    assert rows[0] == sorted(set(rows[0])) and rows[1] == sorted(set(rows[1]))
    assert len(rows[0]) == len(rows[1]) == 50 and rows[0] != rows[1]


def test_labels_without_a_number_are_not_annotated(tmp_path):
    (tmp_path / LABELS).write_text('raw_category\tnyu40id\nwall\t 1 \nthing\t\nblank\t  \nshort\nother\t40\n')
    assert read_labels(tmp_path / LABELS) == dict(wall=1, thing=0, blank=0, short=0, other=40)


@pytest.mark.parametrize('offset, alignment', [
    ([388096.25, 3948996.75, 40], TURN), ([388096.25, 3948996.75, 40], np.eye(4)),
    ([0, 0, 0], [*TURN[:2], [0, 0, 1, 1e7], TURN[3]]),
])
def test_scans_at_survey_coordinates_keep_their_form(release, offset, alignment):
    """In double precision, as such scans are stored; boxes and points move together."""
    points = POINTS + [*offset, 0, 0, 0]
    folder = write_scan(release / 'scans', 'scene0005_00', POINTS, SEGMENTS, OBJECTS, alignment)
    test = release / 'scans_test' / 'scene0707_00'
    for path in (folder / 'scene0005_00_vh_clean_2.ply', test / 'scene0707_00_vh_clean_2.ply'):
        write_ply(path, points, 'double')
    (release / 'scannetv2_train.txt').write_text('scene0005_00')
    records = create(release)
    record = records['train']['scene0005_00']
    stored = load(release / 'out', 'points', 'scene0005_00', '<f4').reshape(-1, 6)
    np.testing.assert_allclose(stored[:, :3] - stored[0, :3], POINTS[:, :3] - POINTS[0, :3], atol=1e-5)
    turn = np.array(record['alignment'], np.float32)
    aligned = stored[:, :3] @ turn[:3, :3].T + turn[:3, 3]
    assert np.abs(aligned).max() < 100
    expected = points[:, :3] @ np.asarray(alignment, float)[:3, :3].T + np.asarray(alignment, float)[:3, 3]
    np.testing.assert_allclose(aligned + np.array(record['origin']), expected, atol=1e-4)
    for box, members in zip(record['boxes'], ([2, 3, 4], [6, 7])):
        low, high = aligned[members].min(0), aligned[members].max(0)
        np.testing.assert_allclose(box, [*(low + high) / 2, *high - low], atol=1e-4)
    unaligned = load(release / 'out', 'points', 'scene0707_00', '<f4').reshape(-1, 6)
    np.testing.assert_allclose(unaligned[:, :3] - unaligned[0, :3], POINTS[:, :3] - POINTS[0, :3], atol=1e-5)
    assert records['val']['scene0001_00']['origin'] == [0, 0, 0]


def test_meshes_of_polygons_and_with_bytes_after_them_are_read(release):
    path = release / 'scans' / 'scene0000_00' / 'scene0000_00_vh_clean_2.ply'
    content = path.read_bytes().replace(b'element face 1\n', b'element face 2\n')
    path.write_bytes(content + bytes([4]) + np.arange(4, dtype='<i4').tobytes() + b'after')
    assert create(release)['train']['scene0000_00']['points'] == 9
