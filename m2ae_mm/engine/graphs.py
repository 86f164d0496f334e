"""CUDA graphs: a recorded sequence of kernels, started as one.

A training step of these models is a thousand small kernels or more, and the
host takes longer to start them one by one than the GPU to run them. A graph
leaves no shape, address or choice open, so there is one for every set of them.

PyTorch's own means cannot do that here. ``torch.cuda.make_graphed_callables``
makes one graph before the first step, from samples, and replays it whatever
comes: other shapes, evaluation in a training, changed drop rates and moved
weights would be silently wrong or refused, and what cannot be recorded is an
error in place of a slower call. ``torch.compile(mode='reduce-overhead')``
records anew where that is needed, but the hand-written kernels with gradients
of their own are not for the compiler, and it takes minutes to start.
"""
import contextlib
import functools
import warnings
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors
from torch.autograd.function import once_differentiable
from torch.utils._pytree import tree_flatten, tree_unflatten

from m2ae_mm.ops import dispatch

# A key is recorded when it comes up for this time: what occurs once (the last batch of an epoch) is not worth it.
_RECORD_AT = 3
_WARM_UPS = 2
# Each holds the activations of a step for good, though all share one pool.
_MOST_GRAPHS = 24
# Clouds of new sizes have new keys.
_MOST_SEEN = 1000
# Attributes of modules that are no tensors and may change what their kernels compute.
_SETTINGS = ('training', 'momentum', 'p', 'dropout', 'drop_prob')


