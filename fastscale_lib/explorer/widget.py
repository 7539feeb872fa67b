"""The explorer: a widget whose whole state is traits, and a picture that follows it.

A hand moves a control, a test or a cell sets a trait; both take the same way through the same checks.
"""

from __future__ import annotations

import asyncio
import html
import json
import time
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NoReturn

import ipywidgets as widgets
import pandas as pd
import plotly.graph_objects as go
import traitlets as T

from .._common.files import write_new
from ..architectures.counting import METRICS, Complexity
from ..architectures.definition import Network
from ..architectures.resolutions import Resolution
from ..architectures.traced.module_family import Family
from ..measuring.settings import Mode, Precision
from ..scaling.grids import sweep
from . import panels
from .cells import cells
from .controls import Controls
from .family_views import FAMILY_NOTE, FAMILY_SCALES, FamilyViews
from .job_queue import running_loop
from .live import LiveFigure
from .page import FIGURE_MIME, kept_as_data, page, slider_figure
from .predictions import Predictions
from .state import SETTABLE, State
from .timings import ENDED, Timings
from .views import ALPHA, SCALES, Predictor, Views

_DRAWN_EVERY_S = 0.5  # while sizes of a family are counted
_ENDINGS = {"python": "py", "yaml": "yaml", "csv": "csv", "html": "html"}


