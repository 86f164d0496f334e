"""Distributed training on machines without CUDA."""
import os

import torch
from mmengine.config import Config
from mmengine.model import MMDistributedDataParallel
from torch import distributed, nn

from mmdet3d.registry import MODEL_WRAPPERS


@MODEL_WRAPPERS.register_module()
class M2AEDistributedCPU(MMDistributedDataParallel):
    """mmengine's data-parallel wrapper for models on the CPU.

    mmengine names a CUDA device to every wrapper, which PyTorch refuses for a
    model on the CPU.

    Args:
        module: The model.
        device_ids: Ignored.
        find_unused_parameters: As in PyTorch.
    """

    def __init__(self, module: nn.Module, device_ids: list[int], find_unused_parameters: bool = False) -> None:
        super().__init__(module=module, broadcast_buffers=False, find_unused_parameters=find_unused_parameters)


def init_cpu_processes(config: Config) -> None:
    """Make ``config.launcher`` work with gloo where mmengine would insist on CUDA.

    mmengine's launchers and its model wrapper select a CUDA device
    unconditionally. On a machine without an accelerator the process group is
    made here first, which mmengine then uses, and the wrapper is set.

    Args:
        config: A full config; ``model_wrapper_cfg`` may be added.

    Raises:
        ValueError: For a launcher other than ``'pytorch'``, or without the
            environment that it sets.
    """
    if config.launcher == 'none' or torch.accelerator.is_available():
        return
    if config.launcher != 'pytorch':
        raise ValueError('without an accelerator, distributed runs start with --launcher pytorch, got '
                         f'{config.launcher!r}. Use tools/dist_train.sh.')
    missing = [name for name in ('RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT') if name not in os.environ]
    if missing:
        raise ValueError(f'--launcher pytorch needs {", ".join(missing)} in the environment; start the processes with '
                         'tools/dist_train.sh.')
    if not distributed.is_initialized():
        distributed.init_process_group('gloo')
    config.model_wrapper_cfg = dict(
        type='mmdet3d.M2AEDistributedCPU', find_unused_parameters=config.get('find_unused_parameters', False))
