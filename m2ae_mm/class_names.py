"""Lists of class names, wherever they come from."""
from collections.abc import Sequence


def check_class_names(names: object, place: str) -> tuple[str, ...]:
    """The names as a tuple, in the order of their labels; ``place`` says where they stand, for the message.

    Raises:
        ValueError: Unless it is a list or tuple of different names.
    """
    if isinstance(names, str):
        written = names if names[:1] in '[(' else f'[{names}]'
        raise ValueError(f'{place} must be a list or tuple of names, got the string {names!r}. In a config, one class '
                         f'is ({names.strip("()[]")!r}, ), with a comma; on the command line {place}="{written}".')
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise ValueError(f'{place} must be a list or tuple of names, in the order of their labels, got {names!r}.')
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if list(names).count(name) > 1})
        raise ValueError(f'{place} lists {", ".join(twice)} more than once. Give every class one name of its own.')
    return tuple(names)


def as_option(names: Sequence[str]) -> str:
    """A list of names as the command line takes it, with its quotes."""
    return '"[' + ','.join(f"'{name}'" if set(name) & set(',[]()') or name != name.strip() else name
                           for name in names) + ']"'
