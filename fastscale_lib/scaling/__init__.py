"""How a network grows: strategies, rounding, sweeps, asymptotic laws, targets."""

from .._common.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
