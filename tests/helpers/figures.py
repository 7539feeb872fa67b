"""What the tests read from plotly figures: plotly cannot say of which kind a trace is."""

from typing import Any


def traces(figure: Any) -> list[Any]:
    """List the traces of a figure."""
    return list(figure.data)


def annotations(figure: Any) -> list[str]:
    """List the texts that stand in a figure, the titles of its panels among them."""
    return [each.text for each in figure.layout.annotations]


def layout_of(figure: Any) -> Any:
    """Return the layout of a figure: plotly does not type its parts."""
    return figure.layout
