"""Names that were read from a file."""
import re
from pathlib import Path

from m2ae_mm.errors import UserError


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
