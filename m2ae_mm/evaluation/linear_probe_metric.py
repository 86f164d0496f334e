"""Linear SVM on frozen features (paper section 4.2)."""
from collections.abc import Sequence

import numpy as np
from mmengine.evaluator import BaseMetric
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, StratifiedKFold
from sklearn.svm import SVC

from mmdet3d.registry import METRICS

from .finite import require_finite
from .metric_names import MetricNames


@METRICS.register_module()
class M2AELinearProbeMetric(BaseMetric):
    """Fits a linear SVM on the features of training shapes and scores it on test shapes.

    Samples need ``feature`` (C,), and ``split`` (``'train'`` or ``'test'``)
    in their metainfo: evaluate a data set with both splits. Samples without a
    label take no part. Features of all processes are gathered and the SVM is
    fitted once.

    Args:
        C: The SVM's constant, or several among which cross-validation on the
            *training* features chooses. The published code uses 0.01 and
            0.012 on ModelNet40, 0.042 on ScanObjectNN.
        folds: Of the cross-validation.
        kwargs: Options of mmengine's ``BaseMetric``.
    """

    default_prefix = 'linear_probe'
    metric_names = MetricNames('accuracy', ('train_accuracy', 'C'))

    def __init__(self, C: float | Sequence[float] = 0.01, folds: int = 5, **kwargs) -> None:
        super().__init__(**kwargs)
        self.C = [float(C)] if isinstance(C, (int, float)) else [float(value) for value in C]
        if not self.C or min(self.C) <= 0:
            raise ValueError(f'C must be a positive number or several, got {C!r}.')
        self.folds = folds

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Collect split, label and feature of every labelled sample."""
        require_finite(data_samples)
        for sample in data_samples:
            # Unlabelled samples keep their place: gathering counts the data set's samples.
            label = int(sample.get('gt_label', -1))
            self.results.append((sample.get('split'), label, sample['feature'].float().cpu().numpy()))

    def compute_metrics(self, results: list[tuple[str, int, np.ndarray]]) -> dict[str, float]:
        """``accuracy`` on test and ``train_accuracy`` in percent, and the ``C`` used."""
        features, labels = {}, {}
        for split in ('train', 'test'):
            chosen = [result for result in results if result[0] == split and result[1] >= 0]
            if not chosen:
                raise ValueError(f'the linear probe got no labelled sample of split {split!r} among {len(results)}; '
                                 "give its data set split=['train', 'test'].")
            features[split] = np.stack([feature for _, _, feature in chosen])
            labels[split] = np.array([label for _, label, _ in chosen])
        if len(np.unique(labels['train'])) < 2:
            raise ValueError(f'the linear probe needs two classes or more to train on, got label '
                             f'{labels["train"][0]} only.')
        C = self.choose_constant(features['train'], labels['train'])
        machine = SVC(C=C, kernel='linear').fit(features['train'], labels['train'])
        return dict(
            accuracy=100 * machine.score(features['test'], labels['test']),
            train_accuracy=100 * machine.score(features['train'], labels['train']),
            C=C)

    def choose_constant(self, features: np.ndarray, labels: np.ndarray) -> float:
        """The C of best mean accuracy over folds of the training features, the smallest of equals.

        Raises:
            ValueError: If no class has a shape for every fold.
        """
        if len(self.C) == 1:
            return self.C[0]
        largest = np.unique(labels, return_counts=True)[1].max()
        if largest < self.folds:
            raise ValueError(f'cross-validation over C with folds={self.folds} needs a class with as many training '
                             f'shapes, the largest has {largest}. Give fewer folds, or a single C.')
        folds = StratifiedKFold(self.folds, shuffle=True, random_state=0)
        search = GridSearchCV(SVC(kernel='linear'), dict(C=sorted(self.C)), cv=folds, refit=False)
        return search.fit(features, labels).best_params_['C']


def cross_validated_accuracy(features: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> float:
    """Percent of shapes classified correctly by a linear SVM that has seen neither them nor any of their group.

    In four folds, each classified by an SVM that was trained on the others. Features are ``(M, C)``; shapes that are
    alike have equal ``(M,)`` groups.
    """
    right = 0
    for train, test in StratifiedGroupKFold(4, shuffle=True, random_state=0).split(features, labels, groups):
        machine = SVC(kernel='linear').fit(features[train], labels[train])
        right += int((machine.predict(features[test]) == labels[test]).sum())
    return 100 * right / len(labels)
