"""Weights that come with the package."""
import copy
import json
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner.checkpoint import load_checkpoint
from scenes import box_scene
from torch import nn

from m2ae_mm.checkpoint import describe, places, read_checkpoint, shipped, shipped_names, start_from
from m2ae_mm.checkpoint.shipped import FOLDER
from m2ae_mm.models import shipped_model
from mmdet3d.registry import MODELS

CONFIGS = Path(__file__).parents[2] / 'configs'
PRETRAININGS = [name for name in shipped_names() if describe(name)['task'] == 'pre-training']


@pytest.mark.parametrize('name', shipped_names())
def test_weights_fit_the_config_they_are_described_with_and_have_terms(name):
    description = describe(name)
    init_default_scope('mmdet3d')
    model = MODELS.build(copy.deepcopy(description['model']))  # mmdet3d's heads change what they are built from
    stored, part = read_checkpoint(name), getattr(model, 'used_for_test', '')
    assert stored.keys() == {key for key in model.state_dict() if key.startswith(part)}
    model.load_state_dict(stored, strict=False)
    config = Config.fromfile(CONFIGS.parent / description['config'])
    # JSON knows no tuples.
    assert description['model'] == json.loads(json.dumps(config.model.to_dict()))
    assert 'CC BY' in description['data'] and description['figures']
    assert (FOLDER / f'{name}.safetensors').stat().st_size < 30 * 2**20
    assert all(value.isfinite().all() for value in read_checkpoint(name).values())


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """The weights of the package at another place."""
    shutil.copytree(FOLDER, tmp_path / 'weights')
    for module in (shipped, places):
        monkeypatch.setattr(module, 'FOLDER', tmp_path / 'weights')
    return tmp_path / 'weights'


def flip(path, place):
    with open(path, 'r+b') as file:
        file.seek(place)
        value = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([value ^ 1]))


@pytest.mark.parametrize('file, place', [
    ('rooms_det.safetensors', 9), ('rooms_det.safetensors', 2_000_000), ('rooms_det.json', 30),
    ('shapes_small.json', 700)])
def test_a_flipped_bit_is_refused(copied, file, place):
    flip(copied / file, place)
    message = rf"{file}' has changed since the package was made: .* SHA256SUMS. Install the package anew"
    with pytest.raises(ValueError, match=message):
        shipped_model(file.partition('.')[0])
    with pytest.raises(ValueError, match=message):
        (describe if file.endswith('.json') else read_checkpoint)(file.partition('.')[0])


def test_weights_without_a_checksum_are_refused_until_they_have_one(copied):
    for ending in ('json', 'safetensors'):
        shutil.copy(copied / f'rooms_det.{ending}', copied / f'mine.{ending}')
    with pytest.raises(ValueError, match=r"mine.safetensors' is not in SHA256SUMS beside it.*sha256sum \*.json"):
        read_checkpoint('mine')
    shipped.write_sums()
    assert (copied / 'SHA256SUMS').read_text().count('\n') == 2 * len(shipped_names())
    assert read_checkpoint('mine').keys() == read_checkpoint('rooms_det').keys() and describe('mine')


@pytest.mark.parametrize('name', PRETRAININGS)
@pytest.mark.parametrize('config', ['modelnet40_cls', 'shapenetpart_seg'])
def test_downstream_configs_take_sizes_and_weights_by_name(name, config):
    config = Config.fromfile(CONFIGS / f'm2ae/{config}.py')
    start_from(config, name)
    model = MODELS.build(config.model)
    model.init_weights()
    stored = read_checkpoint(name)
    own = {key: value for key, value in model.state_dict().items() if key.startswith('backbone.')}
    assert own and all(torch.equal(value, stored[key]) for key, value in own.items())


@pytest.mark.parametrize('name', PRETRAININGS)
def test_a_linear_probe_takes_the_whole_model(name):
    config = Config.fromfile(CONFIGS / 'm2ae/modelnet40_svm.py')
    start_from(config, name)
    assert MODELS.build(config.model).state_dict().keys() == read_checkpoint(name).keys()


