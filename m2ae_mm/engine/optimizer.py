"""Few parameter groups, so that the optimiser takes few steps."""
from mmengine.optim import DefaultOptimWrapperConstructor
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS
from torch import nn


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class M2AEOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """mmengine's constructor with one parameter group for each set of options.

    mmengine makes a group of every parameter once there is a
    ``paramwise_cfg``. Multi-tensor and fused optimisers work group by group,
    so they would take some 260 steps where two or three do.
    """

    def add_params(self, params: list[dict], module: nn.Module, prefix: str = '', is_dcn_module=None) -> None:
        """See mmengine; the whole model's groups are joined where their options are equal."""
        super().add_params(params, module, prefix, is_dcn_module)
        if not prefix:  # mmengine calls this for every submodule, with its name
            params[:] = _joined(params)


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
