"""V-DETR as a detector: it learns, and every option does."""
import pytest
import torch
from mmengine.structures import InstanceData

from mmdet3d.registry import MODELS
from mmdet3d.structures import DepthInstance3DBoxes, Det3DDataSample

ENCODER = dict(
    type='PointM2AEEncoder', num_centers=(48, 16), num_neighbors=(8, 4), embed_dims=(24, 32), depths=(1, 1),
    point_hidden=(16, 16, 16), num_heads=4, radii=(0.4, 0.8), drop_path_rate=0.)
NECK = dict(type='PointM2AEPropagation', encoder_dims=[24, 32], out_channels=[32])


def detector(rotated=False, **options):
    head = dict(
        type='VDETRHead', num_classes=3, in_channels=32, embed_dims=32, num_queries=12, num_layers=2,
        feedforward_channels=32, dropout=0., mlp_dropout=0., rpe_channels=16, num_angle_bins=12 if rotated else 1)
    train_cfg, test_cfg = options.pop('train_cfg', None), options.pop('test_cfg', None)
    torch.manual_seed(0)
    return MODELS.build(dict(type='ThreeDETR', backbone=ENCODER, neck=NECK, bbox_head={**head, **options},
                             train_cfg=train_cfg, test_cfg=test_cfg))


def scene(seed, boxes=3, rotated=False, points=400):
    """Points on the faces of boxes and on a floor, and the boxes."""
    generator = torch.Generator().manual_seed(seed)
    places = torch.tensor([[0., 0], [2, 0], [0, 2], [2, 2]])[torch.randperm(4, generator=generator)[:boxes]]
    sizes = torch.rand(boxes, 3, generator=generator) * 0.6 + 0.6
    centers = torch.cat([places, sizes[:, 2:] / 2], 1)
    yaws = torch.rand(boxes, 1, generator=generator) * 6 - 3 if rotated else torch.zeros(boxes, 1)
    floor = torch.rand(points // 4, 3, generator=generator) * torch.tensor([4., 4, 0]) - torch.tensor([1., 1, 0])
    cloud = [floor]
    for center, size, yaw in zip(centers, sizes, yaws):
        local = torch.rand(points // 4, 3, generator=generator) - 0.5
        axis = torch.randint(3, (len(local), 1), generator=generator)
        local.scatter_(1, axis, local.gather(1, axis).sign() / 2)
        x, y, z = (local * size).unbind(-1)
        turned = torch.stack([x * yaw.cos() - y * yaw.sin(), x * yaw.sin() + y * yaw.cos(), z], 1)
        cloud.append(center + turned)
    columns = torch.cat([centers, sizes, yaws], 1) if rotated else torch.cat([centers, sizes], 1)
    sample = Det3DDataSample()
    sample.gt_instances_3d = InstanceData(
        bboxes_3d=DepthInstance3DBoxes(columns, box_dim=columns.shape[1], with_yaw=rotated, origin=(0.5, 0.5, 0.5)),
        labels_3d=torch.arange(boxes) % 3)
    return torch.cat(cloud), sample


def train(model, scenes, steps, lr=3e-3):
    """Totals of the loss over the steps."""
    optimizer = torch.optim.AdamW(model.parameters(), lr)
    clouds, samples = [scene[0] for scene in scenes], [scene[1] for scene in scenes]
    totals = []
    for _ in range(steps):
        total, _ = model.parse_losses(model(dict(points=clouds), samples, mode='loss'))
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(total.item())
    return totals


ROOMS = dict(position_encoding='fourier', relative_to='previous', read_positions=True, read_points=True,
             anchor_sizes=[[0.9, 0.9, 0.9]] * 3,
             train_cfg=dict(class_target='overlap', matcher=dict(first_assignment='nearest')))


@pytest.mark.parametrize('options, overlap', [(dict(), 0.25), (ROOMS, 0.5)], ids=['published', 'rooms'])
def test_it_learns_to_find_the_boxes_of_a_scene(options, overlap):
    model, (cloud, sample) = detector(**options), scene(1)
    totals = train(model, [(cloud, sample)], 60, lr=5e-3)
    assert totals[-1] < totals[0] / 3
    result, = model.eval()(dict(points=[cloud]), [sample], mode='predict')
    truth, found = result.gt_instances_3d, result.pred_instances_3d
    overlaps = found.bboxes_3d.overlaps(found.bboxes_3d, truth.bboxes_3d)
    overlaps *= (found.labels_3d.unsqueeze(1) == truth.labels_3d) & (found.scores_3d > 0.1).unsqueeze(1)
    assert (overlaps.amax(0) > overlap).all()


OPTIONS = [
    dict(position_encoding='center'), dict(position_encoding='fourier'), dict(position_encoding=None),
    dict(relative_to='previous'), dict(scene_normalized=True), dict(read_positions=True),
    dict(read_positions=True, position_encoding='fourier'), dict(read_points=True),
    dict(anchor_sizes=[[0.5, 1, 2]] * 3),
    dict(query_content='tokens'), dict(query_content='both'), dict(query_content='zeros'),
    dict(train_cfg=dict(matcher=dict(copies=1))), dict(train_cfg=dict(matcher=dict(first_assignment='nearest'))),
    dict(train_cfg=dict(class_target='overlap')), dict(rotated=True),
    dict(rotated=True, read_points=True, train_cfg=dict(class_target='overlap')),
    dict(rotated=True, rpe_in_box_frame=True, read_positions=True), dict(num_layers=1)
]


@pytest.mark.parametrize('options', OPTIONS, ids=lambda options: '-'.join(f'{k}={v}' for k, v in options.items()))
def test_every_option_lowers_the_loss_and_reaches_every_parameter(options):
    model = detector(**options)
    rotated = options.get('rotated', False)
    totals = train(model, [scene(1, rotated=rotated), scene(2, boxes=2, rotated=rotated)], 5)
    assert totals[-1] < totals[0]
    unused = [name for name, p in model.named_parameters() if p.grad is None]
    assert all(name.startswith('backbone.norms.') for name in unused)  # of the finest stage: the neck reads others


@pytest.mark.parametrize('wanted', [
    dict(query_content='learnt'), dict(position_encoding='vertex'), dict(relative_to='anchor'), dict(num_queries=0),
    dict(anchor_sizes=[[1, 1, 1]]), dict(anchor_sizes=[[1, 1, 0]] * 3), dict(num_layers=0),
    dict(train_cfg=dict(matcher=dict(copies=0))), dict(train_cfg=dict(matcher=dict(first_assignment='near'))),
    dict(train_cfg=dict(loss_weights=dict(loss_objectness=1.))), dict(train_cfg=dict(class_target='iou'))
], ids=str)
def test_bad_options_are_named_with_what_is_possible(wanted):
    name = next(iter(wanted))
    options = [name, 'copies', 'first_assignment', 'loss_objectness', 'class_target']
    with pytest.raises(ValueError, match='|'.join(options)):
        detector(**wanted)


# --- input out of the ordinary


def step(model, scenes):
    total, losses = model.parse_losses(
        model(dict(points=[cloud for cloud, _ in scenes]), [sample for _, sample in scenes], mode='loss'))
    total.backward()
    assert total.isfinite() and all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    return total.item(), losses


def moved(scene, offset=0., size=1.):
    cloud, sample = scene
    boxes = sample.gt_instances_3d.bboxes_3d
    boxes.tensor[:, :3] += offset
    boxes.tensor[:, 3:6] *= size
    return cloud, sample


UNUSUAL = dict(
    no_box_in_one=lambda: [scene(1), scene(2, boxes=0)],
    outside=lambda: [moved(scene(1), 50.), scene(2)],
    flat=lambda: [moved(scene(1), size=0.), scene(2)],
    huge=lambda: [moved(scene(1), size=1000.), scene(2)],
    one_point=lambda: [(scene(1)[0][:1], scene(1)[1]), (scene(2)[0][:1], scene(2)[1])])


@pytest.mark.parametrize('options', [dict(), ROOMS], ids=['published', 'rooms'])
@pytest.mark.parametrize('make', UNUSUAL.values(), ids=UNUSUAL)
def test_unusual_scenes_have_finite_losses_and_gradients(options, make):
    model = detector(**options)
    assert step(model, make())[0] > 0
    results = model.eval()(dict(points=[cloud for cloud, _ in make()]), [sample for _, sample in make()],
                           mode='predict')
    assert all(result.pred_instances_3d.scores_3d.isfinite().all() for result in results)


@pytest.mark.parametrize('options', [dict(), ROOMS], ids=['published', 'rooms'])
def test_a_batch_without_boxes_has_losses_of_zero_that_are_connected(options):
    model = detector(**options)
    total, losses = step(model, [scene(1, boxes=0), scene(2, boxes=0)])
    assert total == 0 and {'loss_point_cls', 'd0.loss_sem_cls', 'loss_giou'} <= set(losses)
    assert all(p.grad is not None for p in model.bbox_head.box_heads.parameters())


def test_with_fewer_tokens_than_queries_every_token_proposes():
    model = detector(num_queries=100)
    scenes = [scene(1), scene(2)]
    predictions = model._predict(dict(points=[cloud for cloud, _ in scenes]), None)['predictions']
    assert predictions.boxes.shape == (2, 2, 48, 7)
    assert torch.equal(predictions.picked.sort().values, torch.arange(48).expand(2, -1))
    step(model, scenes)
    gradient = model.bbox_head.content.weight.grad
    assert (gradient[:48] != 0).any() and (gradient[48:] == 0).all()


def test_more_boxes_than_queries_and_one_class():
    model = detector(num_queries=2, num_classes=1)
    model.bbox_head.matcher.nearest_tokens = 100  # more than there are
    scenes = [scene(1), scene(2)]
    for _, sample in scenes:
        sample.gt_instances_3d.labels_3d[:] = 0
    step(model, scenes)


@pytest.mark.parametrize('options', [dict(), ROOMS], ids=['published', 'rooms'])
def test_half_precision_keeps_boxes_and_losses_in_float32(options):
    model = detector(**options)
    with torch.autocast('cpu', torch.bfloat16):
        losses = model(dict(points=[scene(1)[0]]), [scene(1)[1]], mode='loss')
        predictions = model._predict(dict(points=[scene(1)[0]]), None)['predictions']
    assert all(value.dtype == torch.float32 and value.isfinite() for value in losses.values())
    assert predictions.boxes.dtype == predictions.first.class_logits.dtype == torch.float32


def test_diverged_predictions_are_named():
    model = detector()
    with torch.no_grad():
        model.bbox_head.box_heads[1]['size'][-1].bias += 200
    with pytest.raises(FloatingPointError, match='diverged'):
        model(dict(points=[scene(1)[0]]), [scene(1)[1]], mode='loss')


def test_a_replaced_reader_of_points_takes_effect():
    model, (cloud, _) = detector(**ROOMS).eval(), scene(1)

    def logits():  # boxes start as their anchors
        with torch.no_grad():
            return model.bbox_head(model.extract_feat(dict(points=[cloud]))).layers.class_logits

    before = logits()
    for layer in model.bbox_head.layers:
        layer.box_points.register_forward_hook(lambda module, inputs, output: 2 * output)
    hooked = logits()
    for layer in model.bbox_head.layers:
        layer.box_points.mlp = torch.nn.Linear(264, layer.box_points.mlp[2].out_features)
    assert not torch.equal(hooked, before) and not torch.equal(logits(), hooked)
