#!/usr/bin/env python
"""Watch a long command: memory, open files and processes must stay flat. Linux only.

    python tools/dev/soak.py --minutes 30 -- python tools/train.py CONFIG --work-dir soak --epochs 1000000

After the time the command gets SIGTERM, at which a training writes a checkpoint and ends with 143. The first third of
the samples is the start; of the other two, the medians must not differ by more than a share (--allowed) in memory, nor
by more than one in files and processes.
"""
import argparse
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import NamedTuple


class Sample(NamedTuple):
    """What a command and its children use.

    Attributes:
        seconds: Since the start.
        memory: MB of their own, shared pages by their share; without libraries and other files, whose share grows when
            other programs that have them end.
        files: Open files, pipes and sockets.
        processes: How many there are.
    """
    seconds: float
    memory: float
    files: int
    processes: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--minutes', type=float, default=30)
    parser.add_argument('--interval', type=float, default=5, help='seconds between two samples')
    parser.add_argument('--allowed', type=float, default=0.02, help='share by which memory may grow')
    parser.add_argument('command', nargs=argparse.REMAINDER, help='after --')
    args = parser.parse_args()
    process = subprocess.Popen(args.command[args.command[:1] == ['--']:])
    start, samples = time.monotonic(), []
    while process.poll() is None and time.monotonic() - start < 60 * args.minutes:
        time.sleep(args.interval)
        samples.append(measure(process.pid, time.monotonic() - start))
    early = process.poll()
    process.send_signal(signal.SIGTERM)
    code = process.wait()
    third = len(samples) // 3
    if early is not None or third < 2:
        sys.exit(f'the command ended with {code} after {len(samples)} samples.')
    for sample in samples[::max(len(samples) // 12, 1)]:
        print(f'{sample.seconds:6.0f} s  {sample.memory:8.1f} MB  {sample.files:4d} files  {sample.processes:3d} '
              'processes')
    second, last = samples[third:2 * third], samples[2 * third:]
    wrong = []
    for name, allowed in (('memory', None), ('files', 1), ('processes', 1)):
        before, after = (median(getattr(each, name) for each in part) for part in (second, last))
        print(f'{name}: median {before:g} in the second third, {after:g} in the last one')
        if after - before > (args.allowed * before if allowed is None else allowed):
            wrong.append(name)
    print(f'exit code {code}; {"flat" if not wrong else "grows: " + ", ".join(wrong)}')
    sys.exit(bool(wrong) or code not in (143, -signal.SIGTERM))


def measure(root: int, seconds: float) -> Sample:
    """What a process and all below it use now."""
    found, todo = [], [root]
    while todo:
        found.append(todo.pop())
        for children in Path(f'/proc/{found[-1]}/task').glob('*/children'):
            with suppress(OSError):
                todo += map(int, children.read_text().split())
    memory, files = 0., 0
    for each in found:
        with suppress(OSError):  # it has ended by now
            files += len(list(Path(f'/proc/{each}/fd').iterdir()))
            lines = Path(f'/proc/{each}/smaps_rollup').read_text().splitlines()
            memory += sum(int(line.split()[1]) for line in lines if line.startswith(('Pss_Anon:', 'Pss_Shmem:'))) / 1024
    return Sample(seconds, memory, files, len(found))


if __name__ == '__main__':
    main()
