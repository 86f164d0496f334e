"""What an error tells a user: what went wrong, what was being done, with which value, and what to do.

Imports the standard library only: the commands need it before the rest of the package is loaded.
"""
import difflib
import errno
import re
import reprlib
import tempfile
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxdict, _SHORT.maxlist, _SHORT.maxstring, _SHORT.maxother = 2, 30, 8, 200, 60
_LONGEST = 3000
# Libraries advise to switch their checks of files off. Such sentences are not passed on.
_UNSAFE = re.compile(r'weights_only|allow_pickle|safe_globals|can still be loaded|trust the source|trusted source')
# How PyTorch wraps the error of a loading process.
_WORKER = re.compile(r'Caught \w+ in .*process \d+\.\nOriginal Traceback')
_FILE = 'traceback.txt'
_work_folder: Path | None = None

_BY_KIND: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (UnicodeDecodeError, 'Save it as text in UTF-8.'),
    ((FileExistsError, NotADirectoryError), 'A file is in the way where a folder is needed. Choose another name, or '
                                            'move that file away.'),
    (IsADirectoryError, 'That is a folder, where a file is needed.'),
    (PermissionError, 'Choose a place that you may read and write.'),
    (FileNotFoundError, 'Check the name.'),
    (ModuleNotFoundError, 'Install that package, or correct the name.'),
    (RecursionError, 'Something contains itself, or is nested too deeply.'),
    (MemoryError, 'There is not enough memory. Take less at a time, e.g. smaller batches, or correct the size.'),
)
_BY_NUMBER = {
    errno.ENAMETOOLONG: 'Choose a shorter name.',
    errno.EROFS: 'Choose a place that you may write to.',
    errno.ENOSPC: 'Free some space, or choose another place.',
    errno.EDQUOT: 'Free some space, or raise the quota.',
    errno.ELOOP: 'Links point to each other. Choose another name.',
}


class ForUser(Exception):
    """Mix-in of errors whose text says to a user all that there is to know: what went wrong, and what to do."""


class UserError(ForUser, ValueError):
    """What was given cannot be used; the text says why and what to do instead."""


@contextmanager
def doing(what: str, value: object = None) -> Iterator[None]:
    """Have an error that comes up inside say what was being done.

    The error itself, its kind and its text stay as they are. Within others of
    the same kind, only the innermost is kept.

    Args:
        what: ``'reading'``, ``'building'``.
        value: What it was done to or with: a path, options.
    """
    try:
        yield
    except Exception as error:
        note(error, what, value)
        raise


@contextmanager
def reading(path: str | Path, what: str = '', advice: str = 'Get the file again, or make it anew.') -> Iterator[None]:
    """Turn whatever the parser of a file raises into a :class:`UserError` that names the file.

    Args:
        path: The file.
        what: How it should be read: ``'as PLY'``, ``'safely'``.
        advice: What to do.
    """
    try:
        yield
    except Exception as error:  # damaged files make parsers raise nearly anything
        text = reason(error)
        if isinstance(error, UserError) and str(path) in text:
            raise
        start = f'{str(path)!r} cannot be read {what}'.rstrip()
        raise UserError(f'{start}: {text.rstrip(".")}. {advice}'.rstrip()) from error


def note(error: BaseException, what: str, value: object = None) -> None:
    """Add to an error what was being done. The notes are those of Python 3.11, which tracebacks show."""
    notes = list(getattr(error, '__notes__', ()))
    if any(each.startswith(f'while {what}') for each in notes):
        return
    shown = str(value) if isinstance(value, type(None) | Path | str) else _SHORT.repr(value)
    if value is not None and len(shown) > _SHORT.maxstring and isinstance(value, str | Path):
        shown = f'{shown[:_SHORT.maxstring]}...'
    with suppress(AttributeError):  # a few classes take no attributes
        error.__notes__ = [*notes, f'while {what}' if value is None else f'while {what} {shown}']


def reason(error: BaseException) -> str:
    """An error's text in a line."""
    text = _text(error)
    return ' '.join((text if isinstance(error, UserError) else text.partition('\n')[0]).split())


