"""Texts and JSON that were written by others, or whose writing may have been cut off, and names in them."""
import json
import re
from pathlib import Path
from typing import Any

from m2ae_mm.errors import UserError, reading


def read_text(path: str | Path) -> str:
    """A text file.

    Raises:
        UserError: If it is not UTF-8, or cannot be read.
    """
    with reading(path, advice='Save it as text in UTF-8.'):
        return Path(path).read_text(encoding='utf-8-sig')


def read_json(path: str | Path, kind: type | tuple[type, ...], advice: str = 'Get it again, or delete it.') -> Any:
    """What a JSON file holds.

    Args:
        path: The file.
        kind: What it must be, e.g. ``dict``.
        advice: What to do with one that is damaged.

    Raises:
        UserError: If it is no JSON, or holds something else.
    """
    with reading(path, 'as JSON', advice):
        value = json.loads(Path(path).read_text(encoding='utf-8-sig'))
        if not isinstance(value, kind):
            names = ' or '.join(each.__name__ for each in (kind if isinstance(kind, tuple) else (kind, )))
            raise UserError(f'it holds {type(value).__name__}, {names} is needed')
        return value


def inside(folder: str | Path, name: str) -> Path:
    """``folder / name`` for a name from a list, an archive or an annotation file, which must not lead elsewhere.

    Links within the folder are the user's own and may lead anywhere.

    Raises:
        UserError: If the name is absolute, goes up, or is no name at all.
    """
    parts = re.split(r'[/\\]', name) if isinstance(name, str) else ()
    if not any(part not in ('', '.') for part in parts) or '..' in parts or not parts[0] or '\0' in name or re.match(
            r'[A-Za-z]:', name):
        raise UserError(f'{name!r} is no name of a file in {str(folder)!r}: names in lists and annotation files must '
                        'be relative to their folder and stay in it.')
    return Path(folder, name)
