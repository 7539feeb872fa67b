"""plotly, imported where a figure is made, without what it brings along and never uses here."""

import plotly.graph_objects as go
import plotly.io

from .._common.light_imports import light_imports

with light_imports():
    renderers = plotly.io.renderers  # plotly imports it, and nbformat, when it is first read

__all__ = ["go", "renderers"]
