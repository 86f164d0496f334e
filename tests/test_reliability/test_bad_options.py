"""Bad options, arguments, configs and checkpoints, by the row: what is given, and what the one message says.

As in ``test_bad_inputs.py``, which has the data.
"""
from pathlib import Path

import torch
from ends import ROOMS, TINY, check, rows, tool

# Options of a training on scenes.
OPTIONS = {
    'max_epochs=0': (['train_cfg.max_epochs=0'], 'train_cfg.max_epochs=0 must be a whole number from 1 on'),
    'val_interval=0': (['train_cfg.val_interval=0'], 'train_cfg.val_interval=0 must be'),
    'num_heads=5': ([*TINY, 'model.backbone.num_heads=5'], 'while building ... PointM2AEEncoder'),
    'seed=-1': (['randomness.seed=-1'], 'randomness.seed=-1 must be a whole number from 0 to 4294967295'),
    'resume=maybe': (['resume=maybe'], "resume must be True, False or 'auto' ... got 'maybe'"),
    'max_norm=-1': (['optim_wrapper.clip_grad.max_norm=-1'], 'optim_wrapper.clip_grad.max_norm=-1 must be a number ab'),
    'radii=-0.4': (['model.backbone.radii="[-0.4,0.8,1.2]"'.replace('"', '')], 'model.backbone.radii.0=-0.4 must be'),
    'log_level=LOUD': (['log_level=LOUD'], "log_level must be DEBUG, INFO, WARNING or ERROR; got 'LOUD'"),
    'model=None': (['model=None'], 'model must be dict(type='),
    'data set=None': (['train_dataloader.dataset=None'], 'train_dataloader.dataset must be dict(type='),
    'a step that is a word': (['train_dataloader.dataset.pipeline.0=load'],
                              'while taking --cfg-options train_dataloader.dataset.pipeline.0='),
    'steps that are a word': (['train_dataloader.dataset.pipeline=load'], 'pipeline must be a list of steps'),
    'batch_size=0': (['train_dataloader.batch_size=0'], 'train_dataloader.batch_size=0 must be'),
    'num_workers=-1': (['train_dataloader.num_workers=-1'], 'train_dataloader.num_workers=-1 must be'),
    'mask_ratio=nan': (['model.mask_ratio=nan'], 'model.mask_ratio=nan must be a number from 0 to 1'),
    'lr=nan': (['optim_wrapper.optimizer.lr=nan'], 'optim_wrapper.optimizer.lr=nan must be'),
    'num_points=0': (['train_dataloader.dataset.pipeline.3.num_points=0'], 'num_points=0 must be'),
    'a model nobody knows': (['model.type=PointM2EA'], "PointM2EA is not in the"),
    'an option nobody knows': (['model.backbone.num_haeds=4'], "unexpected keyword argument 'num_haeds' ... while bui"),
    'an option of a schedule nobody knows': (['param_scheduler.0.begn=1'], "unexpected keyword argument 'begn'"),
    'a bracket too few': (['model.backbone.depths=[1,1'], 'has no counterpart'),
    'no value': (['model'], '--cfg-options takes KEY=VALUE'),
    'a key into a number': (['model.mask_ratio.a=4'], 'while taking --cfg-options'),
    'a place in a list that is not there': (['param_scheduler.7.end=4'], 'while taking --cfg-options'),
    'a hook that is a word': (['custom_hooks=[EMAHook]'], 'custom_hooks.0 must be dict'),
    'load_from a folder': (['load_from=.'], "there is no checkpoint '.'"),
    'a very long name of a checkpoint': ([f'load_from={"a" * 5000}'], 'name too long'),
    'a very long work folder': ([f'work_dir={"a" * 300}'], 'name too long'),
}


@rows(OPTIONS)
def test_options(message, scenes, tmp_path, row):
    options, words = row
    work_dir = [] if any(option.startswith('work_dir') for option in options) else ['--work-dir', tmp_path / 'out']
    check(message, tool('train', ROOMS, '--data', scenes, *work_dir, '--cfg-options', *TINY, *options), words)


ARGUMENTS = {
    'a config that is not there': (['train', 'nowhere.py'], "there is no config 'nowhere.py'"),
    'a config with a very long name': (['train', 'a' * 5000], 'name too long'),
    'data that are not there': (['train', ROOMS, '--data', 'nowhere'], "--data: there is no folder 'nowhere'"),
    'epochs=0': (['train', ROOMS, '--epochs', '0'], '--epochs must be 1 or more, got 0'),
    'folds=0': (['fewshot', ROOMS, '--folds', '0'], '--folds must be 1 or more, got 0'),
    'weights of a scene for shapes': (['train', 'm2ae_mm::m2ae/modelnet40_cls.py', '--pretrained', 'rooms_det'],
                                      "the weights 'rooms_det' were trained on scenes in metres"),
    'weights of a detector for a pre-training': (['train', ROOMS, '--pretrained', 'rooms_det'], 'have no decoder'),
    'weights nobody knows': (['train', ROOMS, '--pretrained', 'moon'], "no weights 'moon' come with the package"),
    'an output that is a file': (['rooms', '--out', __file__, '--train', '1', '--val', '0'], 'A file is in the way'),
    'an output that nobody may write': (['rooms', '--out', '/proc/rooms', '--train', '1'], '/proc/rooms'),
    'converting a folder': (['convert', '.', 'a.pth'], "there is no checkpoint '.'"),
    'converting a text': (['convert', __file__, 'a.pth'], 'cannot be read safely'),
    'converting to a text': (['convert', __file__, 'a.txt'], 'must end in .pth or .safetensors'),
    'curves of no training': (['plot', 'curves', 'a=nowhere', '--metric', 'loss', '--out', 'a.png'], 'holds no log'),
}


