"""How the optimiser steps: without waits, on few parameter groups, and in mixed precision on every device."""
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS, OPTIMIZERS
from torch import Tensor, nn

from m2ae_mm.errors import UserError

from .config_parts import class_of, option_of
from .late_history import log_late
from .step_guard import RunningStatistics, gradient_norm, spoil_unless_finite


@OPTIM_WRAPPERS.register_module()
class M2AEOptimWrapper(OptimWrapper):
    """mmengine's wrapper, which leaves out steps that are not finite and does not wait for the norm it logs.

    A step is left out if a loss or the gradient has NaN or infinite values:
    neither weights nor the optimizer's state change, nor, for long, what
    BatchNorm has seen. On an accelerator, fused optimizers are told by the
    accelerator itself; any other is waited for.

    Takes mmengine's arguments.

    Attributes:
        finite: Of the last iteration, bool of one element: whether its step
            was taken; None if it only collected gradients.
        statistics: Of the model's norms; restored by whoever learns of such a
            step later.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.finite: Tensor | None = None
        self.statistics: RunningStatistics | None = None
        self._norm: Tensor | None = None
        if self.clip_grad_kwargs:
            # mmengine logs, and so reads, what this function returns.
            self._clip, self.clip_func = self.clip_func, self._clip_and_log

    def _clip_and_log(self, parameters: Sequence[Tensor], **options) -> None:
        norm = self._norm = self._clip(parameters, **options)
        if norm is not None:  # clipping by value has none
            log_late(self.message_hub, f'train/{self.grad_name}', norm)

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """See mmengine; keeps what the forward pass will change."""
        if self.statistics is None:
            self.statistics = RunningStatistics(model)
        if self._inner_count % self._accumulative_counts == 0:
            self.statistics.keep(self._inner_count)
        with super().optim_context(model):
            yield

    def update_params(self, *args, **kwargs) -> None:
        """See mmengine."""
        self.finite = None
        super().update_params(*args, **kwargs)

    def scale_loss(self, loss: Tensor) -> Tensor:
        """See mmengine; of a loss that is not finite no gradient is."""
        return spoil_unless_finite(super().scale_loss(loss))

    def step(self, **kwargs) -> None:
        """See mmengine; without effect if a gradient is not finite."""
        parameters = [each for group in self.optimizer.param_groups for each in group['params']
                      if each.grad is not None]
        if not parameters:
            super().step(**kwargs)
            return
        clips_norm = bool(self.clip_grad_kwargs) and self.grad_name == 'grad_norm'
        norm = None if clips_norm else gradient_norm(parameters)  # before values are clipped, which makes them finite
        if self.clip_grad_kwargs:
            self._clip_grad()
        self.finite = (self._norm if clips_norm else norm).isfinite()
        if self._told_by_the_device():
            self.optimizer.grad_scale, self.optimizer.found_inf = None, (~self.finite).float()
            try:
                self.optimizer.step(**kwargs)
            finally:
                del self.optimizer.grad_scale, self.optimizer.found_inf
        elif self.finite:
            self.optimizer.step(**kwargs)
        elif self.statistics is not None:
            self.statistics.restore(self._inner_count - 1)

    def _told_by_the_device(self) -> bool:
        """Whether the optimizer takes from the device, without the host, that a step is to be left out."""
        return self.finite.device.type != 'cpu' and getattr(self.optimizer, '_step_supports_amp_scaling', False)


@OPTIM_WRAPPERS.register_module()
class M2AEBFloat16OptimWrapper(M2AEOptimWrapper):
    """:class:`M2AEOptimWrapper` with the forward pass of training under autocast to bfloat16, on any device.

    Weights, gradients and optimiser stay float32. bfloat16 has float32's
    range, so unlike the float16 of ``AmpOptimWrapper``, which refuses CPUs,
    it needs no loss scaling.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """See mmengine; the device is that of the model's parameters."""
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(device, torch.bfloat16):
            yield


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class M2AEOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """mmengine's constructor with one parameter group for each set of options.

    mmengine makes a group of every parameter once there is a
    ``paramwise_cfg``. Multi-tensor and fused optimisers work group by group,
    so they would take some 260 steps where two or three do. An optimizer
    without ``weight_decay`` keeps its own default, which mmengine would
    refuse beside the factors of a ``paramwise_cfg``.

    ``paramwise_cfg`` can have two options more. ``no_decay`` is a list of parts
    of names; parameters with one of them get no weight decay. ``custom_keys``
    would not do: of those only the longest that fits a parameter counts, so
    that ``backbone=dict(lr_mult=0.1)`` would not reach what is listed here.

    ``layer_decay_rate`` above 0 and up to 1 is layer-wise decay of the learning
    rate, as mmpretrain has it: a parameter's is multiplied by
    ``layer_decay_rate ** (levels - depth - 1)``. The model, or its backbone,
    tells both by ``get_layer_depth(name, prefix)``.
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None) -> None:
        optimizer = optim_wrapper_cfg.get('optimizer', {})
        decay = option_of(class_of(OPTIMIZERS, optimizer), 'weight_decay')
        if decay is not None and decay.default is not decay.empty:
            optimizer.setdefault('weight_decay', decay.default)
        super().__init__(optim_wrapper_cfg, paramwise_cfg)

    def add_params(self, params: list[dict], module: nn.Module, prefix: str = '', is_dcn_module=None) -> None:
        """See mmengine; the whole model's groups are joined where their options are equal."""
        super().add_params(params, module, prefix, is_dcn_module)
        if not prefix:  # mmengine calls this for every submodule, with its name
            parts = self.paramwise_cfg.get('no_decay', ())
            undecayed = {id(weight) for name, weight in module.named_parameters()
                         if any(part in name for part in parts)}
            for group in params:  # of one parameter each
                if id(group['params'][0]) in undecayed:
                    group['weight_decay'] = 0.
            if self.paramwise_cfg.get('layer_decay_rate') is not None:
                self._decay_by_layers(params, module)
            params[:] = _joined(params)

    def _decay_by_layers(self, params: list[dict], model: nn.Module) -> None:
        rate, owner, prefix = self.paramwise_cfg['layer_decay_rate'], model, ()
        if not 0 < rate <= 1:
            raise UserError(f'layer_decay_rate of paramwise_cfg must be above 0 and at most 1, got {rate!r}.')
        if not hasattr(model, 'get_layer_depth'):
            owner, prefix = getattr(model, 'backbone', model), ('backbone.', )
        if not hasattr(owner, 'get_layer_depth'):
            raise UserError(f'layer_decay_rate of paramwise_cfg needs a backbone with get_layer_depth, '
                            f'{type(owner).__name__} has none. Take PointM2AEEncoder or ThreeDETREncoder, or leave it '
                            'out.')
        names = {id(weight): name for name, weight in model.named_parameters()}
        for group in params:
            depth, levels = owner.get_layer_depth(names[id(group['params'][0])], *prefix)
            group['lr'] = group.get('lr', self.base_lr) * rate**(levels - depth - 1)


def _joined(groups: list[dict]) -> list[dict]:
    """Groups of the same options as one, in the order of their first parameters."""
    joined: list[dict] = []
    for group in groups:
        same = next((other for other in joined if _options(other) == _options(group)), None)
        if same is None:
            joined.append(dict(group, params=list(group['params'])))
        else:
            same['params'] += group['params']
    return joined


def _options(group: dict) -> dict:
    return {key: value for key, value in group.items() if key != 'params'}
