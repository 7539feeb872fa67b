"""Notebooks run with checked parameters and made into pages."""

from .._common.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
