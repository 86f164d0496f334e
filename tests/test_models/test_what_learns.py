"""What learns of a model: frozen encoders, linear heads, low-rank matrices."""
import copy

import pytest
import torch
from torch import nn

from m2ae_mm.models.layers.low_rank import add_low_rank, low_rank_layers, merge_low_rank
from mmdet3d.registry import MODELS

ENCODER = dict(
    type='mmdet3d.PointM2AEEncoder', num_centers=(24, 12, 6), num_neighbors=(4, 4, 3), embed_dims=(8, 12, 16),
    depths=(1, 1, 2), num_heads=2, radii=(0.4, 0.8, 1.6), point_hidden=(6, 8, 10), drop_path_rate=0.5)
MASKED = dict(
    type='mmdet3d.ThreeDETREncoder', num_points=24, radius=0.4, num_samples=6, mlp_channels=(6, 8), embed_dims=12,
    num_layers=3, num_heads=2, feedforward_channels=10, dropout=0.3, masking_radii=(0.4, 0.8, 1.2),
    interim=dict(num_points=12, radius=0.8, num_samples=4, mlp_channels=(8, 8)))
ENCODERS = dict(point_m2ae=ENCODER, three_detr=MASKED,
                class_token=dict(ENCODER, type='mmdet3d.PointM2AEClassTokenEncoder'))


def encoder(kind, **options):
    torch.manual_seed(0)
    built = MODELS.build(dict(ENCODERS[kind], **options))
    built.init_weights()
    with torch.no_grad():
        for name, value in built.state_dict().items():  # norms and averages that are not those of the start
            if value.is_floating_point() and not name.endswith('lora_scale'):
                value.add_(0.1 * torch.rand_like(value) if 'var' in name else 0.1 * torch.randn_like(value))
    return built


def points(batch=3):
    return torch.rand(batch, 60, 3, generator=torch.Generator().manual_seed(1))


def encode(model, clouds):
    return model.encode(clouds, model.build_scales(clouds))


def learns(module):
    return sum(each.numel() for each in module.parameters() if each.requires_grad)


@pytest.mark.parametrize('kind', ENCODERS)
def test_a_frozen_encoder_computes_as_in_evaluation_and_keeps_nothing(kind):
    model, clouds = encoder(kind, frozen=True), points()
    before = copy.deepcopy(model.state_dict())
    plain = encoder(kind).eval()
    with torch.no_grad():
        expected = encode(plain, clouds)
    nn.Sequential(model).train()  # as a runner does it with the whole model
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(kept.append, lambda x: x):
        found = encode(model, clouds)
    assert not kept and learns(model) == 0
    assert not any(module.training for module in model.modules())
    for one, other in zip(found, expected):
        assert torch.equal(one, other) and not one.requires_grad
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def classifier(**options):
    torch.manual_seed(0)
    backbone = dict(ENCODER, **options.pop('backbone', {}))
    return MODELS.build(dict(
        type='mmdet3d.PointM2AEClassifier', backbone=backbone,
        head=dict(type='mmdet3d.PointM2AEClsHead', num_classes=5, in_channels=16, hidden=(9, 7), **options)))


def segmentor(**options):
    backbone = dict(ENCODER, **options.pop('backbone', {}))
    return MODELS.build(dict(
        type='mmdet3d.PointM2AESegmentor', backbone=backbone,
        head=dict(type='mmdet3d.PointM2AEPartHead', num_parts=6, num_categories=2, in_channels=(8, 12, 16),
                  propagated=(8, 8), hidden=(8, 8, 8), category_channels=4, **options)))


@pytest.mark.parametrize('make', [classifier, segmentor])
@pytest.mark.parametrize('options', [dict(frozen=True), dict(lora=dict(rank=2, drop_rate=0.3))])
def test_steps_change_what_learns_and_nothing_else(make, options):
    model = make(backbone=options).train()
    model.init_weights()
    before = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    for _ in range(3):
        clouds = points(4)
        scores = model.classify(clouds) if make is classifier else model.segment(clouds, torch.tensor([0, 1, 1, 0]))
        optimizer.zero_grad()
        scores.square().sum().backward()
        optimizer.step()
    learning = {name for name, value in model.named_parameters() if value.requires_grad}
    assert all(value.grad is not None for value in model.parameters() if value.requires_grad)
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert {name for name in changed if name.startswith('backbone.')} == {
        name.replace('parametrizations.weight.0.', 'lora_') for name in learning if name.startswith('backbone.')}
    assert any(name.startswith('head.') for name in changed)


def test_a_linear_part_head_scores_normalised_interpolated_tokens():
    model = segmentor(linear=True).eval()
    clouds, category = points(2), torch.tensor([1, 0])
    scales = model.backbone.build_scales(clouds)
    features = model.backbone.encode(clouds, scales)
    found = model.head(clouds, scales, features, category)
    at = int(scales[0].indices[0, 3])  # a point that is a centre of scale 1 takes that centre's token
    weight, bias = model.head.classify.weight, model.head.classify.bias
    token = features[0][0, 3]
    own = (token - token.mean()) / (token.var(unbiased=False) + 1e-5).sqrt()
    with torch.no_grad():
        changed = [torch.zeros_like(features[0]), *features[1:]]
        without = model.head(clouds, scales, changed, category)
        torch.testing.assert_close((found - without)[0, at], weight[:, :8] @ own, rtol=1e-3, atol=1e-4)
        other = model.head(clouds, scales, features, 1 - category)
        torch.testing.assert_close((found - other)[0, 0], weight[:, -1] - weight[:, -2], rtol=1e-3, atol=1e-5)
    assert bias.shape == (6, )


