"""From raw scans through the command line to a VoteNet that trains and is scored on them."""
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from processes import program
from raw_scannet import LABELS, write_labels, write_scan
from scenes import box_scene

ROOT = Path(__file__).resolve().parents[2]
NAMES = ('scene0000_00', 'scene0000_01', 'scene0001_00')


def tool(*args):
    return program('tools/create_data.py', *args)


def write_release(root):
    """Chairs and tables on a floor, every object one segment."""
    write_labels(root / LABELS, [('floor', 2), ('chair', 5), ('table', 7)])
    for seed, name in enumerate(NAMES):
        made = box_scene(seed, num_points=600)
        distance = abs(made['points'][:, None, :3] - made['boxes'][:, :3]) - made['boxes'][:, 3:] / 2
        inside = (distance < 1e-4).all(2) & (made['points'][:, 2:3] > 0.02)
        segments = np.where(inside.any(1), inside.argmax(1) + 1, 0)
        objects = [('floor', [0])] + [(('chair', 'table')[i % 2], [i + 1]) for i in range(len(made['boxes']))]
        write_scan(root / 'scans', name, made['points'], segments, objects, made['alignment'])
    (root / 'scannetv2_train.txt').write_text('\n'.join(NAMES[:2]))
    (root / 'scannetv2_val.txt').write_text(NAMES[2])
    return root


@pytest.fixture(scope='module')
def prepared(tmp_path_factory):
    root = write_release(tmp_path_factory.mktemp('release'))
    done = tool('scannet', '--root', root, '--out', root / 'out', '--workers', 2)
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"3 scans are in '{root / 'out'}'" in done.stdout
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line}
    assert (rows['scans'], rows['chair'], rows['table']) == (['2', '1'], ['4', '2'], ['4', '2'])
    return root / 'out'


def test_a_project_trains_and_is_scored_on_prepared_scans(prepared, tmp_path):
    config = Config.fromfile(ROOT / 'projects/votenet_m2ae/configs/votenet_m2ae_scannet.py')
    config.model.backbone.update(num_centers=[128, 64, 32], num_neighbors=[8, 4, 4], depths=[1, 1, 1])
    config.model.bbox_head.vote_aggregation_cfg.num_point = 16
    config.train_dataloader.dataset.times = 1
    config.train_dataloader.dataset.dataset.data_root = str(prepared)
    config.val_dataloader.dataset.data_root = config.test_dataloader.dataset.data_root = str(prepared)
    config.train_dataloader.batch_size = 2
    sampling = [step for step in config.train_dataloader.dataset.dataset.pipeline if step.type == 'PointSample']
    for loader in (config.val_dataloader, config.test_dataloader):
        sampling += [step for step in loader.dataset.pipeline[2].transforms if step.type == 'PointSample']
    assert len(sampling) == 3
    for step in sampling:
        step.num_points = 600
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        loader.num_workers = 0
    config.train_cfg.update(max_epochs=1, val_interval=1)
    config.merge_from_dict(dict(work_dir=str(tmp_path), log_level='WARNING'))
    runner = Runner.from_cfg(config)
    runner.train()
    assert np.isfinite(runner.message_hub.get_scalar('train/loss').current())
    scores = {key for key in runner.message_hub.log_scalars if key.startswith('val/')}
    assert {'val/mAP_0.25', 'val/chair_AP_0.50', 'val/table_AP_0.25'} <= scores
    rates = {group['lr'] for group in runner.optim_wrapper.param_groups}
    assert min(rates) == pytest.approx(0.1 * max(rates))
