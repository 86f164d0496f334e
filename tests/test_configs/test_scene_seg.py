"""Semantic segmentation through the tools: own scans by paths and classes only, and the published layouts."""
import json

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from PIL import Image
from processes import program
from runs import CONFIGS, SEG, seg_config
from seg_scenes import NAMES, labelled_room, write_seg_layout

from m2ae_mm.cli import segment
from m2ae_mm.datasets.io.ply import read_ply
from m2ae_mm.engine import check_data
from mmdet3d.datasets import ScanNetSegDataset
from mmdet3d.registry import MODELS

SIZES = [f'model.backbone.{name}={str(value).replace(" ", "")}' for name, value in SEG.items()]
SIZES += ['model.neck.encoder_dims=[8,12,16]', 'model.neck.out_channels=[16,16,16]',
          'model.decode_head.in_channels=16', 'model.decode_head.channels=16']
RUN = [f'{loader}_dataloader.{option}' for loader in ('train', 'val', 'test')
       for option in ('num_workers=0', 'persistent_workers=False')]
# All that a user writes for scans of another place, in mmdet3d's layout.
OWN = '''
_base_ = {base!r}
dataset = dict(data_root={root!r}, metainfo=dict(classes=['floor', 'wall', 'machine']))
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = val_dataloader
'''


@pytest.fixture(scope='module')
def own(tmp_path_factory):
    """A config that inherits rooms_seg.py, and its scans."""
    folder = tmp_path_factory.mktemp('own')
    rooms = [labelled_room(i) for i in range(10)]
    root = write_seg_layout(folder / 'scans', dict(train=rooms[:8], val=rooms[8:]), chosen=False)
    config = folder / 'own_seg.py'
    config.write_text(OWN.format(base=str(CONFIGS / 'rooms_seg.py'), root=str(root)))
    return config


@pytest.fixture(scope='module')
def trained(own, tmp_path_factory):
    folder = tmp_path_factory.mktemp('work')
    tool('train', own, '--work-dir', folder, '--epochs', 30, '--cfg-options', *SIZES, *RUN,
         'train_dataloader.batch_size=2', 'train_dataloader.dataset.pipeline.5.num_points=600',
         'optim_wrapper.optimizer.lr=2e-3')  # running statistics need 100 steps
    return folder


def tool(name, *arguments):
    done = program(f'tools/{name}.py', *arguments)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def scores(folder):
    newest = max(folder.glob('*/vis_data/scalars.json'), key=lambda path: path.stat().st_mtime)
    return [json.loads(line) for line in newest.read_text().splitlines() if 'miou' in line][-1]


def test_own_scans_need_paths_and_classes_only(trained, own):
    found = scores(trained)
    assert {*NAMES, 'miou', 'acc'} <= found.keys()
    assert found['floor'] > 0.5 and found['miou'] > 0.3  # chance: below 0.2


def test_pictures_pages_and_scans_of_ones_own(trained, own, tmp_path, capsys):
    checkpoint = trained / 'epoch_30.pth'
    tool('test', own, checkpoint, '--work-dir', tmp_path / 'test', '--show-dir', tmp_path / 'png', '--gallery',
         tmp_path / 'html', '--max-pictures', 1, '--cfg-options', *SIZES, *RUN)
    picture, = (tmp_path / 'png').glob('*')
    assert picture.name == 'val_000.png' and Image.open(picture).size[0] == 3 * 640
    page, = (tmp_path / 'html').glob('*')
    assert page.name == 'val_000.html' and all(f'"{name}"' in page.read_text() for name in NAMES)
    # Alone with its checkpoint, in another unit.
    points, mask = labelled_room(20, 3000)
    np.save(tmp_path / 'room.npy', points[:, :3] * 1000 + [5000, 0, 0])
    segment.main(segment.parse_args([str(tmp_path / 'room.npy'), '--model', str(checkpoint), '--out',
                                     str(tmp_path / 'out'), '--ply', '--json', '--npz', '--png', '--html', '--unit',
                                     'mm', '--up', 'z', '--no-align']))
    assert '3000 points (floor: ' in capsys.readouterr().out
    with np.load(tmp_path / 'out' / 'room.npz') as arrays:
        labels = arrays['labels']
        assert (labels == mask).mean() > 0.5 and arrays['classes'].tolist() == list(NAMES)
        np.testing.assert_allclose(arrays['points'][:, 0], points[:, 0] * 1000 + 5000, rtol=1e-5)
    told = json.loads((tmp_path / 'out' / 'room.json').read_text())
    assert sum(told['points'].values()) == 3000
    assert (read_ply(tmp_path / 'out' / 'room.ply')['vertex']['label'] == labels).all()
    with pytest.raises(ValueError, match='--category is for parts of shapes'):
        segment.main(segment.parse_args(['x.ply', '--model', str(checkpoint), '--category', 'Chair']))


@pytest.mark.parametrize('name, prefix, splits, classes, values', [
    ('scannet_seg', 'scannet_infos', ('train', 'val'), 20, (2, 1, 5)),
    ('s3dis_seg', 's3dis_infos', ('Area_1', 'Area_2', 'Area_3', 'Area_4', 'Area_5', 'Area_6'), 13, (1, 2, 8)),
])
def test_published_layouts_train_and_are_scored_in_blocks(tmp_path, name, prefix, splits, classes, values):
    rooms = [labelled_room(i, 400, values, 1.5) for i in range(2)]
    root = write_seg_layout(tmp_path, dict.fromkeys(splits, rooms), prefix)
    config = seg_config(name, root, root / 'work')
    assert config.model.decode_head.num_classes == config.model.decode_head.ignore_index == classes
    check_data(config, ('train_dataloader', 'val_dataloader'))
    runner = Runner.from_cfg(config)
    seen = []
    forward = runner.model.backbone.forward
    runner.model.backbone.forward = lambda points: (seen.append(points), forward(points))[1]
    runner.train()
    assert {points.shape[1:] for points in seen} == {(128, config.model.backbone.in_channels)}
    colours = torch.cat([points[..., 3:6].flatten() for points in seen])
    assert colours.min() >= 0 and 0.5 < colours.max() <= 1
    scalars = runner.message_hub.log_scalars
    assert 0 <= scalars['val/miou'].current() <= 1
    # Predictions are compared with labels, not with NYU40 ids as by mmdet3d's own test pipeline.
    assert runner.val_dataloader.dataset[0]['data_samples'].eval_ann_info['pts_semantic_mask'].max() < classes


@pytest.mark.parametrize('name, columns', [('scannet_seg', 6), ('s3dis_seg', 9), ('rooms_seg', 3)])
def test_models_fit_their_columns(name, columns):
    init_default_scope('mmdet3d')
    config = Config.fromfile(CONFIGS / f'{name}.py')
    model = MODELS.build(config.model)
    assert model.backbone.in_channels == columns == model.neck.point_channels
    assert model.neck.steps[-1].fuse.linear.in_features == columns + config.model.neck.out_channels[-2]


def test_rooms_are_numbered_as_scannet_is():
    config = Config.fromfile(CONFIGS / 'rooms_seg.py')
    assert tuple(config.val_dataloader.dataset.metainfo.classes) == ScanNetSegDataset.METAINFO['classes']
    pretrain = Config.fromfile(CONFIGS / 'rooms_pretrain.py').model.backbone
    for name in ('num_centers', 'num_neighbors', 'embed_dims', 'depths', 'num_heads', 'point_hidden'):
        assert pretrain[name] == config.model.backbone[name]
