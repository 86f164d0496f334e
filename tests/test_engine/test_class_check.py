from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.config import Config

from m2ae_mm.engine import check_data
from m2ae_mm.errors import UserError
from mmdet3d.datasets import ScanNetDataset


@pytest.fixture
def roots(tmp_path):
    """Folders with the classes bed, chair, table and only the latter two."""
    for root, classes in (('all', ('bed', 'chair', 'table')), ('two', ('chair', 'table'))):
        for name in classes:
            (tmp_path / root / name).mkdir(parents=True)
            np.save(tmp_path / root / name / '0.npy', np.zeros((40, 3), np.float32))
    return SimpleNamespace(all=tmp_path / 'all', two=tmp_path / 'two', absent=tmp_path / 'absent')


def check(trained, used, loaders=('train_dataloader', 'val_dataloader'), num_classes=3, **options):
    """Check a config with the data roots ``trained`` and ``used``; ``options`` for the latter's data sets."""
    train, other = dict(type='M2AEFolder', data_root=str(trained)), dict(type='M2AEFolder', data_root=str(used))
    config = dict(model=dict(head=dict(num_classes=num_classes)), train_dataloader=dict(dataset=train))
    for loader in ('val_dataloader', 'test_dataloader'):
        config[loader] = dict(dataset=dict(other, **options))
    check_data(Config(config), loaders)


@pytest.mark.parametrize('loaders', [('train_dataloader', 'val_dataloader'), ('test_dataloader', )])
def test_folders_with_other_classes_are_refused(roots, loaders):
    with pytest.raises(ValueError) as error:
        check(roots.all, roots.two, loaders)
    text = str(error.value)
    assert 'train_dataloader.dataset: bed, chair, table;' in text and f'{loaders[-1]}.dataset: chair, table.' in text
    assert f'{loaders[-1]}.dataset.classes="[bed,chair,table]"' in text


def test_the_same_classes_pass(roots):
    check(roots.two, roots.two, num_classes=2)
    check(roots.all, roots.two, classes=['bed', 'chair', 'table'])
    check(roots.all, roots.two, num_classes=None)  # pre-training has no labels


def test_the_same_classes_in_another_order_are_refused(roots):
    with pytest.raises(ValueError, match='train_dataloader.dataset: bed, chair, table; .*: table, chair, bed'):
        check(roots.all, roots.all, classes=['table', 'chair', 'bed'])


def test_without_training_data_the_head_tells_the_number(roots):
    check(roots.absent, roots.all, ['test_dataloader'])
    check(roots.absent, roots.two, ['test_dataloader'], classes=['bed', 'chair', 'table'])
    with pytest.raises(ValueError, match=r'has 2 classes \(chair, table\), the head 3'):
        check(roots.absent, roots.two, ['test_dataloader'])


@pytest.mark.parametrize('loaders, num_classes', [
    (('train_dataloader', 'val_dataloader'), 2),
    (('train_dataloader', 'val_dataloader'), 40),
    (('test_dataloader', ), 2),
])
def test_the_head_has_the_classes_of_the_training_folder(roots, loaders, num_classes):
    with pytest.raises(ValueError) as error:
        check(roots.all, roots.all, loaders, num_classes=num_classes)
    assert f'{loaders[0]}.dataset has 3 classes (bed, chair, table), the head {num_classes}.' in str(error.value)
    assert str(error.value).endswith('--cfg-options model.head.num_classes=3')


def test_one_class_is_too_few(roots):
    (roots.two / 'table' / '0.npy').unlink()
    with pytest.raises(ValueError, match=r'has 1 classes \(chair\), the head 40. A classifier needs two'):
        check(roots.two, roots.two, num_classes=40)


def test_the_head_may_know_more_classes_from_other_training_data(roots):
    listed = dict(classes=['bed', 'chair', 'table'])
    check(roots.absent, roots.all, ['test_dataloader'], num_classes=40, **listed)
    with pytest.raises(ValueError, match='has 3 classes .*, the head 2'):
        check(roots.absent, roots.all, ['test_dataloader'], num_classes=2, **listed)
    folder = dict(type='M2AEFolder', data_root=str(roots.all))
    both = dict(type='ConcatDataset', datasets=[folder, dict(type='M2AEModelNet40', data_root='m')])
    config = dict(model=dict(head=dict(num_classes=40)), train_dataloader=dict(dataset=both))
    check_data(Config(config), ['train_dataloader'])


SCANNET = ScanNetDataset.METAINFO['classes']


def check_scenes(trained, used, num_classes, loaders=('train_dataloader', 'val_dataloader')):
    """Check a detector's config with these classes, None for those that the data set has by itself."""
    train, val = (dict(dataset=dict(type='ScanNetDataset', metainfo=names and dict(classes=names)))
                  for names in (trained, used))
    check_data(Config(dict(model=dict(bbox_head=dict(num_classes=num_classes)), train_dataloader=train,
                           val_dataloader=val, test_dataloader=val)), loaders)


@pytest.mark.parametrize('loaders', [('train_dataloader', 'val_dataloader'), ('test_dataloader', )])
def test_scenes_name_the_same_classes_in_the_same_order(loaders):
    check_scenes(None, SCANNET, 18, loaders)
    check_scenes(['bed', 'chair'], ['bed', 'chair'], 2, loaders)
    with pytest.raises(ValueError, match=f'train_dataloader.dataset: bed, chair; {loaders[-1]}.dataset: chair, bed.'):
        check_scenes(['bed', 'chair'], ['chair', 'bed'], 2, loaders)
    with pytest.raises(ValueError, match='these lists differ'):
        check_scenes(None, ['bed', 'chair'], 18, loaders)


def test_a_detector_has_the_classes_of_its_scenes():
    with pytest.raises(ValueError, match=r'has 2 classes \(bed, chair\), the head 18. .*model.bbox_head.num_classes=2'):
        check_scenes(['bed', 'chair'], ['bed', 'chair'], 18)


@pytest.mark.parametrize('way, wrong', [(dict(way=10), '10'), (dict(), '5')])
def test_a_head_has_the_classes_of_few_shot_episodes(way, wrong):
    loader = dict(dataset=dict(type='M2AEFewShot', data_root='m', **way))
    config = Config(dict(model=dict(head=dict(num_classes=int(wrong))), train_dataloader=loader, val_dataloader=loader))
    check_data(config, ['train_dataloader', 'val_dataloader'])
    config.model.head.num_classes = 7
    with pytest.raises(UserError, match=f'episodes of {wrong} classes, the head 7. .*model.head.num_classes={wrong}'):
        check_data(config, ['val_dataloader'])