class Graphed:
    """Calls a function through CUDA graphs where that is possible, otherwise directly.

    It is possible with tensors on the current CUDA device, Triton's kernels, a single
    process, no ``torch.compile``, and no earlier call whose backward pass is
    still to come (a graph has one place for its activations).

    Args:
        function: Of a module and of arguments in any nesting; returns tensors
            in any nesting. The same arguments but for the values of their
            tensors must start the same kernels: nothing may be read back.
            With arguments that want a gradient it is called as it is.

    What a call found in the module's attributes when it was recorded stays in
    its graph, but for those of ``_SETTINGS``: modes, momenta and shares of
    dropout. A module with hooks inside is called as it is: a graph would not call them.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._recordings: dict[tuple, _Recording | None] = {}
        self._seen: Counter = Counter()
        self._places: tuple[int, ...] = ()
        self._pending: weakref.ref | None = None
        self._pool: Any = None

    def __call__(self, module: nn.Module, *arguments: Any, state: tuple | None = None) -> Any:
        """``function(module, *arguments)``; ``state`` is :meth:`state` where it has been asked for already."""
        leaves, structure = tree_flatten(arguments)
        tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        if not _usable(tensors) or self._is_pending() or _has_hooks(module):
            return self._function(module, *arguments)
        shapes = tuple((leaf.shape, leaf.dtype, leaf.device) if isinstance(leaf, Tensor) else leaf for leaf in leaves)
        key = shapes, str(structure), self.state(module) if state is None else state  # decides which kernels start
        if len(self._seen) > _MOST_SEEN:
            self._seen.clear()
        self._seen[key] += 1
        if key not in self._recordings and self._seen[key] >= _RECORD_AT and len(self._recordings) < _MOST_GRAPHS:
            self._pool = self._pool or torch.cuda.graph_pool_handle()
            function = functools.partial(self._function, module)
            self._recordings[key] = _record(function, module, leaves, structure, self._pool)
            if self._recordings[key] is None:
                self._pool = None  # its recording never came to an end
        recording = self._recordings.get(key)
        if recording is None:
            return self._function(module, *arguments)
        for own, tensor in zip(recording.inputs, tensors):
            own.copy_(tensor)
        return tree_unflatten(self._replay(recording, module), recording.structure)

    def __reduce__(self) -> tuple:
        return Graphed, (self._function, )  # graphs belong to their module and process: copies start without

    def _replay(self, recording: '_Recording', module: nn.Module) -> Sequence[Tensor]:
        if recording.backward is None:
            recording.forward.replay()
            return [output.clone() for output in recording.outputs]
        waiting = _Waiting()
        self._pending = weakref.ref(waiting)
        return _Replay.apply(recording, waiting, *(each for each in module.parameters() if each.requires_grad))

    def _is_pending(self) -> bool:
        waiting = None if self._pending is None else self._pending()
        return waiting is not None and not waiting.done

    def state(self, module: nn.Module) -> tuple:
        """What of the kernels that a call starts does not depend on its arguments.

        Throws the graphs away if a parameter or buffer of ``module`` is no
        longer where they read it.
        """
        parameters = list(module.parameters())
        places = tuple(tensor.data_ptr() for tensor in (*parameters, *module.buffers()))
        if places != self._places:
            self.forget()
            self._places = places
        modules = list(module.modules())
        settings = tuple(_number(getattr(each, name, None)) for each in modules for name in _SETTINGS)
        autocast = torch.get_autocast_dtype('cuda') if torch.is_autocast_enabled('cuda') else None
        return (settings, tuple(map(type, modules)), tuple(each.requires_grad for each in parameters), autocast,
                torch.is_grad_enabled(), torch.is_inference_mode_enabled())

    def forget(self) -> None:
        """Throw the graphs away and give their memory back."""
        recorded = bool(self._recordings)
        self._recordings.clear()
        self._seen.clear()
        self._pool = None
        if recorded:
            torch.cuda.empty_cache()


def _usable(tensors: Sequence[Tensor]) -> bool:
    if not tensors or torch.compiler.is_compiling() or not dispatch.graphs_allowed(tensors[0].device.type):
        return False
    if tensors[0].device.index != torch.cuda.current_device():
        return False  # recordings are made on the current device
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        return False  # a graph has gradients for parameters only
    several = distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1
    return not several and not torch.cuda.is_current_stream_capturing()


def _has_hooks(module: nn.Module) -> bool:
    return any(each._forward_hooks or each._forward_pre_hooks or each._backward_hooks or each._backward_pre_hooks
               for each in module.modules() if each is not module)


def _number(value: Any) -> float | None:
    return value if isinstance(value, (bool, int, float)) else None  # `dropout` may be a module, too


class _Waiting:
    """Lives as long as the graph of autograd whose backward pass it stands for."""
    done = False


@dataclass
class _Recording:
    """One key's graphs, and the places they read and write.

    Attributes:
        inputs: Of the forward pass.
        forward: The pass.
        outputs: What it writes, without gradient.
        structure: What ``outputs`` are the leaves of.
        backward: The pass; None if there is nothing to differentiate.
        output_gradients: It reads, one for each output.
        gradients: It writes, joined to one vector, so that a copy of all is one kernel; what autograd hands on must
            not be overwritten by the next call.
        shapes: Of the parameters with a gradient, as tensors without memory.
        takes_part: Whether a parameter has one.
    """
    inputs: list[Tensor]
    forward: torch.cuda.CUDAGraph
    outputs: list[Tensor]
    structure: Any
    backward: torch.cuda.CUDAGraph | None = None
    output_gradients: Sequence[Tensor] = ()
    gradients: Tensor | None = None
    shapes: Sequence[Tensor] = ()
    takes_part: Sequence[bool] = ()


class _Replay(torch.autograd.Function):
    """The recorded passes as a node of autograd."""

    @staticmethod
    def forward(ctx, recording: _Recording, waiting: _Waiting, *parameters: Tensor) -> tuple:
        ctx.recording, ctx.waiting = recording, waiting
        recording.forward.replay()
        outputs = tuple(output.clone() for output in recording.outputs)
        ctx.mark_non_differentiable(*(output for output in outputs if not output.is_floating_point()))
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx, *gradients: Tensor) -> tuple:
        if ctx.waiting.done:
            raise RuntimeError('a CUDA graph has one backward pass for each forward pass, the memory of the first has '
                               'been used again. Set M2AE_OPS=kernels in the environment to do without graphs.')
        recording = ctx.recording
        for own, gradient in zip(recording.output_gradients, gradients):
            own.copy_(gradient)
        recording.backward.replay()
        ctx.waiting.done = True
        parts = iter(_unflatten_dense_tensors(recording.gradients.clone(), recording.shapes))
        return None, None, *(next(parts) if takes_part else None for takes_part in recording.takes_part)


def _record(function: Callable[..., Any], module: nn.Module, leaves: Sequence[Any], structure: Any,
            pool: Any) -> _Recording | None:
    """Warm up and record; None, with a warning, if the function cannot be recorded."""
    leaves = [leaf.detach().clone() if isinstance(leaf, Tensor) else leaf for leaf in leaves]
    buffers = [(buffer, buffer.clone()) for buffer in module.buffers()]  # running statistics
    call = functools.partial(function, *tree_unflatten(leaves, structure))
    try:
        # The stream of now is current again behind this, also where a recording breaks off and leaves its own.
        with torch.cuda.stream(torch.cuda.current_stream()):
            return _record_call(call, module, leaves, pool)
    except RuntimeError as error:
        warnings.warn(f'no CUDA graph, calls go on one kernel at a time: {str(error).splitlines()[0]}', stacklevel=2)
        _end_recording()
        return None
    finally:
        for buffer, before in buffers:
            buffer.copy_(before)


def _record_call(call: Callable[[], Any], module: nn.Module, leaves: Sequence[Any], pool: Any) -> _Recording:
    # Casts of the weights that autocast has in store are of this step; a graph has to make them every time.
    with torch.autocast('cuda', torch.get_autocast_dtype('cuda'), torch.is_autocast_enabled('cuda'),
                        cache_enabled=False), _stand_ins(module) as parameters:
        _warm_up(call, parameters)
        return _capture(call, [leaf for leaf in leaves if isinstance(leaf, Tensor)], parameters, pool)


@functools.cache
def _stream(device: int) -> torch.cuda.Stream:
    """Where recordings are made on a device; PyTorch's own default is one stream, of whatever device came first."""
    return torch.cuda.Stream(device)


