"""Time and memory of one network on one device, and of many by a plan."""

from .._common.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
