"""Checkpoints, of which a complete one exists at any time."""
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.model import BaseModule, is_model_wrapper
from mmengine.runner import Runner

from m2ae_mm.checkpoint import read_checkpoint, resolve
from m2ae_mm.checkpoint.low_rank import check_low_rank, is_low_rank, leave_out_base
from m2ae_mm.checkpoint.places import name_of
from m2ae_mm.files import DiskFullError, write_bytes, write_text
from mmdet3d.registry import HOOKS

_BACKEND = 'm2ae_whole_files'
INTERRUPTED = 'interrupted.pth'
_OF_TRAINING = re.compile(r'(epoch_\d+|iter_\d+|best_.*|interrupted)\.pth')


@register_backend(_BACKEND)
class WholeFilesBackend(LocalBackend):
    """mmengine's way to files on this machine, which replaces them whole and can remove them later."""

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self._later: list[str] | None = None

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file in one step."""
        Path(filepath).parent.mkdir(parents=True, exist_ok=True)
        write_bytes(filepath, obj)

    def remove(self, filepath: str | Path) -> None:
        """Remove a file, or within :meth:`collecting` note that it is to be removed."""
        if self._later is None:
            super().remove(filepath)
        else:
            self._later.append(str(filepath))

    @contextmanager
    def collecting(self) -> Iterator[list[str]]:
        """Files removed in this block are only listed, in what it gives."""
        self._later = []
        try:
            yield self._later
        finally:
            self._later = None


@HOOKS.register_module()
class M2AECheckpointHook(CheckpointHook):
    """mmengine's hook, which removes an earlier checkpoint only when the next one is on the disk.

    Each is written beside its name and put in place in one step, and so is
    ``last_checkpoint``. A disk that is full ends the training with one
    message, and all checkpoints written before are there. The options are
    mmengine's; with a file client or backend of the config's own, files are
    written in the way of that.

    Of a model with low-rank matrices, what the file has that it started from
    is left out, see :mod:`m2ae_mm.checkpoint.low_rank`.
    """

    _base: dict | None = None

    def before_train(self, runner: Runner) -> None:
        """See mmengine."""
        super().before_train(runner)
        if type(self.file_backend) is LocalBackend and not self.file_client_args and not self.backend_args:
            self.backend_args = dict(backend=_BACKEND)
            self.file_backend = WholeFilesBackend()

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Note the weights that a model with low-rank matrices starts from, or has started from.

        Raises:
            UserError: If the checkpoint has such matrices and the model none.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        check_low_rank(model.state_dict(), checkpoint.get('state_dict', checkpoint), runner._load_from)
        stored = checkpoint.get('meta')
        base = stored.get('base') if isinstance(stored, dict) else None
        if base is not None:
            self._base = {key: base[key] for key in ('checkpoint', 'prefix', 'own')}
        elif not runner._resume:
            self._base = dict(checkpoint=name_of(runner._load_from), prefix='', own='')

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Leave out what low-rank matrices are put on, if a file has it."""
        if not is_low_rank(checkpoint['state_dict']):
            return
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        starts = [self._base] if self._base else []
        starts += [dict(checkpoint=each['checkpoint'], prefix=each.get('prefix', ''), own=f'{name}.' if name else '')
                   for name, module in model.named_modules() if isinstance(module, BaseModule)
                   for each in (module.init_cfg if isinstance(module.init_cfg, list) else [module.init_cfg or {}])
                   if each.get('checkpoint')]
        for start in starts:
            try:
                file = resolve(start['checkpoint']).resolve()
                here = file.parent in (Path(self.out_dir).resolve(), Path(runner.work_dir).resolve())
                if here and _OF_TRAINING.fullmatch(file.name):
                    continue  # a checkpoint of this training may take its place
                base = read_checkpoint(file)
            except (OSError, ValueError) as error:  # gone or damaged by now: then all is stored
                runner.logger.warning(f'the whole model is stored: {error}')
                continue
            if leave_out_base(checkpoint, **start, base=base):
                return

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        kept, ids = self.max_keep_ckpts > 0, list(getattr(self, 'keep_ckpt_ids', ()))
        if kept and step not in ids:
            # One more than are kept: if the process ends before the first one is removed, mmengine does so on resuming.
            runner.message_hub.update_info('keep_ckpt_ids', [*ids, step])
        self._write(runner, self.filename_tmpl.format(step), meta)
        if not kept or step in ids:
            return
        if len(ids) == self.max_keep_ckpts:
            self._remove(self._path(self.filename_tmpl.format(ids[0])))
        self.keep_ckpt_ids.append(step)  # which drops the first one

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        # A validation alone has no backend: that comes with a training.
        if not isinstance(getattr(self, 'file_backend', None), WholeFilesBackend):
            super()._save_best_checkpoint(runner, metrics)
            return
        with self._told_if_full(runner), self.file_backend.collecting() as earlier:
            super()._save_best_checkpoint(runner, metrics)
        best = [getattr(self, 'best_ckpt_path', None), *getattr(self, 'best_ckpt_path_dict', {}).values()]
        for path in earlier:
            if path not in best:
                self._remove(path)

    def save_interrupted(self, runner: Runner, meta: dict) -> str:
        """Write a checkpoint between those of the interval, to resume from; the next one takes its place.

        Returns:
            Its path.
        """
        self._write(runner, INTERRUPTED, meta)
        return self.last_ckpt

    def _write(self, runner: Runner, name: str, meta: dict) -> None:
        self.last_ckpt = self._path(name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        with self._told_if_full(runner):
            runner.save_checkpoint(
                self.out_dir, name, self.file_client_args, save_optimizer=self.save_optimizer,
                save_param_scheduler=self.save_param_scheduler, meta=meta, by_epoch=self.by_epoch,
                backend_args=self.backend_args, **self.args)
            if is_main_process():
                write_text(Path(runner.work_dir, 'last_checkpoint'), self.last_ckpt)
        if name != INTERRUPTED:
            self._remove(self._path(INTERRUPTED))

    def _path(self, name: str) -> str:
        return self.file_backend.join_path(self.out_dir, name)

    def _remove(self, path: str) -> None:
        if is_main_process() and self.file_backend.exists(path):
            remove = self.file_backend.rmtree if self.file_backend.isdir(path) else self.file_backend.remove
            remove(path)

    @contextmanager
    def _told_if_full(self, runner: Runner) -> Iterator[None]:
        try:
            yield
        except DiskFullError as error:
            there = last_checkpoint(runner)
            advice = 'start again.' if there == 'none' else f'resume from {there} with --resume.'
            raise DiskFullError(f'the disk is full: {error.__cause__ or error}. The training ends at iteration '
                                f'{runner.iter}. Free some space and {advice}') from error


def last_checkpoint(runner: Runner) -> str:
    """Path of the last one written in the work folder, or 'none'."""
    note = Path(runner.work_dir, 'last_checkpoint')
    return (note.read_text().strip() if note.is_file() else '') or 'none'
