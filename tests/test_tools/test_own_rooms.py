"""The walk of docs/own_rooms.md, tiny: rooms and labels of every format, through a training, to mAP and boxes."""
import json
import pickle
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from ends import tool

from m2ae_mm.cli.rooms import LABELS
from m2ae_mm.datasets.own_boxes import samples
from m2ae_mm.datasets.own_boxes.samples import STYLES
from m2ae_mm.inference import M2AEDetInferencer

CONFIG = Path(__file__).resolve().parents[2] / 'configs/m2ae/own_det.py'
CLASSES = 'door,chair'
OPTIONS = ['train_dataloader.num_workers=0', 'val_dataloader.num_workers=0', 'test_dataloader.num_workers=0',
           *(f'{name}_dataloader.persistent_workers=False' for name in ('train', 'val', 'test')),
           'train_cfg.val_interval=1', 'default_hooks.logger.interval=1', 'log_level=WARNING']


@pytest.fixture(scope='module')
def composed():
    """Composing is what takes longest: each room once."""
    compose = lru_cache(samples.compose_scene)
    patch = pytest.MonkeyPatch()
    patch.setattr(samples, 'compose_scene', compose)
    yield
    patch.undo()


@pytest.fixture(scope='module', params=LABELS)
def walked(request, composed, tmp_path_factory):
    """Rooms that were prepared and trained on: their folder, the work folder, and the validation's figures."""
    root = tmp_path_factory.mktemp(request.param.replace('-', '_'))
    tool('rooms', '--out', root, '--train', 2, '--val', 2, '--points', 6000, '--labels', request.param)()
    (root / 'val.txt').write_text('room_val_00000\nroom_val_00001\n')
    with pytest.raises(ValueError, match="its class '.*' is none of door, chair"):
        tool('data', 'boxes', '--scans', root / 'scans', '--labels', root / 'labels', '--out', root / 'mine',
             '--classes', CLASSES, '--val-list', root / 'val.txt')()
    tool('train', CONFIG, '--data', root / 'mine', '--work-dir', root / 'work', '--epochs', 1, '--cfg-options',
         *OPTIONS, f'visualizer.name={root.name}',  # of which a process has one a name
         f'train_dataloader.batch_size={1 + LABELS.index(request.param) % 4}')()
    return request.param, root, figures(root / 'work')


def figures(folder):
    file = max(Path(folder).glob('*/vis_data/scalars.json'), key=lambda path: path.stat().st_mtime)
    return json.loads(file.read_text().splitlines()[-1])


def test_the_formats_that_are_written_are_those_of_the_option():
    assert tuple(STYLES) == LABELS


def test_every_format_leads_to_map(walked):
    style, root, found = walked
    # The classes are known to the weights by name and keep their outputs: a step changes little.
    assert found['mAP_0.25'] > 0.4
    assert {'chair_AP_0.25', 'door_AP_0.50'} <= set(found)
    assert len(list((root / 'mine/check').glob('*.png'))) == 4
    content = pickle.loads((root / 'mine/infos_val.pkl').read_bytes())
    scene = samples.compose_scene('val', 0, 0, 6000, 'normal')
    boxes = np.array([box['bbox_3d'] for box in content['data_list'][0]['instances']])
    wanted = scene.boxes[np.isin(scene.labels, [2, 5])]
    if style == 'scannet':  # encloses what the camera saw
        assert (boxes[:, 3:] <= wanted[:, 3:] + 0.15).all()
    else:
        np.testing.assert_allclose(boxes[:, 3:], wanted[:, 3:], atol=1e-4)


@pytest.mark.parametrize('walked', LABELS[:1], indirect=True)
def test_checkpoints_bring_what_was_taken_from_the_data(walked):
    _, root, found = walked
    checkpoint = root / 'work/epoch_1.pth'
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
