import numpy as np
import pytest
import torch

from m2ae_mm.evaluation import names_of
from m2ae_mm.evaluation.seg_metric import M2AESegMetric, figures, table
from mmdet3d.evaluation import SegMetric
from mmdet3d.structures import Det3DDataSample, PointData

CLASSES = ('floor', 'wall', 'machine')
META = dict(classes=CLASSES, label2cat=dict(enumerate(CLASSES)), ignore_index=3)


def sample(truth, found):
    each = Det3DDataSample(metainfo=dict(lidar_path='a.bin'))
    each.eval_ann_info = dict(pts_semantic_mask=np.array(truth))
    each.pred_pts_seg = PointData(pts_semantic_mask=torch.tensor(found))
    return each.to_dict() | dict(lidar_path='a.bin')


def evaluate(kind, samples):
    metric = kind()
    metric.dataset_meta = META
    for each in samples:
        metric.process({}, [each])
    return metric, metric.evaluate(len(samples))


def test_figures_are_those_of_mmdet3d():
    rng = np.random.default_rng(0)
    samples = [sample(rng.integers(0, 4, size), rng.integers(0, 3, size)) for size in (50, 7)]
    metric, found = evaluate(M2AESegMetric, samples)
    assert found == pytest.approx(evaluate(SegMetric, samples)[1])
    assert set(found) == set(names_of(dict(type='M2AESegMetric'), CLASSES).all)
    kept = sum(int((each['eval_ann_info']['pts_semantic_mask'] < 3).sum()) for each in samples)
    assert metric.confusion.sum() == kept


def test_figures_by_hand():
    # Of 8 floor points 6 are right, 2 taken for wall; of 4 wall points 1 is taken for floor.
    found = figures(np.array([[6, 2, 0], [1, 3, 0], [0, 0, 0]]), CLASSES)
    assert found['floor'] == pytest.approx(6 / 9) and found['wall'] == pytest.approx(3 / 6)
    assert np.isnan(found['machine'])
    assert found['miou'] == pytest.approx((6 / 9 + 3 / 6) / 2)
    assert found['acc'] == pytest.approx(9 / 12) and found['acc_cls'] == pytest.approx((6 / 8 + 3 / 4) / 2)
    text = table(np.array([[6, 2, 0], [1, 3, 0], [0, 0, 0]]), CLASSES)
    assert 'mIoU 58.33, accuracy 75.00, mean accuracy of the classes 75.00' in text
    assert text.splitlines()[3].split() == ['machine', 'nan', '0']


def test_a_test_without_labels_has_no_score_and_warns_of_nothing(recwarn):
    _, found = evaluate(M2AESegMetric, [sample([3, 3], [0, 1])])
    assert all(np.isnan(value) for value in found.values()) and not recwarn.list


def test_predictions_of_another_number_are_named():
    with pytest.raises(ValueError, match="'a.bin' has 3 labels and 2 predictions. Take steps that drop points"):
        evaluate(M2AESegMetric, [sample([0, 1, 2], [0, 1])])
