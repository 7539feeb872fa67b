"""What the tests read from plotly figures: plotly cannot say of which kind a trace is."""

from typing import Any


def traces(figure: Any) -> list[Any]:
    """List the traces of a figure."""
    return list(figure.data)
