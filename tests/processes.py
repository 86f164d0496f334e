"""Processes that tests start, alone or several that know of each other.

Importing m2ae_mm takes a process many seconds. So these are forked from a server that has imported it and has done
nothing else. What a bare start of the interpreter does is tested in ``test_package``.
"""
import os
import runpy
import socket
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from subprocess import CompletedProcess
from tempfile import TemporaryDirectory

import torch
from torch import distributed, multiprocessing

from m2ae_mm.engine import end_processes

ROOT = Path(__file__).resolve().parents[1]
FORKED = get_context('forkserver')
FORKED.set_forkserver_preload(['m2ae_mm'])
_LONGEST = 1800  # seconds; for a slow machine that does other things, too


def program(file, *arguments, **variables):
    """What ``python FILE ARGUMENTS...`` printed and its exit code; ``file`` lies in the clone.

    ``variables`` are set beside those of this process.

    Raises:
        TimeoutError: After half an hour, with the end of what was printed.
    """
    command = [str(ROOT / file), *map(str, arguments)]
    with TemporaryDirectory() as folder:
        outputs = [Path(folder, name) for name in ('stdout', 'stderr')]
        process = FORKED.Process(target=_run_program, args=(command, outputs, {**os.environ, **variables}))
        process.start()
        process.join(_LONGEST)
        if process.exitcode is None:
            process.kill()
            printed = ''.join(output.read_text() for output in outputs if output.exists())
            raise TimeoutError(f'{" ".join(command)} runs for longer than {_LONGEST} s. So far:\n{printed[-3000:]}')
        return CompletedProcess(command, process.exitcode, *(output.read_text() for output in outputs))


def _run_program(command, outputs, variables):
    for number, output in enumerate(outputs, 1):
        with open(output, 'w') as file:
            os.dup2(file.fileno(), number)
    sys.stdout, sys.stderr = (os.fdopen(number, 'w', closefd=False) for number in (1, 2))
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(ROOT)
    multiprocessing.set_start_method(None, force=True)  # the system's
    torch.set_num_threads(1)
    sys.argv = command
    sys.path[0] = str(Path(command[0]).parent)
    runpy.run_path(command[0], run_name='__main__')


def in_fresh_process(function, *arguments):
    """What a function of a test module returns in a process that has imported m2ae_mm only."""
    with ProcessPoolExecutor(1, FORKED) as pool:
        return pool.submit(function, *arguments).result()


def run_in_processes(work, folder, count=2):
    """Results of ``work(rank)``, a function of a test module, in ``count`` processes that know of each other."""
    arguments = (work, str(folder), count, free_port(), dict(os.environ))
    multiprocessing.start_processes(_process, arguments, count, start_method='forkserver')
    return [torch.load(Path(folder, f'{rank}.pt'), weights_only=True) for rank in range(count)]


def free_port():
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        return listener.getsockname()[1]


def _process(rank, work, folder, count, port, variables):
    torch.set_num_threads(1)
    os.environ.update(variables, LOCAL_RANK=str(rank))
    distributed.init_process_group('gloo', f'tcp://127.0.0.1:{port}', world_size=count, rank=rank)
    torch.save(work(rank), Path(folder, f'{rank}.pt'))
    end_processes()
