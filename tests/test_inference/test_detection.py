"""Boxes in scans, however these were recorded; bad scans and checkpoints."""
import copy
import json
import re

import numpy as np
import pytest
import torch
from mmengine.config import Config

from m2ae_mm.checkpoint import shipped_names, write_checkpoint
from m2ae_mm.cli import predict
from m2ae_mm.cli.running import run
from m2ae_mm.datasets.io.ply import read_ply, vertices_of
from m2ae_mm.datasets.rooms.scene import compose_scene
from m2ae_mm.datasets.scan_frame import UNITS
from m2ae_mm.datasets.scene_geometry import TO_Z_UP
from m2ae_mm.inference import M2AEDetInferencer
from m2ae_mm.models.shipped import shipped_config
from m2ae_mm.surroundings import find_config
from mmdet3d.registry import MODELS


@pytest.fixture(scope='module')
def room():
    return compose_scene('val', 0, seed=7).points.astype(np.float64)


@pytest.fixture(scope='module')
def detector():
    return M2AEDetInferencer('rooms_det', device='cpu', show_progress=False)


@pytest.fixture(scope='module')
def expected(detector, room):
    result = detector(room, score_thr=0.2)['predictions'][0]
    assert len(result['boxes']) > 3 and (np.diff(result['scores']) <= 0).all() and result['scores'].min() > 0.2
    inside = np.abs(result['boxes'][:, :3] - room[:, :3].mean(0)) < 6
    assert inside.all() and 'chair' in result['classes']
    return result


@pytest.mark.parametrize('unit, up, offset', [
    ('m', 'z', (12, -7, 1.3)), ('mm', 'y', (0, 0, 0)), ('cm', '-x', (5e4, 1, 2)), ('m', '-z', (4e5, 5.8e6, 90)),
])
def test_boxes_move_with_the_scan(detector, room, expected, unit, up, offset):
    recorded = room.copy()
    recorded[:, :3] = room[:, :3] @ TO_Z_UP[up] / UNITS[unit] + offset
    found = detector(recorded, score_thr=0.2)['predictions'][0]
    assert found['frame']['unit'] == unit and found['frame']['up'] == up and found['classes'] == expected['classes']
    np.testing.assert_allclose(found['scores'], expected['scores'], atol=1e-3)
    corners = (expected['corners'] @ TO_Z_UP[up] / UNITS[unit] + offset)
    np.testing.assert_allclose(found['corners'], corners, atol=0.005 / UNITS[unit])
    # As numbers: centre and sides along the axes of the file while the yaw is 0.
    np.testing.assert_allclose(found['boxes'][:, :3], found['corners'].mean(1), atol=1e-6 / UNITS[unit])
    np.testing.assert_allclose(found['boxes'][:, 3:6], np.ptp(found['corners'], axis=1), atol=1e-6 / UNITS[unit])


def test_boxes_turn_with_the_walls(detector, room, expected):
    cos, sin = np.cos(0.4), np.sin(0.4)
    turn = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
    found = detector(np.hstack([room[:, :3] @ turn, room[:, 3:]]), score_thr=0.25)['predictions'][0]
    assert found['frame']['heading'] == pytest.approx(0.4, abs=0.01)
    best = found['boxes'][0]
    assert best[6] == pytest.approx(0.4, abs=0.01)
    nearest = np.linalg.norm(expected['boxes'][:, :3] @ turn - best[:3], axis=1).min()
    assert nearest < 0.1
    assert detector(room[:, :3] @ turn, align=False)['predictions'][0]['frame']['heading'] == 0


def test_one_box_for_one_thing(detector, expected):
    low, high = expected['corners'].min(1), expected['corners'].max(1)
    shared = np.clip(np.minimum(high[:, None], high) - np.maximum(low[:, None], low), 0, None).prod(2)
    volume = (high - low).prod(1)
    iou = shared / (volume[:, None] + volume - shared)
    assert (iou - np.eye(len(iou))).max() <= 0.25
    assert len(np.unique(expected['boxes'], axis=0)) == len(expected['boxes'])
    assert detector.model.bbox_head.detection.class_agnostic


