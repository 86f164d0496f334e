"""Our pre-training model against the published one, number by number."""
import json

import pytest
import torch
from golden import TOLERANCE, assert_close, encoder_of, load_vector, published_weights, tensor

from m2ae_mm.checkpoint.point_m2ae_keys import convert_i2p_mae_pretrain, convert_point_m2ae_pretrain
from m2ae_mm.models.layers.scales_and_masks import back_project_mask
from mmdet3d.registry import MODELS


def build(config, num_points, kind='PointM2AE', **options):
    dims, widths = config['encoder_dims'], config['decoder_dims']
    neck = dict(type='PointM2AEDecoder', encoder_dims=dims, embed_dims=widths, depths=config['decoder_depths'],
                num_heads=config['num_heads'])
    head = dict(type='PointM2AEPretrainHead', in_channels=widths[-1], num_points=num_points)
    return MODELS.build(dict(type=kind, backbone=encoder_of(config, radii=None), neck=neck, head=head, **options))


@pytest.fixture(scope='module', params=['point_m2ae_pretrain', 'point_m2ae_pretrain_batch'])
def case(request):
    vector = load_vector(request.param)
    config = json.loads(str(vector['config']))
    model = build(config, config['group_sizes'][0])
    weights = convert_point_m2ae_pretrain(published_weights(vector))
    model.load_state_dict(weights, strict=True)
    return vector, model.eval()


def run(vector, model):
    points = tensor(vector, 'points')
    scales = model.backbone.build_scales(points)
    masked = back_project_mask(tensor(vector, 'mask_top'), scales)
    return points, scales, masked


def test_scales_and_masks(case):
    vector, model = case
    _, scales, masked = run(vector, model)
    for i, (scale, mask) in enumerate(zip(scales, masked)):
        assert torch.equal(scale.centers, tensor(vector, f'centers_{i}'))
        assert torch.equal(scale.neighbors, tensor(vector, f'knn_{i}').long())
        assert torch.equal(mask, tensor(vector, f'masked_{i}'))


def test_features_of_every_stage(case):
    vector, model = case
    points, scales, masked = run(vector, model)
    with torch.no_grad():
        features = model.backbone.encode(points, scales, masked)
        decoded = model.neck(features, scales, masked)
    for i, feature in enumerate(features):
        torch.testing.assert_close(feature, tensor(vector, f'encoded_{i}'), **TOLERANCE)
    torch.testing.assert_close(decoded, tensor(vector, 'decoded'), **TOLERANCE)


def test_reconstruction_loss_and_gradients(case):
    vector, model = case
    model.zero_grad()
    result = model.reconstruct(*run(vector, model))
    predicted, target, _ = result.select()
    torch.testing.assert_close(predicted, tensor(vector, 'reconstruction'), **TOLERANCE)
    torch.testing.assert_close(target, tensor(vector, 'target'), **TOLERANCE)
    loss = model.head.loss(result)['loss_chamfer']
    torch.testing.assert_close(loss, tensor(vector, 'loss'), **TOLERANCE)
    loss.backward()
    ours = dict(model.named_parameters())
    published = {name[5:]: tensor(vector, name) for name in vector if name.startswith('grad/')}
    for name, gradient in convert_point_m2ae_pretrain(published).items():
        torch.testing.assert_close(ours[name].grad, gradient, **TOLERANCE)


def test_linear_probe_features(case):
    vector, model = case
    with torch.no_grad():
        features = model(dict(points=tensor(vector, 'points')), mode='tensor')
    torch.testing.assert_close(features, tensor(vector, 'features'), **TOLERANCE)


def test_i2p_mae():
    """Its encoder, the maximum that its linear SVM sees, and its 3D reconstruction."""
    vector = load_vector('i2p_mae_pretrain')
    config = json.loads(str(vector['config']))
    model = build(config, config['group_sizes'][1], 'PointM2AEProbe', pooling='max').eval()
    weights = published_weights(vector)
    converted = convert_i2p_mae_pretrain(weights)
    assert len(converted) < len(weights)
    model.load_state_dict(converted, strict=True)
    points, scales, masked = run(vector, model)
    with torch.no_grad():
        features = model(dict(points=points), mode='tensor')
        nothing = back_project_mask(torch.zeros_like(masked[-1]), scales)
        tokens = model.backbone.encode(points, scales, nothing)[-1]
        result = model.reconstruct(points, scales, masked)
    assert_close(tokens, tensor(vector, 'tokens'))
    torch.testing.assert_close(features, tensor(vector, 'features'), **TOLERANCE)
    predicted, target, _ = result.select()
    torch.testing.assert_close(predicted, tensor(vector, 'reconstruction'), **TOLERANCE)
    torch.testing.assert_close(target, tensor(vector, 'target'), **TOLERANCE)
    torch.testing.assert_close(model.head.loss(result)['loss_chamfer'], tensor(vector, 'loss_3d'), **TOLERANCE)