@rows(ARGUMENTS)
def test_arguments(message, tmp_path, monkeypatch, row):
    arguments, words = row
    monkeypatch.chdir(tmp_path)
    check(message, tool(*arguments), words)


CONFIG_FILES = {
    'a syntax error': (b'model = dict(\n', 'while reading the config'),
    'a name nobody knows': (b'model = none_such\n', "NameError: name 'none_such'"),
    'Latin-1': (b'# \xe4\nmodel = dict()\n', 'Save it as text in UTF-8'),
    'nothing': (b'', 'model must be dict'),
    'a circle': (b"_base_ = './b.py'\n", 'inherits from itself ... b.py -> '),
    'a base that is not there': (b"_base_ = './none.py'\n", 'none.py'),
    'a package that is not there': (b"custom_imports = dict(imports=['none_such_package'])\n", 'none_such_package'),
    'an exception': (b'1 / 0\n', 'ZeroDivisionError'),
    'a deep nesting': (b'a = ' + b'[' * 5000 + b']' * 5000, 'while reading the config'),
    'no data': (b"model = dict(type='PointM2AE')\n", 'this config has no training'),
    'schedules that are a word': (b"_base_ = 'm2ae_mm::m2ae/rooms_pretrain.py'\nparam_scheduler = 'cosine'\n", 'param'),
}


@rows(CONFIG_FILES)
def test_config_files(message, scenes, tmp_path, row):
    content, words = row
    (tmp_path / 'a.py').write_bytes(content)
    (tmp_path / 'b.py').write_text("_base_ = './a.py'\n")
    check(message, tool('train', tmp_path / 'a.py', '--data', scenes, '--work-dir', tmp_path / 'out')
          if b'm2ae_mm::' in content else tool('train', tmp_path / 'a.py', '--work-dir', tmp_path / 'out'), words)


# Checkpoints to resume: what is done to the content.
def but(**changes):
    return lambda content: {**content, **changes}


def weight(change):
    """Another tensor in the place of the first."""
    def changed(content):
        name, value = next(iter(content['state_dict'].items()))
        return {**content, 'state_dict': {**content['state_dict'], name: change(value)}}
    return changed


RESUMED = {
    'keys that are numbers': (but(state_dict={1: torch.ones(2)}), 'cannot be resumed with this config'),
    'a tensor': (lambda c: torch.ones(3), 'holds no state dict: ... found Tensor'),
    'weights alone': (lambda c: c['state_dict'], 'holds weights only, so no training can be resumed from it'),
    'meta that is a number': (but(meta=5), 'cannot be resumed: meta is int'),
    'meta without epoch': (but(meta={}), 'meta.epoch is None, not a number of steps'),
    'meta of epoch -1': (but(meta=dict(epoch=-1, iter=1)), 'meta.epoch is -1, not a number'),
    'an empty optimizer': (but(optimizer={}), 'its optimizer has no param_groups'),
    'an optimizer that is a list': (but(optimizer=[]), 'cannot be resumed: optimizer is list'),
    'an optimizer that is None': (but(optimizer=None), 'holds no optimizer, as if it was saved with save_optimizer=Fa'),
    'schedules that are None': (but(param_schedulers=None), 'holds no param_schedulers, as if it was saved with'),
    'a message hub that is a list': (but(message_hub=[]), 'message_hub is list'),
    'sparse weights': (weight(lambda value: value.to_sparse()), 'is no dense tensor. Convert it with value.to_dense()'),
    'weights of nan': (weight(lambda value: value * float('nan')), 'holds NaN or infinite values in 1 of'),
    'complex weights': (weight(lambda value: value.to(torch.complex64)), 'holds 1 tensors of a wrong type'),
    'weights of another shape': (weight(lambda value: value[:1]), 'cannot be resumed with this config: 1 of'),
    'a class': (but(meta=dict(epoch=1, iter=1, a=Path('a'))), 'cannot be read safely'),
}


@rows(RESUMED)
def test_resuming(message, scenes, resumable, tmp_path, row):
    change, words = row
    torch.save(change(torch.load(resumable, weights_only=True)), tmp_path / 'a.pth')
    check(message, tool('train', ROOMS, '--data', scenes, '--work-dir', tmp_path / 'out', '--resume',
                        tmp_path / 'a.pth', '--cfg-options', *TINY), words)
