"""Our indoor metric against average precision computed from its definition."""
import numpy as np
import pytest
import torch

from m2ae_mm.evaluation.indoor_metric import M2AEIndoorMetric
from mmdet3d.evaluation import IndoorMetric
from mmdet3d.structures import DepthInstance3DBoxes

CLASSES = ('chair', 'table', 'bed', 'sofa')


def as_boxes(rows):
    return DepthInstance3DBoxes(
        torch.as_tensor(rows).float().view(-1, 6), box_dim=6, with_yaw=False, origin=(0.5, 0.5, 0.5))


def scene(rng, num_truth, num_classes=3):
    """Ground truth, and detections that are jittered copies of it or far away."""
    truth = np.concatenate([rng.random((num_truth, 3)) * 6, 0.5 + rng.random((num_truth, 3))], 1)
    labels = rng.integers(0, num_classes, num_truth)
    copies = rng.integers(0, num_truth, 12) if num_truth else np.zeros(0, int)
    near = truth[copies] + rng.normal(0, 0.12, (len(copies), 6))
    far = np.concatenate([rng.random((4, 3)) * 6, 0.5 + rng.random((4, 3))], 1)
    found = np.concatenate([near, far])
    # Some detections name the wrong class, and class 3 never occurs in the ground truth.
    classes = np.concatenate([labels[copies], rng.integers(0, 4, 4)])
    return dict(truth=truth, labels=labels, found=found, classes=classes, scores=rng.random(len(found)))


def iou(a, b):
    low, high = np.maximum(a[:3] - a[3:] / 2, b[:3] - b[3:] / 2), np.minimum(a[:3] + a[3:] / 2, b[:3] + b[3:] / 2)
    shared = np.prod(np.clip(high - low, 0, None))
    return shared / (np.prod(a[3:]) + np.prod(b[3:]) - shared)


def average_precision(scenes, label, threshold):
    """Area under precision made monotonic, over recall."""
    total = sum((s['labels'] == label).sum() for s in scenes)
    detections = [(s['scores'][i], n, s['found'][i]) for n, s in enumerate(scenes)
                  for i in np.flatnonzero(s['classes'] == label)]
    taken, hits = set(), []
    for _, n, box in sorted(detections, key=lambda d: -d[0]):
        candidates = [(iou(box, scenes[n]['truth'][g]), g) for g in np.flatnonzero(scenes[n]['labels'] == label)]
        overlap, g = max(candidates, default=(0, None))
        hits.append(overlap > threshold and (n, g) not in taken)
        if hits[-1]:
            taken.add((n, g))
    precisions = [sum(hits[:k + 1]) / (k + 1) for k in range(len(hits))]
    # Each hit adds 1 / total of recall, at the best precision from there on.
    return sum(max(precisions[k:]) for k in range(len(hits)) if hits[k]) / total


def evaluate(metric, scenes):
    metric.dataset_meta = dict(classes=CLASSES, box_type_3d='Depth')
    for s in scenes:
        metric.process({}, [
            dict(
                eval_ann_info=dict(gt_bboxes_3d=as_boxes(s['truth']), gt_labels_3d=s['labels']),
                pred_instances_3d=dict(
                    bboxes_3d=as_boxes(s['found']),
                    scores_3d=torch.as_tensor(s['scores']),
                    labels_3d=torch.as_tensor(s['classes'])))
        ])
    return metric.evaluate(len(scenes))


@pytest.mark.parametrize('seed', range(3))
def test_equals_the_definition(seed):
    rng = np.random.default_rng(seed)
    scenes = [scene(rng, count) for count in (6, 0, 4, 5)]
    assert 3 in np.concatenate([s['classes'] for s in scenes])
    result = evaluate(M2AEIndoorMetric(), scenes)
    for threshold in (0.25, 0.5):
        expected = [average_precision(scenes, label, threshold) for label in range(3)]
        ours = [result[f'{CLASSES[label]}_AP_{threshold:.2f}'] for label in range(3)]
        assert ours == pytest.approx(expected, abs=1e-6)
        assert result[f'mAP_{threshold:.2f}'] == pytest.approx(np.mean(expected), abs=1e-6)
        assert 0 < np.mean(expected) < 1
    assert 'sofa_AP_0.25' not in result


def test_equals_mmdet3d_when_every_class_occurs():
    rng = np.random.default_rng(1)
    scenes = [scene(rng, 12, num_classes=4) for _ in range(3)]
    assert len(np.unique(np.concatenate([s['labels'] for s in scenes]))) == 4
    assert evaluate(M2AEIndoorMetric(), scenes) == evaluate(IndoorMetric(), scenes)


def test_boxes_of_classes_left_out_take_no_part():
    rng = np.random.default_rng(4)
    scenes = [scene(rng, 8) for _ in range(2)]
    more = [dict(each, truth=np.concatenate([each['truth'], each['truth'] + 9]),
                 labels=np.concatenate([each['labels'], np.full(8, -1)])) for each in scenes]
    assert evaluate(M2AEIndoorMetric(), more) == evaluate(M2AEIndoorMetric(), scenes)


def test_labels_beyond_the_classes_are_refused():
    scenes = [scene(np.random.default_rng(4), 8)]
    scenes[0]['labels'][3] = 17
    with pytest.raises(ValueError, match='has the label 17, the data set names . classes'):
        evaluate(M2AEIndoorMetric(), scenes)


def test_class_never_predicted_counts_as_zero():
    rng = np.random.default_rng(2)
    scenes = [scene(rng, 8)]
    scenes[0]['labels'][:] = [0, 0, 0, 0, 1, 1, 1, 1]
    scenes[0]['classes'][:] = 0
    result = evaluate(M2AEIndoorMetric(), scenes)
    assert result['table_AP_0.25'] == 0
    assert result['mAP_0.25'] == pytest.approx(result['chair_AP_0.25'] / 2)


def test_scenes_without_any_ground_truth_are_explained():
    with pytest.raises(ValueError, match='none of the 1 scenes has a ground-truth box'):
        evaluate(M2AEIndoorMetric(), [scene(np.random.default_rng(0), 0)])
