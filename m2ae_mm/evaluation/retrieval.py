"""Shapes that are alike by their features."""
import numpy as np


def nearest_neighbours(features: np.ndarray, queries: np.ndarray, count: int) -> np.ndarray:
    """``(Q, count)`` indices of the features most like each query, the most alike first.

    Alike are features of a small angle, after each channel was brought to
    mean 0 and deviation 1: channels in which all shapes have nearly the same
    number say little, however large it is.

    Args:
        features: ``(M, C)`` of the shapes to search.
        queries: ``(Q, C)`` of those to search for.
        count: How many to find.

    Raises:
        ValueError: If there are fewer shapes, or the features have different widths.
    """
    if features.ndim != 2 or queries.ndim != 2 or features.shape[1] != queries.shape[1]:
        raise ValueError(f'features (M, C) and queries (Q, C) are needed, got {features.shape} and {queries.shape}.')
    if len(features) < count:
        raise ValueError(f'{count} neighbours of each shape are wanted, there are {len(features)} shapes to search.')
    features, queries = features.astype(np.float64), queries.astype(np.float64)
    mean, deviation = features.mean(0), features.std(0)
    deviation[deviation == 0] = 1
    found, wanted = (_unit((each - mean) / deviation) for each in (features, queries))
    return np.argsort(-(wanted @ found.T), axis=1, kind='stable')[:, :count]


def share_of_class(labels: np.ndarray, query_labels: np.ndarray, neighbours: np.ndarray) -> float:
    """Percent of the neighbours that have the class of their query.

    Args:
        labels: ``(M,)`` of the shapes searched.
        query_labels: ``(Q,)``.
        neighbours: ``(Q, count)`` indices of shapes.
    """
    return 100 * float((labels[neighbours] == query_labels[:, None]).mean())


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
