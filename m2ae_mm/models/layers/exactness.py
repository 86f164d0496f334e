"""Whether a module does what its class says and nothing else: what a fast path asks of those that it does not call."""
from torch import nn
from torch.nn.modules import module as torch_module

from .low_rank import LowRank, has_low_rank

_HOOKS = ('_forward_pre_hooks', '_forward_hooks', '_backward_pre_hooks', '_backward_hooks')
_GLOBAL_HOOKS = ('_global_forward_pre_hooks', '_global_forward_hooks', '_global_backward_pre_hooks',
                 '_global_backward_hooks')


def are_exactly(kind: type[nn.Module], *modules: nn.Module) -> bool:
    """Whether calling these modules computes what ``kind`` computes, and nothing else happens.

    A fast path that reads the weights of its submodules and does not call
    them asks this for each, and steps aside otherwise: for subclasses and
    other classes, parametrizations (which make a class of their own), hooks,
    and a ``forward`` put into one module. :class:`LowRank` is no reason to,
    since the weight that it gives is a weight, unless each look at it finds another one.
    """
    if any(getattr(torch_module, hooks) for hooks in _GLOBAL_HOOKS):
        return False
    return all(_class_of(module) is kind and 'forward' not in vars(module) and _has_usual_options(module)
               and not any(getattr(module, hooks) for hooks in _HOOKS) for module in modules)


def _class_of(module: nn.Module) -> type[nn.Module]:
    if has_low_rank(module):
        added: LowRank = module.parametrizations.weight[0]
        if not (added.training and added.drop_rate):
            return type(module).__bases__[0]
    return type(module)


def _has_usual_options(module: nn.Module) -> bool:
    """What the kernels compute is GELU by the error function, and LayerNorm with weight and bias of the last axis."""
    if type(module) is nn.GELU:
        return module.approximate == 'none'
    if type(module) is nn.LayerNorm:
        return module.weight is not None and module.bias is not None and module.weight.dim() == 1
    return True
