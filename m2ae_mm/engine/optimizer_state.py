"""Checks the state of an optimizer in a checkpoint: fused optimizers write to it without checking its size."""
from collections.abc import Mapping
from typing import Any

from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor

from m2ae_mm.checkpoint.contents import not_finite
from m2ae_mm.errors import UserError
from m2ae_mm.nesting import entries

# PyTorch's optimizers whose state has other shapes than the parameters.
_OTHER_SHAPES = ('Adafactor', 'LBFGS')


def check_optimizer_state(wrapper: OptimWrapper | OptimWrapperDict, stored: Mapping) -> None:
    """Refuse a stored state of the optimizer whose shapes and types do not fit its parameters, or that is not finite.

    Raises:
        UserError: Naming the first entry that does not fit.
    """
    pairs = [(wrapper, stored)] if not isinstance(wrapper, OptimWrapperDict) else [
        (each, stored.get(name)) for name, each in wrapper.items()]
    for wrapped, state in pairs:
        if problem := _problem(wrapped.optimizer, state):
            raise UserError(f"the checkpoint's optimizer {problem}. Resume with the optimizer that the training was "
                            'begun with.')
    if broken := not_finite(state_tensors(stored)):
        raise UserError(f"the checkpoint's optimizer holds NaN or infinite values in {len(broken)} entries "
                        f'({", ".join(broken[:3])}). Resume an earlier checkpoint.')


def state_tensors(stored: Mapping | None) -> dict[str, Tensor]:
    """All tensors of a stored state by their places."""
    return {path: value for path, value in entries(stored, 'optimizer') if isinstance(value, Tensor)}


def _problem(optimizer: Any, stored: Any) -> str | None:
    """Why a state cannot be this optimizer's; None if it can."""
    if not isinstance(stored, Mapping) or not isinstance(stored.get('state'), Mapping) or not isinstance(
            stored.get('param_groups'), list):
        return f'is no state of one: {type(stored).__name__} without state and param_groups'
    own = [each for group in optimizer.param_groups for each in group['params']]
    places = [place for group in stored['param_groups'] for place in group.get('params', ())]
    if len(own) != len(places):
        return f"has {len(places)} parameters, the config's has {len(own)}"
    if not all(type(place) is int for place in places) or len({*places}) != len(places):
        return 'names parameters twice, or by something that is no number'
    of_torch = type(optimizer).__module__.startswith('torch.') and type(optimizer).__name__ not in _OTHER_SHAPES
    for place, parameter in zip(places, own):
        averages = stored['state'].get(place, {})
        if not isinstance(averages, Mapping):
            return f'has {type(averages).__name__} as state of parameter {place}'
        for name, value in averages.items():
            if not isinstance(value, Tensor):
                continue
            shape, wanted = tuple(value.shape), tuple(parameter.shape)
            if shape not in ((), (1, )) if name == 'step' else of_torch and shape != wanted:
                return f'has {name} {shape} for parameter {place}, which is {wanted}'
            if value.is_complex() != parameter.is_complex() or not (value.is_floating_point() or value.is_complex()
                                                                     or name == 'step'):
                return (f'has {name} of type {value.dtype} for parameter {place}, which is '
                        f'{parameter.dtype}').replace('torch.', '')
    return None
