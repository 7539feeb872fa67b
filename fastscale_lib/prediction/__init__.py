"""Time before it is measured, and what a budget buys."""

from .._common.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
