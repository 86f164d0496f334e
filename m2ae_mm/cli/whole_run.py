"""Measure a training run as tools/train.py does it against its own bare step.

Trains CONFIG for a few steps with its data loading, logging, checkpoint, validation and hooks on, in a temporary
folder or in --work-dir. In the middle, as many steps run on one batch at hand: the bare step. Prints the time from the
start to the end of the first step, both throughputs, and what a whole cycle of epochs with one validation, checkpoint
and linear probe at its end keeps of the bare step's throughput: the first cycle, whose end compiles and loads what it
needs, and a later one.
"""
import time

START = time.perf_counter()  # before anything heavy is imported

import json  # noqa: E402
import tempfile  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from pathlib import Path  # noqa: E402

from ..errors import UserError  # noqa: E402
from .options import base_parser, load_config  # noqa: E402

# Kernels are loaded and the allocator settles in the first steps; on CUDA graphs are recorded.
_WARM_UPS = {'cpu': 3, 'cuda': 40}


def parse_args(arguments: list[str] | None = None):
    parser = base_parser(__doc__.splitlines()[0])
    parser.add_argument('--steps', type=int, default=40, help='to measure, of the run and of the bare step '
                        '(default: %(default)s)')
    parser.add_argument('--repeat', type=int, default=1, help='times that the training data counts in an epoch')
    parser.add_argument('--cycle', type=int, default=10, help='epochs between two validations, checkpoints and probes '
                        '(default: %(default)s)')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the figures there, too')
    return parser.parse_args(arguments)


class MeasuredBatches:
    """The first batches of a loader, with a clock and, in the middle, bare steps on one of them; then single batches.

    Args:
        loader: What the run would train on.
        bare_step: Takes a batch.
        steps: To measure, of either kind.
    """

    def __init__(self, loader, bare_step, steps: int) -> None:
        self.loader, self.bare_step, self.steps = loader, bare_step, steps
        self.warm_up = warm_up()
        self.first_step = self.run_seconds = self.bare_seconds = 0.
        self.entered, self.left = [], []  # times of each epoch

    def __len__(self) -> int:
        return len(self.loader)

    def __getattr__(self, name: str):
        return getattr(self.loader, name)  # mmengine asks for the sampler and the data set

    def __iter__(self) -> Iterator:
        self.entered.append(_now())
        batches = iter(self.loader)
        yield (batch := next(batches))
        if not self.left:
            self.first_step = _now() - START
            yield from self._measured(batches, batch)
        self.left.append(_now())

    def _measured(self, batches: Iterator, batch) -> Iterator:
        for _ in range(self.warm_up - 1):
            yield next(batches)
        for count in (self.steps // 2, self.steps - self.steps // 2):
            start = _now()
            for _ in range(count):
                yield next(batches)
            self.run_seconds += _now() - start
            start = _now()
            for _ in range(count):
                self.bare_step(batch)
            self.bare_seconds += _now() - start


def warm_up() -> int:
    """Steps before any is measured."""
    import torch
    return _WARM_UPS['cuda' if torch.cuda.is_available() else 'cpu']


def _now() -> float:
    import torch
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def measure(config, args) -> dict:
    """Train and put the figures together.

    Raises:
        UserError: If an epoch has too few steps to measure.
    """
    from m2ae_mm.engine import training_runner
    if args.repeat > 1:
        config.train_dataloader.dataset = dict(type='RepeatDataset', times=args.repeat,
                                               dataset=config.train_dataloader.dataset)
    _end_every_epoch(config)
    runner = training_runner(config)
    loop = runner.train_loop
    if not 2 <= args.steps <= len(loop.dataloader) - warm_up():
        raise UserError(f'--steps must be at least 2 and, with {warm_up()} steps to warm up, no more than an epoch '
                        f'has ({len(loop.dataloader)}), got {args.steps}; --repeat makes the epoch longer.')
    batches = MeasuredBatches(
        loop.dataloader, lambda batch: runner.model.train_step(batch, optim_wrapper=runner.optim_wrapper), args.steps)
    loop.dataloader = batches
    runner.train()
    ends = batches.entered[1] - batches.left[0], _now() - batches.left[1]
    samples = config.train_dataloader.batch_size * args.steps
    cycle_steps = args.cycle * len(batches)
    bare, in_run = batches.bare_seconds / args.steps, batches.run_seconds / args.steps
    return dict(
        first_step_seconds=batches.first_step, bare_samples_per_second=samples / batches.bare_seconds,
        run_samples_per_second=samples / batches.run_seconds, end_seconds=ends, steps_per_epoch=len(batches),
        share_of_steps=bare / in_run,
        share_of_cycle=[cycle_steps * bare / (cycle_steps * in_run + seconds) for seconds in ends])


def _end_every_epoch(config) -> None:
    """Two epochs, both with everything that a run has at the end of a cycle."""
    config.train_cfg.update(max_epochs=2, val_interval=1)
    checkpoint = (config.get('default_hooks') or {}).get('checkpoint')
    for hook in (checkpoint, *(config.get('custom_hooks') or [])):
        if isinstance(hook, dict) and (hook is checkpoint or hook.get('type') == 'M2AELinearProbeHook'):
            hook['interval'] = 1


def main(args) -> None:
    if args.json is not None and not args.json.resolve().parent.is_dir():
        raise UserError(f'--json: there is no folder {str(args.json.resolve().parent)!r}.')
    config = load_config(args)
    from m2ae_mm.engine import TRAINING, prepare
    prepare(config, TRAINING)
    with tempfile.TemporaryDirectory() as folder:
        config.work_dir = args.work_dir or folder
        figures = measure(config, args)
    (first_end, later_end), (first, later) = figures['end_seconds'], figures['share_of_cycle']
    print(f'\nstart to end of first step  {figures["first_step_seconds"]:.1f} s\n'
          f'bare step                   {figures["bare_samples_per_second"]:,.4g} samples/s\n'
          f'step in the run             {figures["run_samples_per_second"]:,.4g} samples/s, '
          f'{figures["share_of_steps"]:.1%} of the bare step\n'
          f'end: validation, checkpoint, hooks {first_end:.1f} s, later {later_end:.1f} s\n'
          f'{args.cycle} epochs of {figures["steps_per_epoch"]} steps and one such end: '
          f'{first:.1%} of the bare step, later {later:.1%}')
    if args.json is not None:
        args.json.write_text(json.dumps(figures, indent=1))
