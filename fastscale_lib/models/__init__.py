"""Torch modules, built from the same description; published weights."""

from .._common.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
