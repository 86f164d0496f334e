"""One choice of what learns, rates by layers, and trainings whose files hold low-rank matrices and a head."""
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import DefaultScope
from runs import tiny_config
from shapes import write_modelnet40
from torch import nn

from m2ae_mm.checkpoint import is_low_rank, load_for_test, merge_checkpoint, read_content, write_checkpoint
from m2ae_mm.engine import M2AEOptimWrapperConstructor, set_tuning, training_runner, what_learns
from m2ae_mm.inference.opening import config_of, open_model
from m2ae_mm.models.layers.low_rank import low_rank_layers
from mmdet3d.registry import MODELS

CONFIGS = Path(__file__).parents[2] / 'configs'


def built(name, mode):
    config = Config.fromfile(CONFIGS / name)
    set_tuning(config, mode)
    with DefaultScope.overwrite_default_scope('mmdet3d'):
        return MODELS.build(config.model)


def learns(module):
    return sum(each.numel() for each in module.parameters() if each.requires_grad)


CLS_HEAD = 512 + 2 * (256 * 256 + 256 + 512) + 256 * 30 + 30


# Of the sizes in the configs, counted by hand: a head for 30 classes on 256 channels; five outputs of 22 boxes' numbers
# on the tokens of 128, and of two scales; rank 8 on qkv and proj.
@pytest.mark.parametrize('name, mode, of_encoder, of_the_rest', [
    ('m2ae/free_shapes/cls.py', 'linear', 0, 256 * 30 + 30),
    ('m2ae/free_shapes/cls.py', 'decoder', 0, CLS_HEAD),
    ('m2ae/free_shapes/cls.py', 'lora', 8 * 6 * (48 + 96 + 256 + 256), CLS_HEAD),
    ('m2ae/labeled_parts_seg.py', 'linear', 0, (96 + 192 + 384 + 17) * 83 + 83),
    ('m2ae/rooms_seg.py', 'linear', 0, (32 + 64 + 128 + 1) * 20),
    ('m2ae/rooms_det.py', 'linear', 0, (64 + 128 + 1) * (18 + 1 + 3 + 3 + 1 + 1)),
    ('m2ae/rooms_3detr-m_det.py', 'linear', 0, (128 + 1) * (18 + 1 + 3 + 3 + 1 + 1))])
def test_what_learns_in_each_mode(name, mode, of_encoder, of_the_rest):
    model = built(name, mode)
    assert (learns(model.backbone), learns(model)) == (of_encoder, of_encoder + of_the_rest)


def test_encoders_that_hand_their_options_on_take_part():
    config = Config.fromfile(CONFIGS / 'm2ae' / 'ablations' / 'table10_class_token.py')
    set_tuning(config, 'decoder')
    assert config.model.backbone.frozen


def test_full_undoes_every_mode():
    for name in ('m2ae/free_shapes/cls.py', 'm2ae/rooms_det.py'):
        config, plain = Config.fromfile(CONFIGS / name), MODELS.build(Config.fromfile(CONFIGS / name).model)
        for mode in ('linear', 'lora', 'decoder', 'full'):
            set_tuning(config, mode)
        model = MODELS.build(config.model)
        assert learns(model) == learns(plain) and what_learns(model) is None
        assert model.state_dict().keys() == plain.state_dict().keys()


def test_configs_say_the_same_as_the_option():
    for mode in ('linear', 'lora'):
        config = Config.fromfile(CONFIGS / 'm2ae' / 'free_shapes' / f'cls_{mode}.py')
        assert what_learns(MODELS.build(config.model)) == what_learns(built('m2ae/free_shapes/cls.py', mode))


@pytest.mark.parametrize('name, mode, message', [
    ('m2ae/free_shapes/cls.py', 'half', "tuning is one of full, decoder, linear, lora; got 'half'"),
    ('3detr/3detr-pointnet2_scannet.py', 'decoder', 'tuning=decoder needs PointM2AEEncoder or ThreeDETREncoder as '
     'model.backbone, this config has PointNet2SASSG'),
    ('m2ae/rooms_pretrain.py', 'linear', 'PointM2AEPretrainHead has no form of one linear layer'),
    ('vdetr/vdetr-m2ae_rooms.py', 'linear', 'VDETRHead has no form of one linear layer')])
