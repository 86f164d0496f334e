"""Annotation files that mmdet3d's data sets would stumble over end in one message."""
import json
import math
import pickle

import pytest
from mmengine.config import Config, ConfigDict

from m2ae_mm.engine.annotation_check import check_annotations
from m2ae_mm.engine.data_check import check_data
from mmdet3d.datasets import ScanNetDataset
from mmdet3d.registry import DATASETS

PLACE = 'train_dataloader.dataset'
BOX = [1., 1, 1, 3, 0.3, 1]
SCANNET = ScanNetDataset.METAINFO['classes']
HULLS = [dict(type='LoadAnnotations3D'), dict(type='M2AEAxisAlignedBoxes')]


@DATASETS.register_module(force=True)
class LenientScenes(ScanNetDataset):
    """Reads in a way of its own."""

    def parse_data_info(self, info):
        return super().parse_data_info(dict(info, pts_instance_mask_path='', pts_semantic_mask_path=''))


def box(label=0, yaw=None, **more):
    return dict(bbox_3d=BOX + ([] if yaw is None else [yaw]), bbox_label_3d=label, **more)


def entry(*boxes, **more):
    return dict(dict(lidar_points=dict(num_pts_feats=6, lidar_path='a.bin'), pts_instance_mask_path='a.bin',
                     pts_semantic_mask_path='a.bin', instances=list(boxes)), **more)


def without(key, *boxes):
    found = entry(*boxes)
    del found[key]
    return found


@pytest.fixture
def check(tmp_path):
    """Writes the entries and checks a data set on them."""

    def run(*entries, kind='ScanNetDataset', place=PLACE, model=None, categories=None, suffix='pkl', **options):
        content = dict(metainfo=dict(categories=categories or {}), data_list=list(entries))
        file = tmp_path / f'infos.{suffix}'
        file.write_bytes(pickle.dumps(content) if suffix == 'pkl' else json.dumps(content).encode())
        dataset = ConfigDict(type=kind, data_root=str(tmp_path), ann_file=file.name, **options)
        check_annotations([(place, dataset)], model)

    return run


def own(*names):
    return dict(kind='M2AESceneDataset', metainfo=dict(classes=list(names)))


def test_what_mmdet3d_reads_passes(check):
    check(entry(box(17), box(-1)), entry(), entry(box(0, 0.)))
    check(entry(box(9, 0.3)), kind='SUNRGBDDataset')
    check(entry(box(1)), without('pts_instance_mask_path', box()), **own('crate', 'bench'))
    check(without('instances'), test_mode=True, load_eval_anns=False)
    check(entry(box(3)), metainfo=dict(classes=['chair']))
    check(without('pts_instance_mask_path', box()), kind='LenientScenes')


@pytest.mark.parametrize('suffix', ['pkl', 'json'])
@pytest.mark.parametrize('options, known', [
    (dict(), '0 to 17 .cabinet, bed'), (own('crate', 'bench'), '0 to 1 .crate, bench'),
    (dict(metainfo=dict(classes=['bed', 'chair'])), '0 to 17 .cabinet')])
@pytest.mark.parametrize('label', [18, 40, -2])
def test_labels_beyond_the_list(check, options, known, label, suffix):
    with pytest.raises(ValueError, match=f"1 of 2 entries of .*infos.{suffix}.*{PLACE}.*'a.bin' has a box with "
                       f'bbox_label_3d={label}. .* knows -1 .none. and {known}.*type=M2AESceneDataset'):
        check(entry(box(0)), entry(box(1), box(label)), suffix=suffix, **options)


@pytest.mark.parametrize('broken, message', [
    (without('instances'), "no 'instances'.*instances=..; .*load_eval_anns=False"),
    (without('pts_instance_mask_path'), "no 'pts_instance_mask_path'.*type=M2AESceneDataset does without"),
    (without('pts_semantic_mask_path'), "no 'pts_semantic_mask_path'"),
    (without('lidar_points'), "entry 0 has no 'lidar_points'"),
    (entry(lidar_points=dict(lidar_path='b.bin')), "'b.bin' has no 'num_pts_feats' in lidar_points"),
    (entry(box(), dict(bbox_3d=BOX)), "a box without 'bbox_label_3d'"),
    (entry(box(depth=1), box()), "a box without 'depth'"),
    (entry(dict(bbox_3d=BOX[:3], bbox_label_3d=0)), 'a box of 3 numbers'),
    (entry(box(), box(0, 0.1)), 'a box of 7 numbers')])
@pytest.mark.parametrize('test_mode', [False, True])
def test_entries_that_lack_something(check, broken, message, test_mode):
    with pytest.raises(ValueError, match=message):
        check(broken, test_mode=test_mode)


def test_sun_rgbd_takes_seven_numbers(check):
    with pytest.raises(ValueError, match='a box of 6 numbers.*SUNRGBDDataset takes centre and size, and yaw'):
        check(entry(box()), kind='SUNRGBDDataset')


