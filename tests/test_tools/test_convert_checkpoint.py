"""tools/convert_checkpoint.py on files in the published formats."""
from argparse import Namespace

import numpy as np
import pytest
import torch
from golden import load_vector, published_weights
from processes import program

from m2ae_mm.checkpoint import convert_published, read_checkpoint
from m2ae_mm.checkpoint.published import PUBLISHED, recognise
from m2ae_mm.cli.convert import FAMILIES


def convert(source, target, *options):
    return program('tools/convert_checkpoint.py', source, target, *options)


def test_published_pretraining_file_becomes_ours(tmp_path):
    weights = published_weights(load_vector('point_m2ae_pretrain'))
    source, target = tmp_path / 'pre-train.pth', tmp_path / 'ours.safetensors'
    torch.save(dict(base_model={f'module.{name}': value for name, value in weights.items()}, epoch=300), source)
    done = convert(source, target)
    assert done.returncode == 0, done.stderr
    assert 'found Point-M2AE, pre-training' in done.stdout
    ours = read_checkpoint(target)
    assert len(ours) == len(weights)
    assert torch.equal(ours['neck.mask_token'], weights['mask_token'])
    again = convert(source, target)
    assert again.returncode == 1 and 'exists already' in again.stderr


def test_published_segmentation_file_becomes_ours(tmp_path):
    weights = published_weights(load_vector('point_m2ae_shapenetpart_seg'))
    torch.save(dict(epoch=299, train_acc=np.float64(0.95), model_state_dict=weights, optimizer_state_dict={}),
               tmp_path / 'best_model.pth')
    done = convert(tmp_path / 'best_model.pth', tmp_path / 'ours.pth')
    assert done.returncode == 0, done.stderr
    assert 'found Point-M2AE, part segmentation' in done.stdout and len(read_checkpoint(tmp_path / 'ours.pth')) == len(
        weights)


@pytest.mark.parametrize('vector, title', [
    ('point_m2ae_pretrain', 'Point-M2AE, pre-training'),
    ('point_m2ae_modelnet40_cls', 'Point-M2AE, classification'),
    ('point_m2ae_scanobjectnn_cls', 'Point-M2AE, classification'),
    ('point_m2ae_shapenetpart_seg', 'Point-M2AE, part segmentation'),
    ('i2p_mae_modelnet40_cls', 'Point-M2AE, classification'),  # of which nothing tells it apart
    ('3detr', '3DETR'),
    ('3detr_m', '3DETR-m'),
])
def test_models_are_told_apart(vector, title):
    weights = published_weights(load_vector(vector))
    model, converted = convert_published(weights)
    assert model.title == title and len(converted) == len(weights)


def test_of_a_published_vdetr_the_decoder_is_converted_and_the_backbone_named(tmp_path):
    weights = published_weights(load_vector('vdetr_scannet'))
    sparse = {f'{name}.kernel': torch.ones(2) for name in ('pre_encoder.conv1', 'up_block_1.0', 'out_block_0.3')}
    torch.save(dict(model={**weights, **sparse}, args=Namespace(enc_dim=48)), tmp_path / 'best.pth')
    done = convert(tmp_path / 'best.pth', tmp_path / 'ours.pth')
    assert done.returncode == 0, done.stderr
    assert "found V-DETR's decoder" in done.stdout and '3 tensors of its sparse backbone were left out' in done.stdout
    ours = read_checkpoint(tmp_path / 'ours.pth')
    assert all(name.startswith('bbox_head.') for name in ours)
    assert torch.equal(ours['bbox_head.content.weight'], weights['decoder.query_embed.weight'])


def test_of_a_published_i2p_mae_the_3d_side_is_converted(tmp_path):
    weights = published_weights(load_vector('i2p_mae_pretrain'))
    clip = {'clip_model.half': torch.ones(2, 2, dtype=torch.float16)}
    stored = {f'module.{name}': value for name, value in {**weights, **clip}.items()}  # a run of one process
    torch.save(dict(base_model=stored, epoch=300), tmp_path / 'pre-train.pth')
    done = convert(tmp_path / 'pre-train.pth', tmp_path / 'ours.safetensors', '--as', 'i2p_mae')
    assert done.returncode == 0, done.stderr
    ours = read_checkpoint(tmp_path / 'ours.safetensors')
    left_out = len(weights) + 1 - len(ours)
    assert left_out == sum(name.startswith(('clip_model', 'rec_head_2d')) for name in weights) + 1
    assert f'{left_out} tensors of its 2D side, CLIP included, were left out' in done.stdout
    assert 'found I2P-MAE, pre-training' in done.stdout and 'configs/i2p_mae/shapenet_pretrain.py' in done.stdout
    assert torch.equal(ours['head.predict_points.bias'], weights['rec_head_3d.bias'])


def test_fine_tuned_i2p_mae_and_point_m2ae_are_told_apart_by_an_option(tmp_path):
    weights = published_weights(load_vector('i2p_mae_modelnet40_cls'))
    torch.save(dict(base_model=weights), tmp_path / 'a.pth')
    told = convert(tmp_path / 'a.pth', tmp_path / 'plain.pth').stdout
    assert 'configs/m2ae/modelnet40_cls.py' in told and 'give --as i2p_mae' in told
    told = convert(tmp_path / 'a.pth', tmp_path / 'named.pth', '--as', 'i2p_mae').stdout
    assert 'found I2P-MAE, classification' in told and 'configs/i2p_mae/modelnet40_cls.py' in told
    assert 'configs/m2ae' not in told and 'same names' not in told
    plain, named = (read_checkpoint(tmp_path / f'{name}.pth') for name in ('plain', 'named'))
    assert all(torch.equal(plain[name], value) for name, value in named.items()) and len(named) == len(weights)
    done = convert(tmp_path / 'a.pth', tmp_path / 'wrong.pth', '--as', '3detr')
    assert done.returncode == 1 and 'Traceback' not in done.stderr and not (tmp_path / 'wrong.pth').exists()
    assert 'this is Point-M2AE, classification' in done.stderr and '(3DETR-m; 3DETR)' in done.stderr


def test_the_converter_offers_every_family():
    assert set(FAMILIES) == {model.family for model in PUBLISHED}


def test_a_vertex_without_its_mlp_is_named():
    weights = published_weights(load_vector('vdetr_scannet'))
    del weights['decoder.layers.1.multihead_attn.cpb_mlps.5.0.bias']
    with pytest.raises(ValueError, match=r'layers.1.cross_attn.bias.bias1 needs the MLPs of 8 vertices, found .*4, 6'):
        convert_published(weights)


def test_options_beside_the_weights_are_harmless(tmp_path):
    torch.save(dict(model=dict(weight=torch.ones(2)), args=Namespace(lr=1e-3)), tmp_path / 'a.pth')
    assert list(read_checkpoint(tmp_path / 'a.pth')) == ['weight']


def test_unknown_files_get_one_message(tmp_path):
    torch.save(dict(state_dict={'conv1.weight': torch.zeros(1)}), tmp_path / 'resnet.pth')
    done = convert(tmp_path / 'resnet.pth', tmp_path / 'out.pth')
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    assert 'none of the published checkpoints' in done.stderr and 'conv1.weight' in done.stderr
    with pytest.raises(ValueError, match='They are those of this project already'):
        recognise({'backbone.norms.0.weight': None})
    assert not (tmp_path / 'out.pth').exists()
