"""The explorer: a widget whose whole state is traits, and a picture that follows it.

A hand moves a control, a test or a cell sets a trait; both take the same way through the same checks.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pandas as pd
import plotly.graph_objects as go
import traitlets as T

from .._common.files import write_new
from ..architectures.counting import METRICS, Complexity
from ..architectures.definition import Network
from ..scaling.grids import sweep
from . import panels
from .cells import cells
from .controls import Controls
from .live import LiveFigure
from .page import FIGURE_MIME, kept_as_data, page, slider_figure
from .predictions import PredictedState
from .state import DEFAULTS
from .timings import ENDED
from .views import ALPHA, SCALES, Views

_ENDINGS = {"python": "py", "yaml": "yaml", "csv": "csv", "html": "html"}


def explore(
    network: Network | str = "EfficientNet-B0",
    strategies: Sequence[str] = ("w", "dw", "dwr", "dWr"),
    alpha: float = 0.8,
    scale: float = 4,
    **state: Any,
) -> Explorer:
    """The explorer, to be shown as the last expression of a cell.

    Arguments:
        network: the base network, or its name.
        strategies: whose curves are drawn: the paper's names, or the explicit grammar (`d1_w8_g8_r1`).
        alpha: in [0, 1], of the strategy that the slider sets.
        scale: the scale factor s, from 1/4 to 64.
        state: other traits of `Explorer`: resolution, flops, batch, precision, mode, device, seconds, live, shown.

    Raises:
        TraitError: a value is wrong; the message says what is right.
    """
    return Explorer(network=network, strategies=strategies, alpha=alpha, scale=scale, **state)


class Explorer(widgets.VBox, PredictedState):
    """Slide α and the scale factor; see complexity follow, and time the scaled networks.

    Traits that are set: `network`, `strategies`, `alpha`, `scale`, `flops` (multiply-adds wanted: scale × the
    base's), `resolution` (of the base, pixels), `batch`, `precision`, `mode`, `device` ("auto": a GPU where there
    is one), `seconds` (to spend on each timing), `live`, `shown` (the strategy whose stages are tabled and that is
    exported; "α" is the slider's), `model` (a `RuntimeModel` that predicts times; `calibrate` makes one). Traits that
    are read: `message` (what is wrong), `status`, `busy`, `progress`, `devices`, `measurements`.
    """

    def __init__(self, **state: Any) -> None:
        super().__init__()
        self.begin(state)
        self._own_batch = "batch" in state
        self._views, self._told = Views(), ""
        self._view = self._make_view()
        self.figure = LiveFigure(panels.traces(self._view), panels.figure_layout(self._view, self._note()))
        self._controls = Controls(self)
        self.children = self._controls.layout(self.figure)
        self.add_class("fastscale-explorer")
        self._controls.show_tables()
        self.observe(self._on_state, names=list(DEFAULTS))
        self.observe(lambda _: self._show(), names=["measurements"])
        self.observe(self._on_model, names=["model"])
        if here := cells():
            here.note_made(self)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The widget; beside it, where figures are kept as data, the one that needs no kernel: a page shows that."""
        if here := cells():
            here.note_shown(self)
        self.ask_devices()
        shown = super()._repr_mimebundle_(**kwargs)
        return shown | ({FIGURE_MIME: json.loads(self.to_figure().to_json())} if kept_as_data() else {})

    @property
    def marked(self) -> panels.Frame:
        """The columns of `sweep` for the marked networks: the chosen strategies', then the slider's."""
        return self._view.marks

    def counted(self, name: str | None = None) -> Complexity:
        """The complexity of the network that `scaled` gives."""
        row = (*self.strategies, ALPHA).index(name or self.shown)
        return Complexity(*(int(self.marked[metric][row]) for metric in METRICS))

    @property
    def curves(self) -> pd.DataFrame:
        """The rows of `sweep` that are drawn: the chosen strategies and the slider's, over all scales."""
        return sweep(self.base, [*self.strategies, self.slider], SCALES)

    def close(self) -> None:
        """End the widget with all that it is made of, and its measuring; what it holds can still be read."""
        self.live, self.ended = False, True
        self.stop()
        for part in _parts(self):
            part.close()
        super().close()
        self._repr_mimebundle_ = lambda **_: {"text/plain": ENDED}

    def to_python(self) -> str:
        """Python that makes the shown scaled network."""
        network = self.scaled()
        return f"# {network.scaling}\nimport fastscale_lib as fs\n\nnetwork = {network.to_python()}\n"

    def to_yaml(self) -> str:
        """The shown scaled network as YAML."""
        return self.scaled().to_yaml()

    def to_csv(self) -> str:
        """The curves as CSV; flops are multiply-adds."""
        return self.curves.to_csv(index=False)

    def to_figure(self) -> go.Figure:
        """The four panels as a figure whose α slider needs no kernel: its steps are computed beforehand."""
        return slider_figure(
            self.base, self.strategies, self.alpha, self.scale, self.times, self._note("not measured"), self.predictor
        )

    def to_html(self) -> str:
        """A page that shows the four panels by itself, without a network or a kernel, with an α slider."""
        note = self._note("not measured")
        return page(
            self.base, self.strategies, self.alpha, self.scale, self.times, note, self.strategy(), self.predictor
        )

    def save(self, kind: str, folder: str | Path = ".") -> Path:
        """Write "python", "yaml", "csv" or "html" to a new file in the folder, and return its path.

        Raises:
            TraitError: there is no such kind.
            OSError: the file cannot be written; no part of it is left.
        """
        if kind not in _ENDINGS:
            raise T.TraitError(f"explorer: {kind!r} cannot be saved; use one of {', '.join(_ENDINGS)}")
        text = getattr(self, f"to_{kind}")()
        return write_new(_names(Path(folder), _file_name(self.scaled().name), _ENDINGS[kind]), text)

    def _on_state(self, change: dict[str, Any]) -> None:
        name = change["name"]
        if not self.settle(name):
            return
        self.message = ""
        self._own_batch |= name == "batch"
        if name in ("batch", "mode", "precision", "device"):
            self._find_model()
        if name not in ("seconds", "live"):
            self._show(reset=name in ("network", "resolution"))
            self._say_what_is_predicted()
        self._controls.follow()
        self.measure_soon()

    def _on_model(self, change: dict[str, Any]) -> None:
        self._show()
        self._say_what_is_predicted()

    def _show(self, reset: bool = False) -> None:
        """The present state in the figure and the tables; what cannot be scaled is said, and the last picture stays."""
        try:
            self._view = self._make_view()
        except ValueError as error:
            self.message = str(error)
            return
        self.figure.draw(panels.traces(self._view), panels.figure_layout(self._view, self._note()), reset)
        self._controls.show_tables()

    @property
    def remark(self) -> str:
        return self._views.remark

    def _say_what_is_predicted(self) -> None:
        """In the status, where nothing is, or less surely; what was said of an earlier state is taken back."""
        told = self.unpredicted or (self.remark and self._told_of_prediction())
        if not self.busy and (told or self._told):
            self.status = told
        self._told = told

    def _make_view(self) -> panels.View:
        return self._views.view(self.base, self.strategies, self.alpha, self.scale, self.times, self.predictor)

    def _note(self, nothing: str = "nothing measured yet: press Time") -> str:
        """What is said of the timings, above their panel."""
        devices, predictor = self.times["device"], self.predictor
        said = nothing if devices.empty else f"measured on {html.escape(devices.iloc[-1])}, {self._setting()}"
        if self.unpredicted and devices.empty:
            return f"nothing predicted for {self._setting()}"
        if predictor is None:
            return said
        lines = f"lines: predicted, ± {predictor.error:.0%}"
        return f"{lines}, {self._setting()}" if devices.empty else f"{said}; {lines}"

    def _setting(self) -> str:
        batch, mode, precision, _ = self.settings
        return f"batch {batch}, {precision} {mode}"


def _parts(widget: widgets.Widget) -> Iterator[widgets.Widget]:
    """Every widget within this one, and what each of them is laid out by."""
    for child in getattr(widget, "children", ()):
        yield from _parts(child)
        yield child
    # A plotly figure has a layout, too, which is no widget.
    yield from (each for name in ("layout", "style") if isinstance(each := getattr(widget, name, None), widgets.Widget))


def _file_name(name: str) -> str:
    """A network's name as every file system takes it: RegNetY-4.0GF_dWr_x4."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "-.=") else "_" for c in name.replace("×", "x"))
    return plain.lstrip("._")[:100] or "network"


def _names(folder: Path, stem: str, ending: str) -> Iterator[Path]:
    """The paths that a new file may have, the best first."""
    names = (f"{stem}.{ending}" if number == 1 else f"{stem}-{number}.{ending}" for number in count(1))
    return map(folder.joinpath, names)


__all__ = ["Explorer", "explore"]
