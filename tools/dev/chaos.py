#!/usr/bin/env python
"""Kill, stop and starve small trainings at random and at aimed moments, and check that nothing computed is lost.

    python tools/dev/chaos.py --kills 200
    python tools/dev/chaos.py --kills 50 --full-disk 20 --tmpfs    # as root: a disk of 20 MB that is really full

A training of a few steps, with every kind of randomness, is killed and resumed until it ends. Its weights must then
equal those of an undisturbed training, bit for bit, and before every start there must be a whole checkpoint no older
than the last one written. One process imports everything once and forks the trainings.
"""
import argparse
import contextlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from functools import partial
from pathlib import Path

import torch
from mmengine.config import Config

ROOT = Path(__file__).resolve().parents[2]
for _folder in (ROOT, ROOT / 'tests'):
    sys.path.insert(0, str(_folder))

from training import config, run  # noqa: E402

from m2ae_mm import files  # noqa: E402
from m2ae_mm.checkpoint import read_content  # noqa: E402
from m2ae_mm.engine.hooks import M2AECheckpointHook  # noqa: E402

EPOCHS = 4
# Calls that an aimed kill counts: files are being written or replaced in them.
AIMS = ('open', 'fsync', 'replace', 'remove', 'save')
KINDS = ('random', 'aimed', 'aimed', 'SIGTERM', 'SIGHUP')


def options(folder: Path, workers: int = 0):
    """The training; it keeps only one checkpoint, the hardest case."""
    settings = config(folder, EPOCHS, workers, checkpoint=dict(max_keep_ckpts=1))
    settings.resume = 'auto'
    return settings


def _train(folder: Path) -> None:
    run(options(folder))


def fork(work) -> int:
    """Run ``work()`` in a process, which ends with 0, the code of a SystemExit, or 1 after an error; its number."""
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        os.setsid()  # to end its loading processes with it
        # Formatting the config takes half of the time and does not matter here.
        Config.pretty_text = property(lambda settings: repr(settings.to_dict()))
        work()
        code = 0
    except SystemExit as stop:
        code = stop.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def finished(process: int) -> int:
    """Exit code of a process, negative for a signal; whatever it started is ended."""
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)
    return code


def die_at(aim: str, count: int) -> None:
    """Have this process killed at the ``count``-th moment of a kind."""
    module = sys.modules[files.replacing.__module__]
    owner, name = dict(open=(module, 'open'), fsync=(module.os, 'fsync'), replace=(module.os, 'replace'),
                       remove=(M2AECheckpointHook, '_remove'), save=(M2AECheckpointHook, '_write'))[aim]
    inner, seen = getattr(owner, name, open), []

    def counted(*args, **kwargs):
        seen.append(1)
        if len(seen) == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return inner(*args, **kwargs)

    setattr(owner, name, counted)


def progress(folder: Path) -> int:
    """Iterations of the newest checkpoint that is whole."""
    reached = [0]
    for path in folder.glob('*.pth'):
        with contextlib.suppress(ValueError):
            reached.append(read_content(path)['meta']['iter'])
    return max(reached)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """Of the last epoch's checkpoint."""
    return read_content(folder / f'epoch_{EPOCHS}.pth')['state_dict']


def undisturbed(folder: Path) -> tuple[dict[str, torch.Tensor], float]:
    """Weights of an undisturbed training, and how long it takes."""
    start = time.monotonic()
    code = finished(fork(lambda: run(options(folder))))
    if code:
        raise RuntimeError(f'the training ends with {code} even if it is not disturbed')
    return weights(folder), time.monotonic() - start


class Report:
    """What was done to trainings, and what went wrong."""

    def __init__(self) -> None:
        self.done, self.wrong = Counter(), []

    def __str__(self) -> str:
        done = ', '.join(f'{count} {what}' for what, count in sorted(self.done.items()))
        return f'{done}; {len(self.wrong)} went wrong' + ''.join(f'\n  {each}' for each in self.wrong)


def kill_trainings(folder: Path, kills: int, seed: int, report: Report) -> None:
    """Disturb trainings ``kills`` times, each until it has finished."""
    draw = random.Random(seed)
    expected, duration = undisturbed(folder / 'whole')
    count = number = 0
    while count < kills:
        number += 1
        place = folder / f'run_{number}'
        reached = 0
        while not (place / f'epoch_{EPOCHS}.pth').is_file():
            kind = draw.choice(KINDS) if count < kills else 'none'
            what, hit = _disturb(place, kind, draw, duration, report)
            count += hit
            now = progress(place)
            if now < reached:
                report.wrong.append(f'{what}: iteration {reached} had been reached, {now} is there')
            reached = now
        if progress(place) < reached or any(not torch.equal(value, expected[name])
                                            for name, value in weights(place).items()):
            report.wrong.append(f'{place.name}: other weights than those of an undisturbed training')
        if left := list(place.glob('.*.part')):
            finished(fork(partial(_train, place)))  # which removes them
            left = list(place.glob('.*.part'))
        if left:
            report.wrong.append(f'{place.name}: {left[0].name} was left behind')
        report.done['trainings, all finished'] += 1
        shutil.rmtree(place)


