"""Entries of nested dictionaries and lists."""
from collections.abc import Iterator, Mapping
from typing import Any


def entries(value: object, path: str = '') -> Iterator[tuple[str, Any]]:
    """Everything within ``value`` with its dotted path below ``path``, containers before what they hold."""
    if not isinstance(value, (Mapping, list, tuple)):
        return
    for name, each in value.items() if isinstance(value, Mapping) else enumerate(value):
        place = f'{path}.{name}' if path else str(name)
        yield place, each
        yield from entries(each, place)


def name_of(path: str) -> str:
    """The last name of a path; numbers in a list have that of the list."""
    return next(part for part in reversed(path.split('.')) if not part.isdigit())
