"""Accuracy over the folds of few-shot classification."""
from collections.abc import Mapping

import numpy as np


def summarize_folds(accuracies: Mapping[int, float]) -> dict[str, float]:
    """Mean and standard deviation over folds, in the unit given.

    The deviation is that of the folds themselves (divisor n), as the field
    reports it.

    Args:
        accuracies: Fold -> accuracy.

    Raises:
        ValueError: If there is no fold.
    """
    if not accuracies:
        raise ValueError('no fold has finished, so there is nothing to average.')
    values = np.array(list(accuracies.values()), float)
    return dict(mean=float(values.mean()), std=float(values.std()), folds=len(values))
