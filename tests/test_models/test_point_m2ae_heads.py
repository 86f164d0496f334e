import pytest
import torch

from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample, PointData

BACKBONE = dict(
    type='PointM2AEEncoder', num_centers=[16, 8, 4], num_neighbors=[4, 4, 2], embed_dims=[6, 12, 18], depths=[1, 1, 1],
    num_heads=3, point_hidden=[8, 8, 8], radii=[0.5, 1., 2.])


def head(pooling='max+mean', **options):
    return MODELS.build(dict(type='PointM2AEClsHead', num_classes=5, in_channels=18, pooling=pooling, **options))


def points(batch=3, num_points=40):
    return torch.randn(batch, num_points, 3, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize('pooling, expected', [
    ('max', [3., 8.]),
    ('mean', [2., 4.]),
    ('max+mean', [5., 12.]),
    ('concat', [2., 4., 3., 8.]),
    ('concat_published', [2., 4., 3., 4.]),
    ('class_token', [1., 8.]),
])
def test_poolings(pooling, expected):
    tokens = torch.tensor([[[1., 8.], [2., 0.], [3., 4.]]])
    assert head(pooling).pool(tokens)[0].tolist() == expected
    assert head(pooling, linear=True).classify.in_features == 18 // 2 * len(expected)


def test_unknown_pooling():
    with pytest.raises(ValueError, match="got 'sum'"):
        head('sum')


def test_one_class_is_nothing_to_tell_apart():
    with pytest.raises(ValueError, match='at least 2, got 1'):
        MODELS.build(dict(type='PointM2AEClsHead', num_classes=1))


def test_label_smoothing_spreads_over_the_other_classes():
    logits = torch.tensor([[2., 0.5, -1., 0., 1.]])
    log_probs = logits.log_softmax(1)[0]
    expected = -(0.7 * log_probs[3] + 0.3 / 4 * (log_probs.sum() - log_probs[3]))
    loss = head(label_smoothing=0.3).loss(logits, torch.tensor([3]))
    assert float(loss['loss_cls']) == pytest.approx(float(expected), rel=1e-5)
    assert float(loss['accuracy']) == 0


def test_class_token_reaches_beyond_the_radius():
    torch.manual_seed(0)
    backbone = MODELS.build({**BACKBONE, 'type': 'PointM2AEClassTokenEncoder', 'radii': [1e-3] * 3})
    backbone.init_weights()
    backbone.eval()
    assert backbone.class_token.abs().max() > 0
    cloud = points(1)
    with torch.no_grad():
        scales = backbone.build_scales(cloud)
        tokens = backbone.encode(cloud, scales)[-1]
        plain = MODELS.build({**BACKBONE, 'radii': [1e-3] * 3}).eval()
        plain.load_state_dict({k: v for k, v in backbone.state_dict().items() if k != 'class_token'})
        isolated = plain.encode(cloud, scales)[-1]
    assert tokens.shape == (1, 5, 18)
    # Every other token saw itself and the class token, so it differs from one that saw itself only.
    assert ((tokens[:, 1:] - isolated).abs().amax(-1) > 1e-6).all()
    with pytest.raises(ValueError, match='classifies whole clouds'):
        backbone.encode(cloud, scales, [torch.zeros(1, n, dtype=torch.bool) for n in (16, 8, 4)])


def test_accuracy_is_in_percent():
    logits = torch.eye(5)[[3, 1, 0, 2]]
    assert head().loss(logits, torch.tensor([3, 4, 0, 2]))['accuracy'] == 75


def test_the_class_token_sees_every_other_token():
    torch.manual_seed(0)
    backbone = MODELS.build({**BACKBONE, 'type': 'PointM2AEClassTokenEncoder', 'radii': [1e-3] * 3}).eval()
    clouds = points(2)  # no two centres of which are closer than the radius
    with torch.no_grad():
        one, other = backbone.encode(clouds, backbone.build_scales(clouds))[-1][:, 0]
    assert (one - other).abs().max() > 1e-4


def classifier(**options):
    return MODELS.build(
        dict(type='PointM2AEClassifier', backbone={**BACKBONE, 'stage_norm': False},
             head=dict(type='PointM2AEClsHead', num_classes=5, in_channels=18), **options))


def samples(labels):
    return [Det3DDataSample(gt_label=torch.tensor(label)) for label in labels]


def test_classifier_predicts_what_its_logits_say():
    model = classifier().eval()
    with torch.no_grad():
        logits = model(dict(points=points()))
        result = model(dict(points=list(points())), samples([0, 1, 2]), mode='predict')
    for sample, row in zip(result, logits):
        torch.testing.assert_close(sample.pred_score, row.softmax(0))
        assert sample.pred_label == row.argmax() and 'vote_label' not in sample


def test_gradients_reach_every_parameter():
    model = classifier()
    sum(value for name, value in model(dict(points=points()), samples([0, 1, 4]), mode='loss').items()
        if 'loss' in name).backward()
    assert [name for name, value in model.named_parameters() if value.grad is None] == []


def test_labels_that_do_not_fit():
    with pytest.raises(ValueError, match='label 5 does not fit num_classes=5'):
        classifier()(dict(points=points()), samples([0, 1, 5]), mode='loss')
    with pytest.raises(ValueError, match='label 5 does not fit num_classes=5'):
        classifier()(dict(points=points()), samples([0, 1, 5]), mode='predict')
    assert 'pred_label' in classifier()(dict(points=points()), [Det3DDataSample()] * 3, mode='predict')[0]
    with pytest.raises(ValueError, match='has no label'):
        classifier()(dict(points=points()), [Det3DDataSample()] * 3, mode='loss')


def test_votes_need_transforms():
    with pytest.raises(ValueError, match='votes=3 needs data_preprocessor.vote_transforms'):
        classifier(votes=3, data_preprocessor=dict(type='M2AEShapePreprocessor'))


def test_a_class_token_must_be_there():
    with pytest.raises(ValueError, match="pooling='class_token' needs .* PointM2AEEncoder has none"):
        MODELS.build(dict(type='PointM2AEClassifier', backbone=BACKBONE,
                          head=dict(type='PointM2AEClsHead', num_classes=5, in_channels=18, pooling='class_token')))


def test_layers_that_the_published_code_leaves_alone_have_the_defaults_of_pytorch():
    cls, parts = classifier(), segmentor()
    for model, names in ((cls, ['head.classify', 'head.hidden.0.0']),
                         (parts, ['head.classify', 'head.fuse.linear', 'head.propagations.0.layers.0.linear'])):
        model.init_weights()
        for name in names:
            layer = model.get_submodule(name)
            assert layer.weight.std().item() == pytest.approx((3 * layer.in_features)**-0.5, rel=0.15), name
            assert layer.bias.abs().max() > 0


def test_one_shape_is_no_batch_to_train_on():
    for model, given in ((classifier(), samples([0])), (segmentor(), part_samples([torch.arange(40) % 6]))):
        with pytest.raises(ValueError, match='two shapes or more in a batch of training, got 1. Set train_dataloader'):
            model(dict(points=points(1)), given, mode='loss')
        assert 'pred' in str(model.eval()(dict(points=points(1)), given, mode='predict')[0])


def test_every_vote_is_a_pass_over_transformed_clouds():
    half = dict(type='M2AEBatchScaleShift', scale_range=(0.5, 0.5), shift_range=0.)
    model = classifier(votes=3, data_preprocessor=dict(type='M2AEShapePreprocessor', vote_transforms=[half]))
    passes, logits = [], [[9., 0, 0], [0, 1., 0], [0, 0, .6], [0, 0, .6]]
    model.classify = lambda clouds: passes.append(clouds) or torch.tensor(logits[len(passes) - 1:len(passes)])
    sample, = model.test_step(dict(inputs=dict(points=list(points(1))), data_samples=samples([0])))
    assert sample.pred_label == 0 and sample.vote_label == 2  # which the mean says, though the best single vote is 1
    for clouds, factor in zip(passes, [1, 0.5, 0.5, 0.5], strict=True):
        torch.testing.assert_close(clouds, factor * points(1))


def segmentor(**options):
    return MODELS.build(
        dict(type='PointM2AESegmentor', backbone=BACKBONE,
             head=dict(type='PointM2AEPartHead', num_parts=6, num_categories=2, in_channels=[6, 12, 18],
                       propagated=[8, 8], hidden=[8, 8, 8], category_channels=4), **options))


def part_samples(parts):
    return [Det3DDataSample(gt_label=torch.tensor(i % 2), gt_pts_seg=PointData(pts_semantic_mask=each))
            for i, each in enumerate(parts)]


def test_segmentor_loss_is_the_mean_over_all_points():
    model = segmentor().eval()
    parts = torch.arange(120).view(3, 40) % 6
    logits = model(dict(points=points()), part_samples(parts))
    loss = model(dict(points=points()), part_samples(parts), mode='loss')
    expected = -logits.log_softmax(-1).gather(-1, parts.unsqueeze(-1)).mean()
    torch.testing.assert_close(loss['loss_part'], expected)
    assert float(loss['accuracy']) == pytest.approx(float((logits.argmax(-1) == parts).float().mean()) * 100)
    loss['loss_part'].backward()
    assert [name for name, value in model.named_parameters() if value.grad is None] == []


def test_segmentor_uses_the_category_and_predicts_per_point():
    model = segmentor().eval()
    with torch.no_grad():
        first = model(dict(points=points(1)), samples([0]))
        second = model(dict(points=points(1)), samples([1]))
        sample, = model(dict(points=points(1)), samples([1]), mode='predict')
    assert (first - second).abs().max() > 1e-4
    torch.testing.assert_close(sample.pts_seg_logits.pts_seg_logits, second[0].T)
    assert torch.equal(sample.pred_pts_seg.pts_semantic_mask, second[0].argmax(-1))


def test_every_point_of_clouds_of_different_sizes_is_predicted_once():
    model = segmentor().eval()
    clouds = [points(1)[0], points(1)[0, :30]]
    parts = [torch.arange(len(cloud)) % 3 for cloud in clouds]
    with torch.no_grad():
        results = model.test_step(dict(inputs=dict(points=clouds), data_samples=part_samples(parts)))
        alone, = model.test_step(dict(inputs=dict(points=clouds[:1]), data_samples=part_samples(parts[:1])))
    assert [len(result.pred_pts_seg.pts_semantic_mask) for result in results] == [40, 30]
    assert results[1].pts_seg_logits.pts_seg_logits.shape == (6, 30)
    torch.testing.assert_close(results[0].pts_seg_logits.pts_seg_logits, alone.pts_seg_logits.pts_seg_logits)


def test_clouds_that_were_sampled_are_not_cut():
    model = segmentor(data_preprocessor=dict(
        type='M2AEShapePreprocessor', test_transforms=[dict(type='M2AEBatchSample', num_points=35)])).eval()
    clouds = [points(1)[0], points(1)[0, :30]]
    with torch.no_grad():
        results = model.test_step(dict(inputs=dict(points=clouds), data_samples=samples([0, 0])))
    assert [len(result.pred_pts_seg.pts_semantic_mask) for result in results] == [35, 35]


def test_segmentor_refuses_labels_that_do_not_fit():
    with pytest.raises(ValueError, match='as many labels as points'):
        segmentor().eval()(dict(points=points(1)), part_samples([torch.zeros(39, dtype=torch.long)]), mode='loss')
    with pytest.raises(ValueError, match='part labels 0 to 6 do not fit num_parts=6'):
        segmentor().eval()(dict(points=points(1)), part_samples([torch.arange(40) % 7]), mode='loss')
    with pytest.raises(ValueError, match='part labels -1 to 4 do not fit num_parts=6'):
        segmentor().eval()(dict(points=points(1)), part_samples([torch.arange(40) % 6 - 1]), mode='loss')


def test_losses_stay_in_float32_under_autocast():
    with torch.autocast('cpu', torch.bfloat16):
        losses = [classifier()(dict(points=points()), samples([0, 1, 4]), mode='loss')['loss_cls'],
                  segmentor()(dict(points=points()), part_samples(torch.zeros(3, 40, dtype=torch.long)),
                              mode='loss')['loss_part']]
    for loss in losses:
        assert loss.dtype == torch.float32 and loss.isfinite()
