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


@pytest.mark.parametrize('split,figure', [('train', 'accuracy'), ('test', 'accuracy'), ('train', 'train_accuracy')])
def test_an_unlabelled_sample_amid_a_class_changes_no_figure(split, figure):
    twins = [dict(sample, gt_label=-1) for sample in samples(split, [0] * 20)]
    assert evaluate(samples('train', [0, 1] * 5) + samples('test', [0, 1]) + twins, C=10)[
        f'linear_probe/{figure}'] == 100


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


def test_of_constants_that_do_equally_well_the_smallest_is_taken():
    assert evaluate(samples('train', [0, 1] * 5) + samples('test', [0, 1]), C=[10., 1.])['linear_probe/C'] == 1


def test_the_constant_does_not_depend_on_the_state_of_random_generators():
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(24, 4)), np.arange(24) % 2  # nothing to learn: any constant may win
    chosen = set()
    for seed in range(8):
        np.random.seed(seed)
        chosen.add(METRICS.build(dict(type='M2AELinearProbeMetric', C=[0.1, 1., 10.], folds=3))
                   .choose_constant(features, labels))
    assert len(chosen) == 1


def test_clear_errors():
    with pytest.raises(ValueError, match="no labelled sample of split 'test'"):
        evaluate(samples('train', [0, 1]))
    with pytest.raises(ValueError, match='two classes or more'):
        evaluate(samples('train', [1, 1]) + samples('test', [1]))
    with pytest.raises(ValueError, match='must be a positive number'):
        evaluate([], C=0)
