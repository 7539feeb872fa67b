"""The explorer: a widget whose whole state is traits, and a picture that follows it.

A hand moves a control, a test or a cell sets a trait; both take the same way through the same checks.
"""

from __future__ import annotations

import html
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import ipywidgets
import numpy as np
import pandas as pd
import traitlets as T
from IPython.display import display

from .._common.files import write_new
from ..architectures.counting import METRICS, Complexity
from ..architectures.definition import Network
from ..architectures.resolutions import Resolution
from ..architectures.traced.module_family import Family
from ..figures.explorer_code import MIME as EXPLORER_MIME
from ..figures.theme import Frame
from ..measuring.settings import Mode, Precision
from ..scaling.grids import sweep, sweep_columns
from ..scaling.module_scaling import family_columns
from .app_page import page_text
from .cells import cells
from .family_views import FAMILY_NOTE, FAMILY_SCALES
from .hand import Hand
from .notebook_page import NotebookPage, Teller
from .page import slider_figure, still, still_figure
from .predictions import Predictions
from .state import SETTABLE, State
from .timings import ENDED, Timings
from .views import ALPHA, SCALES, Predictor

if TYPE_CHECKING:
    import plotly.graph_objects as go

FIGURE_MIME = "application/vnd.plotly.v1+json"
TOLD = ("devices", "message", "status", "busy", "progress", "measurements", "model")  # beside what is set
_ENDINGS = {"python": "py", "yaml": "yaml", "csv": "csv", "html": "html"}