def test_what_has_no_such_form_is_one_message(name, mode, message):
    with pytest.raises(ValueError, match=message):
        set_tuning(Config.fromfile(CONFIGS / name), mode)


def test_linear_detection_of_rooms_predicts_and_learns():
    model = built('m2ae/rooms_det.py', 'linear')
    model.init_weights()
    predictions = model.train().predict_boxes(torch.rand(2, 600, 3))
    loss = sum(value.square().sum() for value in predictions if isinstance(value, torch.Tensor))
    loss.backward()
    missing = {name for name, value in model.named_parameters() if value.requires_grad and value.grad is None}
    assert not missing, missing


def groups_of(model, **options):
    settings = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=0.1, weight_decay=0.2))
    groups = M2AEOptimWrapperConstructor(settings, options)(model).optimizer.param_groups
    names = {id(weight): name for name, weight in model.named_parameters()}
    return {names[id(weight)]: group for group in groups for weight in group['params']}


def test_rates_fall_from_the_head_to_the_first_layer():
    model = built('m2ae/free_shapes/cls.py', 'full')  # blocks 1, 1, 2: eight levels, as in tests of the encoder
    groups = groups_of(model, layer_decay_rate=0.5, norm_decay_mult=0., custom_keys={'head.classify': dict(lr_mult=3)})
    expected = {'head.hidden.0.0.weight': 0.1, 'head.classify.bias': 0.3,
                'backbone.stages.2.blocks.1.mlp.fc2.weight': 0.05, 'backbone.stages.2.blocks.0.attn.qkv.weight': 0.025,
                'backbone.embeddings.2.out.bias': 0.0125,
                'backbone.stages.1.blocks.0.norm1.weight': 0.00625, 'backbone.embeddings.0.lift.weight': 0.1 / 128}
    assert {name: groups[name]['lr'] for name in expected} == pytest.approx(expected)
    assert groups['backbone.stages.1.blocks.0.norm1.weight']['weight_decay'] == 0
    assert len({id(group) for group in groups.values()}) <= 2 * 8 + 1


def test_rates_by_layers_are_for_what_learns_and_backbones_that_tell_their_layers():
    names = groups_of(built('m2ae/free_shapes/cls.py', 'lora'), layer_decay_rate=0.5)
    down = 'backbone.stages.1.blocks.0.attn.qkv.parametrizations.weight.0.down'
    assert names[down]['lr'] == pytest.approx(0.1 * 0.5**4)
    assert not [name for name in names if name.startswith('backbone.') and '.parametrizations.weight.0.' not in name]
    with pytest.raises(ValueError, match='backbone with get_layer_depth, Linear has none'):
        groups_of(nn.Linear(2, 2), layer_decay_rate=0.5)
    with pytest.raises(ValueError, match='layer_decay_rate of paramwise_cfg must be above 0 and at most 1, got 1.5'):
        groups_of(built('m2ae/free_shapes/cls.py', 'full'), layer_decay_rate=1.5)


# Trainings


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_modelnet40(tmp_path_factory.mktemp('m') / 'm', (4, 2), 120)


@pytest.fixture
def base(tmp_path):
    """A checkpoint of the encoder in the sizes of the configs below."""
    torch.manual_seed(3)
    backbone = MODELS.build(tiny_config('modelnet40_cls.py', '').model).backbone
    backbone.init_weights()
    path = tmp_path / 'base.pth'
    write_checkpoint({f'backbone.{name}': value for name, value in backbone.state_dict().items()}, path)
    return path


def config_for(folder, data, base, mode='lora', **options):
    config = tiny_config('modelnet40_cls.py', folder, data, **options)
    config.model.backbone.init_cfg.checkpoint = base if base is None else str(base)
    config.optim_wrapper.optimizer.fused = False
    set_tuning(config, mode)
    return config


def train(config):
    runner = training_runner(config)
    runner.train()
    return runner