@pytest.mark.parametrize('kind', ['ScanNetDataset', 'SUNRGBDDataset', 'S3DISDataset'])
def test_classes_that_the_data_set_does_not_know(check, kind):
    with pytest.raises(ValueError, match=f"{PLACE}.metainfo.classes names 'crate', 'park bench', and {kind} knows "
                       f'.*chair.* only. .* set {PLACE}.type=M2AESceneDataset'):
        check(entry(), kind=kind, metainfo=dict(classes=['crate', 'chair', 'park bench']))
    with pytest.raises(ValueError, match='list or tuple of names, got the string .chair.'):
        check(entry(), kind=kind, metainfo=dict(classes='chair'))


def test_classes_of_data_sets_outdoors(check):
    with pytest.raises(ValueError, match="names 'crate', and KittiDataset knows .*Derive a data set of your own"):
        check(kind='KittiDataset', metainfo=dict(classes=['crate']))


def test_names_of_the_file_and_of_the_data_set(check):
    check(entry(box(13)), categories={**{name: i for i, name in enumerate(SCANNET)}, 'shower curtain': 13})
    check(entry(box(0)), categories=dict(crate=0), **own('box'))  # another name for the same
    message = r"the label 0 is 'crate' in .* and 'cabinet' to ScanNetDataset .*classes=.\[crate\]"
    with pytest.raises(ValueError, match=message):
        check(entry(box(0)), categories=dict(crate=0))
    with pytest.raises(ValueError, match="the label 0 is 'crate' in .* and 'bench' to M2AESceneDataset"):
        check(entry(box(0)), categories=dict(crate=0, bench=1), **own('bench', 'crate'))


def test_older_annotation_files(tmp_path):
    (tmp_path / 'infos.pkl').write_bytes(pickle.dumps([dict(annos={})]))
    dataset = ConfigDict(type='ScanNetDataset', data_root=str(tmp_path), ann_file='infos.pkl')
    with pytest.raises(ValueError, match='infos.pkl. is no annotation file of mmdet3d 1.1.*update_infos_to_v2.py'):
        check_annotations([(PLACE, dataset)])


ONE_BIN = dict(bbox_head=dict(type='ThreeDETRHead', num_classes=18))
BINS = dict(bbox_head=dict(type='ThreeDETRHead', num_classes=18, num_angle_bins=12))
VOTENET = dict(bbox_head=dict(type='VoteHead', bbox_coder=dict(type='PartialBinBasedBBoxCoder', with_rot=False)))
VDETR = dict(bbox_head=dict(type='VDETRHead', num_classes=18))


@pytest.mark.parametrize('model, options, message', [
    (ONE_BIN, dict(), f'model.bbox_head.num_angle_bins=12 {PLACE}.type=M2AESceneDataset; .*M2AEAxisAlignedBoxes'),
    (VDETR, dict(), 'model.bbox_head.num_angle_bins=12'),
    (ONE_BIN, dict(kind='SUNRGBDDataset'), 'model.bbox_head.num_angle_bins=12; .*M2AEAxisAlignedBoxes'),
    (ONE_BIN, own('bench'), 'model.bbox_head.num_angle_bins=12; '),
    (VOTENET, dict(), 'bbox_coder.with_rot=True model.bbox_head.bbox_coder.num_dir_bins=12'),
    (BINS, dict(), 'ScanNetDataset does not turn .* Set train_dataloader.dataset.type=M2AESceneDataset'),
])
def test_a_yaw_that_would_be_lost(check, model, options, message):
    with pytest.raises(ValueError, match=f"a box of 'a.bin' in .* has a yaw of 0.40 rad.*{message}"):
        check(entry(box(0, 0.), box(0, 0.4)), model=model, **options)
    # Half turns make no difference, nor do boxes without a class, nor the ground truth of a test.
    check(entry(box(0, math.pi), box(-1, 0.4)), model=model, **options)
    check(entry(box(0, 0.4)), model=model, place='val_dataloader.dataset', **options)
    check(entry(box(0, 0.4)), model=model, **options, pipeline=HULLS)


@pytest.mark.parametrize('options', [own('bench'), dict(kind='SUNRGBDDataset')])
def test_a_yaw_that_is_used(check, options):
    check(entry(box(0, 0.4)), model=BINS, **options)
    check(entry(box(0, 0.4)), model=dict(bbox_head=dict(type='NobodyKnowsThisHead')), **options)


def test_the_check_of_the_data_asks_for_it(tmp_path):
    (tmp_path / 'infos.pkl').write_bytes(pickle.dumps(dict(metainfo={}, data_list=[entry(box(0, 0.4))])))
    dataset = dict(type='ScanNetDataset', data_root=str(tmp_path), ann_file='infos.pkl')
    with pytest.raises(ValueError, match='has a yaw of 0.40 rad'):
        check_data(Config(dict(model=ONE_BIN, train_dataloader=dict(dataset=dataset))), ['train_dataloader'])
