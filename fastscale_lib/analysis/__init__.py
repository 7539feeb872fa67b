"""Rows in, findings out: correlations, times at equal flops, errors over seeds, claims."""

from .._common.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
