"""What an error says."""


def reason(error: BaseException) -> str:
    """The first line of an error's text; its kind if it has none, as many that parsers raise."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
