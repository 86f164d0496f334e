"""Files of composed rooms: determinism, resuming, messages, and mmdet3d reading them."""
import pickle
from pathlib import Path

import numpy as np
import pytest

from m2ae_mm.datasets.rooms import create_rooms
from m2ae_mm.datasets.rooms.furniture import CLASSES
from m2ae_mm.datasets.rooms.writer import summary

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {'train': 2, 'val': 1, 'points': 3000, 'seed': 7, 'workers': 1}


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob('*'))
            if p.is_file() and p.name != 'README.txt'}


@pytest.fixture(scope='module')
def rooms(tmp_path_factory):
    out = tmp_path_factory.mktemp('rooms') / 'made'
    create_rooms(out, **SETTINGS)
    return out


def test_workers_do_not_change_a_byte(rooms, tmp_path):
    create_rooms(tmp_path / 'again', **{**SETTINGS, 'workers': 2})
    first, second = contents(rooms), contents(tmp_path / 'again')
    assert first == second
    assert {f'{folder}/room_train_00001.bin' for folder in ('points', 'instance_mask', 'semantic_mask')} <= set(first)


def test_interrupted_runs_go_on(rooms, tmp_path, capsys):
    out = tmp_path / 'resumed'
    create_rooms(out, **{**SETTINGS, 'train': 1})
    kept = out / 'points' / 'room_train_00000.bin'
    before = kept.stat().st_mtime_ns
    (out / 'instance_mask' / 'room_val_00000.bin').write_bytes(b'cut off')
    create_rooms(out, **SETTINGS)
    assert '1 of 3 rooms are already in' in capsys.readouterr().out
    assert kept.stat().st_mtime_ns == before
    assert contents(out) == contents(rooms)


def test_settings_are_not_mixed(rooms):
    before = contents(rooms)
    with pytest.raises(ValueError, match='seed 7 there, 8 asked for.*Choose another --out'):
        create_rooms(rooms, **{**SETTINGS, 'seed': 8})
    assert contents(rooms) == before


@pytest.mark.parametrize('option, message', [({'train': -1}, 'train must be at least 0, got -1'),
                                             ({'train': 0, 'val': 0}, 'nothing to compose'),
                                             ({'points': 5}, 'points must be at least 100, got 5'),
                                             ({'profile': 'easy'}, "normal, hard, got 'easy'")])
def test_wrong_options(tmp_path, option, message):
    with pytest.raises(ValueError, match=message):
        create_rooms(tmp_path / 'none', **{**SETTINGS, **option})
    assert not (tmp_path / 'none').exists()


def test_infos_are_plain_and_complete(rooms):
    infos = pickle.loads((rooms / 'scannet_infos_train.pkl').read_bytes())
    assert infos['metainfo']['categories'] == {name: i for i, name in enumerate(CLASSES)}
    assert len(infos['data_list']) == 2
    info = infos['data_list'][1]
    assert info['lidar_points'] == {'num_pts_feats': 6, 'lidar_path': 'room_train_00001.bin'}
    assert info['axis_align_matrix'] == np.eye(4).tolist()
    assert all(type(value) is float for value in info['instances'][0]['bbox_3d'])
    assert type(info['instances'][0]['bbox_label_3d']) is int


def test_readme_carries_command_and_credits(rooms):
    text = (rooms / 'README.txt').read_text(encoding='utf-8')
    assert '--seed 7' in text and '--train 2' in text
    assert 'https://creativecommons.org/licenses/by/3.0/' in text and 'Scopia Visual Interfaces' in text


def test_summary_counts_boxes_per_class():
    result = {'train': [{'labels': [2, 2, 4]}], 'val': [{'labels': [2]}]}
    rows = dict(line.rsplit(maxsplit=2)[::2] for line in summary(result).splitlines() if line.startswith('chair'))
    assert rows == {'chair': '1'}
    assert 'curtain, showercurtrain have a single item' in summary(result)


def test_mmdet3d_loads_rooms_with_masks(rooms):
    from mmengine.registry import init_default_scope

    import m2ae_mm  # noqa: F401
    from mmdet3d.datasets import ScanNetDataset

    init_default_scope('mmdet3d')
    pipeline = [{'type': 'LoadPointsFromFile', 'coord_type': 'DEPTH', 'shift_height': True, 'load_dim': 6,
                 'use_dim': [0, 1, 2]},
                {'type': 'LoadAnnotations3D', 'with_bbox_3d': True, 'with_label_3d': True, 'with_mask_3d': True,
                 'with_seg_3d': True},
                {'type': 'GlobalAlignment', 'rotation_axis': 2}, {'type': 'PointSegClassMapping'},
                {'type': 'Pack3DDetInputs', 'keys': ['points', 'gt_bboxes_3d', 'gt_labels_3d', 'pts_semantic_mask',
                                                     'pts_instance_mask']}]
    dataset = ScanNetDataset(str(rooms), 'scannet_infos_train.pkl', pipeline=pipeline, test_mode=False)
    sample = dataset[0]
    truth = pickle.loads((rooms / 'scannet_infos_train.pkl').read_bytes())['data_list'][0]['instances']
    instances = sample['data_samples'].gt_instances_3d
    np.testing.assert_allclose(instances.bboxes_3d.gravity_center.numpy(), [t['bbox_3d'][:3] for t in truth], atol=1e-5)
    semantic = sample['data_samples'].gt_pts_seg.pts_semantic_mask
    instance = sample['data_samples'].gt_pts_seg.pts_instance_mask
    # Vote targets come from instances whose points have one of the 18 classes: exactly the boxed ones.
    voted = [i for i in instance.unique() if semantic[instance == i][0] < len(CLASSES)]
    assert sorted(int(semantic[instance == i][0]) for i in voted) == sorted(instances.labels_3d.tolist())
