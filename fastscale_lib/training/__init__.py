"""Networks trained by one recipe: data, checkpoints, comparisons."""

from .._common.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
