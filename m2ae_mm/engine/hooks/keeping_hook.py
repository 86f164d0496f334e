"""What keeps a training's results: exact resumes, orderly ends, steps and checkpoints of finite numbers."""
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.dist import barrier, get_world_size
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from torch import Tensor

from m2ae_mm.checkpoint.contents import not_finite
from m2ae_mm.checkpoint.start_check import check_resumable, latest_checkpoint
from m2ae_mm.errors import some
from m2ae_mm.samples import sample_name
from mmdet3d.registry import HOOKS

from ..optimizer_state import check_optimizer_state, state_tensors
from ..preparation import end_workers
from ..random_state import derive, make_resumable, resumable_sampler, seed_step
from ..runner import M2AEEpochTrainLoop
from ..step_guard import MOST_IN_A_ROW, BrokenTrainingError, LateFlags, Step
from ..stop_signals import EXIT_CODE, StopSignals, shield_workers
from ..work_folder import claim_work_folder
from .checkpoint_hook import M2AECheckpointHook, last_checkpoint

_TOLD = 10
_SHOWN = 8


@HOOKS.register_module()
class M2AEKeepingHook(Hook):
    """Keeps what a training has computed, however it ends, and ends one whose numbers are broken.

    - Random numbers of every step and sample depend on the seed and their
      number alone, see :mod:`m2ae_mm.engine.random_state`.
    - A checkpoint from the middle of an epoch is gone on from there. Where
      the newest one is damaged, the newest whole one is taken.
    - SIGTERM and SIGHUP end the training after the step, with a checkpoint
      and exit code 143.
    - Steps that are not finite are counted; ten in a row end the training.
    - No checkpoint with NaN or infinite values is written.

    It is in our configs, so that these hold for mmdet3d's own tools, too;
    :func:`keep_results` adds it to others.
    """

    priority = 'LOWEST'  # what ends an iteration is done when it ends

    def __init__(self) -> None:
        self.signals = StopSignals()
        self.flags = LateFlags()
        self.in_a_row: list[Step] = []
        self.samples: list = []
        self._loader: dict | None = None

    # Start

    def before_run(self, runner: Runner) -> None:
        """Prepare the loop over the training's data, which has been built and not begun."""
        loop = runner._train_loop
        if not isinstance(loop, (EpochBasedTrainLoop, IterBasedTrainLoop)):
            return  # a test
        claim_work_folder(runner.cfg)
        _choose_checkpoint(runner)
        end_workers(loop.dataloader)
        make_resumable(loop.dataloader)
        for each in (loop, runner._val_loop):
            if each is not None:
                shield_workers(each.dataloader)
        if type(loop) is EpochBasedTrainLoop:
            loop.__class__ = M2AEEpochTrainLoop
        elif isinstance(loop, IterBasedTrainLoop):  # which has asked its loader for batches by now
            loop.dataloader_iterator = type(loop.dataloader_iterator)(loop.dataloader)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Refuse a checkpoint that no training, or not this one, can resume; note where the epoch continues.

        Raises:
            ValueError: See :func:`check_resumable` and :func:`check_optimizer_state`.
        """
        # A validation alone resumes, too, and has not built its optimizer.
        if not runner._resume or not isinstance(runner.optim_wrapper, (OptimWrapper, OptimWrapperDict)):
            return
        check_resumable(checkpoint, runner._load_from or runner.work_dir, bool(runner.param_schedulers))
        check_optimizer_state(runner.optim_wrapper, checkpoint['optimizer'])
        meta = checkpoint['meta']
        loader = meta.get('loader')
        if isinstance(loader, dict) and loader.keys() == _loader_of(runner).keys():
            self._loader, self._begun = loader, (meta['epoch'], meta['iter'])

    def before_train(self, runner: Runner) -> None:
        """Go to the place in the epoch, and listen to signals."""
        if self._loader is not None:
            self._go_on(runner)
        self.signals.install()

    def _go_on(self, runner: Runner) -> None:
        """Take the order of the samples from the checkpoint, and the place in it."""
        loop, stored, now = runner.train_loop, self._loader, _loader_of(runner)
        sampler, done = resumable_sampler(loop.dataloader), self._begun[1] - self._begun[0] * stored['batches']
        if sampler is not None and stored.get('seed') is not None and hasattr(sampler.sampler, 'seed'):
            sampler.sampler.seed = stored['seed']
        if not isinstance(loop, M2AEEpochTrainLoop) or not 0 < done < stored['batches']:
            return
        other = [f'{name} {now[name]} instead of {stored[name]}' for name in ('batches', 'batch_size', 'processes')
                 if now[name] != stored[name]]
        if other or sampler is None:
            runner.logger.warning(f'the checkpoint is from the middle of epoch {self._begun[0] + 1}, which begins '
                                  f'anew: its samples come in another order now ({", ".join(other) or "sampler"}).')
            return
        loop.done, sampler.skipped = done, done * now['batch_size']
        runner.logger.info(f'epoch {self._begun[0] + 1} continues after {done} of its {stored["batches"]} batches.')

    # Random numbers

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed what samplers draw."""
        seed_step(runner.seed, 1, runner.epoch)
        sampler = resumable_sampler(runner.train_loop.dataloader)
        if sampler is not None:
            sampler.base = derive(runner.seed, 0, runner.epoch)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Seed what the step draws."""
        seed_step(runner.seed, 2, runner.iter)

    # Steps

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None,
                         outputs: Mapping | None = None) -> None:
        """Look at the steps whose answers are there, and stop if a signal has come."""
        self.samples += _samples(data_batch)
        finite = _finite(runner, outputs)
        if finite is not None:
            self.flags.add(runner.iter, finite, self.samples)
            self.samples = []
        self._look(runner)
        collects = finite is None and hasattr(runner.optim_wrapper, 'finite')
        last = isinstance(runner.train_loop, M2AEEpochTrainLoop) and batch_idx + 1 == len(runner.train_loop.dataloader)
        # Collected gradients are in no checkpoint, and at an epoch's end schedules still have to step.
        if not collects and not last and self.signals.agreed(runner.iter):
            self._stop(runner, dict(epoch=runner.epoch, iter=runner.iter + 1))

    def after_train_epoch(self, runner: Runner) -> None:
        """Stop if a signal has come in the last step."""
        self._look(runner, wait=True)
        if isinstance(runner.train_loop, M2AEEpochTrainLoop) and self.signals.agreed(0):
            self._stop(runner, dict(epoch=runner.epoch + 1, iter=runner.iter))

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None,
                       outputs: Sequence | None = None) -> None:
        """Stop if a signal has come; a job of several processes first ends its validation."""
        if get_world_size() == 1 and self.signals.received:
            self._stop(runner, dict(epoch=runner.epoch, iter=runner.iter))

    def _look(self, runner: Runner, wait: bool = False) -> None:
        for step in self.flags.known(wait):
            if step.finite:
                self.in_a_row.clear()
                continue
            self.in_a_row.append(step)
            if getattr(runner.optim_wrapper, 'statistics', None) is not None:
                runner.optim_wrapper.statistics.restore(step.number)
            count = runner.message_hub.runtime_info.get('skipped_steps', 0) + 1
            runner.message_hub.update_info('skipped_steps', count)
            if count <= _TOLD or count % 100 == 0:
                runner.logger.warning(f'iteration {step.number + 1}: loss or gradient is not finite; the step is left '
                                      f'out ({count} so far). Samples: {_names(step.samples)}')
            if len(self.in_a_row) >= MOST_IN_A_ROW:
                first, last = self.in_a_row[0].number + 1, step.number + 1
                raise BrokenTrainingError(
                    f'{MOST_IN_A_ROW} steps in a row, iterations {first} to {last}, had a loss or gradient that is not '
                    f'finite; they were left out. The last one had the samples {_names(step.samples)}. The last '
                    f'checkpoint is {last_checkpoint(runner)}. Look at these samples, or resume from it with a lower '
                    'learning rate.')

    def _stop(self, runner: Runner, meta: dict) -> None:
        self._look(runner, wait=True)
        hook = next((each for each in runner.hooks if isinstance(each, M2AECheckpointHook)), None)
        path = hook.save_interrupted(runner, meta) if hook is not None else None
        barrier()
        self.signals.remove()
        self._end_loading(runner)
        runner.logger.warning(f'the training was ended by {self.signals.received or "another process"} at iteration '
                              f'{meta["iter"]}. ' + (f'{path} was written; resume from it with --resume.' if path else
                                                     'The config has no checkpoints, so none was written.'))
        raise SystemExit(EXIT_CODE)

    # Checkpoints

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Refuse to write what is not finite; add what a resume needs to know of the loader."""
        self._look(runner, wait=True)
        checkpoint['meta']['loader'] = _loader_of(runner)
        tensors = {f'{part}.{name}': value for part in ('state_dict', 'ema_state_dict')
                   for name, value in checkpoint.get(part, {}).items() if isinstance(value, Tensor)}
        tensors.update(state_tensors(checkpoint.get('optimizer')))
        if broken := not_finite(tensors):
            raise BrokenTrainingError(
                f'{len(broken)} of {len(tensors)} tensors of the model or its optimizer hold NaN or infinite values '
                f'({some(broken, _SHOWN)}), so no checkpoint is written. The last one is {last_checkpoint(runner)}; '
                'resume from it with a lower learning rate.')

    def after_train(self, runner: Runner) -> None:
        """Leave signals to whoever comes next, and end what loads data, which the end of Python would wait for."""
        self.signals.remove()
        self._end_loading(runner)

    @staticmethod
    def _end_loading(runner: Runner) -> None:
        for loop in (runner._train_loop, runner._val_loop):
            end_workers(getattr(loop, 'dataloader', None))


