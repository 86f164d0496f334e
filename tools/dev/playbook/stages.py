"""The list of stages and how one is run."""
import importlib
import multiprocessing
import os
import signal
import sys
import time
import traceback
from argparse import Namespace
from pathlib import Path
from typing import Any, NamedTuple

from .records import ROOT, Record, hash_of, machine

_MODELS = ('m2ae_mm/models/**/*.py', 'm2ae_mm/ops/**/*.py')


class Stage(NamedTuple):
    """One stage.

    Attributes:
        name: Also of its module in this package and of its result file.
        purpose: In one line.
        seconds: Its time budget on a GPU.
        least: Seconds without which it is not begun.
        code: Patterns of the files whose change makes its result out of date.
    """
    name: str
    purpose: str
    seconds: int
    least: int
    code: tuple[str, ...]


STAGES = {stage.name: stage for stage in (
    Stage('kernel_tests', 'tests of Triton kernels, CUDA graphs and packed rows on the device; full-size indices',
          150, 60, ('m2ae_mm/ops/**/*.py', 'tests/test_ops/*.py')),
    Stage('benchmark', 'training steps and inference of the benchmark table, with memory', 150, 60, _MODELS),
    Stage('compiler', 'hand-written kernels against torch.compile on packed rows', 300, 60, _MODELS),
    Stage('detection', 'detection from scratch and pre-trained, with all and with fewer labels', 300, 60,
          (*_MODELS, 'm2ae_mm/datasets/rooms/*.py', 'configs/vdetr/*.py', 'configs/m2ae/rooms*.py')),
    Stage('shapes', "pre-training of the paper's size on shapes, with the linear probe", 600, 60, _MODELS),
    Stage('whole_runs', 'whole training runs against their bare steps', 150, 60,
          (*_MODELS, 'm2ae_mm/engine/**/*.py', 'm2ae_mm/datasets/**/*.py')),
)}


class Context(NamedTuple):
    """What a stage gets.

    Attributes:
        record: Its result file.
        out: Folder for further files.
        data: Folder with data sets that were carried along.
        rehearse: Whether sizes are those of a rehearsal on a CPU.
        device: ``'cuda'`` or ``'cpu'``.
        deadline: ``time.time()`` at which it is killed.
    """
    record: Record
    out: Path
    data: Path
    rehearse: bool
    device: str
    deadline: float

    def left(self) -> float:
        """Seconds."""
        return self.deadline - time.time()


def run_stage(stage: Stage, args: Namespace, left: float) -> bool:
    """Run a stage in a process of its own; whether it came to its end."""
    seconds = 600. if args.rehearse else min(left, stage.seconds)
    print(f'{stage.name}: {stage.purpose} ({seconds:.0f} s)', flush=True)
    start = time.time()
    # A rehearsal is short: its stages do not import the package anew.
    processes = multiprocessing.get_context('forkserver' if args.rehearse else 'spawn')
    processes.set_forkserver_preload(['m2ae_mm'])
    process = processes.Process(target=_child, args=(stage, vars(args), start + seconds))
    process.start()
    process.join(seconds)
    cut = process.is_alive()
    # The stage leads a process group: what it has started goes with it.
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()
    process.join()
    state = 'cut off' if cut else 'done' if process.exitcode == 0 else 'failed'
    print(f'{stage.name}: {state} after {time.time() - start:.0f} s', flush=True)
    return state == 'done'


def _child(stage: Stage, args: dict[str, Any], deadline: float) -> None:
    os.setsid()
    sys.path.insert(0, str(ROOT))
    try:
        import m2ae_mm  # noqa: F401
        command = ' '.join(['python', *(part for part in sys.argv if part)])
        record = Record(args['out'].resolve() / f'{stage.name}.json', stage.name, hash_of(stage.code), command=command,
                        seed=0, rehearsal=args['rehearse'], **machine(args['commit']))
        context = Context(record, args['out'].resolve(), args['data'].resolve(), args['rehearse'],
                          'cpu' if args['rehearse'] else 'cuda', deadline)
        start = time.time()
        importlib.import_module(f'playbook.{stage.name}').run(context)
        record.set(complete=True, seconds=round(time.time() - start, 1))
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