@contextlib.contextmanager
def _stand_ins(module: nn.Module) -> Iterator[list[Tensor]]:
    """Have ``module`` compute with other leaves on the memory of its parameters; yields those to be differentiated.

    While autograd's graph of an earlier call lives, if only for the sake of a
    loss that somebody kept, its nodes for the parameters do, too, and belong
    to a stream from which a recording must not take anything.
    """
    places = [(each._parameters, name, weight) for each in module.modules()
              for name, weight in each._parameters.items() if weight is not None]
    others = {weight: weight.detach().requires_grad_(weight.requires_grad) for _, _, weight in places}
    try:
        for parameters, name, weight in places:
            parameters[name] = others[weight]
        yield [others[weight] for weight in others if weight.requires_grad and torch.is_grad_enabled()]
    finally:
        for parameters, name, weight in places:
            parameters[name] = weight


def _end_recording() -> None:
    """After a recording that broke off PyTorch's random numbers wait for its end; an empty one has an end."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        with torch.cuda.graph(torch.cuda.CUDAGraph(), stream=_stream(torch.cuda.current_device())):
            pass


def _warm_up(call: Callable[[], Any], parameters: Sequence[Tensor]) -> None:
    """Let kernels compile and libraries prepare themselves, on a stream of its own as a recording needs."""
    torch.cuda.empty_cache()  # what calls before this one have left would add to its memory
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(_WARM_UPS):
            outputs = tree_flatten(call())[0]
            _differentiate(outputs, parameters, [torch.ones_like(output) for output in outputs])
    torch.cuda.current_stream().wait_stream(stream)


def _capture(call: Callable[[], Any], inputs: list[Tensor], parameters: list[Tensor], pool: Any) -> _Recording:
    # Only this thread is kept from what a recording forbids: loaders may pin memory meanwhile.
    options = dict(pool=pool, stream=_stream(torch.cuda.current_device()), capture_error_mode='thread_local')
    forward = torch.cuda.CUDAGraph()
    with torch.cuda.graph(forward, **options):
        outputs, structure = tree_flatten(call())
    recording = _Recording(inputs, forward, [output.detach() for output in outputs], structure)
    if any(output.requires_grad for output in outputs):
        recording.output_gradients = [torch.zeros_like(output) for output in outputs]
        recording.backward = torch.cuda.CUDAGraph()
        with torch.cuda.graph(recording.backward, **options):
            found = _differentiate(outputs, parameters, recording.output_gradients)
            recording.gradients = _flatten_dense_tensors([each for each in found if each is not None])
        recording.takes_part = [each is not None for each in found]
        recording.shapes = [torch.empty_like(each, device='meta') for each in found if each is not None]
    return recording


def _differentiate(outputs: Sequence[Tensor], parameters: Sequence[Tensor], gradients: Sequence[Tensor]) -> tuple:
    """Gradients of the parameters, given those of the outputs."""
    pairs = [pair for pair in zip(outputs, gradients) if pair[0].requires_grad]
    if not pairs or not parameters:
        return ()
    outputs, gradients = zip(*pairs)
    with torch.autocast('cuda', enabled=False):  # backward passes are called outside of it
        return torch.autograd.grad(outputs, parameters, gradients, allow_unused=True)
