import numpy as np
import pytest
import torch

from m2ae_mm.evaluation.part_iou_metric import shape_iou
from mmdet3d.registry import METRICS

PARTS = dict(Cup=(0, 1), Vase=(2, 3, 4), Unseen=(5, ))


def sample(label, truth, predicted):
    logits = torch.zeros(6, len(truth))
    logits[predicted, torch.arange(len(truth))] = 1
    logits[5] = 9  # a part of another category scores best everywhere and must not count
    return dict(gt_label=torch.tensor(label), gt_pts_seg=dict(pts_semantic_mask=torch.tensor(truth)),
                pts_seg_logits=dict(pts_seg_logits=logits))


def test_shape_iou():
    iou = shape_iou(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), (0, 1))
    assert iou == pytest.approx((1 / 2 + 2 / 3) / 2)
    # Part 2 is absent from both.
    assert shape_iou(np.array([0, 0]), np.array([0, 0]), (0, 2)) == 1
    # A part that is only predicted counts as 0.
    assert shape_iou(np.array([0, 1]), np.array([0, 0]), (0, 1)) == pytest.approx(0.25)


def test_instance_and_category_means():
    metric = METRICS.build(dict(type='M2AEPartIoU'))
    metric.dataset_meta = dict(parts=PARTS)
    samples = [
        sample(0, [0, 0, 1, 1], [0, 0, 1, 1]),  # 1
        sample(0, [0, 0, 1, 1], [1, 1, 0, 0]),  # 0
        sample(0, [0, 0, 1, 1], [0, 0, 1, 1]),  # 1
        sample(1, [2, 2, 3, 3], [2, 2, 2, 2]),  # (1/2 + 0 + 1) / 3
    ]
    metric.process({}, samples)
    scores = metric.evaluate(4)
    assert scores['part/instance_miou'] == pytest.approx(100 * (1 + 0 + 1 + 0.5) / 4)
    assert scores['part/category_miou'] == pytest.approx(100 * (2 / 3 + 0.5) / 2)
    assert scores['part/accuracy'] == pytest.approx(100 * (1 + 0 + 1 + 0.5) / 4)


@pytest.mark.parametrize('absent, message', [
    ('gt_label', "'cup' has no label"),
    ('gt_pts_seg', "'cup' has no part labels"),
])
def test_shapes_without_labels_are_named(absent, message):
    metric = METRICS.build(dict(type='M2AEPartIoU'))
    metric.dataset_meta = dict(parts=PARTS)
    unlabelled = dict(sample(0, [0, 1], [0, 1]), name='cup')
    del unlabelled[absent]
    with pytest.raises(ValueError, match=message):
        metric.process({}, [unlabelled])
