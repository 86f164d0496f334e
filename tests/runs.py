"""Run a config end to end on tiny data with a tiny model."""
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner import Runner

CONFIGS = Path(__file__).parent.parent / 'configs' / 'm2ae'
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def shrink_model(model):
    """Divide the sizes of a Point-M2AE config, keeping its structure: stages, pooling, skip connections, radii."""
    backbone = model.backbone
    backbone.update(
        num_centers=[max(count // 16, 4) for count in backbone.num_centers],
        num_neighbors=[max(k // 4, 2) for k in backbone.num_neighbors],
        embed_dims=[dims // 8 for dims in backbone.embed_dims],
        depths=[min(depth, 2) for depth in backbone.depths],
        num_heads=2,
        point_hidden=[8, 16, 16])
    if 'neck' in model:
        model.neck.update(
            encoder_dims=backbone.embed_dims, embed_dims=[dims // 8 for dims in model.neck.embed_dims], num_heads=2)
    head = model.head
    if head.type == 'PointM2AEPartHead':
        head.update(in_channels=backbone.embed_dims, propagated=[16, 16], hidden=[16, 16, 16], category_channels=4)
    else:
        head.in_channels = head.in_channels // 8
    for step in sum((list(steps) for steps in (model.get('data_preprocessor') or {}).values()
                     if isinstance(steps, list)), []):
        if step.type == 'M2AEBatchSample':
            step.update(num_points=100, **({'num_candidates': 120} if step.get('num_candidates') else {}))


def tiny_config(name, work_dir, root=None, epochs=1, batch_size=4, **options):
    """The config ``name``, few epochs, data under ``root`` and a small model (detectors are shrunk by ``options``)."""
    config = Config.fromfile(CONFIGS / name)
    if config.model.type != 'ThreeDETR':
        shrink_model(config.model)
    config.update(work_dir=str(work_dir), log_level='WARNING')
    for loader in LOADERS:
        if config.get(loader) is not None:
            config[loader].update(num_workers=0, persistent_workers=False, batch_size=batch_size)
            if root is not None:
                config[loader].dataset.data_root = str(root)
            if config[loader].dataset.get('cache_dir'):
                config[loader].dataset.cache_dir = str(Path(work_dir) / 'cache')
    config.merge_from_dict(options)
    if config.get('train_cfg'):
        config.train_cfg.update(max_epochs=epochs, val_interval=epochs)
        config.default_hooks.checkpoint.interval = 1
    return config


SEG = dict(num_centers=[24, 12, 6], num_neighbors=[8, 4, 4], embed_dims=[8, 12, 16], depths=[1, 1, 1], num_heads=2,
           point_hidden=[4, 8, 8])


def seg_config(name, root, work_dir):
    """A config of semantic segmentation on data under ``root``, with a model of the sizes :data:`SEG`."""
    config = Config.fromfile(CONFIGS / f'{name}.py')
    config.model.backbone.update(SEG)
    config.model.neck.update(encoder_dims=SEG['embed_dims'], out_channels=[16, 16, 16])
    config.model.decode_head.update(in_channels=16, channels=16)
    for loader in LOADERS:
        config[loader].update(num_workers=0, persistent_workers=False, batch_size=2 if 'train' in loader else 1)
        config[loader].dataset.data_root = str(root)
    config.update(work_dir=str(work_dir), log_level='WARNING')
    config.train_cfg.update(max_epochs=1, val_interval=1)
    config.merge_from_dict({'train_dataloader.dataset.pipeline.4.num_points': 128,
                            'model.test_cfg.num_points': 128, 'model.test_cfg.batch_size': 2})
    return config


def train(config, resume_to=None):
    """Train and evaluate, then resume up to ``resume_to`` epochs; returns the last runner."""
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


def score(runner, name):
    scalars = runner.message_hub.log_scalars
    return scalars.get(f'val/{name}', scalars.get(name)).current()
