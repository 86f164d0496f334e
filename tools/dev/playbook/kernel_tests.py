"""The test files that run interpreted elsewhere, on the device; and full-size indices against the CPU's."""
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from .records import ROOT

_REHEARSED = 'tests/test_ops/test_partial_sums.py'
_PROCESSES = 8


def run(context) -> None:
    files = [_REHEARSED] if context.rehearse else [
        path.relative_to(ROOT).as_posix() for path in sorted(ROOT.glob('tests/*/test_*.py'))
        if path.name == 'test_graphs.py' or 'from interpreted' in path.read_text()]
    # The longest first; every file in a process of its own.
    files.sort(key=lambda name: -(ROOT / name).stat().st_size)
    with ThreadPoolExecutor(_PROCESSES) as pool:
        for row in pool.map(_test, files):
            context.record.add(**row)
    for row in _full_size(context):
        context.record.add(**row)


def _test(name: str) -> dict:
    start = time.time()
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join([str(ROOT), os.environ.get('PYTHONPATH', '')])}
    command = [sys.executable, '-m', 'pytest', '-q', '--tb=short', '--show-capture=no', '-p', 'no:cacheprovider', name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    counts = {word: int(count) for count, word in re.findall(r'(\d+) (passed|failed|skipped|error)', done.stdout)}
    row = dict(file=name, seconds=round(time.time() - start, 1), code=done.returncode, **counts)
    if done.returncode:
        row['output'] = (done.stdout + done.stderr)[-3000:]
    return row


def _full_size(context):
    """Whether the device's indices are those of a CPU, at the sizes of real clouds."""
    import torch

    from m2ae_mm import ops
    scale = 64 if context.rehearse else 1
    generator = torch.Generator().manual_seed(0)
    for batch, count, picks, k, radius in ((8, 40000, 2048, 32, 0.2), (32, 2048, 512, 16, 0.1)):
        points = torch.rand(batch, count // scale, 3, generator=generator) * 4
        there = points.to(context.device)
        picked = ops.furthest_point_sample(points, picks // scale)
        centers = ops.gather(points, picked)
        names = dict(
            fps=(picked, ops.furthest_point_sample(there, picks // scale)),
            knn=(ops.knn(centers, points, k), ops.knn(centers.to(there.device), there, k)),
            ball_query=(ops.ball_query(centers, points, radius, k),
                        ops.ball_query(centers.to(there.device), there, radius, k)))
        for name, (here, device) in names.items():
            yield dict(operator=name, clouds=batch, points=count // scale, equal=bool((here == device.cpu()).all()))
