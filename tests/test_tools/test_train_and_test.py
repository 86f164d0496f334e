"""The main job through the command line, tiny: pre-train, detect, resume, evaluate."""
import json
import re
from pathlib import Path

import ends
import pytest
from PIL import Image
from processes import program
from scenes import box_scene, write_layout
from shapes import write_packs

TINY_ENCODER = [
    'model.backbone.num_centers=[64,32,16]', 'model.backbone.num_neighbors=[8,4,4]', 'model.backbone.depths=[1,1,1]',
    'model.backbone.point_hidden=[8,8,16]'
]
RUN = ['default_hooks.checkpoint.interval=1', 'default_hooks.logger.interval=1']


def tool(name, *args):
    return program(f'tools/{name}.py', *args)


def loaders(root, *names):
    return [f'{name}.dataset.data_root={root}/' for name in names] + [f'{name}.num_workers=0' for name in names] + [
        f'{name}.persistent_workers=False' for name in names]


def train(config, work_dir, root, *options, flags=()):
    return tool('train', config, '--work-dir', work_dir, *flags, '--cfg-options', *TINY_ENCODER, *RUN,
                *loaders(root, 'train_dataloader', 'val_dataloader'), *options)


def score(folder):
    newest = max(Path(folder).glob('*/*.json'), key=lambda path: path.stat().st_mtime)
    return json.loads(newest.read_text())


@pytest.fixture(scope='module')
def boxes(tmp_path_factory):
    root = tmp_path_factory.mktemp('boxes')
    return write_layout(root, [box_scene(i) for i in range(8)], [box_scene(100 + i) for i in range(2)])


@pytest.fixture(scope='module')
def pretrained(boxes, tmp_path_factory):
    """A checkpoint, of a run with --resume in a folder in which there is nothing yet."""
    folder = tmp_path_factory.mktemp('pretrain')
    done = train('configs/m2ae/rooms_pretrain.py', folder, boxes, 'train_cfg.max_epochs=1', 'train_cfg.val_interval=1',
                 flags=['--resume'])
    assert done.returncode == 0, done.stderr[-2000:]
    assert 'reconstruction/chamfer' in done.stdout + done.stderr
    return folder / 'epoch_1.pth'


def losses(folder):
    rows = map(json.loads, next(Path(folder).glob('*/vis_data/scalars.json')).read_text().splitlines())
    return [row['loss'] for row in rows if 'loss' in row]


def test_mixed_precision_takes_the_same_steps_but_for_rounding(boxes, pretrained, tmp_path):
    done = train('configs/m2ae/rooms_pretrain.py', tmp_path, boxes, 'train_cfg.max_epochs=1', flags=['--amp'])
    assert done.returncode == 0, done.stderr[-2000:]
    found, expected = losses(tmp_path), losses(pretrained.parent)
    assert found == pytest.approx(expected, rel=0.02) and found != expected


def test_resuming_an_empty_folder_says_that_it_starts_anew(pretrained):
    assert 'nothing to resume' in next(pretrained.parent.glob('*/*.log')).read_text()


def test_segmentation_is_resumed_and_tested(tmp_path):
    """Its data set has what the config says of categories and parts, which goes into the checkpoint."""
    data = write_packs(tmp_path / 'packs')
    options = [*TINY_ENCODER, 'model.backbone.embed_dims=[12,24,48]', 'model.backbone.num_heads=3',
               'model.head.in_channels=[12,24,48]', 'model.head.propagated=[16,16]', 'model.head.hidden=[16,16,16]',
               'model.head.num_parts=4', 'model.head.num_categories=2']
    config = 'configs/m2ae/labeled_parts_seg.py'
    for epochs, flags in ((1, []), (2, ['--resume'])):
        done = tool('train', config, '--work-dir', tmp_path, *flags, '--cfg-options', *options, *RUN,
                    *loaders(data, 'train_dataloader', 'val_dataloader'), f'train_cfg.max_epochs={epochs}',
                    'train_cfg.val_interval=1', 'train_dataloader.batch_size=4', 'train_dataloader.drop_last=False')
        assert done.returncode == 0, done.stderr[-2000:]
    log = done.stdout + done.stderr
    assert re.search(r'Epoch\(train\)\s+\[2\]', log) and not re.search(r'Epoch\(train\)\s+\[1\]', log)
    tested = tool('test', config, tmp_path / 'epoch_2.pth', '--work-dir', tmp_path / 'test', '--cfg-options',
                  *options, *loaders(data, 'test_dataloader'))
    assert tested.returncode == 0, tested.stderr[-2000:]
    validated = float(re.findall(r'part/instance_miou: ([\d.]+)', log)[-1])
    assert score(tmp_path / 'test')['part/instance_miou'] == pytest.approx(validated, abs=1e-3)


