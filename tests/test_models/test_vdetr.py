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


ROOMS = dict(position_encoding='fourier', relative_to='previous', read_positions=True,
             anchor_sizes=[[0.9, 0.9, 0.9]] * 3, train_cfg=dict(matcher=dict(first_assignment='nearest')))


@pytest.mark.parametrize('options', [dict(), ROOMS], ids=['published', 'rooms'])
def test_it_learns_to_find_the_boxes_of_two_scenes(options):
    model = detector(**options)
    scenes = [scene(1), scene(2)]
    totals = train(model, scenes, 120)
    assert totals[-1] < totals[0] / 4
    results = model.eval()(dict(points=[cloud for cloud, _ in scenes]), [sample for _, sample in scenes],
                           mode='predict')
    for result in results:
        truth, found = result.gt_instances_3d, result.pred_instances_3d
        overlaps = found.bboxes_3d.overlaps(found.bboxes_3d, truth.bboxes_3d)
        overlaps *= (found.labels_3d.unsqueeze(1) == truth.labels_3d) & (found.scores_3d > 0.1).unsqueeze(1)
        assert (overlaps.amax(0) > 0.25).all()