def test_files_of_results(detector, room, expected, tmp_path):
    room.astype(np.float32).tofile(tmp_path / 'room.bin')
    detector(tmp_path / 'room.bin', score_thr=0.2, out_dir=tmp_path / 'out')
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == [
        'room.html', 'room.json', 'room.ply', 'room.png']
    content = json.loads((tmp_path / 'out/room.json').read_text())
    assert [box['label'] for box in content['boxes']] == expected['classes']
    np.testing.assert_allclose([box['center'] for box in content['boxes']], expected['boxes'][:, :3], atol=1e-3)
    elements = read_ply(tmp_path / 'out/room.ply')
    xyz, owner = vertices_of(elements), elements['vertex']['box']
    np.testing.assert_allclose(xyz[owner == 0], room[:, :3].astype(np.float32), atol=1e-6)
    for i, corners in enumerate(expected['corners']):
        np.testing.assert_allclose(xyz[owner == i + 1].min(0), corners.min(0), atol=1e-3)
    page = (tmp_path / 'out/room.html').read_text()
    traces = json.loads(re.search(r'Plotly.newPlot\("scene", (\[.*?\]), \{"margin"', page, re.S).group(1))
    lines = [trace for trace in traces if trace['mode'] == 'lines']
    assert sum(trace['x'].count(None) for trace in lines) == 12 * len(expected['boxes'])
    assert not re.search(r'<script[^>]+src=|<link', page)  # nothing is fetched


def test_pictures_are_returned_if_asked_for(detector, room):
    picture, = detector(room, return_vis=True)['visualization']
    assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.std() > 5


def test_batches_and_lists_give_what_single_scans_give(detector, room, expected):
    found = detector([room, torch.from_numpy(room[:15000])], batch_size=2, score_thr=0.2)['predictions']
    np.testing.assert_allclose(found[0]['boxes'], expected['boxes'], atol=1e-3)
    assert [each['name'] for each in found] == ['array 0', 'array 1']


def tiny_checkpoint(path, **meta):
    config = shipped_config('rooms_det')
    config.work_dir = str(path.parent)
    model = MODELS.build(copy.deepcopy(config.model))
    torch.save(dict(state_dict=model.state_dict(), meta=dict(cfg=config.pretty_text, **meta)), path)
    return path


def test_a_checkpoint_of_ours_brings_its_config_and_classes(room, tmp_path):
    names = [f'thing {i}' for i in range(18)]
    path = tiny_checkpoint(tmp_path / 'epoch_1.pth', dataset_meta=dict(classes=names))
    inferencer = M2AEDetInferencer(weights=path, device='cpu', show_progress=False)
    assert inferencer.model.dataset_meta['classes'] == tuple(names)
    assert inferencer(room, score_thr=-1)['predictions'][0]['classes'][0] in names


def test_checkpoints_that_do_not_fit_are_refused(tmp_path):
    path = tmp_path / 'weights.pth'
    torch.save(dict(state_dict=dict(a=torch.ones(1))), path)
    with pytest.raises(ValueError, match='does not say which config.*--model CONFIG CHECKPOINT'):
        M2AEDetInferencer(path)
    with pytest.raises(ValueError, match="'shapes_small' is a PointM2AE, which m2ae predict cannot use; it is for "
                       'm2ae embed or m2ae reconstruct'):
        M2AEDetInferencer('shapes_small', device='cpu')
    with pytest.raises(ValueError, match='a config alone has no weights'):
        M2AEDetInferencer('m2ae_mm::m2ae/rooms_det.py')
    with pytest.raises(FileNotFoundError, match='there is no config'):
        M2AEDetInferencer('no_such_model.py', 'a.pth')
    with pytest.raises(FileNotFoundError, match="'room_det' is neither the name of weights .*rooms_det"):
        M2AEDetInferencer('room_det')
    hostile = tmp_path / 'hostile.pth'
    text = 'import os\nmodel = os.system("exit")'
    torch.save(dict(state_dict=dict(a=torch.ones(1)), meta=dict(cfg=text)), hostile)
    with pytest.raises(ValueError, match='does not say which config'):
        M2AEDetInferencer(hostile)