def test_a_file_of_lora_holds_the_matrices_and_the_head_and_is_whole_when_read(tmp_path, data, base):
    runner = train(config_for(tmp_path / 'work', data, base))
    path = tmp_path / 'work' / 'epoch_1.pth'
    stored = torch.load(path, weights_only=True)
    encoder = {name for name in stored['state_dict'] if name.startswith('backbone.')}
    assert encoder and all('.lora_' in name for name in encoder)
    own = runner.model.state_dict()
    learned = sum(value.numel() for name, value in own.items() if 'lora_' in name or name.startswith('head.'))
    assert sum(value.numel() for value in stored['state_dict'].values()) == learned
    read = read_content(path)['state_dict']
    assert read.keys() == own.keys() and all(torch.equal(read[name], own[name]) for name in own)


def test_it_is_opened_resumed_and_merged(tmp_path, data, base):
    config = config_for(tmp_path / 'work', data, base)
    train(config)
    path = tmp_path / 'work' / 'epoch_1.pth'
    more = config_for(tmp_path / 'work', data, base, epochs=2)
    more.resume = 'auto'
    resumed = train(more)
    assert resumed.epoch == 2
    last = tmp_path / 'work' / 'epoch_2.pth'
    assert not any(name.startswith('backbone.') and '.lora_' not in name
                   for name in torch.load(last, weights_only=True)['state_dict'])
    clouds = torch.rand(2, 100, 3)
    model = open_model(config_of(last), last)
    assert list(low_rank_layers(model))
    tensors, meta = merge_checkpoint(read_content(last), last)
    write_checkpoint(tensors, tmp_path / 'merged.pth', meta)
    assert not is_low_rank(tensors) and path.stat().st_size
    plain = open_model(config_of(tmp_path / 'merged.pth'), tmp_path / 'merged.pth')
    assert not list(low_rank_layers(plain)) and plain.dataset_meta == model.dataset_meta
    with torch.no_grad():
        torch.testing.assert_close(plain.classify(clouds), model.classify(clouds), rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match=r"merged.pth' has no low-rank matrices"):
        merge_checkpoint(read_content(tmp_path / 'merged.pth'), tmp_path / 'merged.pth')


def test_averaged_weights_are_stored_and_read_the_same_way(tmp_path, data, base):
    config = config_for(tmp_path / 'work', data, base)
    config.custom_hooks = [dict(type='mmengine.EMAHook', momentum=0.1, update_buffers=True)]
    train(config)
    path = tmp_path / 'work' / 'epoch_1.pth'
    stored, read = torch.load(path, weights_only=True), read_content(path)
    for content, some in ((stored, True), (read, False)):
        for place, beginning in (('state_dict', ''), ('ema_state_dict', 'module.')):
            names = {name.removeprefix(beginning) for name in content[place]}
            assert ('backbone.stages.0.blocks.0.attn.qkv.weight' in names) is not some
            assert 'backbone.stages.0.blocks.0.attn.qkv.lora_up' in names
    more = config_for(tmp_path / 'work', data, base, epochs=2)
    more.custom_hooks, more.resume = config.custom_hooks, 'auto'
    assert train(more).epoch == 2


def test_without_a_file_to_start_from_all_is_stored(tmp_path, data):
    runner = train(config_for(tmp_path / 'work', data, None))
    stored = torch.load(tmp_path / 'work' / 'epoch_1.pth', weights_only=True)
    assert stored['state_dict'].keys() == runner.model.state_dict().keys() and 'base' not in stored['meta']


class _Removes(Hook):

    def __init__(self, path):
        self.path = path

    def before_train(self, runner):
        self.path.unlink()


def test_all_is_stored_if_the_base_is_gone_by_then(tmp_path, data, base):
    runner = training_runner(config_for(tmp_path / 'work', data, base))
    runner.register_hook(_Removes(base))
    runner.train()
    stored = torch.load(tmp_path / 'work' / 'epoch_1.pth', weights_only=True)
    assert stored['state_dict'].keys() == runner.model.state_dict().keys() and 'base' not in stored['meta']


