"""The widget: state as traits, what follows from it, and a picture that shows it."""

from .widget import Explorer, explore

__all__ = ["Explorer", "explore"]