def bad_folder(tmp_path, room):
    folder = tmp_path / 'scans'
    folder.mkdir()
    np.save(folder / 'good.npy', room)
    np.save(folder / 'a_ball.npy', np.random.default_rng(0).normal(size=(3000, 3)))
    (folder / 'b_empty.ply').write_bytes(b'')
    (folder / 'c_broken.ply').write_bytes(b'ply\nnonsense')
    np.save(folder / 'd_few.npy', room[:9])
    np.save(folder / 'e_nan.npy', room * np.nan)
    return folder


def test_bad_scans_are_left_out_and_listed(detector, room, tmp_path):
    folder = bad_folder(tmp_path, room)
    found = detector(str(folder))
    assert [each['name'] for each in found['predictions']] == [str(folder / 'good.npy')]
    reasons = {name.rpartition('/')[2]: why for name, why in found['left_out']}
    assert list(reasons) == ['a_ball.npy', 'b_empty.ply', 'c_broken.ply', 'd_few.npy', 'e_nan.npy']
    for why, part in zip(reasons.values(), ('no floor', 'the file is empty', 'PLY header', 'it has 9 points',
                                            'all 20000 points hold NaN')):
        assert part in why
    with pytest.raises(ValueError, match='left out 1 of the inputs:\n  .*no such file'):
        detector(str(tmp_path / 'nothing.ply'))
    with pytest.raises(TypeError, match='inputs are files'):
        detector([3])


