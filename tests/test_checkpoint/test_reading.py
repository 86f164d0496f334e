"""One way to every checkpoint: damaged files have a message whatever their parser says, published ones convert."""

import pytest
import torch
from golden import load_vector, published_weights
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner.checkpoint import _load_checkpoint
from runs import CONFIGS
from torch import nn

from m2ae_mm.checkpoint import check_start, convert_published, load_matching, read_checkpoint
from m2ae_mm.datasets.io.h5 import read_h5
from m2ae_mm.datasets.io.pickles import read_pickle
from m2ae_mm.datasets.io.problems import Problems
from m2ae_mm.datasets.npz_shapes import load_pack
from mmdet3d.registry import MODELS


class Wordless(Exception):
    pass


@pytest.mark.parametrize('kind', [Wordless, IndexError, AssertionError, MemoryError, RuntimeError])
def test_a_parser_without_words_still_gives_a_message(tmp_path, monkeypatch, kind):
    def fail(*_, **__):
        raise kind

    torch.save(dict(state_dict=dict(weight=torch.ones(1))), tmp_path / 'a.pth')
    monkeypatch.setattr(torch, 'load', fail)
    with pytest.raises(ValueError, match=rf"a.pth' is damaged or cut short \(\d+ bytes\): {kind.__name__}\. Copy"):
        read_checkpoint(tmp_path / 'a.pth')
    (tmp_path / 'a.safetensors').write_bytes(b'12345678')
    monkeypatch.setattr('safetensors.safe_open', fail)
    with pytest.raises(ValueError, match=rf"a.safetensors' is damaged .*8 bytes.*{kind.__name__}"):
        read_checkpoint(tmp_path / 'a.safetensors')


def test_other_files_without_words_give_a_message_too(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError

    (tmp_path / 'a.h5').write_bytes(b'none')
    monkeypatch.setattr('h5py.File', fail)
    with pytest.raises(ValueError, match="a.h5' cannot be read as HDF5 .*: OSError"):
        read_h5(tmp_path / 'a.h5')
    (tmp_path / 'a.pkl').write_bytes(b'0')  # pops from an empty stack
    with pytest.raises(ValueError, match=r"a.pkl' cannot be read safely \(1 bytes\): \w+"):
        read_pickle(tmp_path / 'a.pkl')
    (tmp_path / 'a.npz').write_bytes(b'none')
    monkeypatch.setattr('m2ae_mm.datasets.npz_shapes.load_arrays', fail)
    problems = Problems('M2AEShapesNpz', 'Expected packs.')
    assert load_pack(tmp_path / 'a.npz', problems) is None
    with pytest.raises(ValueError, match=r'unreadable: .*a.npz \(OSError\)'):
        problems.raise_any()


def published_file(folder, vector, place, prefix=''):
    weights = published_weights(load_vector(vector))
    path = folder / 'published.pth'
    torch.save({place: {prefix + name: value for name, value in weights.items()}, 'epoch': 299}, path)
    return path, convert_published(weights)


@pytest.mark.parametrize('vector, place, prefix', [
    ('point_m2ae_pretrain', 'base_model', 'module.'),
    ('point_m2ae_modelnet40_cls', 'base_model', ''),
    ('point_m2ae_shapenetpart_seg', 'model_state_dict', ''),
    ('i2p_mae_pretrain', 'base_model', 'module.'),
    ('3detr_m', 'model', ''),
    ('vdetr_class_anchors', 'model', ''),
])
def test_published_files_load_on_every_way_and_the_log_says_so(tmp_path, capsys, vector, place, prefix):
    path, (model, expected) = published_file(tmp_path, vector, place, prefix)
    for stored in (read_checkpoint(path), _load_checkpoint(str(path), map_location='cpu')['state_dict']):
        assert stored.keys() == expected.keys()
        assert all(torch.equal(stored[name], value) for name, value in expected.items())
    said = capsys.readouterr()
    assert f'published checkpoint ({model.title}): its {len(expected)} tensors' in said.out + said.err
    assert read_checkpoint(path, convert=False).keys() != expected.keys()


@pytest.mark.parametrize('name, vector, place', [
    ('folder_cls.py', 'point_m2ae_pretrain', 'base_model'),
    ('modelnet40_cls.py', 'point_m2ae_modelnet40_cls', 'base_model'),
])
def test_load_from_takes_a_published_file(tmp_path, name, vector, place):
    path, (_, expected) = published_file(tmp_path, vector, place)
    config = Config.fromfile(CONFIGS / name)
    config.update(load_from=str(path), work_dir=str(tmp_path))
    # The sizes are those of the vectors, not of the published files.
    DefaultScope.get_instance('reading', scope_name='mmdet3d')
    own = MODELS.build(config.model).state_dict()
    shared = [key for key in expected if key in own]
    fitting = [key for key in shared if own[key].shape == expected[key].shape]
    if 2 * len(fitting) >= len(shared):
        assert f'starts from {len(fitting)} tensors of {path}' in check_start(config)
    else:
        with pytest.raises(ValueError, match=f'of the {len(shared)} tensors that .*published.pth'):
            check_start(config)


@pytest.mark.parametrize('names, title', [
    (['mask_token', 'h_encoder.encoder_norms.0.weight'], 'Point-M2AE, pre-training'),
    (['label_conv.0.weight', 'convs1.weight', 'bns1.weight'], 'Point-M2AE, part segmentation'),
    (['pre_encoder.mlp_module.layer0.conv.weight', 'encoder.layers.0.norm1.weight'], '3DETR'),
])
def test_a_part_of_a_published_file_is_named(tmp_path, names, title):
    torch.save(dict(model={name: torch.ones(1) for name in names}), tmp_path / 'part.pth')
    with pytest.raises(ValueError, match=rf'\d of its {len(names)} tensors have names of the published {title}.*'
                       r'tools/convert_checkpoint.py; this one lacks parts'):
        load_matching(nn.Linear(1, 1), tmp_path / 'part.pth')


def test_a_published_file_with_a_name_of_its_own_is_named(tmp_path):
    torch.save(dict(model={'h_encoder.encoder_norms.0.weight': torch.ones(1), 'label_conv.0.weight': torch.ones(1),
                           'mlp.weight': torch.ones(1)}), tmp_path / 'own.pth')
    with pytest.raises(ValueError, match=r"own.pth' looks like a published checkpoint .*'mlp.weight' is no name"):
        read_checkpoint(tmp_path / 'own.pth')
