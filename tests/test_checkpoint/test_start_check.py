"""What a training starts or goes on from: found, readable and of this model, or one message."""
import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner.checkpoint import load_checkpoint
from torch import nn

from m2ae_mm.checkpoint import check_start, load_for_test, load_matching, read_checkpoint, write_checkpoint
from m2ae_mm.checkpoint.shipped import FOLDER


@MODELS.register_module(force=True)
class StartTestModel(BaseModel):
    """Two layers."""

    def __init__(self, width=3):
        super().__init__()
        self.first, self.last = nn.Linear(2, width), nn.Linear(width, 1)

    def forward(self, x):
        return self.last(self.first(x))


@pytest.fixture
def config(tmp_path):
    return Config(dict(model=dict(type='StartTestModel'), work_dir=str(tmp_path), load_from=None, resume=False))


# What mmengine stores beside the weights.
WHOLE = dict(meta=dict(epoch=2, iter=4), message_hub={},
             optimizer=dict(state={}, param_groups=[dict(params=[0])]))


def save(path, model, **more):
    torch.save(dict(state_dict=model.state_dict(), **more), path)
    return str(path)


def test_nothing_to_start_from_is_fine(config):
    assert check_start(config) is None and config.load_from is None


def test_part_of_a_model_is_enough_to_start_from_but_not_to_resume(config, tmp_path):
    model = StartTestModel()
    del model.last
    config.load_from = save(tmp_path / 'part.pth', model, **WHOLE)
    assert check_start(config) == (f'StartTestModel starts from 2 tensors of {tmp_path}/part.pth; '
                                   '2 are new, initialised at random (last.bias, last.weight)')
    config.resume = True
    with pytest.raises(ValueError, match=r"part.pth' cannot be resumed .* 2 of 4 tensors .*last.weight is missing"):
        check_start(config)


def test_the_scope_of_a_config_holds_for_its_model_only(config, tmp_path):
    config.load_from, config.default_scope = save(tmp_path / 'whole.pth', StartTestModel()), 'mmdet3d'
    with DefaultScope.overwrite_default_scope('mmengine'):
        check_start(config)
        assert DefaultScope.get_current_instance().scope_name == 'mmengine'


def test_weights_of_another_model_or_of_other_sizes_are_refused(config, tmp_path):
    config.load_from = save(tmp_path / 'other.pth', nn.Linear(2, 3))
    with pytest.raises(ValueError, match=r"nothing in '.*other.pth' fits StartTestModel: .*'weight', .*'first.weight'"):
        check_start(config)
    config.load_from = save(tmp_path / 'wide.pth', StartTestModel(5))
    with pytest.raises(ValueError, match=r'3 of the 4 tensors .* \(first.weight: \(5, 2\) stored, \(3, 2\) needed'):
        check_start(config)
    config.resume, config.load_from = True, save(tmp_path / 'weights.pth', StartTestModel())
    with pytest.raises(ValueError, match=r"weights.pth' holds weights only"):
        check_start(config)
    config.load_from = save(tmp_path / 'exported.pth', StartTestModel(), meta={})
    with pytest.raises(ValueError, match=r"exported.pth' holds weights only"):
        check_start(config)


@pytest.mark.parametrize('width', [2, 5])
def test_a_model_of_other_sizes_is_refused_at_every_door(config, tmp_path, width):
    """To start from, to resume, to load into a part and to test; what was trained with the same sizes passes."""
    path = config.load_from = save(tmp_path / 'other.pth', StartTestModel(width), **WHOLE)
    for load in (lambda: check_start(config), lambda: load_matching(StartTestModel(), path)):
        with pytest.raises(ValueError, match=rf"3 .*other.pth.*\({width}, 2\) stored.* Build both with the same sizes"):
            load()
    config.resume = True
    with pytest.raises(ValueError, match='cannot be resumed with this config: 3 of 4 tensors.* Use the config'):
        check_start(config)
    with pytest.raises(ValueError, match="other.pth' is no checkpoint of this StartTestModel: 3 of 4 tensors differ.*"
                                         '--pretrained NAME and --tuning MODE included'):
        load_for_test(StartTestModel(), path)
    config.model.width = width
    load_for_test(StartTestModel(width), path)
    assert check_start(config) is None


@pytest.mark.parametrize('place', ['model', 'base_model', 'model_state_dict'])
def test_mmengine_finds_tensors_where_we_do(config, tmp_path, place):
    model, other = StartTestModel(), StartTestModel()
    torch.save({place: {f'module.{name}': value for name, value in model.state_dict().items()}}, tmp_path / 'a.pth')
    config.load_from = str(tmp_path / 'a.pth')
    assert 'starts from 4 tensors' in check_start(config)
    load_checkpoint(other, config.load_from, strict=True)
    assert torch.equal(other.last.weight, model.last.weight)


def test_the_latest_checkpoint_is_resumed_and_none_is_told(config, tmp_path):
    config.resume = True
    assert 'Training starts at epoch 0' in check_start(config) and config.resume is False
    config.resume = True
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_2.pth'))
    with pytest.raises(FileNotFoundError, match=r"last_checkpoint' names '.*epoch_2.pth', which does not exist"):
        check_start(config)
    latest = save(tmp_path / 'epoch_2.pth', StartTestModel(), **WHOLE)
    assert check_start(config) is None and config.resume and config.load_from == latest


def test_weights_to_start_from_count_until_there_is_something_to_resume(config, tmp_path):
    weights = save(tmp_path / 'weights.pth', StartTestModel())
    config.resume, config.load_from = 'auto', weights
    assert f'Training starts at epoch 0, from {weights}' in check_start(config)
    assert config.resume is False and config.load_from == weights
    latest = save(tmp_path / 'epoch_2.pth', StartTestModel(), **WHOLE)
    (tmp_path / 'last_checkpoint').write_text(latest)
    config.resume = 'auto'
    assert check_start(config) is None and config.resume is True and config.load_from == latest
    config.resume, config.train_cfg = 'auto', dict(max_epochs=2)
    assert check_start(config).startswith(
        f'nothing left to train: {latest} is of epoch 2, train_cfg.max_epochs is 2. To go on, set')


def test_names_of_shipped_weights_become_files_that_mmengine_reads(config):
    config.load_from = 'shapes_small'
    with pytest.raises(ValueError, match='nothing in .*shapes_small.safetensors'):
        check_start(config)
    assert config.load_from == str(FOLDER / 'shapes_small.safetensors')
    module = nn.Module()
    module.neck = nn.Module()
    module.neck.mask_token = nn.Parameter(torch.zeros_like(read_checkpoint('shapes_small')['neck.mask_token']))
    load_checkpoint(module, config.load_from)
    assert torch.equal(module.neck.mask_token, read_checkpoint('shapes_small')['neck.mask_token'])


def test_safetensors_are_checked_too(config, tmp_path):
    write_checkpoint(StartTestModel().state_dict(), tmp_path / 'a.safetensors')
    config.load_from = str(tmp_path / 'a.safetensors')
    assert 'starts from 4 tensors' in check_start(config)
