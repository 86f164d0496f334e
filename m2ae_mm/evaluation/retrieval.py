"""Shapes with similar features."""
import numpy as np
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.preprocessing import StandardScaler


def nearest_neighbours(features: np.ndarray, queries: np.ndarray, count: int) -> np.ndarray:
    """``(Q, count)`` indices of the features most similar to each query, the most similar first.

    By cosine similarity, after each channel was brought to mean 0 and
    deviation 1, so that a channel counts by how much shapes differ in it.

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
    scaler = StandardScaler().fit(features)
    likeness = cosine_similarity(scaler.transform(queries), scaler.transform(features))
    return np.argsort(-likeness, axis=1, kind='stable')[:, :count]


def share_of_class(labels: np.ndarray, query_labels: np.ndarray, neighbours: np.ndarray) -> float:
    """Percent of the neighbours that have the class of their query.

    Args:
        labels: ``(M,)`` of the shapes searched.
        query_labels: ``(Q,)``.
        neighbours: ``(Q, count)`` indices of shapes.
    """
    return 100 * float((labels[neighbours] == query_labels[:, None]).mean())
