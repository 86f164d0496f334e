"""One measurement in its own process, so that its memory is counted alone and a failure does not spread."""
import contextlib
import multiprocessing
import os
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import torch

from ...errors import UserError
from ..tuning import tune_process, variables_unset
from .cases import Case
from .floors import Peaks, floor_of, probe, size_of
from .timing import memory_since, start_memory, summarize, time_calls
from .work import Setting

_MESSAGE_LENGTH = 160
# Kernels and the allocator settle in the first calls; on CUDA graphs are recorded.
_WARM_UPS = {'cpu': 5, 'cuda': 20}


class Plan(NamedTuple):
    """A row to be measured.

    Attributes:
        case: What.
        setting: How.
        compiled: Whether the network goes through ``torch.compile``.
        repeats: Most calls to time.
        seconds: Time for them.
    """
    case: Case
    setting: Setting
    compiled: bool
    repeats: int
    seconds: float


def measure(plan: Plan, peaks: Peaks) -> dict[str, Any]:
    """Figures of a row; run in a fresh process."""
    device = plan.setting.device
    if device == 'cpu':
        load_kernels()
    work = plan.case.build(plan.setting)
    if plan.compiled:
        work.module.compile()
    held = size_of([*work.inputs, *(work.module.parameters() if work.module else [])])
    start = start_memory(device)
    for _ in range(_WARM_UPS[device] if plan.case.network else 1):
        work.call()
    if device == 'cuda':
        start_memory(device)
    torch.manual_seed(plan.setting.seed)
    timing = summarize(time_calls(work.call, device, plan.repeats, plan.seconds))
    grown = memory_since(start, device)
    memory = grown + held if grown is not None and device == 'cpu' else grown
    # Only now: counting takes memory too.
    floor = floor_of(work)
    return dict(
        samples_per_second=1e3 * work.samples / timing.median, ms=timing.median, ms_10=timing.low, ms_90=timing.high,
        calls=timing.calls, peak_memory_bytes=memory, flops=floor.flops, moved_bytes=floor.moved,
        floor_ms=peaks.milliseconds(floor, plan.setting.precision))


def find_peaks(device: str, precisions: list[str]) -> tuple[str, Peaks]:
    """Name of the device and its measured peaks.

    Raises:
        UserError: If PyTorch sees no such device.
    """
    if device == 'cuda' and not torch.cuda.is_available():
        raise UserError('--device cuda: PyTorch sees no CUDA device here.')
    name = torch.cuda.get_device_name() if device == 'cuda' else f'CPU, {torch.get_num_threads()} threads'
    return name, probe(device, precisions)


def load_kernels() -> None:
    """Load what CPU cases would load at their first call, so that it is not counted as their memory."""
    from m2ae_mm import ops
    from m2ae_mm.models.layers.attention import SelfAttention
    from m2ae_mm.models.layers.mini_pointnet import MiniPointNet
    from m2ae_mm.models.layers.packing import Rows
    from m2ae_mm.models.layers.vertex_bias import VertexBias
    points, box = torch.rand(1, 64, 3), torch.ones(1, 1, 7)
    picked = ops.furthest_point_sample(points, 4)
    ops.knn(ops.gather(points, picked), points, 2)
    ops.ball_query(points, points, 0.5, 2)
    ops.points_in_boxes(points, box)
    largest, member = torch.ops.m2ae_mm.max_over_members(points)
    torch.ops.m2ae_mm.max_over_members_backward(largest, member, points.shape[1])
    MiniPointNet.merging(3, 4)(points).sum().backward()
    few = ~torch.eye(16, dtype=torch.bool).view(1, 1, 16, 16)
    SelfAttention(4, 1)(torch.rand(16, 4), Rows.of_all(1, 16, few.device), few).sum().backward()
    VertexBias(4)(box, points).sum().backward()


def in_child(function: Callable[..., Any], *arguments: Any, limit: float | None = None, bare: bool = False) -> Any:
    """``function(*arguments)`` in a process of its own, without its output.

    It starts afresh, as a training does: the memory that a fork inherits lies
    in pieces and made a step 3 to 7 % slower. A ``bare`` one has nothing of what
    :mod:`..tuning` sets, the others have what it set in this one.

    Raises:
        RuntimeError: With one line, if it raised an error, died, or took more than ``limit`` seconds.
    """
    context = multiprocessing.get_context('spawn')
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(sender, function, arguments, not bare))
    with variables_unset() if bare else contextlib.nullcontext():
        process.start()
    sender.close()
    if not receiver.poll(limit):
        process.kill()
        raise RuntimeError(f'gave up after {limit:.0f} s')
    succeeded, result = False, ''
    with contextlib.suppress(EOFError):
        succeeded, result = receiver.recv()
    process.join()
    if not succeeded:
        died = f'the process ended with code {process.exitcode}, perhaps for want of memory'
        raise RuntimeError(result or died)
    return result


def _child(sender: Connection, function: Callable[..., Any], arguments: tuple, tuned: bool) -> None:
    if tuned:
        tune_process()  # the allocator; variables come with the environment
    talks = os.environ.get('M2AE_TRACEBACK') == '1'
    if not talks:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
    try:
        sender.send((True, function(*arguments)))
    except Exception as error:
        if talks:
            traceback.print_exc()
        sender.send((False, one_line(error)))


def one_line(error: Exception) -> str:
    """The beginning of an error's message; where the compiler only says what raised it, the second line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.endswith(' raised:')]
    message = lines[0].partition(' Set TORCHDYNAMO')[0] if lines else type(error).__name__
    return message if len(message) <= _MESSAGE_LENGTH else f'{message[:_MESSAGE_LENGTH]}...'
