"""Values of ``--cfg-options``: what is typed, read as what the config has at its place.

mmengine's syntax for numbers, lists and tuples holds; but its reader deletes
all blanks and makes a list wherever there is a comma, which would change paths
and names of classes.
"""
from ..errors import UserError

_PAIRS = {'[': ']', '(': ')'}
_CONSTANTS = dict(true=True, false=False)


def parse_option(text: str, config: dict) -> tuple[str, object]:
    """One KEY=VALUE.

    - ``None`` is None, and quotes around a value keep everything inside as it is.
    - Brackets make a list, parentheses a tuple. Their elements are numbers,
      true, false, None or words with blanks; only words for ``classes`` and
      where the config has a list of words. An element in quotes may have commas.
    - Where the config has a text, the value is a text, as typed: a path with
      blanks and commas. If that text is a single word, as a split is, a number
      or words between commas are taken as such.
    - Elsewhere a number, true and false are what they say. Commas make a list
      if the config has a list there, for ``classes``, or between numbers.
    - Anything else is a text, as typed.

    Args:
        text: As typed.
        config: With the value that is there until now.

    Raises:
        UserError: If it is not KEY=VALUE, or its brackets or quotes do not match.
    """
    key, separator, value = text.partition('=')
    if not separator:
        raise UserError(f'--cfg-options takes KEY=VALUE, got {text!r}.')
    try:
        return key, _value(value, present_value(config, key), key.rpartition('.')[2] == 'classes')
    except _Unmatched as error:
        raise UserError(f'--cfg-options sets {key} to {value!r}, in which {error} has no counterpart. Put a text with '
                        f'brackets or quotes in quotes of the other kind: {key}="\'...\'".') from None


def present_value(config: dict, key: str) -> object:
    """What a config has at a dotted key, None if there is nothing."""
    value = config
    for part in key.split('.'):
        if isinstance(value, (list, tuple)):
            value = dict(enumerate(value)).get(int(part)) if part.isdigit() else None
        else:
            value = value.get(part) if isinstance(value, dict) else None
    return value


class _Unmatched(ValueError):
    """A bracket or quote without its counterpart."""


def _value(text: str, old: object, of_classes: bool) -> object:
    is_list = isinstance(old, (list, tuple))
    words = of_classes or is_list and bool(old) and all(isinstance(each, str) for each in old)
    stripped = text.strip()
    if stripped == 'None':
        return None
    if _is_quoted(stripped):
        return stripped[1:-1]
    if _is_enclosed(stripped):
        return _sequence(stripped, words)
    if isinstance(old, str) and not of_classes and not old.isidentifier():
        return text
    if ',' in text:
        try:
            parts = _split(text)
        except _Unmatched:
            if is_list or of_classes:
                raise
            return text
        if (is_list or of_classes or all(_is_number(part) or _is_enclosed(part) for part in parts)
                or isinstance(old, str) and all(part.isidentifier() for part in parts)):
            return [_element(part, words) for part in parts]
    if stripped[:1] in _PAIRS and is_list:
        raise _Unmatched(stripped[0])
    return text if words or isinstance(old, str) and not _is_number(stripped) else _scalar(text)


def _sequence(text: str, words: bool) -> list | tuple:
    values = [_element(part, words) for part in _split(text[1:-1])] if text[1:-1].strip() else []
    return tuple(values) if text[0] == '(' else values


def _element(text: str, words: bool) -> object:
    if _is_quoted(text):
        return text[1:-1]
    if _is_enclosed(text) and not words:
        return _sequence(text, words)
    return text if words else _scalar(text)


def _scalar(text: str) -> object:
    stripped = text.strip()
    for kind in (int, float):
        try:
            return kind(stripped)
        except ValueError:
            pass
    return None if stripped == 'None' else _CONSTANTS.get(stripped.lower(), text)


def _is_number(text: str) -> bool:
    return isinstance(_scalar(text), (int, float)) and text.strip().lower() not in _CONSTANTS


def _is_quoted(text: str) -> bool:
    return len(text) > 1 and text[0] in '\'"' and text.find(text[0], 1) == len(text) - 1


def _is_enclosed(text: str) -> bool:
    """Whether the bracket at the start is closed at the very end."""
    if text[:1] not in _PAIRS or text[-1:] != _PAIRS[text[0]]:
        return False
    return next(_closings(text), None) == len(text) - 1


def _closings(text: str):
    """Positions where all brackets that were open until there are closed."""
    open_brackets: list[str] = []
    for i, char in _outside_quotes(text):
        if char in _PAIRS:
            open_brackets.append(_PAIRS[char])
        elif char in _PAIRS.values():
            if not open_brackets or open_brackets.pop() != char:
                raise _Unmatched(char)
            if not open_brackets:
                yield i


def _split(text: str) -> list[str]:
    """Parts between the commas that are in no bracket and no quotes, without blanks around them."""
    cuts, depth = [-1], 0
    for i, char in _outside_quotes(text):
        depth += (char in _PAIRS) - (char in _PAIRS.values())
        if depth < 0:
            raise _Unmatched(char)
        if char == ',' and depth == 0:
            cuts.append(i)
    if depth:
        raise _Unmatched('a bracket')
    parts = [text[start + 1:end].strip() for start, end in zip(cuts, [*cuts[1:], len(text)])]
    return parts if parts[-1] else parts[:-1]  # a comma may end a list


def _outside_quotes(text: str):
    """Positions and characters but for what is quoted; quotes open at the start of a part: ``cat's`` has none."""
    quote, at_start = '', True
    for i, char in enumerate(text):
        if quote:
            quote = '' if char == quote else quote
        elif char in '\'"' and at_start:
            quote = char
        else:
            yield i, char
        at_start = char in '[(,' or at_start and char == ' '
    if quote:
        raise _Unmatched(quote)
