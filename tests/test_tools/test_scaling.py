"""Batch size, learning rate and processes through the command line."""
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from processes import free_port, program
from shapes import write_modelnet40_h5, write_shapenet55

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = [
    'model.backbone.num_centers=[32,16,8]', 'model.backbone.num_neighbors=[8,4,4]',
    'model.backbone.embed_dims=[12,24,48]', 'model.backbone.depths=[1,1,1]', 'model.backbone.num_heads=3',
    'model.backbone.point_hidden=[8,8,16]', 'model.neck.encoder_dims=[12,24,48]', 'model.neck.embed_dims=[48,24]',
    'model.neck.num_heads=3', 'model.head.in_channels=24', 'default_hooks.checkpoint.interval=1',
    'default_hooks.logger.interval=1', 'train_cfg.val_interval=100', 'train_dataloader.batch_size=32',
    'train_dataloader.drop_last=False', 'auto_scale_lr.base_batch_size=128', 'optim_wrapper.optimizer.lr=1e-3'
]


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Four shapes to pre-train on, sixteen to probe."""
    folder = tmp_path_factory.mktemp('data')
    shapes = write_shapenet55(folder / 'shapenet', num_train=4, num_test=1)
    options = [f'custom_hooks.0.dataloader.dataset.data_root={write_modelnet40_h5(folder / "modelnet")}/']
    options += [f'{loader}_dataloader.dataset.data_root={shapes}/' for loader in ('train', 'val')]
    loaders = ('train_dataloader', 'val_dataloader', 'custom_hooks.0.dataloader')
    return options + [f'{loader}.{option}' for loader in loaders
                      for option in ('num_workers=0', 'persistent_workers=False')]


CONFIG = 'configs/m2ae/shapenet_pretrain_probe.py'


def one_process(*arguments):
    return program('tools/train.py', CONFIG, *arguments)


def two_processes(*arguments):
    return subprocess.run(
        ['bash', 'tools/dist_train.sh', CONFIG, '2', *arguments], cwd=ROOT, capture_output=True, text=True, timeout=900,
        env={**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHON': sys.executable, 'PORT': str(free_port())})


def train(run, work_dir, options, *flags):
    """Pre-train for some epochs with a probe; what was printed and the last checkpoint's optimizer."""
    done = run(*flags, '--work-dir', str(work_dir), '--auto-scale-lr', '--cfg-options', *OPTIONS, *options)
    log = done.stdout + done.stderr
    assert done.returncode == 0, log[-3000:]
    name = (work_dir / 'last_checkpoint').read_text()
    # Written by this test; mmengine keeps classes of its own in it.
    return log, torch.load(name, weights_only=False)['optimizer']


@pytest.fixture(scope='module')
def alone(data, tmp_path_factory):
    """4 epochs of one batch, two batches to a step; a batch of 32 where the rate is meant for 128."""
    return train(one_process, tmp_path_factory.mktemp('alone'),
                 [*data, 'optim_wrapper.accumulative_counts=2', 'train_cfg.max_epochs=4'])


def test_accumulation_makes_a_step_of_two_batches(alone):
    log, optimizer = alone
    assert len(re.findall(r'Epoch\(train\) .* loss: 0\.\d+', log)) == 4
    assert {float(state['step']) for state in optimizer['state'].values()} == {2}


def test_learning_rate_follows_the_batch_of_all_processes(data, alone, tmp_path):
    log, optimizer = train(two_processes, tmp_path, [*data, 'train_cfg.max_epochs=1'], '--sync_bn', 'torch')
    # Two processes make one batch of two shapes each: one step.
    assert {float(state['step']) for state in optimizer['state'].values()} == {1}
    # 32 / 128 and 2 * 32 / 128. Accumulated batches do not count.
    assert alone[1]['param_groups'][0]['initial_lr'] == pytest.approx(1e-3 / 4)
    assert optimizer['param_groups'][0]['initial_lr'] == pytest.approx(1e-3 / 2)
    # The same weights before training, probed by one process and by two.
    probes = [re.search(r'epoch 0: (.*accuracy.*)', text)[1] for text in (alone[0], log)]
    assert probes[0] == probes[1]
    written = ''.join(file.read_text() for file in tmp_path.rglob('*.log'))  # the screen has no configuration
    assert 'sync_bn=True' in written and 'diff_rank_seed=True' in written
