"""Assignment problems between queries and ground-truth boxes, solved on the host."""
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from m2ae_mm.ops.threads import for_each_cloud


class Assignment(NamedTuple):
    """Which ground-truth box each query answers for.

    Attributes:
        gt_index: ``(L, B, Q)`` int64 row of the ground truth, 0 where unmatched.
        matched: ``(L, B, Q)`` bool, ``True`` = has a ground-truth box.
    """
    gt_index: Tensor
    matched: Tensor


def assign(costs: Sequence[Tensor], counts: Sequence[int], copies: Sequence[int]) -> list[Assignment]:
    """Minimise the summed cost, for every decoder layer and cloud on its own.

    A GPU is waited for once and written to once, however many problems there are.

    Args:
        costs: Each ``(L, B, Q, G)`` of layers with Q queries; Q and L may differ.
        counts: True boxes of each of the B clouds; what follows them is padding and never matched.
        copies: For each of ``costs``: to how many queries a box goes.

    Returns:
        One assignment for each of ``costs``. Where the queries are fewer than
        boxes times copies, each has a box.

    Raises:
        FloatingPointError: If a cost is not finite.
    """
    joined = torch.cat([cost.flatten() for cost in costs]).cpu()
    if not bool(joined.isfinite().all()):
        raise FloatingPointError('the matching costs hold NaN or infinite values: the predictions have diverged. '
                                 'Lower the learning rate or clip gradients; float16 needs loss scaling.')
    parts = joined.split([cost.numel() for cost in costs])
    found = [_solve(part.view(cost.shape).numpy(), counts, times) for part, cost, times in zip(parts, costs, copies)]
    shapes = [index.shape for index in found]
    index = torch.from_numpy(np.concatenate([each.ravel() for each in found])).to(costs[0].device)
    indices = [part.view(shape) for part, shape in zip(index.split([each.size for each in found]), shapes)]
    return [Assignment(index.clamp(min=0), index >= 0) for index in indices]


def _solve(costs: np.ndarray, counts: Sequence[int], copies: int) -> np.ndarray:
    """``(L, B, Q)`` row of the ground truth for every query, -1 for none."""
    result = np.full(costs.shape[:3], -1, np.int64)
    problems = [(layer, cloud) for layer in range(len(costs)) for cloud, count in enumerate(counts) if count]

    def solve(problem: int) -> None:
        layer, cloud = problems[problem]
        queries, boxes = linear_sum_assignment(np.tile(costs[layer, cloud, :, :counts[cloud]], copies))
        result[layer, cloud, queries] = boxes % counts[cloud]

    for_each_cloud(solve, len(problems))
    return result
