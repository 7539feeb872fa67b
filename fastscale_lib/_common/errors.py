"""The base of all errors that this library raises by itself, and what any error says in a line."""


class FastscaleError(Exception):
    """Base of the library's own errors, each of which is a ValueError or a RuntimeError, too."""


def first_line(error: BaseException) -> str:
    """The first line that an error says, with its kind."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
