"""Run a config end to end on tiny data with a tiny model."""
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner import Runner

CONFIGS = Path(__file__).parent.parent / 'configs' / 'm2ae'
TINY_ENCODER = {
    'model.backbone.num_centers': [32, 16, 8],
    'model.backbone.num_neighbors': [6, 4, 4],
    'model.backbone.embed_dims': [12, 24, 48],
    'model.backbone.depths': [1, 1, 1],
    'model.backbone.num_heads': 3,
    'model.backbone.point_hidden': [8, 16, 16],
}
TINY_DECODER = {
    'model.neck.encoder_dims': [12, 24, 48],
    'model.neck.embed_dims': [48, 24],
    'model.neck.num_heads': 3,
    'model.head.in_channels': 24,
}


def tiny_config(name, work_dir, epochs=1, batch_size=4, **options):
    """The config ``name`` with loaders that need no processes, few epochs and ``options`` merged in."""
    config = Config.fromfile(CONFIGS / name)
    common = dict(work_dir=str(work_dir), visualizer=dict(type='Visualizer', _delete_=True), log_level='WARNING')
    for loader in ('train', 'val', 'test'):
        if config.get(f'{loader}_dataloader') is not None:
            common[f'{loader}_dataloader.num_workers'] = 0
            common[f'{loader}_dataloader.persistent_workers'] = False
            common[f'{loader}_dataloader.batch_size'] = batch_size
    config.merge_from_dict({**common, **options})
    if config.get('train_cfg'):
        config.train_cfg.update(max_epochs=epochs, val_interval=epochs)
        config.default_hooks.checkpoint.interval = 1
    config.randomness = dict(seed=0)
    return config


def run_config(config, resume_to=None):
    """Train, then resume up to ``resume_to`` epochs; returns the runner and its scalars of the last validation."""
    runner = Runner.from_cfg(config)
    runner.train()
    if resume_to is not None:
        config = config.copy()
        config.resume = True
        config.train_cfg.update(max_epochs=resume_to, val_interval=resume_to)
        config.experiment_name = f'{runner.experiment_name}_resumed'
        runner = Runner.from_cfg(config)
        runner.train()
        assert runner.epoch == resume_to
    assert all(torch.isfinite(value).all() for value in runner.model.state_dict().values())
    return runner
