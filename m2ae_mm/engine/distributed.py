"""Distributed training: what mmengine's launchers leave to do, and machines without CUDA."""
import gc
import os

import torch
from mmengine.config import Config
from mmengine.model import MMDistributedDataParallel
from torch import distributed, nn

from m2ae_mm.errors import UserError
from mmdet3d.registry import MODEL_WRAPPERS

from .sync_batch_norm import SyncBatchNormCPU


@MODEL_WRAPPERS.register_module()
class M2AEDistributedCPU(MMDistributedDataParallel):
    """mmengine's data-parallel wrapper for models on the CPU.

    mmengine names a CUDA device to every wrapper, which PyTorch refuses for a
    model on the CPU.

    Args:
        module: The model.
        device_ids: Ignored.
        find_unused_parameters: As in PyTorch.
        sync_bn: Whether BatchNorm counts the rows of all processes.
    """

    def __init__(self,
                 module: nn.Module,
                 device_ids: list[int] | None = None,
                 find_unused_parameters: bool = False,
                 sync_bn: bool = False) -> None:
        module = SyncBatchNormCPU.convert(module) if sync_bn else module
        super().__init__(module=module, broadcast_buffers=False, find_unused_parameters=find_unused_parameters)


def prepare_processes(config: Config) -> None:
    """Change ``config`` and the environment for several processes; nothing to do for a single one.

    - Every process gets random numbers of its own, unless the config says
      otherwise: by default mmengine seeds all alike, and they would draw the
      same masks, drop paths and augmentations for their different clouds.
      Weights and the order of samples are shared by mmengine in any case.
    - mmengine reads the local rank under mpi but does not pass it on to the
      wrapper, which would put every model on the first GPU.
    - Without an accelerator, see :func:`init_cpu_processes`.
    """
    if config.launcher == 'none':
        return
    config.setdefault('randomness', dict(seed=None))
    config.randomness.setdefault('diff_rank_seed', True)
    if config.launcher == 'mpi' and 'OMPI_COMM_WORLD_LOCAL_RANK' in os.environ:
        os.environ['LOCAL_RANK'] = os.environ['OMPI_COMM_WORLD_LOCAL_RANK']
    init_cpu_processes(config)


def init_cpu_processes(config: Config) -> None:
    """Make ``config.launcher`` work with gloo where mmengine would insist on CUDA.

    mmengine's launchers and its model wrapper select a CUDA device
    unconditionally, and PyTorch's ``SyncBatchNorm`` wants one. On a machine
    without an accelerator the process group is made here first, which mmengine
    then uses, and the wrapper is set.

    Args:
        config: A full config; ``model_wrapper_cfg`` may be added and takes
            over ``sync_bn``.

    Raises:
        UserError: For a launcher other than ``'pytorch'``, or without the
            environment that it sets.
    """
    if config.launcher == 'none' or torch.accelerator.is_available():
        return
    if config.launcher != 'pytorch':
        raise UserError('without an accelerator, distributed runs start with --launcher pytorch, got '
                        f'{config.launcher!r}. Use tools/dist_train.sh.')
    missing = [name for name in ('RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT') if name not in os.environ]
    if missing:
        raise UserError(f'--launcher pytorch needs {", ".join(missing)} in the environment; start the processes with '
                        'tools/dist_train.sh.')
    if not distributed.is_initialized():
        distributed.init_process_group('gloo')
    config.model_wrapper_cfg = dict(
        type='mmdet3d.M2AEDistributedCPU', find_unused_parameters=config.get('find_unused_parameters', False),
        sync_bn=config.pop('sync_bn', None) is not None)


def end_processes() -> None:
    """Leave the process group of a job that went well; nothing to do for a single process.

    To be called when nothing refers to the runner any more. A gloo thread
    that still lets go of a tensor while the interpreter shuts down aborts its
    process (*terminate called without an active exception*), and the job
    counts as failed although it is done. Only the last reference to the group
    ends its threads, and the wrapped model holds one, in a cycle with its
    runner: it is collected first.
    """
    if distributed.is_initialized():
        gc.collect()
        distributed.destroy_process_group()