def test_the_command_goes_on_lists_and_fails(room, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr('m2ae_mm.cli.running.tune_process', lambda: None)
    folder = bad_folder(tmp_path, room)
    args = predict.parse_args([str(folder), '--json', '--out', str(tmp_path / 'out'), '--device', 'cpu'])
    with pytest.raises(SystemExit) as end:
        run(lambda: predict.main(args))
    said = capsys.readouterr()
    assert end.value.code == 1
    assert 'chair' in said.out and '(in m, z up)' in said.out and '1 done by rooms_det' in said.out
    assert 'error: left out 5 of the inputs:' in said.err and 'a_ball.npy: it has no floor' in said.err
    assert 'Traceback' not in said.err
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['good.json']
    with pytest.raises(ValueError, match='no input'):
        predict.main(predict.parse_args([]))
    for arguments in (['--model', 'a.pth', 'a.ply'], ['a.ply', '--model', 'a', 'b', 'c']):
        with pytest.raises(ValueError, match='Put the files before it'):
            predict.main(predict.parse_args(arguments))


@pytest.mark.parametrize('options, words', [
    (dict(device='gpu'), "there is no device 'gpu' \\("), (dict(device='cuda:77'), "there is no device 'cuda:77' \\("),
    (dict(score_thr=7), 'no box reaches 7'), (dict(score_thr=float('nan')), 'no box reaches nan'),
    (dict(unit='mm'), 'with unit mm it is .* metres large'), (dict(unit=1e3), 'with unit 1000.0 it is'),
    (dict(columns=2), '--columns .* is 2'), (dict(columns=-1), '--columns .* is -1'),
])
def test_values_that_no_scan_can_have_are_refused(detector, room, tmp_path, options, words):
    room.astype(np.float32).tofile(tmp_path / 'room.bin')
    with pytest.raises(ValueError, match=words):
        if 'device' in options:
            M2AEDetInferencer('rooms_det', **options)
        detector(tmp_path / 'room.bin', **options)


def test_shipped_weights_are_described(capsys):
    predict.main(predict.parse_args(['--models']))
    said = capsys.readouterr().out
    assert 'rooms_det\n  task       detection\n  for        m2ae predict\n  input      rooms in metres, z up' in said
    assert 'classes    cabinet, bed, chair' in said and 'AP25' in said
    for name in shipped_names():
        about = said.split(f'{name}\n  task ')[1].split('trained on')[0]
        assert '  for        m2ae ' in about and '  figures    ' in about


def test_detectors_of_mmdet3d_keep_one_box_a_thing_too(room, tmp_path):
    config = Config.fromfile(find_config('m2ae_mm::projects/groupfree3d_m2ae/configs/groupfree3d_m2ae_rooms.py'))
    torch.manual_seed(0)
    write_checkpoint(MODELS.build(config.model).state_dict(), tmp_path / 'untrained.safetensors')
    inferencer = M2AEDetInferencer(config, tmp_path / 'untrained.safetensors', device='cpu', show_progress=False)
    found = inferencer(room, score_thr=0.)['predictions'][0]
    assert len(found['boxes']) and len(np.unique(found['boxes'], axis=0)) == len(found['boxes'])
    moved = room.copy()
    moved[:, :3] += [30, 0, 2]
    again = inferencer(moved, score_thr=0.)['predictions'][0]
    np.testing.assert_allclose(again['boxes'][:, :3] - [30, 0, 2], found['boxes'][:, :3], atol=0.005)


def seen_from_a_camera(room):
    """The farther half of a room as SUN RGB-D has it: x to the right, y ahead, the camera 1.3 m above the floor."""
    low, high = room[:, :3].min(0), room[:, :3].max(0)
    view = room[room[:, 1] > (low + high)[1] / 2] - [*(low + high)[:2] / 2, low[2] + 1.3, 0, 0, 0]
    return view[np.abs(view[:, 0]) < 3]


@pytest.mark.parametrize('unit, up', [('m', 'z'), ('mm', 'y')])
def test_models_of_sun_rgbd_see_scans_from_the_camera_as_in_training(room, tmp_path, unit, up):
    config = Config.fromfile(find_config('m2ae_mm::3detr/3detr-m_sunrgbd.py'))
    config.model.bbox_head.update(num_queries=8, num_layers=1)
    torch.manual_seed(0)
    write_checkpoint(MODELS.build(copy.deepcopy(config.model)).state_dict(), tmp_path / 'untrained.safetensors')
    inferencer = M2AEDetInferencer(config, tmp_path / 'untrained.safetensors', device='cpu', show_progress=False)
    view = seen_from_a_camera(room)

    def recorded(offset):
        return view[:, :3] @ TO_Z_UP[up] / UNITS[unit] + np.asarray(offset) / UNITS[unit]

    def given(cloud):
        """What the model gets, and the boxes; all points, by their order in the cloud."""
        inferencer.pipeline.pipeline.transforms[1].num_points = len(view)
        entry = inferencer.read(next(iter(inferencer._items(cloud)[0])), up=up, unit=unit)
        return np.sort(entry.packed['inputs']['points'][:, :3].numpy(), axis=0), entry.source.frame

    expected = np.sort(view[:, :3], axis=0)
    points, frame = given(recorded((0, 0, 0)))
    np.testing.assert_allclose(points, expected, atol=1e-4)  # as the training's files
    assert frame.heading == 0 and np.abs(frame.origin).max() < 1e-6 / UNITS[unit]
    points, frame = given(recorded((0, 0, 90)))
    moved = points - expected  # elsewhere: put where cameras see things
    assert np.ptp(moved, axis=0).max() < 1e-3 and frame.heading == 0
    middle = (points[0] + points[-1]) / 2
    np.testing.assert_allclose(middle, [0, 3, -1], atol=0.3)
    boxes = [inferencer(recorded(offset), up=up, unit=unit, score_thr=0.)['predictions'][0]['boxes'][0, :3]
             for offset in ((0, 0, 90), (40, 0, 90))]
    np.testing.assert_allclose(boxes[1] - boxes[0], np.array([40, 0, 0]) / UNITS[unit], atol=0.01 / UNITS[unit])
