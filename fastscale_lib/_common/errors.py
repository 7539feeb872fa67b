"""The base class of this library's errors, and the first line of any error's message."""


class FastscaleError(Exception):
    """Base class of the library's errors; each is also a ValueError or a RuntimeError."""


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, with the error's type."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
