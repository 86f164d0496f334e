"""Files that are complete whenever they are there."""
import errno
import itertools
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from m2ae_mm.errors import ForUser

PART = '.part'
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NUMBERS = itertools.count()


class DiskFullError(ForUser, RuntimeError):
    """There is no space for a file, or a quota is used up."""


def is_disk_full(error: BaseException | None) -> bool:
    """Whether an error says that a disk, a quota or the largest size of a file is used up."""
    if not isinstance(error, OSError):
        return isinstance(error, DiskFullError)
    # NumPy's arrays say 'N requested and M written' and no number.
    return error.errno in _FULL or error.errno is None and str(error).endswith(' written')


@contextmanager
def replacing(path: str | Path, durable: bool = True) -> Iterator[BinaryIO]:
    """Opens a file to be written beside ``path``, which takes its place in one step when the block ends well.

    Whoever reads ``path`` finds the old content or the new, whole, also after
    this process was killed or the machine stopped: the new content is on the
    disk before it gets the name. If the block fails, nothing has changed.

    Args:
        path: In a folder that exists.
        durable: Wait for the disk. Without it, a machine that stops can leave
            an empty file; for many small ones whose sizes a record tells.

    Raises:
        DiskFullError: If there is no space for it.
    """
    path = Path(path)
    part = path.with_name(f'.{path.name[:100]}.{os.getpid()}-{next(_NUMBERS)}{PART}')
    try:
        with open(part, 'xb') as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException as error:
        with suppress(OSError):
            part.unlink()
        if is_disk_full(error) and not isinstance(error, DiskFullError):
            raise DiskFullError(f'there is no space left for {str(path)!r} ({error}). What was there before is '
                                'untouched; free some space, or raise the quota, and go on.') from error
        raise
    if durable:
        _sync_folder(path.parent)


def write_bytes(path: str | Path, content: bytes, durable: bool = True) -> None:
    """Write a file with :func:`replacing`."""
    with replacing(path, durable) as file:
        file.write(content)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file with :func:`replacing`."""
    write_bytes(path, text.encode())


def write_json(path: str | Path, value: Any, **options) -> None:
    """Write a JSON file with :func:`replacing`; ``options`` are those of ``json.dumps``."""
    write_text(path, json.dumps(value, **options))


@contextmanager
def locked(path: str | Path) -> Iterator[None]:
    """One process at a time for what is at ``path``.

    Without a lock where the file system has none, or where the lock's file
    belongs to somebody else: what took hours has to be written there, too.
    """
    from filelock import FileLock
    path = Path(path)
    with ExitStack() as stack:
        with suppress(OSError, NotImplementedError):
            stack.enter_context(FileLock(path.with_name(f'.{path.name}.lock')))
        yield


def remove_parts(folder: Path) -> None:
    """Remove what processes that were killed while writing left in ``folder``, to which nobody else writes now."""
    for part in folder.glob(f'.*{PART}'):
        with suppress(OSError):
            part.unlink()


def _sync_folder(folder: Path) -> None:
    """Write the new name to the disk, too, where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