def _choose_checkpoint(runner: Runner) -> None:
    """Let a runner that finds its checkpoint itself, as in mmdet3d's tool, resume the newest whole one."""
    if not runner._resume or runner._load_from is not None:
        return
    latest = latest_checkpoint(Path(runner.work_dir))
    if latest is not None:
        runner._load_from, told = str(latest[0]), latest[1]
        if told:
            runner.logger.warning(told)


def _loader_of(runner: Runner) -> dict:
    """What decides which samples are in the batches of an epoch."""
    loader = runner.train_loop.dataloader
    sampler = resumable_sampler(loader)
    seed = getattr(sampler.sampler, 'seed', None) if sampler is not None else None
    return dict(batches=len(loader), batch_size=loader.batch_size or 0, processes=get_world_size(),
                seed=seed if isinstance(seed, int) else None)


def _finite(runner: Runner, outputs: Mapping | None) -> Tensor | None:
    """Whether the step was taken; for other wrappers than ours whether the loss is finite."""
    if hasattr(runner.optim_wrapper, 'finite'):
        return runner.optim_wrapper.finite
    loss = (outputs or {}).get('loss')
    return loss.detach().isfinite().all() if isinstance(loss, Tensor) else None


def _samples(batch: Any) -> list:
    samples = batch.get('data_samples') if isinstance(batch, Mapping) else None
    return list(samples) if isinstance(samples, Sequence) else []


def _names(samples: Sequence) -> str:
    return some([sample_name(each) for each in samples], _SHOWN) or 'unknown'
