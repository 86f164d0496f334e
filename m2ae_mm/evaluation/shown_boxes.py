"""Which predicted boxes are right, and above which score boxes are shown in pictures."""
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch

from m2ae_mm.ops import box_iou_3d

# Where AP25 counts a box as right.
RIGHT_FROM = 0.25


class Threshold(NamedTuple):
    """A score, and how good the boxes above it are on the scenes that it was chosen on.

    Attributes:
        score: Boxes with higher scores are shown.
        precision: Share of the shown boxes that are right.
        recall: Share of the true boxes that are found.
        f1: Harmonic mean of the two.
        scenes: How many scenes it was chosen on.
    """
    score: float
    precision: float
    recall: float
    f1: float
    scenes: int


def match_boxes(boxes: np.ndarray, labels: np.ndarray, scores: np.ndarray, true_boxes: np.ndarray,
                true_labels: np.ndarray, iou: float = RIGHT_FROM) -> np.ndarray:
    """Match each predicted box with a true box of its class, the highest scores first.

    Args:
        boxes, true_boxes: (M, 7) and (G, 7) centre, side lengths, yaw.
        labels, true_labels: (M,) and (G,) classes; only boxes of one class match.
        scores: (M,).
        iou: Least overlap of a match.

    Returns:
        (M,) int64 indices of true boxes, each at most once; -1 for wrong boxes.
    """
    matches = np.full(len(boxes), -1, dtype=np.int64)
    if len(boxes) == 0 or len(true_boxes) == 0:
        return matches
    overlap = box_iou_3d(torch.as_tensor(boxes).float(), torch.as_tensor(true_boxes).float()).numpy()
    overlap = np.where(np.asarray(labels)[:, None] == np.asarray(true_labels), overlap, -1)
    for i in np.argsort(-np.asarray(scores), kind='stable'):
        best = int(overlap[i].argmax())
        if overlap[i, best] >= iou:
            matches[i] = best
            overlap[:, best] = -1
    return matches


def best_threshold(scenes: Iterable[tuple[np.ndarray, np.ndarray, int]]) -> Threshold:
    """The score above which boxes have the highest F1 over all classes together.

    Boxes are matched in the order of their scores, so those above a score match
    as if they were alone, and each scene is matched only once.

    Args:
        scenes: Of each the scores (M,) of its boxes, which of them are right (M,) bool, and the number of true boxes.

    Returns:
        The threshold, half-way between two scores. Without a right box it is 1, which shows nothing.

    Raises:
        ValueError: If there is no true box.
    """
    scores, right, true = zip(*scenes)
    count, total = len(true), sum(true)
    if total == 0:
        raise ValueError(f'none of {count} scenes has a true box, so no threshold of scores can be chosen on them.')
    scores, right = np.concatenate(scores), np.concatenate(right)
    order = np.argsort(-scores, kind='stable')
    scores, found = scores[order], np.cumsum(right[order])
    if not right.any():
        return Threshold(1., 0., 0., 0., count)
    shown = np.arange(1, len(scores) + 1)
    f1 = 2 * found / (shown + total)
    # A threshold separates different scores only.
    f1[:-1][scores[:-1] == scores[1:]] = 0
    best = int(f1.argmax())
    below = scores[best + 1] if best + 1 < len(scores) else 0.
    return Threshold(float(scores[best] + below) / 2, float(found[best] / shown[best]), float(found[best] / total),
                     float(f1[best]), count)
