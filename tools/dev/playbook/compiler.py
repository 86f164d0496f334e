"""Hand-written kernels against torch.compile, on the same packed rows and in one run.

Variants of each step: ``kernels`` (as it is, with CUDA graphs), ``compiled`` and ``reduce-overhead`` (everything in
stock PyTorch on packed rows through torch.compile), and for each kernel file the step with that file's work done by
compiled PyTorch instead. All processes of a group compile side by side, then are timed one after the other.
"""
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from .records import ROOT

SHAPES = ('attention', 'layer_norm', 'gelu', 'linear', 'batch_norm', 'pooling')
GROUPS = (
    ('pretrain', ('kernels', 'compiled', 'reduce-overhead', 'attention', 'layer_norm', 'batch_norm')),
    ('pretrain', ('kernels', 'gelu', 'linear', 'pooling')),
    ('classify', ('kernels', 'compiled', *SHAPES)),
    ('features', ('kernels', 'compiled', 'reduce-overhead', 'add_relu', 'attention')),
    ('detect', ('kernels', 'compiled', 'batch_norm', 'distance_mask')),
)
_REHEARSED = (('pretrain', ('reference', 'compiled', 'layer_norm')), )
_CALLS, _WARM_UPS = 60, 12


def run(context) -> None:
    for case, variants in _REHEARSED if context.rehearse else GROUPS:
        if context.left() < 45:
            context.record.set(stopped=f'before {case}: {context.left():.0f} s were left')
            return
        run_group(context, case, variants)


def run_group(context, case: str, variants: tuple[str, ...]) -> None:
    """Start all, let each be timed when all are ready, record what they say."""
    folder = context.out / 'compiler.tmp'
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    environment = {**os.environ, 'TORCHINDUCTOR_COMPILE_THREADS': '3', 'OMP_NUM_THREADS': '2', 'PYTHONPATH':
                   os.pathsep.join([str(ROOT), str(ROOT / 'tools' / 'dev'), os.environ.get('PYTHONPATH', '')])}
    running = {}
    for variant in variants:
        command = [sys.executable, '-m', 'playbook.compiler', case, variant, context.device, str(folder)]
        running[variant] = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL,
                                            stderr=subprocess.STDOUT)
    end = min(time.time() + 130, context.deadline - 20)
    ready = [folder / f'{variant}.ready' for variant in variants]
    while time.time() < end and not all(path.exists() for path in ready):
        time.sleep(0.2)
    for variant, process in running.items():
        row = dict(case=case, variant=variant)
        if (folder / f'{variant}.ready').exists():
            (folder / f'{variant}.go').touch()
            process.wait(40)
        file = folder / f'{variant}.json'
        row.update(json.loads(file.read_text()) if file.exists() else dict(error='not ready in time'))
        process.kill()
        context.record.add(**row)


def main(case: str, variant: str, device: str, folder: Path) -> None:
    """One variant, in a process of its own."""
    result = {}
    try:
        result = measure(case, variant, device, folder)
    except Exception as error:
        result = dict(error=f'{type(error).__name__}: {error}'[:800])
        (folder / f'{variant}.ready').touch()
    new = folder / f'{variant}.new'
    new.write_text(json.dumps(result))
    new.rename(folder / f'{variant}.json')


def measure(case: str, variant: str, device: str, folder: Path) -> dict:
    """Milliseconds of a step, and its losses from the same start."""
    import torch

    from m2ae_mm import ops

    from . import plain_kernels
    from .steps import build_step
    small = device == 'cpu'
    model, step, batch = build_step(case, device, small)
    whole = variant in ('compiled', 'reduce-overhead')
    if variant in ('kernels', 'reference'):
        context = ops.use_reference() if variant == 'reference' else torch.autograd.set_grad_enabled(True)
    else:
        own = ops.dispatch.backend(device) if device != 'cpu' else None
        files = list(plain_kernels.FILES) if whole or own is None else [variant]
        # A rehearsal compiles nothing: it would need a C++ compiler.
        context = plain_kernels.serving(files, compiled=not whole and not small, own=own)
    with context:
        if whole:
            compile_recorded(model, dict(backend='eager') if small else
                             dict(mode=None if variant == 'compiled' else variant), small)
        start = time.perf_counter()
        losses = [float(step()) for _ in range(2 if small else _WARM_UPS)]
        prepared = time.perf_counter() - start
        (folder / f'{variant}.ready').touch()
        while not (folder / f'{variant}.go').exists():
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
    return dict(ms=1e3 * times[len(times) // 2], ms_10=1e3 * times[len(times) // 10],
                ms_90=1e3 * times[-1 - len(times) // 10], batch=batch, prepared_seconds=prepared,
                mib_reserved=memory, losses=losses[:3])


def compile_recorded(model, options: dict, small: bool) -> None:
    """What is recorded as a CUDA graph is compiled instead."""
    import torch

    from m2ae_mm.ops.graphs import Graphed

    class Compiled:
        grown = False

        def __init__(self, function) -> None:
            self.function = function if small else torch.compile(function, dynamic=False, **options)

        def __call__(self, module, *arguments, state=None):
            return self.function(module, *arguments)

        def state(self, module) -> tuple:
            return ()

        def forget(self) -> None:
            pass

    for name, value in list(vars(model).items()):
        if isinstance(value, Graphed):
            setattr(model, name, Compiled(value._function))


def _wait(device: str) -> None:
    import torch
    if device == 'cuda':
        torch.cuda.synchronize()


if __name__ == '__main__':
    main(*sys.argv[1:4], Path(sys.argv[4]))
