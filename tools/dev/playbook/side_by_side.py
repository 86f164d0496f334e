"""Steps of models prepared side by side, each in a process of its own, then timed one after the other.

Starting, compiling and recording takes a minute for each; a GPU is needed for little of that. Variants of a step:
``kernels`` (as it is, with CUDA graphs), ``reference``, ``compiled`` and ``reduce-overhead`` (everything in stock
PyTorch on packed rows through torch.compile), or an operator whose work compiled PyTorch does instead.
"""
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from .records import ROOT

_CALLS, _WARM_UPS = 60, 12


def run_group(context, jobs: Sequence[tuple[str, str]], patience: float) -> None:
    """Start all, let each be timed when all are ready, record what they say.

    Args:
        context: Of the stage.
        jobs: Case of :mod:`playbook.steps` and variant.
        patience: Seconds to wait for those that are not ready.
    """
    folder = context.out / 'side_by_side.tmp'
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    environment = {**os.environ, 'TORCHINDUCTOR_COMPILE_THREADS': '3', 'OMP_NUM_THREADS': '2', 'PYTHONPATH':
                   os.pathsep.join([str(ROOT), str(ROOT / 'tools' / 'dev'), os.environ.get('PYTHONPATH', '')])}
    running = {}
    for case, variant in jobs:
        command = [sys.executable, '-m', 'playbook.side_by_side', case, variant, context.device, str(folder)]
        running[case, variant] = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL,
                                                  stderr=subprocess.STDOUT)
    end = min(time.time() + patience, context.deadline - 4 * len(jobs))
    while time.time() < end and not all((folder / f'{case}.{variant}.ready').exists() for case, variant in jobs):
        time.sleep(0.2)
    for (case, variant), process in running.items():
        name = f'{case}.{variant}'
        if (folder / f'{name}.ready').exists():
            (folder / f'{name}.go').touch()
            process.wait(60)
        file = folder / f'{name}.json'
        found = json.loads(file.read_text()) if file.exists() else dict(error=f'not ready after {patience:.0f} s')
        process.kill()
        context.record.add(case=case, variant=variant, **found)
    shutil.rmtree(folder)


def main(case: str, variant: str, device: str, folder: Path) -> None:
    """One variant, in a process of its own."""
    place = folder / f'{case}.{variant}'
    try:
        result = measure(case, variant, device, place)
    except Exception as error:
        result = dict(error=f'{type(error).__name__}: {error}'[:800])
        Path(f'{place}.ready').touch()
    new = Path(f'{place}.new')
    new.write_text(json.dumps(result))
    new.rename(f'{place}.json')


def measure(case: str, variant: str, device: str, place: Path) -> dict:
    """Milliseconds of a step, and its losses from the same start."""
    import torch

    from m2ae_mm import ops
    from m2ae_mm.engine import record_graphs

    from . import plain_kernels
    from .steps import build_step
    small = device == 'cpu'
    model, step, batch = build_step(case, device, small)
    whole = variant in ('compiled', 'reduce-overhead')
    if variant in ('kernels', 'reference'):
        context = ops.use_reference() if variant == 'reference' else torch.autograd.set_grad_enabled(True)
    else:
        own = ops.dispatch.kernels_of(device) if device != 'cpu' else None
        replaced = list(plain_kernels.PLAIN) if whole or own is None else [variant]
        # A rehearsal compiles nothing: it would need a C++ compiler.
        context = plain_kernels.serving(replaced, compiled=not whole and not small, own=own)
    with context:
        if not whole:
            record_graphs(model)
        else:
            compile_recorded(model, dict(backend='eager') if small else
                             dict(mode=None if variant == 'compiled' else variant), small)
        start = time.perf_counter()
        losses = [float(step()) for _ in range(2 if small else _WARM_UPS)]
        prepared = time.perf_counter() - start
        Path(f'{place}.ready').touch()
        while not Path(f'{place}.go').exists():
            time.sleep(0.02)
        times = []
        for _ in range(2 if small else _CALLS):
            _wait(device)
            start = time.perf_counter()
            for _ in range(1 if small else 4):  # queued behind each other, as in a training
                step()
            _wait(device)
            times.append((time.perf_counter() - start) / (1 if small else 4))
            if sum(times) * 4 > 4:
                break
    times.sort()
    memory = torch.cuda.max_memory_reserved() / 2**20 if device == 'cuda' else None
    median, tenth = times[len(times) // 2], len(times) // 10
    return dict(samples_a_second=batch / median, ms=1e3 * median, ms_10=1e3 * times[tenth],
                ms_90=1e3 * times[-1 - tenth], batch=batch, prepared_seconds=prepared,
                mib_reserved=memory, losses=losses[:3])


def compile_recorded(model, options: dict, small: bool) -> None:
    """What is recorded as a CUDA graph is compiled instead."""
    import torch

    from m2ae_mm.engine import record_graphs

    class Compiled:
        def __init__(self, function) -> None:
            self.function = function if small else torch.compile(function, dynamic=False, **options)

        def __call__(self, module, *arguments, state=None):
            return self.function(module, *arguments)

        def state(self, module) -> tuple:
            return ()

        def forget(self) -> None:
            pass

    record_graphs(model, Compiled)


def _wait(device: str) -> None:
    import torch
    if device == 'cuda':
        torch.cuda.synchronize()


if __name__ == '__main__':
    main(*sys.argv[1:4], Path(sys.argv[4]))
