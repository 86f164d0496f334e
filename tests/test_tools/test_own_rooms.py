"""The walk of docs/own_rooms.md, tiny: rooms and labels of every format, through a training, to mAP and boxes."""
import json
import pickle
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from ends import tool
from matplotlib.image import imread

from m2ae_mm.cli.rooms import LABELS
from m2ae_mm.datasets.own_boxes import samples
from m2ae_mm.datasets.own_boxes.samples import STYLES
from m2ae_mm.inference import M2AEDetInferencer
from m2ae_mm.visualization import figures

CONFIG = Path(__file__).resolve().parents[2] / 'configs/m2ae/own_det.py'
CLASSES = 'door,chair'
OPTIONS = ['train_dataloader.num_workers=0', 'val_dataloader.num_workers=0', 'test_dataloader.num_workers=0',
           *(f'{name}_dataloader.persistent_workers=False' for name in ('train', 'val', 'test')),
           'train_cfg.val_interval=1', 'default_hooks.logger.interval=1', 'log_level=WARNING']


def empty_picture(*arguments, **_):
    arguments[-1].write_bytes(b'')
    return arguments[-1]


@pytest.fixture(scope='module')
def prepared(tmp_path_factory):
    """Folders with rooms of every format that were prepared, by format. Composing is what takes longest: once."""
    roots, patch = {style: tmp_path_factory.mktemp(style.replace('-', '_')) for style in LABELS}, pytest.MonkeyPatch()
    patch.setattr(samples, 'compose_scene', lru_cache(samples.compose_scene))
    for style, root in roots.items():
        tool('rooms', '--out', root, '--train', 1, '--val', 1, '--points', 6000, '--seed', 1,
             '--labels', style)()
        (root / 'val.txt').write_text('room_val_00000\n')
        with pytest.raises(ValueError, match="its class '.*' is none of door, chair"):
            tool('data', 'boxes', '--scans', root / 'scans', '--labels', root / 'labels', '--out', root / 'mine',
                 '--classes', CLASSES, '--val-list', root / 'val.txt')()
        patch.setattr(figures, 'detection_figure', empty_picture)  # the first format's have been drawn
    yield roots
    patch.undo()


@pytest.fixture(scope='module')
def trained(prepared):
    """A function that trains on the rooms of a format, in batches of a size: the work folder and the figures."""

    @lru_cache
    def train(style, batch):
        root = prepared[style]
        tool('train', CONFIG, '--data', root / 'mine', '--work-dir', root / 'work', '--epochs', 1, '--cfg-options',
             *OPTIONS, f'visualizer.name={root.name}',  # of which a process has one a name
             f'train_dataloader.batch_size={batch}')()
        file = max((root / 'work').glob('*/vis_data/scalars.json'), key=lambda path: path.stat().st_mtime)
        return root / 'work', json.loads(file.read_text().splitlines()[-1])

    return train


def instances(root, split):
    content = pickle.loads((root / f'mine/infos_{split}.pkl').read_bytes())
    assert list(content['metainfo']['categories']) == CLASSES.split(',')
    return [[box['bbox_label_3d'], *box['bbox_3d']] for entry in content['data_list'] for box in entry['instances']]


def test_the_formats_that_are_written_are_those_of_the_option():
    assert tuple(STYLES) == LABELS


@pytest.mark.parametrize('style', LABELS)
def test_every_format_gives_the_rooms_boxes_and_pictures_to_look_at(prepared, style):
    root = prepared[style]
    pictures = list((root / 'mine/check').glob('*.png'))
    assert len(pictures) == 2 and (style != LABELS[0] or all(imread(each).std() > 0.05 for each in pictures))
    scene = samples.compose_scene('val', 0, 1, 6000, 'normal')
    boxes, wanted = np.array(instances(root, 'val')), scene.boxes[np.isin(scene.labels, [2, 5])]
    if style == 'scannet':  # encloses what the camera saw
        assert (boxes[:, 4:] <= wanted[:, 3:] + 0.15).all()
    else:
        np.testing.assert_allclose(boxes[:, 4:], wanted[:, 3:], atol=1e-4)
        for split in ('train', 'val'):  # so one training stands for all of these
            np.testing.assert_allclose(instances(root, split), instances(prepared[LABELS[0]], split), atol=1e-4)


@pytest.mark.parametrize('style, batch', [(LABELS[0], 1), ('scannet', 4)])
def test_every_kind_of_boxes_leads_to_map(trained, style, batch):
    _, found = trained(style, batch)
    # The classes are known to the weights by name and keep their outputs: a step changes little.
    assert found['mAP_0.25'] > 0.4
    assert {'chair_AP_0.25', 'door_AP_0.50'} <= set(found)


def test_checkpoints_bring_what_was_taken_from_the_data(prepared, trained):
    root = prepared[LABELS[0]]
    work, found = trained(LABELS[0], 1)
    checkpoint = work / 'epoch_1.pth'
    tool('test', CONFIG, checkpoint, '--data', root / 'mine', '--work-dir', root / 'test', '--cfg-options',
         *OPTIONS[:6])()
    tested = max(root.glob('test/*/*.json'), key=lambda path: path.stat().st_mtime)
    assert json.loads(tested.read_text())['mAP_0.25'] == pytest.approx(found['mAP_0.25'], abs=1e-3)
    scan = root / 'scans/room_val_00000.ply'
    results = [M2AEDetInferencer(*model, device='cpu', show_progress=False)(scan, score_thr=0.01)['predictions'][0]
               for model in ((str(CONFIG), checkpoint), (checkpoint, ))]
    assert set(results[0]['classes']) <= set(CLASSES.split(',')) and results[0]['classes']
    np.testing.assert_array_equal(results[0]['boxes'], results[1]['boxes'])
    stored = torch.load(checkpoint, weights_only=True)['meta']['dataset_meta']['classes']
    assert tuple(stored) == tuple(CLASSES.split(','))
