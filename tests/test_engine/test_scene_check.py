import inspect
import pickle

import numpy as np
import pytest
from mmengine.config import Config
from scenes import CLASSES, box_scene, write_layout

from m2ae_mm.datasets.scene_geometry import TO_Z_UP
from m2ae_mm.datasets.transforms import scene_frame
from m2ae_mm.engine import check_data, scene_warnings
from mmdet3d.registry import TRANSFORMS


@pytest.fixture
def root(tmp_path):
    return write_layout(tmp_path / 'scenes', [box_scene(i, num_points=50) for i in range(8)], [box_scene(9)])


def check(root, *wrappers, load=None, steps=(), **options):
    load = {**dict(type='LoadPointsFromFile', coord_type='DEPTH'), **(load or dict(load_dim=6))}
    dataset = dict(dict(type='ScanNetDataset', data_root=f'{root}/', ann_file='scannet_infos_train.pkl',
                        pipeline=[load, *steps]), **options)
    for wrapper in wrappers:
        dataset = dict(type=wrapper, dataset=dataset)
    val = dict(type='mmdet3d.ScanNetDataset', data_root=f'{root}/', ann_file='scannet_infos_val.pkl', pipeline=[])
    check_data(Config(dict(train_dataloader=dict(dataset=dataset), val_dataloader=dict(dataset=val))),
               ('train_dataloader', 'val_dataloader'))


def test_whole_scenes_pass(root):
    check(root)


def test_missing_and_short_scenes_are_named_together(root):
    points = root / 'points'
    for i in range(7):
        (points / f'train_000{i}.bin').unlink()
    (points / 'train_0007.bin').write_bytes(b'1' * (4 * 119995))
    with pytest.raises(FileNotFoundError, match='of 8 files checked, 7 missing, 1 short') as error:
        check(root, 'RepeatDataset')
    text = str(error.value)
    assert f'missing: {points / "train_0004.bin"}' in text and 'train_0005.bin' not in text
    assert f'{points / "train_0007.bin"} (479980 bytes, no multiple of 24)' in text
    assert 'point files of train_dataloader.dataset.dataset:' in text


def test_a_point_has_as_many_values_as_mmdet3d_assumes(root):
    values = inspect.signature(TRANSFORMS.get('LoadPointsFromFile')).parameters['load_dim'].default
    (root / 'points' / 'train_0003.bin').write_bytes(b'1' * 4 * values * 7)
    check(root, load=dict(use_dim=3))
    (root / 'points' / 'train_0003.bin').write_bytes(b'1' * 4 * (values * 7 + 3))
    with pytest.raises(ValueError, match=f'no multiple of {4 * values}'):
        check(root, load=dict(use_dim=3))


def test_the_folder_is_the_prefix_of_the_config_or_the_default(root):
    (root / 'points').rename(root / 'clouds')
    check(root, data_prefix=dict(pts='clouds'))
    with pytest.raises(FileNotFoundError, match='8 missing'):
        check(root)


def test_the_default_folder_of_a_derived_data_set_is_that_of_its_base(root):
    own = dict(type='M2AESceneDataset', metainfo=dict(classes=CLASSES))
    check(root, **own)
    (root / 'points').rename(root / 'clouds')
    with pytest.raises(FileNotFoundError, match='8 missing'):
        check(root, **own)


def test_what_cannot_be_checked_is_left_alone(root):
    (root / 'points' / 'train_0000.bin').unlink()
    check(root, indices=[1, 2])
    check(root, load=dict(backend_args=dict(backend='petrel')))


def test_annotations_with_more_than_values_end_the_check_with_the_name(root):
    with open(root / 'scannet_infos_train.pkl', 'wb') as file:
        pickle.dump(dict(data_list=np.random.default_rng()), file)
    for options in ({}, dict(indices=[1])):
        with pytest.raises(ValueError, match="scannet_infos_train.pkl' cannot be read safely .* asks for numpy.random"):
            check(root, **options)


@pytest.mark.parametrize('name', ['../../evil.bin', '/etc/passwd', 'a/../../b.bin'])
@pytest.mark.parametrize('key', ['lidar_path', 'pts_instance_mask_path', 'img_path'])
def test_names_in_annotations_stay_in_the_folder(root, name, key):
    with open(root / 'scannet_infos_train.pkl', 'rb') as file:
        infos = pickle.load(file)
    entry = infos['data_list'][3]
    images = entry['images'] = dict(CAM0=dict(img_path='a.jpg'))
    dict(lidar_path=entry['lidar_points'], img_path=images['CAM0']).get(key, entry)[key] = name
    (root / 'scannet_infos_train.pkl').write_bytes(pickle.dumps(infos))
    with pytest.raises(ValueError, match='is no name of a file in .*must be relative to their folder'):
        check(root)


