"""Which steps of the models go through CUDA graphs, and with how many rows."""
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..models.classifiers import PointM2AEClassifier
from ..models.detectors import ThreeDETR
from ..models.layers.packing import ROWS_MULTIPLE, fixed_rows, round_up
from ..models.layers.scales_and_masks import Scale
from ..models.selfsup import PointM2AE
from ..ops import gpu_kernels
from .graphs import Graphed

# Methods that read nothing back from the device; those of masks, whose numbers of rows have to be fixed for that.
_STEPS = {PointM2AEClassifier: ('classify', ), ThreeDETR: ('predict_boxes', )}
_STEPS_OF_MASKS = {PointM2AE: ('masked_loss', 'pool_visible')}


def record_graphs(model: nn.Module, graphed: Callable[[Callable[..., Any]], Any] = Graphed) -> None:
    """Send the steps of one of our models through CUDA graphs from now on, where possible.

    Args:
        model: Others stay as they are.
        graphed: Makes of a method what is called in its place, with the model first.
    """
    for steps, wrap in ((_STEPS, graphed), (_STEPS_OF_MASKS, lambda step: StepOfMasks(step, graphed))):
        for kind, names in steps.items():
            for name in names if isinstance(model, kind) else ():
                if name not in vars(model):
                    setattr(model, name, functools.partial(wrap(getattr(type(model), name)), model))


class StepOfMasks:
    """A step of points, scales and masks, with the same number of rows for nearly every batch.

    Args:
        step: Of a model and these.
        graphed: See :func:`record_graphs`.
    """

    def __init__(self, step: Callable[..., Any], graphed: Callable[[Callable[..., Any]], Any] = Graphed) -> None:
        self._step, self._make = step, graphed
        self.graphed, self.sizes = graphed(functools.partial(_with_fixed_rows, step)), RowSizes()

    def __call__(self, model: nn.Module, points: Tensor, scales: Sequence[Scale], masked: Sequence[Tensor]) -> Any:
        """``step`` of the model."""
        if gpu_kernels(points) is None:
            return self._step(model, points, scales, masked)
        state = self.graphed.state(model)  # before the host waits for the number of rows, not after
        sizes = self.sizes.fit(masked)
        if self.sizes.grown:
            self.graphed.forget()
        return self.graphed(model, points, scales, masked, sizes, state=state)

    def __reduce__(self) -> tuple:
        return StepOfMasks, (self._step, self._make)


def _with_fixed_rows(step: Callable[..., Any], model: nn.Module, points: Tensor, scales: Sequence[Scale],
                     masked: Sequence[Tensor], sizes: Sequence[int]) -> Any:
    with fixed_rows(masked, sizes):
        return step(model, points, scales, masked)


class RowSizes:
    """Numbers of rows that hardly any batch exceeds, so that one CUDA graph serves nearly all.

    Attributes:
        grown: Whether the last batch needed more than those before it.
    """
    _MARGIN = 0.03  # visible centres of a batch vary by some per mille

    def __init__(self) -> None:
        self._sizes: dict[tuple[int, ...], list[int]] = {}
        self.grown = False

    def fit(self, masked: Sequence[Tensor]) -> list[int]:
        """Rows for the visible centres of every scale, of ``(B, M_i)`` masks; the host waits once for their numbers."""
        most = tuple(mask.numel() for mask in masked)
        totals = torch.stack([(~mask).sum() for mask in masked]).tolist()
        sizes = self._sizes.get(most, [0] * len(most))
        self.grown = any(total > size for total, size in zip(totals, sizes))
        if self.grown:
            wanted = (round_up(math.ceil(total * (1 + self._MARGIN)), ROWS_MULTIPLE) for total in totals)
            sizes = [min(max(size, rows), limit) for size, rows, limit in zip(sizes, wanted, most)]
            self._sizes[most] = sizes
        return sizes
