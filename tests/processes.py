"""Run a function in several gloo processes on the CPU."""
import os
import socket
from pathlib import Path

import torch
from torch import distributed, multiprocessing

from m2ae_mm.engine import end_processes


def run_in_processes(work, folder, count=2):
    """Results of ``work(rank)``, a function of a test module, in ``count`` processes that know of each other."""
    multiprocessing.spawn(_process, (work, str(folder), count, free_port()), nprocs=count)
    return [torch.load(Path(folder, f'{rank}.pt'), weights_only=True) for rank in range(count)]


def free_port():
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        return listener.getsockname()[1]


def _process(rank, work, folder, count, port):
    torch.set_num_threads(1)
    os.environ['LOCAL_RANK'] = str(rank)
    distributed.init_process_group('gloo', f'tcp://127.0.0.1:{port}', world_size=count, rank=rank)
    torch.save(work(rank), Path(folder, f'{rank}.pt'))
    end_processes()
