"""The least time a call can take on a machine: its operations and bytes over the machine's peaks."""
import contextlib
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from .work import Floor, Work

DTYPES = {'fp32': torch.float32, 'bf16': torch.bfloat16}
# Times that AdamW training passes over the parameters: read forward and backward, gradient written; then the step
# reads the gradient and reads and writes weight and both moments.
_TRAINING_PASSES = 10
_ATEN = torch.ops.aten
# The fused attention of CPUs is missing among the operators that the counter knows.
_MORE_OPERATORS = {
    _ATEN._scaled_dot_product_flash_attention_for_cpu:
        lambda q, k, v, *_, **__: sdpa_flop_count(q, k, v),
    _ATEN._scaled_dot_product_flash_attention_for_cpu_backward:
        lambda gradient, q, k, v, *_, **__: sdpa_backward_flop_count(gradient, q, k, v),
}


class Peaks(NamedTuple):
    """What the machine can do at best.

    Attributes:
        tflops: 10^12 floating-point operations a second by precision.
        gbs: 10^9 bytes a second, reads and writes added.
    """
    tflops: dict[str, float]
    gbs: float

    def milliseconds(self, floor: Floor, precision: str) -> float:
        """Least time of a call: the longer of computing and moving, as if they overlapped perfectly."""
        return max(floor.flops / (self.tflops[precision] * 1e9), floor.moved / (self.gbs * 1e6))


def floor_of(work: Work) -> Floor:
    """The given floor, or that of an eager call of the modules, counted; fused kernels and graphs would hide theirs.

    Bytes are those of inputs, parameters (with gradients and moments if it
    trains), outputs, and of what autograd keeps, written by the forward and
    read by the backward pass. Recomputing could do with fewer of the latter.
    """
    if work.floor is not None:
        return work.floor
    from m2ae_mm.ops import use_reference
    on_cuda = any(weight.is_cuda for weight in work.module.parameters())
    with torch.compiler.set_stance('force_eager'), use_reference() if on_cuda else contextlib.nullcontext():
        flops, kept, output = count(work.call)
    passes = _TRAINING_PASSES if work.trains else 1
    weights = list(work.module.parameters())
    own = {weight.untyped_storage().data_ptr() for weight in weights}
    activations = sum(size for place, size in kept.items() if place not in own)
    outputs = [leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor)]
    return Floor(flops, size_of(work.inputs) + passes * size_of(weights) + size_of(outputs) + 2 * activations)


def count(call: Callable[[], Any]) -> tuple[float, dict[int, int], Any]:
    """FLOPs of matrix products and attention, bytes of each storage kept for the backward pass, and the result."""
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    counter = FlopCounterMode(display=False, custom_mapping=_MORE_OPERATORS)
    with counter, torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = call()
    return counter.get_total_flops(), kept, output


def size_of(tensors: Iterable[Tensor]) -> int:
    """Bytes."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def probe(device: str, precisions: Iterable[str]) -> Peaks:
    """Peaks reached by a large matrix product of each precision and by a large copy."""
    side, copied = (8192, 1 << 30) if device == 'cuda' else (1024, 1 << 28)
    tflops = {}
    for precision in precisions:
        matrix = torch.ones(side, side, dtype=DTYPES[precision], device=device)
        tflops[precision] = 2 * side**3 / _fastest(matrix.mm, device, matrix) / 1e12
    source = torch.ones(copied, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return Peaks(tflops, 2 * copied / _fastest(target.copy_, device, source) / 1e9)


def _fastest(function: Callable[[Tensor], Any], device: str, argument: Tensor) -> float:
    """Seconds of the fastest of a few calls; of two where they are slow."""
    times: list[float] = []
    while len(times) < 2 or (len(times) < 10 and sum(times) < 1):
        start = time.perf_counter()
        function(argument)
        if device == 'cuda':
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times)
