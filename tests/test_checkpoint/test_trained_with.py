"""What a checkpoint says beside its weights."""
import copy
from pathlib import Path

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
