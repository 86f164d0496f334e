"""What a checkpoint says beside its weights."""
import copy
from pathlib import Path

import pytest
from mmengine.config import Config

from m2ae_mm.checkpoint import describe, resolve
from m2ae_mm.checkpoint.trained_with import other_settings, trained_classes
from mmdet3d.datasets import ScanNetDataset

ROOT = Path(__file__).parents[2]
CONFIG = Config.fromfile(ROOT / 'configs/m2ae/rooms_det.py')
VOTENET = Config.fromfile(ROOT / 'projects/votenet_m2ae/configs/votenet_rooms.py')
FILE = Path('epoch_1.pth')


def test_settings_that_differ_from_the_stored_config_are_named():
    for config in (CONFIG, VOTENET):  # the latter has tuples of tuples
        assert other_settings(config.model, dict(meta=dict(cfg=config.pretty_text)), FILE) == []
    content = dict(meta=dict(cfg=CONFIG.pretty_text))
    model = copy.deepcopy(CONFIG.model)
    model.backbone.update(radii=(0.4, 0.8, 2.), drop_path_rate=0.3, init_cfg=None)
    model.bbox_head.num_queries = 16
    assert other_settings(model, content, FILE) == [
        'model.backbone.radii=(0.4, 0.8, 2.0), in training [0.4, 0.8, 1.2]',
        'model.bbox_head.num_queries=16, in training 64']


@pytest.mark.parametrize('config, part, name, default, value', [
    ('m2ae/modelnet40_cls', 'backbone', 'num_heads', 6, 3),
    ('m2ae/modelnet40_cls', 'backbone', 'radii', (0.32, 0.64, 1.28), None),
    ('m2ae/modelnet40_cls', 'backbone', 'num_neighbors', [16, 8, 8], [16, 8, 4]),
    ('m2ae/modelnet40_cls', 'backbone', 'num_centers', [512, 256, 64], [512, 128, 64]),
    ('m2ae/shapenet_pretrain', 'neck', 'num_heads', 6, 2),
    ('3detr/3detr-m_scannet', 'bbox_head', 'num_heads', 4, 8),
    ('vdetr/vdetr-m2ae_rooms', 'bbox_head', 'relative_to', 'proposal', 'previous'),
    ('3detr/3detr-pointnet2_scannet', 'backbone', 'norm_cfg', dict(type='BN2d'), dict(type='BN2d', eps=0.1)),
    ('m2ae/rooms_seg', 'decode_head', 'act_cfg', dict(type='ReLU'), dict(type='GELU')),
])
def test_every_setting_that_keeps_the_shapes_counts_given_or_not(config, part, name, default, value):
    """What one of both leaves out has the default of its class."""
    left_out = Config.fromfile(ROOT / f'configs/{config}.py').model
    left_out[part].pop(name, None)
    given, changed = ({**left_out, part: {**left_out[part], name: each}} for each in (default, value))

    def told(own, trained):
        text = f'model = {Config(dict(model=trained)).to_dict()["model"]!r}'
        return other_settings(own, dict(meta=dict(cfg=text)), FILE)

    assert told(given, left_out) == told(left_out, given) == told(changed, changed) == []
    for own, trained in ((changed, left_out), (left_out, changed), (changed, given)):
        entry, = told(own, trained)
        assert entry.startswith(f'model.{part}.{name}') and ', in training ' in entry


def test_another_class_is_named_by_its_name():
    model = dict(backbone=dict(type='a.PointM2AEEncoder', num_heads=3))
    content = dict(meta=dict(cfg="model = dict(backbone=dict(type='Other', num_heads=4, depth=1), neck=dict(a=1))"))
    assert other_settings(model, content, FILE) == [
        "model.backbone.type='PointM2AEEncoder', in training 'Other'", 'model.backbone.num_heads=3, in training 4']


def test_the_shipped_detector_tells_its_settings_and_classes():
    name = 'rooms_det'
    model = copy.deepcopy(describe(name)['model'])
    model['backbone']['num_centers'] = [96, 48, 16]
    assert other_settings(model, {}, resolve(name)) == [
        'model.backbone.num_centers=[96, 48, 16], in training [384, 192, 48]']
    assert trained_classes({}, resolve(name)) == ScanNetDataset.METAINFO['classes']


def test_classes_of_a_training():
    assert trained_classes(dict(meta=dict(dataset_meta=dict(classes=['bed', 'chair']))), FILE) == ('bed', 'chair')
    for content in ({}, dict(meta=None), dict(meta=dict(dataset_meta=None)), dict(meta=dict(dataset_meta={}))):
        assert trained_classes(content, FILE) == ()
