"""The furniture that comes with the package, as shapes to classify."""
from typing import NamedTuple

import numpy as np

from .furniture import Piece, load_furniture


class LabelledShapes(NamedTuple):
    """M shapes in the unit sphere.

    Attributes:
        points: (M, N, 3) float32, z up.
        labels: (M,) indices into ``names``.
        names: Of the kinds of furniture.
        looks: (M,) equal numbers for shapes that are alike.
    """
    points: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]
    looks: np.ndarray


def labelled_shapes(points: int = 1024) -> LabelledShapes:
    """All pieces of the kinds that have five or more, each as so many points."""
    furniture = load_furniture()
    indices, names, looks = zip(*furniture.named(5))
    kinds, labels = np.unique(names, return_inverse=True)
    return LabelledShapes(np.stack([unit_shape(furniture.piece(i), points) for i in indices]), labels,
                          tuple(kinds.tolist()), np.unique(looks, return_inverse=True)[1])


def unit_shape(piece: Piece, points: int) -> np.ndarray:
    """(N, 3) float32: points of a piece, always the same, around the origin and in the unit sphere."""
    chosen = piece.points[np.random.default_rng(0).permutation(len(piece.points))[:points]]
    chosen = chosen - chosen.mean(axis=0)
    return (chosen / np.linalg.norm(chosen, axis=1).max()).astype(np.float32)
