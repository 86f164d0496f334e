from pathlib import Path

import pytest
from mmengine.config import Config

from m2ae_mm.engine.option_check import check_options
from m2ae_mm.engine.value_check import check_values
from m2ae_mm.errors import UserError

LOADER = dict(batch_size=2, num_workers=0, dataset=dict(), sampler=dict(), collate_fn=dict(), num_batch_per_epoch=3)
HOOKS = dict(checkpoint=dict(type='CheckpointHook', interval=1, meta={}), timer=None,
             runtime_info=dict(type='M2AERuntimeInfoHook', priority='HIGH', _scope_='mmdet3d'),
             other=dict(type='NobodyKnowsThisHook'))


def config(loader=(), checkpoint=(), **more):
    return Config(dict(model=dict(type='X'), train_dataloader=dict(LOADER, **dict(loader)), val_dataloader=None,
                       default_hooks=dict(HOOKS, checkpoint=dict(HOOKS['checkpoint'], **dict(checkpoint))), **more))


def check(config):
    check_options(config, ('train_dataloader', 'val_dataloader'))


def test_options_of_torch_and_mmengine_pass():
    check(config(dict(persistent_workers=False, drop_last=True), dict(save_best='auto', save_optimizer=False)))


@pytest.mark.parametrize('wrong, message', [
    (config(loader=dict(batchsize=4)), "train_dataloader sets 'batchsize', .*DataLoader.*did you mean 'batch_size'"),
    (config(checkpoint=dict(intervall=4)), "hooks.checkpoint sets 'intervall', .*CheckpointHook.*'interval'.*max_k"),
    (config(custom_hooks=[dict(type='M2AELinearProbeHook', dataloader=LOADER, intervall=2)]),
     "custom_hooks.0 sets 'intervall', which M2AELinearProbeHook"),
    (config(custom_hooks=[dict(type='M2AELinearProbeHook', dataloader=dict(LOADER, workers=2))]),
     "custom_hooks.0.dataloader sets 'workers', .*'num_workers'"),
    (config(custom_hooks=['EMAHook']), "custom_hooks.0 must be dict.type='...', ....*, got 'EMAHook'"),
    (config(optim_wrapper=dict(optimizer=dict(type='Adamw'))), "type='Adamw' is none of .* Adam, AdamW, "),
    (config(optim_wrapper=dict(optimizer=dict(type='AdamW'), paramwise_cfg=dict(layer_decay_rate=0.5))),
     'sets layer_decay_rate, .* Add optim_wrapper.constructor=M2AEOptimWrapperConstructor'),
])
def test_misspelt_options_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        check(wrong)


def test_what_is_inherited_from_mmdet3d_passes():
    check(Config.fromfile(Path(__file__).parents[2] / 'projects/votenet_m2ae/configs/votenet_rooms.py'))


def test_hooks_that_take_any_option_keep_them():
    check(config(custom_hooks=[dict(type='EMAHook', momentum=1e-3)]))


def test_a_test_needs_no_optimizer():
    check_options(config(optim_wrapper=dict(optimizer=dict(type='NotHere'))), ('test_dataloader', ))


def test_values_of_all_our_configs_are_in_range():
    root = Path(__file__).parents[2]
    files = [file for folder in ('configs', 'projects') for file in sorted((root / folder).rglob('*.py'))
             if '_base_' not in file.parts]
    configs = [Config.fromfile(file) for file in files]
    assert len(configs) > 30
    for each in configs:
        if each.get('model') is not None:
            check_values(each, [name for name in ('train_dataloader', 'val_dataloader') if each.get(name)])


@pytest.mark.parametrize('value', [0, -1, 1.5, float('nan'), float('inf')])
def test_values_out_of_range_are_named_with_their_place(value):
    wrong = config(loader=dict(dataset=dict(pipeline=[dict(type='X', steps=[dict(num_points=[4, value])])])))
    with pytest.raises(UserError, match=r'train_dataloader.dataset.pipeline.0.steps.0.num_points.1=.* whole number'):
        check(wrong)