@pytest.fixture
def logged(monkeypatch):
    lines = []
    monkeypatch.setattr(scene_frame, '_said', set())
    for module in (scene_frame, scene_warnings):
        monkeypatch.setattr(module, 'print_log', lambda text, *rest: lines.append(text))
    return lines


def strange(tmp_path, change, count=7, num_points=6001):
    scenes = [box_scene(i, num_points=num_points) for i in range(count)]
    for scene in scenes:
        scene['points'][:, :3] = change(scene['points'][:, :3])
    return write_layout(tmp_path / 'strange', scenes, [box_scene(9, num_points=6001)])


def millimetres_y_up(xyz):
    return 1000 * xyz @ TO_Z_UP['y']


FRAME = dict(type='M2AESceneFrame')
ALIGN = dict(type='GlobalAlignment', rotation_axis=2)


def test_strange_scenes_are_said_once_with_the_options_that_correct_them(tmp_path, logged):
    root = strange(tmp_path, millimetres_y_up)
    check(root, 'RepeatDataset', steps=[ALIGN, FRAME])
    check(root, 'RepeatDataset', steps=[ALIGN, FRAME])
    text, = logged
    place = 'train_dataloader.dataset.dataset'
    assert text.startswith(f'scenes do not look like rooms in metres with z up:\n  {place}: train_0000.bin: it is 4,9')
    assert 'its floor is where y is low, not at low z' in text and 'val_dataloader' not in text
    assert text.endswith(f'--cfg-options {place}.pipeline.2.unit_scale=0.001 {place}.pipeline.2.up_axis=y')


@pytest.mark.parametrize('factor, size', [(0.01, '0.04'), (50, '2')])
def test_rooms_of_a_size_that_no_room_has_are_said(tmp_path, logged, factor, size):
    check(strange(tmp_path, lambda xyz: factor * xyz), steps=[ALIGN, FRAME])
    text, = logged
    assert f'train_0000.bin: it is {size}' in text and 'large, and rooms in metres are 0.5 to 100' in text


def test_corrected_scenes_are_fine(tmp_path, logged):
    root = strange(tmp_path, millimetres_y_up)
    check(root, steps=[ALIGN, dict(FRAME, unit_scale=0.001, up_axis='y')])
    assert not logged
    check(root, steps=[dict(FRAME, unit_scale=0.001, up_axis='x')])
    assert 'not at low z' in logged[0] and 'large' not in logged[0] and logged[0].endswith('.pipeline.1.up_axis=y')
    with pytest.raises(ValueError, match="up_axis must be one of .* got 'Y'"):
        check(root, steps=[dict(FRAME, up_axis='Y')])


def test_without_the_step_the_message_says_what_to_add(tmp_path, logged):
    check(strange(tmp_path, millimetres_y_up), steps=[ALIGN])
    assert "corrected by a step: dict(type='M2AESceneFrame', unit_scale=0.001, up_axis='y') behind" in logged[0]


def test_one_strange_scene_of_many_and_other_kinds_of_data_are_no_reason(tmp_path, logged):
    root = strange(tmp_path, lambda xyz: xyz)
    points = np.fromfile(root / 'points' / 'train_0000.bin', '<f4').reshape(-1, 6)
    points[:, :3] *= 1000
    points.tofile(root / 'points' / 'train_0000.bin')
    np.full((10, 6), np.nan, '<f4').tofile(root / 'points' / 'train_0001.bin')
    check(root, steps=[FRAME])
    check(strange(tmp_path / 'b', lambda xyz: xyz * 50), load=dict(load_dim=6, coord_type='LIDAR'))
    assert not logged


def test_scans_are_looked_at_as_they_are_aligned(tmp_path, logged):
    scenes = [box_scene(i, num_points=6001) for i in range(2)]
    for scene in scenes:
        scene['alignment'][:3, 3] = [1e6, 0, 0]
    root = write_layout(tmp_path / 'far', scenes, [box_scene(9)])
    check(root, steps=[FRAME])
    assert not logged
    check(root, steps=[ALIGN, FRAME])
    assert 'it lies 1,000,00' in logged[0]


@pytest.mark.parametrize('num_points, capped', [(5000, True), (5001, False)])
def test_scans_of_one_round_number_of_points_were_capped(tmp_path, logged, num_points, capped):
    root = strange(tmp_path, lambda xyz: xyz, count=3, num_points=num_points)
    check(root)
    assert len(logged) == capped
    if capped:
        assert logged[0].startswith('all scans of train_dataloader.dataset (5,000) have the same round number')
        np.zeros(6 * 6000, '<f4').tofile(root / 'points' / 'train_0001.bin')
        check(root)
        np.zeros(6 * 5000, '<f4').tofile(root / 'points' / 'train_0001.bin')
        (root / 'rooms.json').write_text('{}')  # composed rooms
        check(root)
        assert len(logged) == 1
