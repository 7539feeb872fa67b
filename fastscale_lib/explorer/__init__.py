"""The widget: state as traits, what follows from it, and a picture that shows it."""

from __future__ import annotations

__all__ = ["Explorer", "explore"]
