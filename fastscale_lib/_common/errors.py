"""The base of all errors that this library raises by itself."""


class FastscaleError(Exception):
    """Base of the library's own errors, each of which is a ValueError or a RuntimeError, too."""
