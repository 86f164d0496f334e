"""Scenes with classes of one's own."""
import pickle

import numpy as np
import pytest
import torch

from m2ae_mm.datasets import M2AESceneDataset

BENCH = [2., 1, 0.5, 3, 0.3, 1]


@pytest.fixture
def annotation(tmp_path):
    """Writes entries of instances; the data set's folder comes back."""

    def write(*scenes, **more):
        entries = [dict(lidar_points=dict(num_pts_feats=6, lidar_path='a.bin'), instances=scene, **more)
                   for scene in scenes]
        content = dict(metainfo=dict(categories=dict(crate=0, bench=1)), data_list=entries)
        (tmp_path / 'infos.pkl').write_bytes(pickle.dumps(content))
        return tmp_path

    return write


def build(root, classes=('crate', 'park bench'), **options):
    return M2AESceneDataset(data_root=str(root), ann_file='infos.pkl', metainfo=dict(classes=classes), **options)


def test_own_classes_and_entries_without_masks(annotation):
    data = build(annotation([dict(bbox_3d=BENCH, bbox_label_3d=1), dict(bbox_3d=BENCH, bbox_label_3d=-1)], []))
    assert data.metainfo['classes'] == ('crate', 'park bench')
    assert data.num_ins_per_cat == [0, 1]
    found = data.get_data_info(0)
    assert found['ann_info']['gt_labels_3d'].tolist() == [1, -1]
    assert found['axis_align_matrix'].tolist() == np.eye(4).tolist()
    boxes = found['ann_info']['gt_bboxes_3d']
    assert not boxes.with_yaw
    torch.testing.assert_close(boxes.gravity_center, torch.tensor([BENCH[:3]] * 2))
    assert len(data.get_data_info(1)['ann_info']['gt_bboxes_3d']) == 0


def test_what_an_entry_gives_is_kept(annotation):
    moved = np.eye(4)
    moved[:3, 3] = 1, 2, 3
    data = build(annotation([], axis_align_matrix=moved.tolist(), pts_instance_mask_path='a.bin'))
    found = data.get_data_info(0)
    assert found['axis_align_matrix'].tolist() == moved.tolist()
    assert found['pts_instance_mask_path'].endswith('instance_mask/a.bin')


@pytest.mark.parametrize('test_mode, key', [(False, 'ann_info'), (True, 'eval_ann_info')])
def test_boxes_of_seven_numbers_turn_with_the_scene(annotation, test_mode, key):
    root = annotation([dict(bbox_3d=[*BENCH, 0.4], bbox_label_3d=1)])
    boxes = build(root, test_mode=test_mode).get_data_info(0)[key]['gt_bboxes_3d']
    assert boxes.with_yaw and boxes.gravity_center[0].tolist() == BENCH[:3]
    boxes.flip('vertical')
    assert boxes.yaw[0] == pytest.approx(-0.4)


@pytest.mark.parametrize('classes, message', [
    ('crate', 'metainfo.classes must be a list or tuple of names, got the string .crate.'), (None, 'needs the names'),
    ([0, 1], 'got .0, 1.'), (['a', 'b', 'a'], 'lists a more than once')])
def test_names_that_are_none(annotation, classes, message):
    with pytest.raises(ValueError, match=message):
        build(annotation([]), classes)
