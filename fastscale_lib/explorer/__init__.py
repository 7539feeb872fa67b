"""The widget, and the page that needs no kernel."""

from .._common.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