@pytest.mark.parametrize('name', PRETRAININGS)
def test_pretraining_goes_on_from_the_whole_model(name):
    config = Config.fromfile(CONFIGS / 'm2ae/shapenet_pretrain.py')
    start_from(config, name)
    model = MODELS.build(config.model)
    model.init_weights()
    stored = read_checkpoint(name)
    assert model.state_dict().keys() == stored.keys()
    assert all(torch.equal(value, stored[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize('name', shipped_names())
def test_models_are_built_by_name_and_know_their_config(name):
    model = shipped_model(name)
    stored, own = read_checkpoint(name), model.state_dict()
    assert not model.training and all(torch.equal(value.to(own[key]), own[key]) for key, value in stored.items())
    assert model.cfg.model == describe(name)['model'] and model.cfg.default_scope == 'mmdet3d'
    assert model.cfg.test_dataloader.dataset.pipeline


def test_mmdet3d_detects_with_a_shipped_model(tmp_path):
    from mmdet3d.apis import inference_detector
    scene = box_scene(0)
    scene['points'].tofile(tmp_path / 'room.bin')
    result, _ = inference_detector(shipped_model('rooms_det'), str(tmp_path / 'room.bin'))
    assert result.pred_instances_3d.bboxes_3d.tensor.shape[1] == 7 and len(result.pred_instances_3d.scores_3d) > 0


@pytest.mark.parametrize('name', shipped_names())
def test_mmengine_takes_names(name):
    loaded = load_checkpoint(nn.Module(), name)['state_dict']
    assert loaded.keys() == read_checkpoint(name).keys()


@pytest.mark.parametrize('place,model,key,width', [
    ('head', dict(type='PointM2AEClassifier', head=dict(type='PointM2AEClsHead')), 'in_channels', 7),
    ('head', dict(type='PointM2AESegmentor', head=dict(type='PointM2AEPartHead')), 'in_channels', [7, 8, 9]),
    ('neck', dict(type='VoteNet', neck=dict(type='PointM2AEPropagation')), 'encoder_dims', [7, 8, 9]),
])
def test_what_reads_the_tokens_follows_their_widths(place, model, key, width):
    config = Config(dict(model=dict(copy.deepcopy(model), backbone=dict(type='PointM2AEEncoder'))))
    config.model[place][key] = width
    start_from(config, PRETRAININGS[0])
    dims = describe(PRETRAININGS[0])['model']['backbone']['embed_dims']
    assert config.model[place][key] == (dims if isinstance(width, list) else dims[-1])


@pytest.mark.parametrize('config, warned', [('m2ae/rooms_det', True), ('m2ae/rooms_pretrain', True),
                                            ('m2ae/cad_shapes/pretrain_small', False), ('m2ae/folder_cls', False)])
def test_models_of_scenes_are_warned_of(config, warned, monkeypatch):
    told = []
    monkeypatch.setattr(shipped, 'print_log', lambda message, *_: told.append(message))
    config = Config.fromfile(CONFIGS / f'{config}.py')
    if config.model.type == 'PointM2AE':
        config.model.neck.depths = [1, 1]
    start_from(config, 'shapes_small')
    assert len(told) == warned
    assert all('it has [128, 64, 32] tokens for all of a scene' in message for message in told)


def test_a_detector_of_another_encoder_is_refused():
    config = Config.fromfile(CONFIGS / '3detr/3detr_scannet.py')
    with pytest.raises(ValueError, match='for PointM2AEEncoder; this config has ThreeDETREncoder'):
        start_from(config, PRETRAININGS[0])


def test_another_decoder_is_refused_and_not_replaced():
    config = Config.fromfile(CONFIGS / 'm2ae/ablations/table7_flat_decoder.py')
    with pytest.raises(ValueError, match=r'a decoder of \[1, 1\] blocks in its stages, this config has \[2\]'):
        start_from(config, PRETRAININGS[0])


def test_an_encoder_without_decoder_starts_no_pretraining():
    config = Config.fromfile(CONFIGS / 'm2ae/shapenet_pretrain.py')
    with pytest.raises(ValueError, match="the weights 'shapes' are of PointM2AEProbe and have no decoder"):
        start_from(config, 'shapes')


def test_a_linear_probe_takes_an_encoder_without_decoder():
    config = Config.fromfile(CONFIGS / 'm2ae/folder_svm.py')
    start_from(config, 'shapes')
    assert config.model.backbone.embed_dims == [96, 192, 384] and config.model.backbone.init_cfg.checkpoint == 'shapes'


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(FileNotFoundError, match="no checkpoint 'shapenet'.*shapes_small"):
        read_checkpoint('shapenet')
    with pytest.raises(ValueError, match="no weights 'shapenet' come with the package, only .*shapes_small"):
        describe('shapenet')
