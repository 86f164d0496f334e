"""mmdet3d's own detectors, unmodified but for their size, on the operators of m2ae_mm."""
import numpy as np
import pytest
import torch

import m2ae_mm  # noqa: F401  isort: skip  (gives mmcv its operators before mmdet3d asks for them)
from mmengine.hub import get_config
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

from mmdet3d.evaluation import IndoorMetric
from mmdet3d.registry import MODELS
from mmdet3d.structures import DepthInstance3DBoxes, Det3DDataSample, PointData

NUM_POINTS = 2048
BOXES = torch.tensor([[1.0, 1.0, 0.0, 1.0, 0.8, 0.9, 0.0], [3.0, 2.0, 0.0, 0.7, 1.4, 0.6, 0.0]])
LABELS = torch.tensor([0, 1])
BACKGROUND = 18


@pytest.fixture(autouse=True)
def mmdet3d_scope():
    with DefaultScope.overwrite_default_scope('mmdet3d'):
        yield


def _sample():
    sample = Det3DDataSample(metainfo={'box_type_3d': DepthInstance3DBoxes})
    boxes = DepthInstance3DBoxes(BOXES)
    sample.gt_instances_3d = InstanceData(bboxes_3d=boxes, labels_3d=LABELS)
    sample.eval_ann_info = {'gt_bboxes_3d': boxes, 'gt_labels_3d': LABELS.numpy()}
    return sample


def _room(seed, with_height):
    """A floor and two pieces of furniture: points (N, 3 or 4) and their annotated sample."""
    generator = np.random.default_rng(seed)
    floor = generator.uniform([0, 0, 0], [4, 3, 0.02], (NUM_POINTS // 2, 3))
    owners = BOXES.numpy()[generator.integers(0, len(BOXES), NUM_POINTS - len(floor))]
    furniture = owners[:, :3] + generator.uniform([-.49, -.49, .01], [.49, .49, .99],
                                                  (len(owners), 3)) * owners[:, 3:6]
    points = torch.from_numpy(np.concatenate([floor, furniture])).float()
    sample = _sample()
    owner = sample.gt_instances_3d.bboxes_3d.points_in_boxes_part(points).long()
    assert (owner >= 0).sum() >= len(furniture)
    sample.gt_pts_seg = PointData(
        pts_semantic_mask=torch.where(owner < 0, BACKGROUND, LABELS[owner]), pts_instance_mask=owner + 1)
    return torch.cat([points, points[:, 2:]], 1) if with_height else points, sample


def _shrink(model):
    model.backbone.num_points = (256, 128, 64, 32)
    model.backbone.num_samples = (16, 16, 16, 16)
    if 'num_proposal' in model.bbox_head:
        model.bbox_head.num_proposal = 16
    else:
        model.bbox_head.vote_aggregation_cfg.num_point = 16


@pytest.mark.parametrize('name', [
    'mmdet3d::votenet/votenet_8xb8_scannet-3d.py',
    'mmdet3d::groupfree3d/groupfree3d_head-L6-O256_4xb8_scannet-seg.py',
])
def test_detector_trains_and_is_scored(name):
    torch.manual_seed(0)
    config = get_config(name)
    _shrink(config.model)
    model = MODELS.build(config.model)
    rooms = [_room(seed, with_height=config.model.backbone.in_channels == 4) for seed in range(2)]

    losses = model({'points': [points for points, _ in rooms]}, [sample for _, sample in rooms], mode='loss')
    total = sum(value for key, value in losses.items() if 'loss' in key)
    total.backward()
    first_layer = next(model.backbone.parameters()).grad
    assert total.isfinite() and total > 0
    assert first_layer.isfinite().all() and first_layer.any()

    model.eval()
    metric = IndoorMetric()
    metric.dataset_meta = {'classes': config.metainfo.classes}
    with torch.no_grad():
        for points, sample in rooms:  # one at a time: mmdet3d's GroupFree3D predicts no larger batch
            results = model({'points': [points]}, [sample], mode='predict')
            assert results[0].pred_instances_3d.scores_3d.isfinite().all()
            metric.process({}, [result.to_dict() for result in results])
    scores = metric.evaluate(size=2)
    assert 0 <= scores[f'{config.metainfo.classes[0]}_AP_0.25'] <= 1
