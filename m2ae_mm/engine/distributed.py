"""Distributed training on machines without CUDA."""
import os

import torch
from torch import distributed


def init_cpu_processes(launcher: str) -> None:
    """Join the process group with gloo where mmengine would insist on CUDA.

    mmengine's launchers select a CUDA device unconditionally. On a machine
    without one the group is made here first, and mmengine then uses it.

    Args:
        launcher: ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.
    """
    if launcher == 'none' or torch.accelerator.is_available() or distributed.is_initialized():
        return
    if launcher != 'pytorch':
        raise ValueError(f'without an accelerator, distributed runs start with --launcher pytorch, got {launcher!r}. '
                         'Use tools/dist_train.sh.')
    missing = [name for name in ('RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT') if name not in os.environ]
    if missing:
        raise ValueError(f'--launcher pytorch needs {", ".join(missing)} in the environment; start the processes with '
                         'torchrun or tools/dist_train.sh.')
    distributed.init_process_group('gloo')
