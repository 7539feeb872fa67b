"""Networks: what one is, the published ones, and what it counts."""

from .._common.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
