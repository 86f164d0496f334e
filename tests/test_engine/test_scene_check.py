import inspect
import pickle

import numpy as np
import pytest
from mmengine.config import Config
from scenes import CLASSES, box_scene, write_layout

from m2ae_mm.engine import check_data
from mmdet3d.registry import TRANSFORMS


@pytest.fixture
def root(tmp_path):
    return write_layout(tmp_path / 'scenes', [box_scene(i, num_points=50) for i in range(8)], [box_scene(9)])


def check(root, *wrappers, load=None, **options):
    pipeline = [dict(type='LoadPointsFromFile', coord_type='DEPTH', **(load or dict(load_dim=6)))]
    dataset = dict(dict(type='ScanNetDataset', data_root=f'{root}/', ann_file='scannet_infos_train.pkl',
                        pipeline=pipeline), **options)
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


def test_a_split_without_scenes_is_named(root):
    (root / 'scannet_infos_train.pkl').write_bytes(pickle.dumps(dict(metainfo={}, data_list=[])))
    with pytest.raises(ValueError, match="scannet_infos_train.pkl' lists no scene"):
        check(root)


def test_empty_scenes_are_short(root):
    (root / 'points' / 'train_0003.bin').write_bytes(b'')
    with pytest.raises(ValueError, match='of 8 files checked, 1 short'):
        check(root)


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
        with pytest.raises(ValueError, match=r'scannet_infos_train.pkl cannot be read safely .* asks for numpy.random'):
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
