"""Rows: measurements, the store that keeps them, and what others published."""

from .._common.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