def _disturb(place: Path, kind: str, draw: random.Random, duration: float, report: Report) -> tuple[str, bool]:
    """Start or resume a training, and disturb it; what was done, and whether the training had not ended before."""
    workers, what = draw.choice((0, 0, 2)), kind
    aim, at = draw.choice(AIMS), draw.randint(1, 6)
    if kind == 'aimed':
        what = f'killed at {aim} {at}'

    def work() -> None:
        if kind == 'aimed':
            die_at(aim, at)
        run(options(place, workers))

    process = fork(work)
    if kind in ('random', 'SIGTERM', 'SIGHUP'):
        delay = draw.uniform(0, duration)
        what = f'{kind} after {delay:.2f} s'
        time.sleep(delay)
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL if kind == 'random' else getattr(signal, kind))
    code = finished(process)
    fine = {'random': (0, -9), 'aimed': (0, -9), 'none': (0, )}.get(kind)
    if fine is None:  # before it listens and after the last step, a signal ends a training as any process
        fine = 0, 143, -getattr(signal, kind)
    hit = kind != 'none' and code != 0
    if hit:
        report.done[f'{kind} kills' if kind in ('random', 'aimed') else kind] += 1
    if code not in fine:
        report.wrong.append(f'{what}: exit code {code}')
    return what, hit


def fill_disks(folder: Path, times: int, seed: int, report: Report) -> None:
    """Run trainings out of space, by a limit of the size of files; then resume them with space."""
    draw = random.Random(seed)
    expected, _ = undisturbed(folder / 'whole')
    size = (folder / 'whole' / f'epoch_{EPOCHS}.pth').stat().st_size
    for number in range(times):
        place, limit = folder / f'full_{number}', draw.randint(200, size - 1)
        first = draw.randint(1, EPOCHS - 1)  # epochs before the disk is full

        def work(place=place, limit=limit, first=first) -> None:
            run(_epochs(options(place), first))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            _expect_full(lambda: run(options(place)))

        _check_full(place, work, first, report, expected, f'files up to {limit} bytes')


def fill_tmpfs(folder: Path, times: int, seed: int, report: Report) -> None:
    """The same on a disk of 20 MB that another file fills; needs the rights to mount one."""
    draw = random.Random(seed)
    expected, _ = undisturbed(folder / 'whole')
    size = (folder / 'whole' / f'epoch_{EPOCHS}.pth').stat().st_size
    disk = folder / 'disk'
    disk.mkdir()
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', disk], check=True)
    try:
        for number in range(times):
            place, left, first = disk / f'full_{number}', draw.randint(0, size), draw.randint(1, EPOCHS - 1)

            def work(place=place, left=left, first=first) -> None:
                run(_epochs(options(place), first))
                filler = disk / 'filler'
                filler.write_bytes(bytes(max(shutil.disk_usage(disk).free - left, 0)))
                try:
                    _expect_full(lambda: run(options(place)))
                finally:
                    filler.unlink()

            _check_full(place, work, first, report, expected, f'{left} bytes left on tmpfs')
            shutil.rmtree(place, ignore_errors=True)
    finally:
        subprocess.run(['umount', disk], check=True)


def _epochs(settings, count: int):
    settings.train_cfg.max_epochs = count
    return settings


def _expect_full(work) -> None:
    try:
        work()
    except files.DiskFullError:
        raise SystemExit(28) from None
    except OSError as error:
        raise SystemExit(28 if files.is_disk_full(error) else 1) from None


def _check_full(place: Path, work, first: int, report: Report, expected: dict, what: str) -> None:
    code, per_epoch = finished(fork(work)), 5
    report.done['full disks'] += 1
    if code not in (0, 28):
        report.wrong.append(f'{what}: exit code {code}')
    if progress(place) < first * per_epoch:
        report.wrong.append(f'{what}: {first} epochs had been trained, {progress(place)} iterations are there')
    if left := list(place.glob('.*.part')):
        report.wrong.append(f'{what}: {left[0].name} was left behind')
    if finished(fork(partial(_train, place))) or any(
            not torch.equal(value, expected[name]) for name, value in weights(place).items()):
        report.wrong.append(f'{what}: with space again, the training does not end as an undisturbed one')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--kills', type=int, default=10, help='times to disturb trainings')
    parser.add_argument('--full-disk', type=int, default=0, metavar='TIMES', help='trainings whose disk is full')
    parser.add_argument('--tmpfs', action='store_true', help='the full disks are ones of 20 MB (needs root)')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        if args.kills:
            kill_trainings(Path(folder, 'kills'), args.kills, args.seed, report)
        if args.full_disk:
            fill = fill_tmpfs if args.tmpfs else fill_disks
            Path(folder, 'disks').mkdir()
            fill(Path(folder, 'disks'), args.full_disk, args.seed, report)
    print(report)
    sys.exit(bool(report.wrong))


if __name__ == '__main__':
    main()
