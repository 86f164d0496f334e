"""What a case hands to the measurement."""
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn


class Setting(NamedTuple):
    """How a case is to be run.

    Attributes:
        device: ``'cpu'`` or ``'cuda'``.
        precision: ``'fp32'``, or ``'bf16'`` for autocast.
        batch: Clouds a call.
        seed: Of inputs and weights.
        folder: An empty folder for files; removed at the end of the run.
    """
    device: str
    precision: str
    batch: int
    seed: int
    folder: Path


class Floor(NamedTuple):
    """The least that one call has to do.

    Attributes:
        flops: Floating-point operations, a multiplication and an addition each counted.
        moved: Bytes to and from memory.
    """
    flops: float
    moved: float


class Work(NamedTuple):
    """A case, ready to run.

    Attributes:
        call: What is timed; its tensors count as output.
        samples: Clouds a call takes.
        floor: Of one call; None has it counted from ``call``, ``inputs`` and ``module``.
        inputs: Tensors a call reads.
        module: The network; None if there is none, then ``floor`` is given.
        trains: Whether a call ends with an AdamW step of ``module``.
    """
    call: Callable[[], Any]
    samples: int
    floor: Floor | None = None
    inputs: Sequence[Tensor] = ()
    module: nn.Module | None = None
    trains: bool = False