def test_the_base_is_looked_for_beside_the_file_and_must_be_the_one_of_the_training(tmp_path, data, base):
    config = config_for(tmp_path / 'work', data, base)
    train(config)
    path = tmp_path / 'work' / 'epoch_1.pth'
    base.rename(tmp_path / 'elsewhere.pth')
    with pytest.raises(ValueError, match=r"weights of '.*base.pth', which is not there. Put that file beside it"):
        read_content(path)
    other = torch.load(tmp_path / 'elsewhere.pth', weights_only=True)
    other['state_dict']['backbone.stages.0.blocks.0.mlp.fc1.weight'] += 1e-3
    torch.save(other, base)
    with pytest.raises(ValueError, match=r"for other weights than those of '.*base.pth': the \d+ tensors"):
        load_for_test(MODELS.build(config.model), path)
    shutil.copy(tmp_path / 'elsewhere.pth', path.with_name('base.pth'))
    load_for_test(MODELS.build(config.model), path)
    more = config_for(tmp_path / 'work', data, None, epochs=2)
    more.resume = 'auto'
    train(more)
    assert torch.load(path.with_name('epoch_2.pth'), weights_only=True)['meta']['base']['checkpoint'] == str(
        path.with_name('base.pth'))


def test_all_is_stored_if_the_training_may_write_over_its_base(tmp_path, data, base):
    begun = tmp_path / 'work' / 'epoch_1.pth'
    begun.parent.mkdir()
    runner = train(config_for(begun.parent, data, base.rename(begun)))
    stored = torch.load(begun, weights_only=True)
    assert stored['state_dict'].keys() == runner.model.state_dict().keys() and 'base' not in stored['meta']


@pytest.mark.parametrize('change, text', [
    (dict(checkpoint='http://127.0.0.1:1/base.pth'), "'http://127.0.0.1:1/base.pth', which is not there"),
    (dict(checkpoint='torch-pointcloud://3detr.scannet.fair'), r"Put that file beside it, as '.*fair.safetensors'"),
    (dict(checkpoint='~nobody/base.pth'), 'which is not there'),
    (dict(checkpoint=5), 'does not say which weights'),
    (dict(names=[1]), 'does not say which weights'),
    (dict(names='x'), 'does not say which weights'),
    (dict(checkpoint='PATH'), 'name each other'),
])
def test_nothing_is_fetched_or_followed_in_circles_for_a_strangers_base(tmp_path, monkeypatch, change, text):
    def fetch(*_):
        raise AssertionError('fetched')
    monkeypatch.setattr('m2ae_mm.checkpoint.places._fetch', fetch)
    path = tmp_path / 'lora.pth'
    base = dict(dict(checkpoint='base.pth', prefix='', own='', names=['a'], digest='0'), **change)
    if base['checkpoint'] == 'PATH':
        base['checkpoint'] = str(path)
    torch.save(dict(state_dict=dict(b=torch.ones(1)), meta=dict(base=base)), path)
    with pytest.raises(ValueError, match=text):
        read_content(path)


def test_lora_is_not_lost_without_a_word(tmp_path, data, base):
    train(config_for(tmp_path / 'work', data, base))
    path = tmp_path / 'work' / 'epoch_1.pth'
    plain = config_for(tmp_path / 'plain', data, None, 'full')
    plain.load_from = str(path)
    with pytest.raises(ValueError, match='has low-rank matrices, the model has none'):
        training_runner(plain)
    encoder = dict(plain.model.backbone, init_cfg=dict(type='Pretrained', checkpoint=str(path), prefix='backbone.'))
    with pytest.raises(ValueError, match='has low-rank matrices, the model has none'):
        MODELS.build(encoder).init_weights()
    runner = training_runner(config_for(tmp_path / 'other', data, None, 'full'))
    with pytest.raises(ValueError, match='has low-rank matrices, the model has none'):
        runner.load_checkpoint(str(path))  # as mmdet3d's tools do
    with pytest.raises(ValueError, match='tensors differ.*--tuning MODE included'):
        load_for_test(MODELS.build(plain.model), path)
