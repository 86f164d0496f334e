"""Which errors end a tool in one message, and what it says."""
import reprlib
import traceback
from pathlib import Path

# What constructors, mostly of others, raise for options of a wrong type or out of range.
_BAD_OPTION = (TypeError, ValueError, AttributeError, AssertionError, LookupError)
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxdict, _SHORT.maxlist, _SHORT.maxstring, _SHORT.maxother = 2, 30, 8, 60, 40


def message_for_user(error: BaseException) -> str | None:
    """One message if the error was made for the user, None where a traceback is due.

    An error counts as made for the user if a ``raise`` of this project made
    it, if it came up in the config machinery itself (an unknown key), or in
    the constructor of something that the config describes (a bad option).
    """
    from m2ae_mm.files import is_disk_full
    if isinstance(error, OSError) and is_disk_full(error):
        return f'the disk is full: {error}. Free some space, or raise the quota; a training goes on with --resume.'
    frames = traceback.extract_tb(error.__traceback__)
    message = str(error.args[0] if isinstance(error, KeyError) and error.args else error)
    if _is_ours(frames[-1]) or _in_machinery(error, frames):
        return message
    built = _being_built(error)
    return None if built is None else f'{built}: {type(error).__name__}: {message}'


def _is_ours(frame: traceback.FrameSummary) -> bool:
    package = Path(__file__).resolve().parent.parent
    folders = package, package.parent / 'tools'
    ours = any(folder in Path(frame.filename).resolve().parents for folder in folders)
    return ours and (frame.line or '').startswith('raise')


def _in_machinery(error: BaseException, frames: list[traceback.FrameSummary]) -> bool:
    paths = [Path(frame.filename).as_posix() for frame in frames]
    if isinstance(error, TypeError) and 'unexpected keyword argument' in str(error):
        # Classes pass on to their bases what they do not know themselves.
        return any('/mmengine/registry/' in path for path in paths)
    return '/mmengine/registry/' in paths[-1] or '/mmengine/config/' in paths[-1]


def _being_built(error: BaseException) -> str | None:
    """Which part of the config was being built, with its options, if a constructor stopped at something."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    names = [frame.f_code.co_name for frame in frames]
    if 'build_from_cfg' not in names or not isinstance(error, _BAD_OPTION):
        return None
    last = len(names) - 1 - names[::-1].index('build_from_cfg')
    if names[last + 1:last + 2] != ['__init__']:
        return None
    values = frames[last].f_locals  # mmengine's: the class and its options
    return f"{values['obj_cls'].__name__} cannot be built with {_SHORT.repr(dict(values['args']))}"
