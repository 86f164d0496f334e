import pickle

import numpy as np
import pytest
from mmengine.config import Config
from seg_scenes import NAMES, labelled_room, write_seg_layout

from m2ae_mm.engine import check_data
from m2ae_mm.engine.own_data import take_from_data

LOADERS = ('train_dataloader', 'val_dataloader')
SEG = dict(type='LoadAnnotations3D', with_bbox_3d=False, with_label_3d=False, with_seg_3d=True)


@pytest.fixture
def root(tmp_path):
    rooms = [labelled_room(i) for i in range(4)]
    return write_seg_layout(tmp_path, dict(train=rooms, val=rooms[:1]))


def config_of(root, num_classes=3, **options):
    pipeline = [dict(type='LoadPointsFromFile', coord_type='DEPTH', load_dim=6, use_dim=[0, 1, 2]), SEG]
    dataset = dict(dict(type='M2AESceneSegDataset', data_root=str(root), pipeline=pipeline,
                        data_prefix=dict(pts='points', pts_semantic_mask='semantic_mask'),
                        metainfo=dict(classes=list(NAMES))), **options)
    loaders = {f'{split}_dataloader': dict(dataset=dict(dict(ann_file=f'scannet_infos_{split}.pkl'), **dataset))
               for split in ('train', 'val')}
    return Config(dict(model=dict(decode_head=dict(num_classes=num_classes, ignore_index=num_classes)), **loaders))


def check(root, **options):
    check_data(config_of(root, **options), LOADERS)


def check_training(root, **options):
    check_data(config_of(root, **options), LOADERS[:1])


def rewrite(root, change):
    file = root / 'scannet_infos_train.pkl'
    content = pickle.loads(file.read_bytes())
    change(content)
    file.write_bytes(pickle.dumps(content))


def test_whole_scenes_pass(root):
    check(root)
    check_training(root, scene_idxs='seg_info/train_resampled_scene_idxs.npy')


def mask_of(root, values):
    np.asarray(values, np.int64).tofile(root / 'semantic_mask' / 'train_003.bin')


@pytest.mark.parametrize('spoil, kind, text', [
    (lambda root: mask_of(root, [0] * 599 + [3]), ValueError, r"train_003.bin' has values that .* 3 \(1 points\)"),
    (lambda root: mask_of(root, [0] * 599 + [-7]), ValueError, r'-7 \(1 points\)'),
    (lambda root: mask_of(root, [0] * 599), ValueError, r'4792 bytes, 8 for each of 600 points'),
    (lambda root: mask_of(root, []), ValueError, 'short: .*train_003.bin'),
    (lambda root: np.zeros(600, np.int32).tofile(root / 'semantic_mask' / 'train_003.bin'), ValueError,
     r'2400 bytes, 8 for each of 600'),
    (lambda root: (root / 'points' / 'train_003.bin').write_bytes(b''), ValueError,
     r'short: .*train_003.bin \(empty\)'),
    (lambda root: labelled_room(3)[0][:, :3].copy().tofile(root / 'points' / 'train_003.bin'), ValueError,
     r'if points of train_003.bin have 3 columns \(x, y, z without colour are 3\), and load_dim is 6'),
    (lambda root: (root / 'semantic_mask' / 'train_002.bin').unlink(), FileNotFoundError, 'missing: .*train_002'),
    (lambda root: [np.full(600, 255).tofile(file) for file in (root / 'semantic_mask').glob('*')], ValueError,
     'no point of 4 scenes of train_dataloader.dataset has one of its classes'),
    (lambda root: rewrite(root, lambda all: all['data_list'][1].pop('pts_semantic_mask_path')), ValueError,
     "'train_001.bin' in .* has no pts_semantic_mask_path"),
    (lambda root: rewrite(root, lambda all: all['data_list'][1].pop('lidar_points')), ValueError,
     'entry 1 of .* names no file of points'),
    (lambda root: rewrite(root, lambda all: all['data_list'][2]['lidar_points'].update(num_pts_feats=3)), ValueError,
     "points of 'train_002.bin' have x, y, z without colour, .* load_dim=3"),
    (lambda root: rewrite(root, lambda all: all['metainfo'].update(seg_categories=dict(floor=1))), ValueError,
     "lists 'wall', 'machine', and the masks of .* have floor"),
    (lambda root: rewrite(root, list), ValueError, None),
])
def test_what_is_wrong_with_labels_is_named(root, spoil, kind, text):
    spoil(root)
    if text is None:  # a list, as mmdet3d wrote before 1.1
        (root / 'scannet_infos_train.pkl').write_bytes(pickle.dumps([1]))
        text = 'no annotation file of mmdet3d 1.1'
    with pytest.raises(kind, match=text):
        check(root)


def test_scenes_of_one_class_pass(root):
    for file in (root / 'semantic_mask').glob('*'):
        np.ones(600, np.int64).tofile(file)
    check(root)


@pytest.mark.parametrize('numbers, kind, text', [
    (None, FileNotFoundError, 'scene_idxs names .*chosen.npy'), ([0, 4], ValueError, 'scenes 0 to 4, and .* has 4'),
    ([-1], ValueError, 'scenes -1 to -1'), ([0.5], ValueError, 'float64'), ([[1]], ValueError, 'of shape'),
    ([object()], ValueError, 'Python objects')])
def test_chosen_scenes_are_there(root, numbers, kind, text):
    if numbers is not None:
        np.save(root / 'chosen.npy', np.array(numbers))
    with pytest.raises(kind, match=text):
        check_training(root, scene_idxs='chosen.npy')


def test_each_annotation_file_of_several_is_checked(tmp_path):
    root = write_seg_layout(tmp_path, {f'Area_{i}': [labelled_room(i)] for i in (1, 2, 5)}, 's3dis_infos')
    config = config_of(root, 13)
    for loader, areas in (('train_dataloader', (1, 2)), ('val_dataloader', (5, ))):
        config[loader].dataset.update(
            type='S3DISSegDataset', ann_files=[f's3dis_infos_Area_{i}.pkl' for i in areas],
            scene_idxs=[f'seg_info/Area_{i}_resampled_scene_idxs.npy' for i in areas])
        config[loader].dataset.pop('ann_file')
        config[loader].dataset.pop('metainfo')
    check_data(config, LOADERS)
    mask = np.array([0] * 300 + [13] * 300)  # stairs, which some rooms have
    mask.tofile(root / 'semantic_mask' / 'Area_2_000.bin')
    check_data(config, LOADERS)
    np.full(600, 15).tofile(root / 'semantic_mask' / 'Area_2_000.bin')
    with pytest.raises(ValueError, match=r"Area_2_000.bin' has values that stand for nothing: 15 \(600 points\)"):
        check_data(config, LOADERS)
    (root / 's3dis_infos_Area_1.pkl').unlink()
    with pytest.raises(FileNotFoundError, match='Area_1'):
        check_data(config, LOADERS)


def test_mmdet3ds_data_sets_have_their_own_classes(root):
    with pytest.raises(ValueError, match='lists floor, wall, machine, and ScanNetSegDataset .*M2AESceneSegDataset'):
        check(root, type='ScanNetSegDataset')


def test_the_head_has_as_many_classes_as_the_data(root):
    config = config_of(root, 20)
    take_from_data(config, LOADERS)
    assert (config.model.decode_head.num_classes, config.model.decode_head.ignore_index) == (3, 3)
    config = config_of(root, 20)
    config.model.decode_head.loss_decode = dict(class_weight=[1.] * 20)
    with pytest.raises(ValueError, match='class_weight has 20 numbers, and the data sets list 3'):
        take_from_data(config, LOADERS)
