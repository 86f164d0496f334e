"""The settings that decide the result of a run, kept beside it, so that a run with other settings does not reuse it."""
import hashlib
import json
from pathlib import Path

from ..errors import UserError, some
from ..nesting import entries

FILE = 'settings.json'
# Entries of a config that decide what a training ends with. The rest is hooks that log and save, and processes.
_DECIDING = ('model', 'train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler', 'auto_scale_lr',
             'custom_hooks', 'val_evaluator', 'load_from', 'randomness', 'sync_bn')
# Keys within them, at any depth, that say how and when something is done, not what.
_WITHOUT_EFFECT = ('num_workers', 'persistent_workers', 'pin_memory', 'prefetch_factor', 'cache_dir', 'val_interval',
                   'fold')


def settings_of(config) -> dict:
    """The part of a config that decides the result, as JSON keeps it.

    Checkpoints to start from count by their content, not by their path.

    Raises:
        FileNotFoundError: If one of them does not exist.
    """
    settings = {key: config[key] for key in _DECIDING if config.get(key) is not None}
    settings['val_dataset'] = config.val_dataloader.dataset
    return json.loads(json.dumps(_deciding(settings), default=str))


def claim_folder(folder: Path, settings: dict, results: str, option: str = '--work-dir') -> None:
    """Write settings to a folder, before its results; refuse a folder with results of other settings.

    Args:
        folder: Made if missing.
        settings: Plain values, such as those of :func:`settings_of`.
        results: Pattern of the names of results.
        option: Of the tool, that names the folder.

    Raises:
        UserError: If there are results of other or unknown settings.
    """
    from mmengine.dist import is_main_process

    from m2ae_mm.files import write_json
    check_settings(folder, settings, results, option)
    if is_main_process():
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / FILE, settings, indent=1)


def check_settings(folder: Path, settings: dict, results: str, option: str = '--work-dir') -> None:
    """Refuse a folder with results of other settings; see :func:`claim_folder`."""
    if not any(folder.glob(results)):
        return
    advice = f'Use another {option}, or delete this folder to start anew.'
    if not (folder / FILE).is_file():
        raise UserError(f'{str(folder)!r} holds results, but no {FILE} with their settings. {advice}')
    from m2ae_mm.files import read_json
    there, now = ({path: value for path, value in entries(each) if not value or not isinstance(value, (dict, list))}
                  for each in (read_json(folder / FILE, dict, advice), settings))
    other = [key for key in {**there, **now} if there.get(key) != now.get(key)]
    if other:
        shown = some([f'{key} is {there.get(key)!r} there, {now.get(key)!r} now' for key in other], separator='; ')
        raise UserError(f'{str(folder)!r} holds results of other settings: {shown}. {advice}')


def content_of(checkpoint: str) -> str:
    """A digest of a checkpoint, given as a file or as the name of weights that come with the package.

    Raises:
        FileNotFoundError: If it does not exist.
    """
    from m2ae_mm.checkpoint import resolve
    return f'sha256 {hashlib.sha256(resolve(checkpoint).read_bytes()).hexdigest()[:16]}'


def _deciding(value, key: str | None = None):
    """A copy without entries that have no effect, and with digests in place of checkpoints."""
    if isinstance(value, dict):
        return {name: _deciding(each, name) for name, each in value.items() if name not in _WITHOUT_EFFECT}
    if isinstance(value, (list, tuple)):
        return [_deciding(each) for each in value]
    if key in ('checkpoint', 'load_from') and isinstance(value, str) and '://' not in value:
        return content_of(value)
    return value
