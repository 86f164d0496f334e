"""Checks the state of an optimizer in a checkpoint: fused optimizers write to it without checking its size."""
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor

from m2ae_mm.checkpoint.contents import not_finite
from m2ae_mm.errors import UserError
from m2ae_mm.nesting import entries

# Of PyTorch's, those whose state is not of the shape of the parameters.
_OTHER_SHAPES = ('Adafactor', 'LBFGS')


def check_optimizer_state(wrapper: OptimWrapper | OptimWrapperDict, stored: Mapping) -> None:
    """Refuse a state that is not of the shapes and types of its parameters, or not finite.

    Args:
        wrapper: Of the training, with its optimizer.
        stored: What a checkpoint has of it.

    Raises:
        UserError: Naming the first entry that does not fit.
    """
    for wrapped, state in _pairs(wrapper, stored):
        _check(wrapped.optimizer, state)
    if broken := not_finite(state_tensors(stored)):
        raise UserError(f"the checkpoint's optimizer holds NaN or infinite values in {len(broken)} entries "
                        f'({", ".join(broken[:3])}). Resume an earlier checkpoint.')


def state_tensors(stored: Mapping | None) -> dict[str, Tensor]:
    """All tensors of a stored state by their places."""
    return {path: value for path, value in entries(stored, 'optimizer') if isinstance(value, Tensor)}


def _pairs(wrapper: OptimWrapper | OptimWrapperDict, stored: Mapping) -> Iterator[tuple[OptimWrapper, Any]]:
    if isinstance(wrapper, OptimWrapperDict):
        yield from ((each, stored.get(name)) for name, each in wrapper.items())
    else:
        yield wrapper, stored


def _check(optimizer: Any, stored: Any) -> None:
    advice = 'Resume with the optimizer that the training was begun with.'
    if not isinstance(stored, Mapping) or not isinstance(stored.get('state'), Mapping) or not isinstance(
            stored.get('param_groups'), list):
        raise UserError(f"the checkpoint's optimizer is no state of one: {type(stored).__name__} without state and "
                        f'param_groups. {advice}')
    own = [each for group in optimizer.param_groups for each in group['params']]
    places = [place for group in stored['param_groups'] for place in group.get('params', ())]
    if len(own) != len(places):
        raise UserError(f"the checkpoint's optimizer has {len(places)} parameters, the config's has {len(own)}. "
                        f'{advice}')
    if not all(type(place) is int for place in places) or len({*places}) != len(places):
        raise UserError(f"the checkpoint's optimizer names parameters twice, or by something that is no number. "
                        f'{advice}')
    of_torch = type(optimizer).__module__.startswith('torch.') and type(optimizer).__name__ not in _OTHER_SHAPES
    for place, parameter in zip(places, own):
        entries = stored['state'].get(place, {})
        if not isinstance(entries, Mapping):
            raise UserError(f"the checkpoint's optimizer has {type(entries).__name__} as state of parameter {place}. "
                            f'{advice}')
        for name, value in entries.items():
            if not isinstance(value, Tensor):
                continue
            shape = tuple(value.shape)
            if name == 'step' and shape not in ((), (1, )) or name != 'step' and of_torch and shape != tuple(
                    parameter.shape):
                raise UserError(f"the checkpoint's optimizer has {name} {shape} for parameter {place}, which is "
                                f'{tuple(parameter.shape)}. {advice}')
            if value.is_complex() != parameter.is_complex() or not (value.is_floating_point() or value.is_complex()
                                                                     or name == 'step'):
                raise UserError(f"the checkpoint's optimizer has {name} of type {value.dtype} for parameter {place}, "
                                f'which is {parameter.dtype}. {advice}'.replace('torch.', ''))
