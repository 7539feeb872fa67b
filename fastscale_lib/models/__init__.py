"""Torch modules of described networks, and published weights for them."""

from .._common.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
