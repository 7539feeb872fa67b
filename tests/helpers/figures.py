"""What the tests read from plotly figures: plotly cannot say of which kind a trace is."""

from typing import Any


def traces(figure: Any) -> list[Any]:
    """List the traces of a figure."""
    return list(figure.data)


def annotations(figure: Any) -> list[str]:
    """List the texts that stand in a figure, the titles of its panels among them."""
    return [each.text for each in figure.layout.annotations]
