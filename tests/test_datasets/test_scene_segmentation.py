import math

import numpy as np
import pytest
from mmengine.registry import init_default_scope
from seg_scenes import NAMES, labelled_room, write_seg_layout

from m2ae_mm.datasets.rooms.furniture import CLASS_NYU40
from m2ae_mm.datasets.scannet_layout import NYU40, write_seg_info
from m2ae_mm.datasets.scene_segmentation import label_mapping, seg_palette
from m2ae_mm.datasets.transforms.map_labels import mapped
from mmdet3d.datasets import ScanNetSegDataset
from mmdet3d.registry import DATASETS

LOAD = [dict(type='LoadPointsFromFile', coord_type='DEPTH', load_dim=6, use_dim=[0, 1, 2]),
        dict(type='LoadAnnotations3D', with_bbox_3d=False, with_label_3d=False, with_mask_3d=False, with_seg_3d=True),
        dict(type='M2AEMapLabels')]
SCANNET = ScanNetSegDataset.METAINFO


def build(root, classes=NAMES, **options):
    init_default_scope('mmdet3d')
    return DATASETS.build(dict(
        type='M2AESceneSegDataset', data_root=str(root), ann_file='scannet_infos_train.pkl', pipeline=LOAD,
        data_prefix=dict(pts='points', pts_instance_mask='instance_mask', pts_semantic_mask='semantic_mask'),
        **{'metainfo': dict(classes=list(classes)), **options}))


def test_values_are_positions_in_the_list_unless_the_file_says_otherwise():
    plain = label_mapping(('a', 'b'), None, 2)
    assert plain[:2].tolist() == [0, 1] and plain[255] == 2 and set(plain[2:255]) == {-1}
    said = label_mapping(('b', 'a'), dict(a=7, b=3, other=9), 2)
    assert {value: said[value] for value in (0, 3, 7, 9, 255, 8)} == {0: 2, 3: 0, 7: 1, 9: 2, 255: 2, 8: -1}


def test_the_twenty_classes_have_scannets_numbers():
    values = [NYU40[name] for name in SCANNET['classes']]
    assert values == list(SCANNET['seg_valid_class_ids']) and len(NYU40) == 40
    assert values[2:] == list(CLASS_NYU40)


@pytest.mark.parametrize('classes, values, text', [
    (('a', 'c'), dict(a=1, b=2), r"lists 'c', and the masks of 'x.pkl' have a, b"),
    (('a', ), dict(a=255), 'values from 0 to 254'),
    (('a', ), dict(a='1'), 'values from 0 to 254'),
    (('a', 'b', 'c'), dict(a=1, b=2, c=1), r"'a', 'c' have one value in the masks of 'x.pkl'"),
    (('a', ), [1], 'a dictionary from names to values'),
])
def test_what_a_file_cannot_mean_is_named(classes, values, text):
    with pytest.raises(ValueError, match=text):
        label_mapping(classes, values, len(classes), 'x.pkl')


def test_labels_of_a_mask_by_hand():
    mapping = label_mapping(('a', 'b'), dict(a=4, b=2, c=9), 2)
    assert mapped(np.array([4, 2, 9, 0, -1, 255]), mapping, 6, 'x').tolist() == [0, 1, 2, 2, 2, 2]
    # Data sets of mmdet3d have a shorter mapping, whose last entry is "not annotated", too.
    assert mapped(np.array([1, 0, 255, -1]), np.array([2, 0, 1, 2]), 4, 'x').tolist() == [0, 2, 2, 2]


@pytest.mark.parametrize('mask, points, text', [
    ([4, 77, 77, 5], 4, r"'x' has values that stand for nothing: 5 \(1 points\), 77 \(2 points\)"),
    ([4, 10**12], 2, r'1000000000000 \(1 points\)'),
    ([-2, 4], 2, r'-2 \(1 points\)'),
    ([4, 4, 4], 2, "'x' has 2 points and a semantic mask of 3 values"),
])
def test_values_and_lengths_that_cannot_be_are_named(mask, points, text):
    with pytest.raises(ValueError, match=text):
        mapped(np.array(mask), label_mapping(('a', ), dict(a=4), 1), points, "'x'")


def test_scenes_of_ones_own_classes(tmp_path):
    rooms = [labelled_room(i, values=(5, 8, 2)) for i in range(2)]
    root = write_seg_layout(tmp_path, dict(train=rooms), values=dict(wall=8, machine=2, floor=5, nothing=3))
    data = build(root, ('machine', 'floor'))
    sample = data[1]
    expected = np.select([rooms[1][1] == 2, rooms[1][1] == 5], [0, 1], 2)
    assert (sample['pts_semantic_mask'] == expected).all() and len(data) == 2
    assert data.metainfo['label2cat'] == {0: 'machine', 1: 'floor'} and data.metainfo['ignore_index'] == 2
    tested = build(root, ('machine', 'floor'), test_mode=True)[1]
    assert (tested['eval_ann_info']['pts_semantic_mask'] == expected).all()
    assert len(build(root, ('machine', ), indices=1)) == 1
    # A label for points left out and colours may come from elsewhere; the head has one more than the last class.
    inherited = build(root, ('machine', 'floor'), ignore_index=20,
                      metainfo=dict(classes=['machine', 'floor'], palette=[[1, 2, 3], [4, 5, 6]]))
    assert (inherited[1]['pts_semantic_mask'] == expected).all() and inherited.metainfo['palette'][1] == [4, 5, 6]
    with pytest.raises(ValueError, match='needs the names of its classes'):
        build(root, ())


def test_a_scene_may_come_more_than_once(tmp_path):
    root = write_seg_layout(tmp_path, dict(train=[labelled_room(i) for i in range(2)]))
    np.save(root / 'seg_info' / 'mine.npy', np.array([1, 0, 1]))
    data = build(root, scene_idxs='seg_info/mine.npy')
    assert [data.get_data_info(i)['lidar_path'][-13:] for i in range(3)] == [f'train_00{i}.bin' for i in (1, 0, 1)]


def test_colours_are_scannets_for_its_names_only():
    assert seg_palette(('floor', 'wall')) == [SCANNET['palette'][1], SCANNET['palette'][0]]
    assert len({tuple(colour) for colour in seg_palette(NAMES)}) == 3


def test_seg_info_by_hand(tmp_path):
    masks = []
    for i, values in enumerate(([1] * 30, [1] * 4 + [3] * 2 + [40] * 4)):
        masks.append(tmp_path / f'{i}.bin')
        np.array(values, np.int64).tofile(masks[-1])
    write_seg_info(tmp_path, 'train', masks, (1, 2, 3), num_points=10)
    folder = tmp_path / 'seg_info'
    assert np.load(folder / 'train_resampled_scene_idxs.npy').tolist() == [0, 0, 0, 1]
    weights = np.load(folder / 'train_label_weight.npy')
    assert weights == pytest.approx([1 / math.log(1.2 + share) for share in (34 / 36, 0, 2 / 36)])