def test_detector_trains_from_pretrained_weights_resumes_and_is_scored(boxes, pretrained, tmp_path):
    init = f'model.backbone.init_cfg.checkpoint={pretrained}'
    first = train('configs/m2ae/rooms_det.py', tmp_path, boxes, init, 'train_cfg.max_epochs=1',
                  'train_cfg.val_interval=5')
    log = first.stdout + first.stderr
    assert first.returncode == 0, log[-2000:]
    assert re.search(r'PointM2AEEncoder: loaded \d+ tensors', log)
    second = train('configs/m2ae/rooms_det.py', tmp_path, boxes, init, 'train_cfg.max_epochs=2',
                   'train_cfg.val_interval=5', flags=['--resume'])
    log = second.stdout + second.stderr
    assert second.returncode == 0, log[-2000:]
    assert re.search(r'Epoch\(train\)\s+\[2\]', log) and not re.search(r'Epoch\(train\)\s+\[1\]', log)
    tested = tool('test', 'configs/m2ae/rooms_det.py', tmp_path / 'epoch_2.pth', '--work-dir', tmp_path / 'test',
                  '--show-dir', tmp_path / 'pictures', '--gallery', tmp_path / 'gallery', '--score-thr', 'auto',
                  '--cfg-options', *TINY_ENCODER, *loaders(boxes, 'test_dataloader', 'train_dataloader'))
    assert tested.returncode == 0, tested.stderr[-2000:]
    figures = score(tmp_path / 'test')
    assert 0 <= figures['mAP_0.25'] <= 1
    told = json.loads((tmp_path / 'gallery' / 'counts.json').read_text())
    assert told['chosen_on_training_scenes']['scenes'] == 8 and told['score_thr'] == figures['picture_score_thr']
    counts = told['scenes']
    assert list(counts) == ['val_0000', 'val_0001'] and all(each['right'] + each['missed'] == 4
                                                           for each in counts.values())
    page = (tmp_path / 'gallery' / 'index.html').read_text()
    assert page.count('data:image/webp;base64,') == 2 and '8 training rooms' in page
    pictures = sorted((tmp_path / 'pictures').glob('*.png'))
    assert [p.stem for p in pictures] == ['val_0000', 'val_0001']
    assert len(Image.open(pictures[0]).convert('L').getcolors()) > 20  # something is drawn


def test_missing_data_is_explained_once(tmp_path):
    done = tool('train', 'configs/m2ae/scannet_det.py', '--work-dir', tmp_path)
    assert done.returncode == 1
    assert 'Traceback' not in done.stderr
    for hint in ('scannet_infos_train.pkl', 'mmdet3d', 'm2ae rooms --out', 'make demo', '--data data/rooms'):
        assert hint in done.stderr


def test_other_data_for_validation_only_are_no_test_data(tmp_path):
    with pytest.raises(ValueError, match='Set test_dataloader.dataset.data_root, too'):
        ends.tool('test', 'm2ae_mm::vdetr/vdetr-m2ae_rooms.py', 'rooms_det', '--cfg-options',
                  f'val_dataloader.dataset.data_root={tmp_path}/')()
