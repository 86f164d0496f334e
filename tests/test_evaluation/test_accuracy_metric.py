import pytest

from m2ae_mm.evaluation import summarize_folds
from mmdet3d.registry import METRICS


def evaluate(samples):
    metric = METRICS.build(dict(type='M2AEAccuracy'))
    metric.process({}, samples)
    return metric.evaluate(len(samples))


def test_overall_and_class_mean():
    samples = [dict(gt_label=truth, pred_label=label) for truth, label in [(0, 0), (0, 0), (0, 1), (4, 2)]]
    scores = evaluate(samples)
    assert scores == {'accuracy/overall': 50., 'accuracy/class_mean': pytest.approx(100 / 3)}


def test_class_mean_is_over_the_shapes_of_a_class_not_over_those_predicted_as_it():
    samples = [dict(gt_label=truth, pred_label=label) for truth, label in [(0, 0), (0, 1), (1, 1), (1, 1), (1, 1)]]
    assert evaluate(samples)['accuracy/class_mean'] == 75


def test_votes_are_reported_apart():
    samples = [dict(gt_label=0, pred_label=0, vote_label=1), dict(gt_label=1, pred_label=0, vote_label=1)]
    scores = evaluate(samples)
    assert scores['accuracy/overall'] == 50 and scores['accuracy/voted'] == 50
    del samples[0]['vote_label']
    assert 'accuracy/voted' not in evaluate(samples)


def test_a_shape_without_a_label_is_named():
    with pytest.raises(ValueError, match="'cup.npy' has no label; leave shapes without a class out"):
        evaluate([dict(gt_label=0, pred_label=0), dict(name='cup.npy', pred_label=0)])


def test_folds():
    assert summarize_folds({0: 90., 3: 94., 7: 98.}) == dict(mean=94., std=pytest.approx((32 / 3)**0.5), folds=3)
    with pytest.raises(ValueError, match='no fold has finished'):
        summarize_folds({})
