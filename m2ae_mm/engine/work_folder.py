"""One training at a time in a work folder."""
import os
import socket
from pathlib import Path

from mmengine.config import Config

from m2ae_mm.errors import UserError
from m2ae_mm.files import remove_parts

_NAME = '.running'
_RANKS = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')
# Locks of this process. They last as long as it does, and closing a file would let go of them.
_held: dict[Path, object] = {}


def claim_work_folder(config: Config) -> None:
    """Refuse to train where another process trains, and remove what a killed one had not finished writing.

    The lock ends with its process, however that ends.

    Raises:
        UserError: If a training runs there, or the folder cannot be made or written to.
    """
    if config.get('launcher', 'none') != 'none' and int(next(filter(None, map(os.environ.get, _RANKS)), 0)):
        return  # the first process of a job has the lock
    folder = Path(config.work_dir).resolve()
    if folder in _held:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = open(folder / _NAME, 'a+')  # noqa: SIM115  kept open
    except OSError as error:
        raise UserError(f'the work folder {str(folder)!r} cannot be written to ({error.strerror}). Choose another '
                        '--work-dir.') from error
    if not _lock(file):
        file.seek(0)
        raise UserError(f'a training is running in {str(folder)!r} ({file.read().strip() or "by another process"}). '
                        'Wait for its end, or choose another --work-dir.')
    file.truncate(0)
    file.write(f'process {os.getpid()} on {socket.gethostname()}')
    file.flush()
    _held[folder] = file
    remove_parts(folder)


def _lock(file) -> bool:
    """Whether the file could be locked for this process; True where there are no locks."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        # Of the kind that processes which load data do not inherit.
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # the file system knows no locks
        return True
    return True
