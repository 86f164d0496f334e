"""The figures that metrics state are those that they return."""
import numpy as np
import pytest
import torch
from mmengine.evaluator import BaseMetric

from m2ae_mm.evaluation import MetricNames, names_of
from mmdet3d.registry import METRICS
from mmdet3d.structures import DepthInstance3DBoxes

CLASSES = ('chair', 'dining table')


def boxes(rows):
    return DepthInstance3DBoxes(torch.tensor(rows), box_dim=6, with_yaw=False, origin=(.5, .5, .5))


def scenes():
    truth = dict(gt_bboxes_3d=boxes([[0., 0, 0, 1, 1, 1], [3, 3, 0, 1, 1, 1]]), gt_labels_3d=np.array([0, 1]))
    found = dict(bboxes_3d=boxes([[0., 0, 0, 1, 1, 1]]), scores_3d=torch.tensor([0.9]), labels_3d=torch.tensor([0]))
    return [(truth, found)]


RESULTS = dict(
    M2AEAccuracy=[(0, 0, 0), (1, 0, 1)],
    M2AELinearProbeMetric=[(split, label, np.array([label + 0.1 * i])) for split in ('train', 'test')
                           for label in (0, 1) for i in range(3)],
    M2AEPartIoU=[(0, 0.5, 0.9), (1, 0.7, 0.8)],
    M2AEReconstructionMetric=[0.1, 0.2])


@pytest.mark.parametrize('name', RESULTS)
@pytest.mark.parametrize('prefix', [None, 'val'])
def test_metrics_of_ours(name, prefix):
    config = dict(type=name, **(dict(prefix=prefix) if prefix else {}))
    metric = METRICS.build(config)
    metric.dataset_meta = dict(parts=dict(lamp=(0, 1), mug=(2, )))
    returned = {f'{metric.prefix}/{key}' for key in metric.compute_metrics(RESULTS[name])}
    stated = names_of(config, ())
    assert stated.main in returned and returned == set(stated.all)
    assert stated.main.startswith(f'{prefix or metric.default_prefix}/')
    assert bool(stated.lower_is_better) == (name == 'M2AEReconstructionMetric')


@pytest.mark.parametrize('name', ['IndoorMetric', 'M2AEIndoorMetric'])
@pytest.mark.parametrize('iou_thr, main', [([0.25, 0.5], 'mAP_0.50'), ([0.25], 'mAP_0.25'), (0.7, 'mAP_0.70'),
                                           (None, 'mAP_0.50')])
def test_detection(name, iou_thr, main):
    config = dict(type=name, **(dict(iou_thr=iou_thr) if iou_thr else {}))
    metric = METRICS.build(config)
    metric.dataset_meta = dict(classes=CLASSES)
    stated = names_of(config, CLASSES)
    assert stated.main == main
    assert set(metric.compute_metrics(scenes())) == set(stated.all)
    assert {'chair_AP_' + main[-4:], 'dining table_rec_' + main[-4:]} <= set(stated.others)


def test_segmentation_of_mmdet3d():
    metric = METRICS.build(dict(type='SegMetric'))
    metric.dataset_meta = dict(classes=CLASSES, label2cat=dict(enumerate(CLASSES)), ignore_index=2)
    mask = np.array([0, 1, 1])
    found = metric.compute_metrics([(dict(pts_semantic_mask=mask), dict(pts_semantic_mask=mask))])
    stated = names_of(dict(type='SegMetric'), CLASSES)
    assert set(found) == set(stated.all) and stated.main == 'miou'
    assert names_of(dict(type='InstanceSegMetric'), CLASSES).main == 'all_ap_50%'


def test_metrics_that_state_no_names_or_their_own():
    assert names_of(dict(type='KittiMetric'), CLASSES) is names_of(dict(type='PanopticSegMetric'), CLASSES) is None
    assert names_of(dict(type='NobodyKnowsThis'), CLASSES) is None

    class Own(BaseMetric):
        metric_names = MetricNames('depth', lower_is_better=('depth', ))

    assert names_of(dict(type=Own, prefix='x'), ()) == MetricNames('x/depth', (), ('x/depth', ))
