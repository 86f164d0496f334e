import numpy as np
import pytest
import torch

from mmdet3d.registry import METRICS


def samples(split, labels, noise=0., seed=0):
    rng = np.random.default_rng(seed)
    return [dict(split=split, gt_label=label, feature=torch.tensor([label, -label, 1.]) + noise * torch.tensor(
        rng.normal(size=3))) for label in labels]


def evaluate(data, **options):
    metric = METRICS.build(dict(type='M2AELinearProbeMetric', **options))
    metric.process({}, data)
    return metric.evaluate(len(data))


def test_fits_on_train_and_scores_on_test():
    train = samples('train', [0, 1, 2] * 10)
    test = samples('test', [0, 1, 2, 2])
    # A wrong label in the test data must lower the test figure and nothing else.
    test[3]['gt_label'] = 0
    scores = evaluate(train + test, C=10)
    assert scores == {'linear_probe/accuracy': 75., 'linear_probe/train_accuracy': 100., 'linear_probe/C': 10.}


def test_unlabelled_samples_take_no_part():
    unlabelled = [dict(split='train', feature=torch.zeros(3)), dict(split='test', gt_label=-1, feature=torch.zeros(3))]
    assert evaluate(samples('train', [0, 1] * 5) + samples('test', [0, 1]) + unlabelled, C=10)[
        'linear_probe/accuracy'] == 100


def test_folds_need_as_many_shapes():
    few = samples('train', [0, 1] * 4) + samples('test', [0, 1])
    with pytest.raises(ValueError, match='folds=5 needs a class with as many training shapes, the largest has 4'):
        evaluate(few, C=[1., 10.])
    assert evaluate(few, C=[1., 10.], folds=4)['linear_probe/accuracy'] == 100


def test_constant_is_chosen_on_the_training_features_only():
    # With 3 to 1 shapes a tiny C predicts the frequent class everywhere.
    train = samples('train', [0, 0, 0, 1] * 15, noise=0.1)
    honest = evaluate(train + samples('test', [0, 1] * 4), C=[1., 1e-6])
    # These test labels would be met best by the tiny C.
    frequent = evaluate(train + [dict(sample, gt_label=0) for sample in samples('test', [0, 1] * 4)], C=[1., 1e-6])
    assert honest['linear_probe/C'] == frequent['linear_probe/C'] == 1.
    assert honest['linear_probe/accuracy'] == 100 and frequent['linear_probe/accuracy'] == 50


def test_clear_errors():
    with pytest.raises(ValueError, match="no labelled sample of split 'test'"):
        evaluate(samples('train', [0, 1]))
    with pytest.raises(ValueError, match='two classes or more'):
        evaluate(samples('train', [1, 1]) + samples('test', [1]))
    with pytest.raises(ValueError, match='must be a positive number'):
        evaluate([], C=0)
