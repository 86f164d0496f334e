"""torch-pointcloud's Point-M2AE and 3DETR weights: names of its version 0.0.18, and numbers that its models compute."""
import gzip
import json
import math
from pathlib import Path

import pytest
import torch
from golden import TOLERANCE, load_vector, published_weights, tensor
from mmengine.config import Config
from runs import CONFIGS
from safetensors.torch import save_file

from m2ae_mm.checkpoint import convert_published, read_checkpoint
from m2ae_mm.checkpoint.torch_pointcloud_keys import published_names, torch_pointcloud_weights
from m2ae_mm.models.layers.scales_and_masks import back_project_mask
from mmdet3d.registry import MODELS

# Names and shapes of its models' state dicts, by the names of its weights.
NAMES = json.loads(gzip.decompress(
    (Path(__file__).parents[1] / 'data' / 'torch_pointcloud_names.json.gz').read_bytes()))
BUILT_FROM = {
    'point-m2ae-base.pretrain.renrui-zhang': 'shapenet_pretrain',
    'point-m2ae-base.modelnet40.renrui-zhang': 'modelnet40_cls',
    'point-m2ae-base.scanobjectnn-objbg.renrui-zhang': 'scanobjectnn_objbg_cls',
    'point-m2ae-base.scanobjectnn-hardest.renrui-zhang': 'scanobjectnn_pbt50rs_cls',
    'point-m2ae-base.shapenetpart.renrui-zhang': 'shapenetpart_seg',
    '3detr.scannet.fair': '../3detr/3detr_scannet',
    '3detr-m.scannet.fair': '../3detr/3detr-m_scannet',
    '3detr.sunrgbd.fair': '../3detr/3detr_sunrgbd',
}


def encoder(radii, **options):
    return dict(type='PointM2AEEncoder', num_centers=[64, 32, 8], num_neighbors=[8, 4, 4], embed_dims=[12, 24, 48],
                depths=[2, 1, 1], num_heads=3, radii=radii, **options)


def build(config, vector):
    """Our model with a vector's weights, in evaluation mode."""
    model = MODELS.build(config)
    model.load_state_dict(convert_published(published_weights(vector))[1], strict=True)
    return model.eval()


def test_all_weights_have_a_config():
    assert NAMES.keys() == BUILT_FROM.keys() == torch_pointcloud_weights().keys()


@pytest.mark.parametrize('name', NAMES)
def test_every_tensor_finds_its_place(name):
    weights = {key: torch.zeros(()).expand(shape) for key, shape in NAMES[name].items()}
    model, converted = convert_published(weights)
    assert model.title.endswith(', as torch-pointcloud has it')
    own = MODELS.build(Config.fromfile(CONFIGS / f'{BUILT_FROM[name]}.py').model).state_dict()
    assert len(converted) == len(weights)
    assert {key: value.shape for key, value in converted.items()} == {key: value.shape for key, value in own.items()}


def test_classification():
    vector = load_vector('torch_pointcloud_cls')
    head = dict(type='PointM2AEClsHead', num_classes=40, in_channels=48, pooling='max+mean')
    model = build(dict(type='PointM2AEClassifier', backbone=encoder([0.5, 0.8, 1.2], stage_norm=False), head=head),
                  vector)
    with torch.no_grad():
        logits = model(dict(points=tensor(vector, 'points')))
    torch.testing.assert_close(logits, tensor(vector, 'logits'), **TOLERANCE)


def test_pretraining():
    vector = load_vector('torch_pointcloud_pretrain')
    neck = dict(type='PointM2AEDecoder', encoder_dims=[12, 24, 48], embed_dims=[48, 24], depths=[1, 1], num_heads=3)
    head = dict(type='PointM2AEPretrainHead', in_channels=24, num_points=8)
    model = build(dict(type='PointM2AE', backbone=encoder(None), neck=neck, head=head), vector)
    points = tensor(vector, 'points')
    scales = model.backbone.build_scales(points)
    with torch.no_grad():
        result = model.reconstruct(points, scales, back_project_mask(tensor(vector, 'mask_top'), scales))
    torch.testing.assert_close(result.select()[0], tensor(vector, 'reconstruction'), **TOLERANCE)


def test_detection_with_angle_bins():
    vector = load_vector('torch_pointcloud_3detr_m')
    backbone = dict(
        type='ThreeDETREncoder', num_points=64, radius=0.6, num_samples=16, embed_dims=32, feedforward_channels=32,
        masking_radii=(0.16, 0.64, 1.44), interim=dict(num_points=32))
    head = dict(
        type='ThreeDETRHead', num_classes=4, in_channels=32, projection_channels=[32], embed_dims=32, num_queries=8,
        num_layers=2, feedforward_channels=32, num_angle_bins=3)
    model = build(dict(type='ThreeDETR', backbone=backbone, bbox_head=head), vector)
    with torch.no_grad():
        predictions = model.bbox_head(model.extract_feat(dict(points=list(tensor(vector, 'points')))))
    for name, value in dict(sem_cls_logits=predictions.class_logits, center_unnormalized=predictions.centers,
                            size_unnormalized=predictions.sizes).items():
        torch.testing.assert_close(value[-1], tensor(vector, name), **TOLERANCE)
    chosen = tensor(vector, 'angle_logits').argmax(-1, keepdim=True)
    clockwise = 2 * math.pi / 3 * chosen[..., 0] + tensor(vector, 'angle_residual').take_along_dim(chosen, -1)[..., 0]
    torch.testing.assert_close(predictions.yaws[-1].sin(), (-clockwise).sin(), **TOLERANCE)
    torch.testing.assert_close(predictions.yaws[-1].cos(), clockwise.cos(), **TOLERANCE)


def test_layers_behind_an_interpolation_read_the_finer_points_first():
    """As published; torch-pointcloud's read them last, which no shape tells."""
    columns = torch.arange(5.).expand(2, 5)
    renamed = published_names({'propagations.1.mlp.lins.0.weight': columns, 'propagations.1.mlp.lins.1.weight': columns,
                               'token_prop.0.fp.mlp.lins.0.weight': columns})
    assert renamed['propagations.1.mlp_convs.0.weight'][0].tolist() == [2, 3, 4, 0, 1]  # x, y, z
    assert renamed['propagations.1.mlp_convs.1.weight'][0].tolist() == [0, 1, 2, 3, 4]
    assert renamed['token_prop.0.fuse.net.0.weight'][0].tolist() == [3, 4, 0, 1, 2]  # as wide as the output


def test_a_file_is_read_like_any_other(tmp_path, capsys):
    weights = published_weights(load_vector('torch_pointcloud_cls'))
    save_file(weights, tmp_path / 'model.safetensors')
    found = read_checkpoint(tmp_path / 'model.safetensors')
    assert torch.equal(found['head.classify.weight'], weights['head.lins.2.weight'])
    said = capsys.readouterr()
    assert 'Point-M2AE, classification, as torch-pointcloud has it' in said.out + said.err
    del weights['norm.bias']
    assert len(convert_published(weights)[1]) == len(weights)  # what is missing is for the model to say
    for name in ('surprise', 'local_mlp.norms.1.module.weight'):
        save_file({**weights, f'h_encoder.token_embed.0.{name}': torch.ones(1)}, tmp_path / 'other.safetensors')
        with pytest.raises(ValueError, match=f"differs from it: 'h_encoder.token_embed.0.{name}' is no name"):
            read_checkpoint(tmp_path / 'other.safetensors')
