"""No checkpoint with anything but finite floating-point weights, and none larger than its file, on any way."""
import collections
import zipfile

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from mmengine.runner.checkpoint import load_checkpoint
from torch import nn
from torch._utils import _rebuild_tensor_v2

from m2ae_mm.checkpoint import check_start, load_for_test, load_pretrained_init, read_checkpoint, write_checkpoint
from m2ae_mm.checkpoint.contents import not_finite


@MODELS.register_module(force=True)
class ContentsTestModel(BaseModel):
    """One layer and one norm."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Linear(2, 3), nn.BatchNorm1d(3)

    def forward(self, x):
        return self.norm(self.first(x))


class Expanded:
    """A tensor of more elements than there are, all at one place."""

    def __init__(self, size):
        self.size = size

    def __reduce__(self):
        storage = torch.ones(1).storage()
        return _rebuild_tensor_v2, (storage, 0, (self.size, ), (0, ), False, collections.OrderedDict())


WRONG = {
    'NaN': (dict(first_weight=torch.full((3, 2), float('nan'))), 'NaN or infinite values in 1 of 7 .*first.weight'),
    'infinite': (dict(norm_running_var=torch.tensor([1., float('-inf'), 1.])), 'NaN or infinite.*norm.running_var'),
    'half': (dict(first_bias=torch.tensor([1., 65504., float('inf')]).half()), 'NaN or infinite.*first.bias'),
    'integers': (dict(first_weight=torch.ones(3, 2, dtype=torch.int64)), 'wrong type: first.weight is int64'),
    'complex': (dict(first_weight=torch.ones(3, 2, dtype=torch.complex64)), 'wrong type: first.weight is complex64'),
    'sparse': (dict(first_weight=torch.eye(3)[:, :2].to_sparse()), 'first.weight is no dense tensor'),
    'quantized': (dict(first_weight=torch.quantize_per_tensor(torch.ones(3, 2), 0.1, 0, torch.qint8)),
                  'first.weight is no dense tensor'),
    'meta': (dict(first_weight=torch.ones(3, 2, device='meta')), 'first.weight is no dense tensor'),
    'expanded': (dict(first_weight=Expanded(2**40)), 'first.weight has 1099511627776 elements, more than fit'),
}


def save(path, changes=(), **more):
    model = ContentsTestModel()
    weights = dict(model.state_dict(), **{key.replace('_', '.', 1): value for key, value in dict(changes).items()})
    torch.save(dict(state_dict=weights, **more), path)
    return path


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('name', WRONG)
def test_wrong_weights_are_refused_on_every_way(tmp_path, name):
    changes, message = WRONG[name]
    path = save(tmp_path / 'a.pth', changes, meta=dict(epoch=1, iter=1), message_hub={},
                optimizer=dict(param_groups=[]))
    start = dict(model=dict(type='ContentsTestModel'), work_dir=str(tmp_path), load_from=str(path))
    model = ContentsTestModel()
    ways = [lambda: read_checkpoint(path), lambda: load_for_test(model, path),
            lambda: load_pretrained_init(model, dict(type='Pretrained', checkpoint=str(path))),
            lambda: load_checkpoint(model, str(path)), lambda: check_start(Config(dict(start, resume=False))),
            lambda: check_start(Config(dict(start, resume=True)))]
    before = {key: value.clone() for key, value in model.state_dict().items()}
    for way in ways:
        with pytest.raises(ValueError, match=message):
            way()
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_large_values_are_finite(tmp_path):
    write_checkpoint(dict(weight=torch.full((10, ), 3e38), bias=torch.full((10, ), 65504.).half()), tmp_path / 'a.pth')
    assert read_checkpoint(tmp_path / 'a.pth')['weight'].sum() == float('inf')
    assert not_finite(dict(a=torch.ones(0), b=torch.ones(2, dtype=torch.int64))) == []


def test_other_types_than_the_model_has_are_refused(tmp_path):
    class Counting(nn.Module):
        def __init__(self, dtype):
            super().__init__()
            self.register_buffer('steps', torch.zeros(1, dtype=dtype))

    torch.save(Counting(torch.float32).state_dict(), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match='steps is float32, the model has int64'):
        load_for_test(Counting(torch.int64), tmp_path / 'a.pth')
    load_for_test(Counting(torch.float64), tmp_path / 'a.pth')


@pytest.mark.parametrize('name', ['data/0', 'data.pkl', 'version'])
def test_a_flipped_bit_is_found(tmp_path, name):
    path = save(tmp_path / 'a.pth')
    with zipfile.ZipFile(path) as archive:
        entry = next(each for each in archive.infolist() if each.filename.endswith(f'/{name}'))
    content = bytearray(path.read_bytes())
    name_length, extra_length = content[entry.header_offset + 26], int.from_bytes(
        content[entry.header_offset + 28:entry.header_offset + 30], 'little')
    content[entry.header_offset + 30 + name_length + extra_length] ^= 4
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"a.pth' is damaged .*'a/{name}' has another checksum"):
        read_checkpoint(path)


def test_entries_cannot_be_larger_than_the_file(tmp_path):
    path = save(tmp_path / 'a.pth', dict(first_weight=torch.zeros(300, 20_000)))
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(tmp_path / 'b.pth', 'w', zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            target.writestr(entry.filename, source.read(entry))
    with pytest.raises(ValueError, match='its entries are compressed'):
        read_checkpoint(tmp_path / 'b.pth')


def test_older_files_that_are_no_archives_are_read(tmp_path):
    torch.save(dict(state_dict=ContentsTestModel().state_dict()), tmp_path / 'a.pth',
               _use_new_zipfile_serialization=False)
    assert len(read_checkpoint(tmp_path / 'a.pth')) == 7
    (tmp_path / 'a.pth').write_bytes((tmp_path / 'a.pth').read_bytes()[:-20])
    with pytest.raises(ValueError, match='damaged or cut short'):
        read_checkpoint(tmp_path / 'a.pth')


def test_the_text_of_a_config_in_a_checkpoint_does_not_reach_mmengine(tmp_path):
    """Runner.resume would run it."""
    path = save(tmp_path / 'a.pth', meta=dict(config='import os; os.system("touch stolen")', epoch=1))
    assert load_checkpoint(ContentsTestModel(), str(path))['meta'] == dict(epoch=1)
