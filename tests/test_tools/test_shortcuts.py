"""--data and --epochs: one option for several entries."""
import pytest
from mmengine.config import Config

from m2ae_mm.cli.shortcuts import LOADERS, set_data, set_epochs
from m2ae_mm.engine import datasets_of

PREFIX = 'm2ae_mm::'
SCHEDULES = dict(warm_up=dict(type='LinearLR', by_epoch=True, begin=0, end=10),
                 cosine=dict(type='CosineAnnealingLR', by_epoch=True, begin=10, end=300, T_max=290),
                 steps=dict(type='MultiStepLR', milestones=[100, 200, 290]),
                 by_step=dict(type='LinearLR', by_epoch=False, begin=0, end=500))


def made(**schedules):
    return Config(dict(train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=300, val_interval=10),
                       default_hooks=dict(checkpoint=dict(type='M2AECheckpointHook', interval=25),
                                          logger=dict(type='LoggerHook', interval=50)),
                       custom_hooks=[dict(type='M2AELinearProbeHook', interval=10)],
                       param_scheduler=[dict(each) for each in (schedules or SCHEDULES).values()]))


def test_all_that_counts_epochs_scales():
    config = made()
    set_epochs(config, 60)
    assert (config.train_cfg.max_epochs, config.train_cfg.val_interval) == (60, 2)
    assert config.default_hooks.checkpoint.interval == 5 and config.custom_hooks[0].interval == 2
    assert config.default_hooks.logger.interval == 50  # steps
    warm_up, cosine, steps, by_step = config.param_scheduler
    assert (warm_up.begin, warm_up.end) == (0, 2) and (cosine.begin, cosine.end, cosine.T_max) == (2, 60, 58)
    assert steps.milestones == [20, 40, 58] and by_step.end == 500


@pytest.mark.parametrize('epochs', [1, 2, 7, 1000])
def test_schedules_stay_in_order_and_end_with_the_training(epochs):
    config = made(warm_up=SCHEDULES['warm_up'], cosine=SCHEDULES['cosine'])
    set_epochs(config, epochs)
    begins = [each.begin for each in config.param_scheduler]
    ends = [each.end for each in config.param_scheduler]
    assert begins == [0, *ends[:-1]] and ends[-1] == epochs and all(b < e for b, e in zip(begins, ends))
    assert 1 <= config.train_cfg.val_interval <= epochs


def test_what_cannot_be_scaled_is_refused():
    with pytest.raises(ValueError, match='--epochs must be 1 or more, got 0'):
        set_epochs(made(), 0)
    with pytest.raises(ValueError, match='counts epochs'):
        set_epochs(Config(dict(train_cfg=dict(type='IterBasedTrainLoop', max_iters=5))), 3)


@pytest.mark.parametrize('name, count', [
    ('m2ae/rooms_det.py', 3), ('m2ae/folder_svm.py', 1), ('projects/votenet_m2ae/configs/votenet_m2ae_scannet.py', 3),
    ('m2ae/modelnet40_fewshot_5way_10shot.py', 3), ('m2ae/free_shapes/fewshot_5way_10shot.py', 3),
    ('m2ae/shapenet_pretrain_probe.py', 3)])
def test_a_folder_is_that_of_all_loaders(name, count, tmp_path):
    config = Config.fromfile(f'{PREFIX}{name}')
    set_data(config, str(tmp_path))
    roots = [dataset.data_root for _, dataset in datasets_of(config, LOADERS)]
    assert roots == [f'{tmp_path}/'] * count
    for _, dataset in datasets_of(config, LOADERS):
        assert 'source' not in dataset or dataset.source.data_root == f'{tmp_path}/'
    if config.get('custom_hooks'):
        assert 'ModelNet' in config.custom_hooks[0].dataloader.dataset.data_root  # other data
    with pytest.raises(FileNotFoundError, match="--data: there is no folder 'nowhere'"):
        set_data(config, 'nowhere')