@pytest.mark.parametrize('kind', ENCODERS)
def test_low_rank_matrices_are_nothing_at_first(kind):
    plain, model, clouds = encoder(kind).eval(), encoder(kind, lora=dict(rank=3)), points()
    model.load_state_dict(plain.state_dict(), strict=False)
    for layer in low_rank_layers(model):
        nn.init.zeros_(layer.parametrizations.weight[0].up)
    for one, other in zip(encode(model.eval(), clouds), encode(plain, clouds)):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)


@pytest.mark.parametrize('kind', ENCODERS)
def test_merged_is_as_unmerged_and_loads_into_a_plain_model(kind):
    model, clouds = encoder(kind, lora=dict(rank=3, alpha=6, targets=['attn', r'embeddings\.\d'])).eval(), points()
    merged = copy.deepcopy(model)
    assert merge_low_rank(merged) == len(list(low_rank_layers(model))) > 4
    plain = encoder(kind).eval()
    plain.load_state_dict(merged.state_dict())
    expected = encode(model, clouds)
    assert not list(low_rank_layers(merged))
    for one, other, third in zip(expected, encode(merged, clouds), encode(plain, clouds)):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
        assert torch.equal(other, third)


def test_the_product_is_of_the_scale_that_is_stored():
    layer = nn.Sequential(nn.Linear(3, 2))
    weight = layer[0].weight.detach().clone()
    add_low_rank(layer, rank=2, alpha=5, targets='0')
    up, down = torch.tensor([[1., 2.], [0., -1.]]), torch.tensor([[1., 0., 2.], [3., 1., 0.]])
    layer.load_state_dict({'0.weight': weight, '0.bias': layer[0].bias.detach().clone(), '0.lora_up': up,
                           '0.lora_down': down, '0.lora_scale': torch.tensor(0.5)})
    torch.testing.assert_close(layer[0].weight, weight + 0.5 * torch.tensor([[7., 2., 2.], [-3., -1., 0.]]))
    assert set(layer.state_dict()) == {'0.weight', '0.bias', '0.lora_up', '0.lora_down', '0.lora_scale'}
    copied = copy.deepcopy(layer)
    assert torch.equal(copied.state_dict()['0.weight'], weight)
    copied.load_state_dict(layer.state_dict())


def test_dropped_inputs_are_the_same_for_all_rows_and_none_in_evaluation():
    torch.manual_seed(0)
    layer = nn.Sequential(nn.Linear(400, 1, bias=False))
    nn.init.zeros_(layer[0].weight)
    add_low_rank(layer, rank=1, drop_rate=0.25, targets='0')
    nn.init.ones_(layer[0].parametrizations.weight[0].up)
    nn.init.ones_(layer[0].parametrizations.weight[0].down)
    rows = torch.ones(5, 400)
    found = layer(rows)
    torch.testing.assert_close(found, found[:1].expand(5, 1))  # but for the order of sums
    values = layer[0].weight.unique()
    torch.testing.assert_close(values, torch.tensor([0., 4 / 3]))
    assert 0.15 < (layer[0].weight == 0).float().mean() < 0.35
    assert layer.eval()(rows).flatten().tolist() == [400.] * 5


@pytest.mark.parametrize('lora, message', [
    (dict(rank=0), r'rank of lora must be a whole number from 1 to 8.*got 0'),
    (dict(rank=2.5), r'rank of lora .* got 2\.5'),
    (dict(rank=9), r'rank of lora must be a whole number from 1 to 8.*got 9'),
    (dict(alpha=0), r'alpha of lora must be above 0, got 0'),
    (dict(drop_rate=1.), r'drop_rate of lora .* got 1\.0'),
    (dict(targets='qvk'), r"'qvk' finds none of the \d+ linear layers of PointM2AEEncoder.*embeddings\.0\.lift"),
    (dict(targets=['qkv', '(']), r"'\(' is none"), (dict(targets=[]), 'lora needs targets'),
    (dict(ranks=3), r'lora must be dict\(\.\.\.\) of rank, alpha, drop_rate, targets, got .*ranks')])
def test_bad_options_of_lora_are_one_message(lora, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(dict(ENCODER, lora=lora))


def test_depths_go_from_the_finest_scale_to_the_head():
    model = encoder('class_token')  # blocks 1, 1, 2: levels 0 1 | 2 3 | 4 5 6 | 7
    expected = {
        'embeddings.0.lift.weight': 0, 'stages.0.position.0.weight': 0, 'stages.0.blocks.0.attn.qkv.weight': 1,
        'embeddings.1.join_norm.bias': 2, 'stages.1.position.2.bias': 2, 'stages.1.blocks.0.mlp.fc1.weight': 3,
        'embeddings.2.out.weight': 4, 'stages.2.blocks.0.norm1.weight': 5, 'stages.2.blocks.1.norm1.weight': 6,
        'class_token': 4, 'norms.0.weight': 7}
    assert {name: model.get_layer_depth(name) for name in expected} == {
        name: (depth, 8) for name, depth in expected.items()}
    assert model.get_layer_depth('head.norm.weight', 'backbone.') == (7, 8)
    assert model.get_layer_depth('backbone.stages.1.blocks.0.norm1.bias', 'backbone.') == (3, 8)
    masked = encoder('three_detr')  # layers 1, 2: 0 1 | 2 3 4 | 5
    assert [masked.get_layer_depth(name)[0] for name in (
        'embeddings.0.layers.0.linear.weight', 'stages.0.0.norm1.weight', 'embeddings.1.layers.1.norm.bias',
        'stages.1.0.self_attn.in_proj.weight', 'stages.1.1.feedforward.linear2.bias')] == [0, 1, 2, 3, 4]