def message(error: BaseException) -> str:
    """All that there is to tell of an error: its text, what to do, and the notes."""
    advice = next((each for kind, each in _BY_KIND if isinstance(error, kind)), '')
    if isinstance(error, OSError):
        advice = _BY_NUMBER.get(error.errno, advice)
    if isinstance(error, ForUser) or isinstance(error, OSError) and error.errno is None:
        advice = ''  # the text says it
    text = _text(error)[:_LONGEST]
    notes = [f'  {each}' for each in getattr(error, '__notes__', ())]
    return '\n'.join([f'{text}{"" if text.endswith((".", "!", "?")) else "."} {advice}'.rstrip(), *notes])


def some(names: Sequence[str], most: int = 3, separator: str = ', ') -> str:
    """The first of many names, and how many more there are."""
    more = f' and {len(names) - most} more' if len(names) > most else ''
    return separator.join(names[:most]) + more


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: the known one that is most like it, if any is."""
    lower = {each.lower(): each for each in known}
    close = difflib.get_close_matches(name.lower(), lower, 1)
    return f'; did you mean {lower[close[0]]!r}?' if close else '.'


def report(error: BaseException, show: bool = False) -> str:
    """What a tool prints of an error it ends with, with ``show`` after the traceback, which also goes to a file."""
    trace = ''.join(traceback.format_exception(error))
    file = _keep(trace)
    where = 'no file could be written for the traceback' if file is None else f'traceback: {file}'
    return f'{trace if show else ""}\nerror: {message(error)}\n({where}; M2AE_TRACEBACK=1 shows it.)'


def keep_tracebacks_in(folder: str | Path) -> None:
    """Name the folder of this run, in which :func:`report` leaves a traceback if it is there by then."""
    global _work_folder
    _work_folder = Path(folder)


def _keep(trace: str) -> Path | None:
    with suppress(OSError):
        if _work_folder is not None and _work_folder.is_dir():
            file = _work_folder / _FILE
            file.write_text(trace, encoding='utf-8', errors='backslashreplace')
            return file
    with suppress(OSError):
        with tempfile.NamedTemporaryFile('w', prefix='m2ae_', suffix=f'_{_FILE}', delete=False, encoding='utf-8',
                                         errors='backslashreplace') as file:
            file.write(trace)
        return Path(file.name)
    return None


def _text(error: BaseException) -> str:
    """What an error says, with its kind where the text alone would not be understood."""
    text = str(error.args[0] if isinstance(error, KeyError) and error.args else error).strip()
    if isinstance(error, OSError) and error.strerror:
        names = [repr(str(name)) for name in (error.filename, error.filename2) if name is not None]
        return ': '.join([error.strerror, *names])
    if _WORKER.match(text):
        return _of_worker(text)
    if _UNSAFE.search(text) and not isinstance(error, ForUser):
        text = _without_unsafe_advice(text)
    kind = type(error).__name__
    if not text:
        return kind
    plain = type(error) in (ValueError, ImportError, ModuleNotFoundError, FileNotFoundError, PermissionError)
    return text if plain or isinstance(error, ForUser) else f'{kind}: {text}'


def _of_worker(text: str) -> str:
    """The last error of a traceback as text, its notes included."""
    lines = text.splitlines()
    starts = [i for i, line in enumerate(lines[1:], 1)
              if line[:1] not in ('', ' ') and lines[i - 1].startswith(' ') and re.match(r'[\w.]+(: |$)', line)]
    text = '\n'.join(lines[starts[-1] if starts else -1:])
    kind, _, rest = text.partition(': ')
    return rest if kind in ('ValueError', 'FileNotFoundError') or kind.startswith('m2ae_mm.') else text


def _without_unsafe_advice(text: str) -> str:
    sentences = re.split(r'(?<=[.!])\s+|\n', text)
    kept = [each.strip() for each in sentences if each.strip() and not _UNSAFE.search(each)]
    return ' '.join(kept).replace('WeightsUnpickler error: ', '') or 'it holds Python objects, which are not read'