class Explorer(NotebookPage, State):
    """Slide α and the scale factor; see complexity follow, and time the scaled networks.

    Show it as the last expression of a cell. Every argument is a trait, which may be set later as well. Left out,
    `scale` is 4, or follows from `flops`; `resolution` is the network's own; `batch` is 64, or 8 where there is no GPU.
    """

    def __init__(
        self,
        network: Network | Family | str = State.network.default_value,
        strategies: str | Sequence[str] = State.strategies.default_value,
        alpha: float = State.alpha.default_value,
        scale: float | None = None,
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
        try:
            self._begin({name: given[name] for name in SETTABLE} | unknown)
        except BaseException:
            self.close()
            raise
        if here := cells():
            here.note_made(self)
        self._made = True

    def _begin(self, given: Mapping[str, Any]) -> None:
        self.begin(given)
        self.timings = Timings(self)
        self.predictions = Predictions(self, self.timings)
        buttons = {
            **{"time": self.time, "predict": self.calibrate},
            **{"fit": self.fit_batch, "cancel": self.cancel},
        }
        self._hand = Hand(self, buttons, lambda name, value: self._teller.show(name, value))
        self._teller = Teller(self, self, self.timings, self.predictions, self._hand)
        self.on_msg(self._on_message)
        self.when_changed(self._on_change)
        self.observe(lambda _: self._tell(), names=list(TOLD))
        self.observe(lambda _: self.predictions.say(), names=["model"])
        self._tell()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """Return the widget, and the figure that needs no kernel, where figures are kept as data."""
        if here := cells():
            here.note_shown(self)
        self.ask_devices()
        shown: dict[str, Any] = dict(ipywidgets.DOMWidget._repr_mimebundle_(self, **kwargs) or {})
        if _kept_as_data():
            shown |= self._without_kernel()
        return shown

    def _ipython_display_(self) -> None:
        """Show the widget; in a notebook, after a picture for where there is no kernel."""
        shown = self._repr_mimebundle_()
        if cells() and not self.ended and not isinstance(self.network, Family) and not _kept_as_data():
            display({"text/html": still(self.base, self.alpha, self.scale, self._still_figure(self.base))}, raw=True)
            shown["text/html"] = ""  # all that is said of the widget where it is none
        display(shown, raw=True)

    def _without_kernel(self) -> dict[str, Any]:
        """Return what a report shows: the page, after a figure for where it does not run."""
        if isinstance(self.base, Family):
            return {FIGURE_MIME: json.loads(self.to_figure().to_json() or "null")}
        from ..figures.light_plotly import go

        figure = go.Figure(self._still_figure(self.base))
        return {FIGURE_MIME: json.loads(figure.to_json() or "null"), EXPLORER_MIME: self._teller.page_data()}

    def _still_figure(self, base: Network) -> dict[str, Any]:
        predictor, note = self._drawn_times()
        return still_figure(base, self.strategies, self.alpha, self.scale, self.times, note, predictor)

    @property
    def marked(self) -> Frame:
        """The columns of `sweep` at the scale: the chosen strategies' networks, then the slider's."""
        ways = [*map(self.strategy, self.strategies), self.slider]
        if isinstance(self.base, Family):
            return family_columns(self.base, ways, np.array([self.scale]), True)
        return sweep_columns(self.base, ways, [self.scale])

    def counted(self, name: str | None = None) -> Complexity:
        """Return the complexity of the network that `scaled` gives."""
        row = (*self.strategies, ALPHA).index(name or self.shown)
        return Complexity(*(int(self.marked[metric][row]) for metric in METRICS))

    @property
    def curves(self) -> pd.DataFrame:
        """The rows of `sweep` of the chosen strategies and the slider's, over all scales."""
        scales = FAMILY_SCALES if isinstance(self.base, Family) else SCALES
        return sweep(self.base, [*self.strategies, self.slider], scales)

    @property
    def times(self) -> pd.DataFrame:
        """What was measured of the present base network and settings; times in ms/batch."""
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
        self._teller.show_own()
        self.timings.time()

    def calibrate(self, anew: bool = False) -> None:
        """Measure the probe networks that `model` needs, and return at once; see `wait`.

        Arguments:
            anew: measure them again, where they are kept, too; default: False.
        """
        self._teller.show_own()
        self.predictions.calibrate(anew)

    def fit_batch(self) -> None:
        """Search for the largest batch that fits, to be set, and return at once; see `wait`.

        Raises:
            TraitError: no network was found not to fit at the present batch, by `time`.
        """
        self.timings.fit_batch()

    def cancel(self) -> None:
        """Stop measuring; what was measured stays."""
        self.timings.cancel()

    def wait(self, timeout: float | None = None) -> bool:
        """Block until nothing is being measured; False if that took longer than `timeout` seconds."""
        return self.timings.wait(timeout)

    def stop(self) -> None:
        """Stop measuring, and give the process that measures back, until it is needed again."""
        self.timings.stop()

    def ask_devices(self) -> None:
        """Learn which devices there are, in the process that measures."""
        self.timings.ask_devices()

    def close(self) -> None:
        """End the widget and its measuring; what it holds can still be read."""
        if self._made:  # not where an argument was refused
            self.live = False
            self.timings.end()
        self.layout.close()
        super().close()
        self._repr_mimebundle_ = lambda **_: {"text/plain": ENDED}

    def to_python(self) -> str:
        """Write Python that makes the shown scaled network."""
        network = self.scaled()
        if isinstance(network, Family):
            return f"# {network.scaling}\n# {network.makes}(..., **kwargs) makes it\nkwargs = {network.kwargs!r}\n"
        return f"# {network.scaling}\nimport fastscale_lib as fs\n\nnetwork = {network.to_python()}\n"

    def to_yaml(self) -> str:
        """Write the shown scaled network as YAML."""
        if isinstance(self.network, Family):
            raise T.TraitError("explorer: a module has no YAML; save Python, which has the keywords that make it")
        return self.scaled().to_yaml()

    def to_csv(self) -> str:
        """Write the curves as CSV; flops are multiply-adds."""
        return self.curves.to_csv(index=False)

    def to_figure(self) -> go.Figure:
        """Make the four panels as a figure whose α slider needs no kernel."""
        predictor, note = self._drawn_times()
        return slider_figure(self.base, self.strategies, self.alpha, self.scale, self.times, note, predictor)

    def to_html(self) -> str:
        """Write the explorer as a page that needs no kernel, as it is shown now; see `write_page`."""
        if isinstance(self.network, Family):
            return self.to_figure().to_html()
        return page_text(self._teller.page_data())

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
            self.predictions.say()
        self._tell()

    def _on_message(self, _: Any, message: dict[str, Any], buffers: Any) -> None:
        """Do what a hand asks for on the page."""
        with self.hold_sync():
            heard = self._hand.hear(message)
            self._tell()
        if not heard:
            self._teller.confirm()

    def _tell(self) -> None:
        self._teller.tell()

    def _drawn_times(self) -> tuple[Predictor | None, str]:
        """Return what predicts the times of a figure, and what is said of them.

        Without measured times and a model, these are the predicted times that the page shows.
        """
        timing = self._teller.timing
        if self.predictor or timing is None or not self.times.empty:
            return self.predictor, self._note()
        predictor = Predictor(timing.model, timing.batch, timing.setting)
        said = f"predicted on {timing.label}, ± {predictor.error:.0%}"
        return predictor, f"{self._note()}<br>{said}" if self.predictions.unpredicted else said

    def _note(self) -> str:
        """Say what the panel of times shows of this machine."""
        if isinstance(self.network, Family):
            return FAMILY_NOTE
        devices, predictor = self.times["device"], self.predictor
        said = "not measured" if devices.empty else f"measured on {html.escape(devices.iloc[-1])}, {self._setting()}"
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
    """Write the traits as sections of a docstring: those that are set, those that are read."""
    read = (name for name, trait in vars(State).items() if isinstance(trait, T.TraitType) and name not in SETTABLE)
    sections = {"Arguments": SETTABLE, "Attributes": read}
    lines = []
    for title, names in sections.items():
        lines += ["", f"    {title}:", *(f"        {name}: {getattr(State, name).help}." for name in names)]
    return "\n".join([*lines, ""])


Explorer.__doc__ = f"{Explorer.__doc__}{_documented()}"
explore = Explorer
"""Make an `Explorer`, to be shown as the last expression of a cell."""


def _kept_as_data() -> bool:
    """Return whether figures stay in a notebook as data, for a page that brings plotly.js."""
    return os.environ.get("PLOTLY_RENDERER") == "plotly_mimetype"


def _file_name(name: str) -> str:
    """Make a network's name one that every file system takes: RegNetY-4.0GF_dWr_x4."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "-.=") else "_" for c in name.replace("×", "x"))
    return plain.lstrip("._")[:100] or "network"


def _names(folder: Path, stem: str, ending: str) -> Iterator[Path]:
    """Yield the paths that a new file may have, the best first."""
    names = (f"{stem}.{ending}" if number == 1 else f"{stem}-{number}.{ending}" for number in count(1))
    return map(folder.joinpath, names)


__all__ = ["Explorer", "explore"]