class Explorer(widgets.VBox, State):
    """Slide α and the scale factor; see complexity follow, and time the scaled networks.

    Show it as the last expression of a cell. Every argument is a trait, which may be set later as well. Left out,
    `resolution` is the network's own, `flops` follows the scale, and `batch` is 64, or 8 where there is no GPU.
    """

    def __init__(
        self,
        network: Network | Family | str = State.network.default_value,
        strategies: str | Sequence[str] = State.strategies.default_value,
        alpha: float = State.alpha.default_value,
        scale: float = State.scale.default_value,
        *,
        resolution: Resolution | None = State.resolution.default_value,
        flops: float | None = State.flops.default_value,
        batch: int | None = State.batch.default_value,
        precision: Precision = State.precision.default_value,
        mode: Mode = State.mode.default_value,
        device: str = State.device.default_value,
        seconds: float = State.seconds.default_value,
        live: bool = State.live.default_value,
        shown: str = State.shown.default_value,
        **unknown: NoReturn,  # refused in words
    ) -> None:
        given = dict(locals())
        super().__init__()
        self.begin({name: given[name] for name in SETTABLE} | unknown)
        self.timings = Timings(self)
        self.predictions = Predictions(self, self.timings)
        self._views, self._family_views, self._counting = Views(), FamilyViews(), False
        self._view = self._make_view()
        self.figure = LiveFigure(panels.traces(self._view), panels.figure_layout(self._view, self._note()))
        self._controls = Controls(self, self.time, self.calibrate, self.cancel, self.save)
        self.children = self._controls.layout(self.figure)
        self.add_class("fastscale-explorer")
        self._show_tables()
        self.when_changed(self._on_change)
        self.observe(lambda _: self._show(), names=["measurements"])
        self.observe(self._on_model, names=["model"])
        if here := cells():
            here.note_made(self)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The widget; beside it, where figures are kept as data, the one that needs no kernel: a page shows that."""
        if here := cells():
            here.note_shown(self)
        self.ask_devices()
        shown: dict[str, Any] = super()._repr_mimebundle_(**kwargs) or {}
        if kept_as_data():
            shown[FIGURE_MIME] = json.loads(self.to_figure().to_json() or "null")
        return shown

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
        scales = FAMILY_SCALES if isinstance(self.base, Family) else SCALES
        return sweep(self.base, [*self.strategies, self.slider], scales)

    @property
    def times(self) -> pd.DataFrame:
        """What was measured of the present base network under the present settings; times in ms/batch."""
        return self.timings.times

    @property
    def predictor(self) -> Predictor | None:
        """The model under the present settings; None where it cannot predict."""
        return self.predictions.predictor

    @property
    def ended(self) -> bool:
        """Whether nothing is measured any more."""
        return self.timings.ended

    def time(self) -> None:
        """Measure the marked networks, one after another, and return at once; see `wait`."""
        self.timings.time()

    def calibrate(self) -> None:
        """Measure the probe networks that `model` needs, in about a minute, and return at once; see `wait`."""
        self.predictions.calibrate()

    def cancel(self) -> None:
        """Stop measuring; what was measured stays."""
        self.timings.cancel()

    def wait(self, timeout: float | None = None) -> bool:
        """Block until nothing is being measured; False if that took longer than `timeout` seconds."""
        return self.timings.wait(timeout)

    def stop(self) -> None:
        """Stop measuring, and give the process that measures back; it is taken again when it is needed."""
        self.timings.stop()

    def ask_devices(self) -> None:
        """Learn which devices there are, in the process that measures."""
        self.timings.ask_devices()

    def close(self) -> None:
        """End the widget with all that it is made of, and its measuring; what it holds can still be read."""
        self.live = False
        self.timings.end()
        for part in _parts(self):
            part.close()
        super().close()
        self._repr_mimebundle_ = lambda **_: {"text/plain": ENDED}

    def to_python(self) -> str:
        """Python that makes the shown scaled network."""
        network = self.scaled()
        if isinstance(network, Family):
            return f"# {network.scaling}\n# {network.makes}(..., **kwargs) makes it\nkwargs = {network.kwargs!r}\n"
        return f"# {network.scaling}\nimport fastscale_lib as fs\n\nnetwork = {network.to_python()}\n"

    def to_yaml(self) -> str:
        """The shown scaled network as YAML."""
        if isinstance(self.network, Family):
            raise T.TraitError("explorer: a module has no YAML; save Python, which has the keywords that make it")
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
        return page(self.to_figure(), self.base, self.strategy(), self.scale, self.marked, self.times)

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

    def _on_change(self, name: str) -> None:
        if name not in ("seconds", "live"):
            self._show(reset=name in ("network", "resolution"))
            self.predictions.say()
        self._controls.follow()

    def _on_model(self, change: dict[str, Any]) -> None:
        self._show()
        self.predictions.say()

    def _show(self, reset: bool = False) -> None:
        """The present state in the figure and the tables; what cannot be scaled is said, and the last picture stays."""
        try:
            self._view = self._make_view()
        except ValueError as error:
            self.message = str(error)
            return
        self.figure.draw(panels.traces(self._view), panels.figure_layout(self._view, self._note()), reset)
        self._show_tables()

    def _show_tables(self) -> None:
        self._controls.show_tables(self.counted(), self.marked, self.times)

    def _make_view(self) -> panels.View:
        if isinstance(self.network, Family):
            return self._family_view()
        view = self._views.view(self.base, self.strategies, self.alpha, self.scale, self.times, self.predictor)
        self.predictions.remark = self._views.remark
        return view

    def _family_view(self) -> panels.View:
        """What is counted of a family; the rest is counted while the kernel has nothing to do, else at once."""
        views, given = self._family_views, (self.base, self.strategies, self.alpha, self.scale, self.times)
        view, loop = views.view(*given), running_loop()
        if views.todo and loop is None:
            while views.todo:
                views.count_next()
            view = views.view(*given)
        elif views.todo and not self._counting:
            self._counting = True
            asyncio.get_running_loop().call_soon(self._count_on, time.monotonic())
        self.status = f"counting modules: {len(views.todo)} to come" if views.todo else views.remark
        return view

    def _count_on(self, drawn: float) -> None:
        """Count one size more, draw now and then, and come back once the kernel has answered what came meanwhile."""
        views, self._counting = self._family_views, False
        if self.ended or not isinstance(self.network, Family):
            return
        if views.todo:
            views.count_next()
        if not views.todo or time.monotonic() - drawn > _DRAWN_EVERY_S:
            self._show()
        else:
            self._counting = True
            asyncio.get_running_loop().call_soon(self._count_on, drawn)

    def _note(self, nothing: str = "nothing measured yet: press Time") -> str:
        """What is said of the timings, above their panel."""
        if isinstance(self.network, Family):
            return FAMILY_NOTE
        devices, predictor = self.times["device"], self.predictor
        said = nothing if devices.empty else f"measured on {html.escape(devices.iloc[-1])}, {self._setting()}"
        if self.predictions.unpredicted and devices.empty:
            return f"nothing predicted for {self._setting()}"
        if predictor is None:
            return said
        lines = f"lines: predicted, ± {predictor.error:.0%}"
        return f"{lines}, {self._setting()}" if devices.empty else f"{said}; {lines}"

    def _setting(self) -> str:
        batch, mode, precision, _ = self.settings
        return f"batch {batch}, {precision} {mode}"


def _documented() -> str:
    """The traits as the sections of a docstring: those that are set, and those that are read."""
    read = (name for name, trait in vars(State).items() if isinstance(trait, T.TraitType) and name not in SETTABLE)
    sections = {"Arguments": SETTABLE, "Attributes": read}
    lines = []
    for title, names in sections.items():
        lines += ["", f"    {title}:", *(f"        {name}: {getattr(State, name).help}." for name in names)]
    return "\n".join([*lines, ""])


Explorer.__doc__ = f"{Explorer.__doc__}{_documented()}"
explore = Explorer
"""Make an `Explorer`, to be shown as the last expression of a cell."""


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
