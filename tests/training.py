"""A training that takes no time: a small model and generated data with every kind of randomness there is."""
import random
from itertools import count

import numpy as np
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, FUNCTIONS, HOOKS, MODELS
from torch import nn
from torch.utils.data import Dataset

from m2ae_mm.engine import training_runner

NUMBERS = count()  # for names: mmengine keeps one logger each


@MODELS.register_module(force=True)
class RandomTestModel(BaseModel):
    """Dropout, a mask and noise on two layers and a norm, from all generators."""

    def __init__(self):
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 1)
        self.spoil = None

    def forward(self, x, mode, data_samples=None):
        if mode == 'predict':
            return [dict(value=each) for each in self.last(self.norm(self.first(x)))]
        mask = torch.rand(len(x), 4) < 0.7
        noise = np.random.uniform(size=len(x)) + random.random()
        x = self.norm(self.first(x * mask))
        if self.spoil:
            x = self.spoil(x)
        x = self.last(nn.functional.dropout(x, 0.3))[:, 0]
        return dict(loss=(x - torch.as_tensor(noise).float()).square().mean())


@DATASETS.register_module(force=True)
class RandomTestData(Dataset):
    """Samples that are another at every look."""

    metainfo = dict(classes=('a', ))

    def __init__(self, count=10):
        self.samples = torch.linspace(0, 1, 4 * count).view(count, 4)

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        sample = self.samples[index] + torch.rand(4) + torch.from_numpy(np.random.rand(4)).float() + random.random()
        return dict(x=sample, data_samples=dict(name=f'shape_{int(index)}'))


@FUNCTIONS.register_module(force=True)
def random_test_collate(batch):
    return dict(x=torch.stack([each['x'] for each in batch]), data_samples=[each['data_samples'] for each in batch])


@HOOKS.register_module(force=True)
class RandomTestHook(Hook):
    """Uses up random numbers in between, as a validation does."""

    def after_train_epoch(self, runner):
        torch.rand(7)


def config(folder, epochs=3, workers=0, batch_size=2, checkpoint=(), optimizer=(), **more):
    """A config; ``checkpoint`` and ``optimizer`` hold more options of theirs."""
    loader = dict(batch_size=batch_size, num_workers=workers, persistent_workers=workers > 0,
                  dataset=dict(type='RandomTestData'), sampler=dict(type='DefaultSampler', shuffle=True),
                  collate_fn=dict(type='random_test_collate'))
    if not workers:
        del loader['persistent_workers']
    defaults = dict(
        model=dict(type='RandomTestModel'), work_dir=str(folder), default_scope='mmengine', log_level='ERROR',
        randomness=dict(seed=0), experiment_name=f'random_test_{next(NUMBERS)}', train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper={'type': 'OptimWrapper', 'optimizer': dict(type='AdamW', lr=1e-2), **dict(optimizer)},
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', **{'interval': 1, **dict(checkpoint)})))
    return Config({**defaults, **more})


def run(options, act=None, make=training_runner):
    """Train; the losses by iteration, and the runner. ``act(runner, batch)`` is called before every step."""
    runner, losses = make(options), {}
    step = runner.train_loop.run_iter

    def run_iter(*args):
        if act is not None:
            act(runner, args[-1])
        number, train_step = runner.iter, runner.model.train_step

        def recorded(*inner, **named):
            outputs = train_step(*inner, **named)
            losses[number] = outputs['loss'].item()
            return outputs

        runner.model.train_step = recorded
        try:
            step(*args)
        finally:
            del runner.model.train_step

    runner.train_loop.run_iter = run_iter
    try:
        runner.train()
    except BaseException as error:
        error.losses, error.runner = losses, runner
        raise
    return losses, runner
