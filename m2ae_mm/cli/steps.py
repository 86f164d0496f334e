"""Several calls of our tools in a row, each with its log, in a folder from which a stopped run continues."""
import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ..cores import cores
from ..surroundings import MIM
from .run_settings import claim_folder


def base_parser(description: str, out: str) -> argparse.ArgumentParser:
    """Options that all tools of several steps have."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', type=Path, default=Path(out), help='folder (default: %(default)s)')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE',
                        help='overrides for all trainings and tests, e.g. for a quick look')
    return parser


class Steps:
    """Runs tools as a user would.

    Args:
        out: Folder for everything that is written.
        options: ``KEY=VALUE`` overrides for every training and test.
        threads: Threads of each tool; None leaves the choice to it.
    """

    def __init__(self, out: Path, options: list[str], threads: int | None = None) -> None:
        self.out = out.resolve()
        self.options = options
        self.env = os.environ if threads is None else {**os.environ, 'OMP_NUM_THREADS': str(threads)}
        self.timings: dict[str, float] = {}
        self.begun = time.time()
        (self.out / 'logs').mkdir(parents=True, exist_ok=True)

    def only_for(self, **settings) -> None:
        """Take the folder for runs with these settings and the overrides.

        Raises:
            ValueError: If it has results of others, finished or not.
        """
        claim_folder(self.out, {**settings, 'options': self.options}, '**/*.json', '--out')

    def run(self, name: str, *command: str) -> None:
        """One call of Python; its output goes to a log file, progress to the screen.

        Raises:
            RuntimeError: If the tool failed, with the end of its log.
        """
        print(f'[{time.strftime("%H:%M:%S")}] {name}\n    python {" ".join(command)}', flush=True)
        log, start = self.out / 'logs' / f'{name}.log', time.time()
        with open(log, 'w') as file:
            done = subprocess.run([sys.executable, *command], stdin=subprocess.DEVNULL, stdout=file,
                                  stderr=subprocess.STDOUT, env=self.env)
        self.timings[name] = time.time() - start
        if done.returncode:
            end = '\n'.join(log.read_text().splitlines()[-15:])
            raise RuntimeError(f'{name} failed; the whole log is in {log}. It ends with\n{end}')
        print(f'    {name}: {self.timings[name]:.0f} s', flush=True)

    def side_by_side(self, *calls: Callable[[], Any]) -> list[Any]:
        """Run calls of :meth:`train` and :meth:`test` at once, share the cores among them, and return their results.

        Two trainings of these sizes with a core each are faster than one after the other with both cores.
        """
        usual = self.env
        self.env = {**usual, 'OMP_NUM_THREADS': str(max(cores() // len(calls), 1))}
        try:
            with ThreadPoolExecutor(len(calls)) as pool:
                return [future.result() for future in [pool.submit(call) for call in calls]]
        finally:
            self.env = usual

    def tool(self, name: str, tool: str, *arguments: str) -> None:
        """One of our tools, by the name of its file; see :meth:`run`."""
        self.run(name, str(MIM / 'tools' / f'{tool}.py'), *arguments)

    def train(self, name: str, config: str, *options: str, epochs: int | None = None) -> Path:
        """Train or go on training, for as many ``epochs`` as the config says unless given; the last checkpoint."""
        folder = self.out / name
        shorter = [] if epochs is None else ['--epochs', str(epochs)]
        self.tool(name, 'train', config, '--work-dir', str(folder), '--resume', *shorter, '--cfg-options', *options,
                 *self.options)
        return Path((folder / 'last_checkpoint').read_text())

    def test(self, name: str, config: str, checkpoint: Path | str, options: list[str],
             *arguments: str) -> dict[str, float]:
        """Score a checkpoint; what the metrics say."""
        folder = self.out / name
        self.tool(name, 'test', config, str(checkpoint), '--work-dir', str(folder), *arguments,
                 '--cfg-options', *options, *self.options)
        newest = max(folder.glob('*/*.json'), key=lambda path: path.stat().st_mtime)
        return json.loads(newest.read_text())
