"""The explorer's controls: each shows one trait and sets it, and says in place what is wrong with a value."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import ipywidgets as w
import pandas as pd
import traitlets as T

from ..architectures.counting import Complexity, complexity
from ..architectures.resolutions import side_text
from ..architectures.zoo import families
from ..figures.theme import Frame, label
from ..scaling.strategies import STRATEGIES
from .state import State
from .tables import STYLE, comparison_table, complexity_table, network_table

ALPHA_MARKS = {"⅓ dwr": 1 / 3, "0.8 dWr": 0.8, "1 w": 1.0}
ALPHA_STEP, SCALE_STEP = 0.01, 0.05  # of the sliders; the scale's is one of its logarithm to the base of 2
OWN = "(own)"
CONTROL_STYLE = """<style>
.fastscale-message { color: var(--jp-error-color1, #b00020); font-weight: 600; }
.fastscale-status { color: var(--jp-ui-font-color1, #222); }
.fastscale-controls .widget-label { width: auto; min-width: 0; margin-right: 4px; }
.fastscale-controls .widget-html-content { line-height: 1.4; }
.fastscale-controls .widget-checkbox { margin-right: 8px; }
.fastscale-controls .widget-checkbox input { margin: 0 3px 0 0; }
.fastscale-controls .widget-hslider .slider-container, .fastscale-controls .noUi-target { margin-right: 6px; }
.fastscale-controls .jupyter-button { padding: 0 8px; }
</style>"""


class Controls:
    """The widgets around the figure, bound both ways to the state's traits."""

    def __init__(
        self,
        state: State,
        time: Callable[[], None],
        calibrate: Callable[[], None],
        cancel: Callable[[], None],
        save: Callable[[str], Path],
    ) -> None:
        self.state, self._save_as = state, save
        self._following = False
        self._make_scaling()
        self._make_timing()
        self._make_tables()
        self._bind()
        self.time.on_click(lambda _: self._try(time))
        self.predict.on_click(lambda _: self._try(calibrate))
        self.cancel.on_click(lambda _: cancel())
        state.observe(lambda _: self._say(), names=["message", "status"])
        state.observe(lambda _: self._show_progress(), names=["busy", "progress"])
        state.observe(lambda _: self.follow(), names=["devices"])
        self.follow()
        self._say()
        self._show_progress()

    def layout(self, figure: w.DOMWidget) -> list[w.Widget]:
        """Controls above, the figure and the tables beside it, or below where the page is narrow."""
        wrap = w.Layout(flex_flow="row wrap", align_items="center", grid_gap="0 6px")
        rows = (
            [self.family, self.network, self.resolution, w.HBox([w.Label("Curves"), self.strategies])],
            [
                w.HBox([self.alpha, self.alpha_field, *self.alpha_marks]),
                w.HBox([self.scale, self.scale_field]),
                self.flops,
            ],
            [
                self.device,
                self.batch,
                self.precision,
                self.mode,
                w.HBox([self.time, self.live, self.predict, self.cancel]),
            ],
            [self.progress, self.status, self.message],
        )
        above = w.VBox([w.HBox(row, layout=wrap) for row in rows])
        above.add_class("fastscale-controls")
        export = w.HBox([w.Label("Save"), *self.exports, self.saved], layout=wrap)
        beside = w.VBox([self.shown, self.tables, export], layout=w.Layout(flex="1 1 480px", padding="8px"))
        picture = w.Box([figure], layout=w.Layout(flex="1 1 600px", min_width="420px", display="block"))
        below = w.HBox([picture, beside], layout=w.Layout(flex_flow="row wrap", width="100%"))
        return [w.HTML(STYLE + CONTROL_STYLE), above, below]

    def follow(self) -> None:
        """Show the present state in every control."""
        x = self.state
        self._following = True
        try:
            self._follow_network()
            self._follow_strategies()
            _show_step(self.alpha, _on_alpha_step(x.alpha))
            _show_step(self.scale, _on_scale_step(x.scale))
            self.alpha_field.value, self.scale_field.value = f"{x.alpha:.4g}", f"{x.scale:.4g}"
            self.flops.value = f"{x.flops / 1e9:.6g}"
            self.resolution.value, self.batch.value = side_text(x.resolution), str(x.batch)
            self.precision.value, self.mode.value, self.live.value = x.precision, x.mode, x.live
            names = {"auto": "auto"} | x.devices
            if x.device not in names:
                names[x.device] = x.device
            self.device.options = [
                (f"{name} · {text}" if name in x.devices else text, name) for name, text in names.items()
            ]
            self.device.value = x.device
        finally:
            self._following = False

    def show_tables(self, counted: Complexity, marked: Frame, times: pd.DataFrame) -> None:
        """Show the tables of the present state: the shown network's counts, the marked networks, their times."""
        x = self.state
        at_base = complexity(x.base)
        self.tables.value = (
            "<div class='fastscale-tables'><div>"
            + complexity_table(x.base, counted, x.strategy(), x.scale)
            + comparison_table(marked, at_base, times.loc[times["scale"] == x.scale], x.scale)
            + f"</div>{network_table(x.base)}{network_table(x.scaled())}</div>"
        )

    def _make_scaling(self) -> None:
        wide = w.Layout(width="auto")
        described = {"description_width": "initial"}
        self.family = w.Dropdown(description="Family", options=[], layout=w.Layout(width="150px"), style=described)
        self.network = w.Dropdown(description="Base network", layout=w.Layout(width="240px"), style=described)
        self.resolution = w.Text(
            description="Base resolution (px)",
            continuous_update=False,
            layout=w.Layout(width="190px"),
            style=described,
            tooltip=State.resolution.help,
        )
        self.alpha = w.FloatSlider(
            description="α",
            min=0,
            max=1,
            step=ALPHA_STEP,
            readout=False,
            layout=w.Layout(width="170px"),
            style=described,
            tooltip=State.alpha.help,
        )
        self.alpha_marks = [
            w.Button(description=text, layout=wide, tooltip=f"set α to {value:.3g}")
            for text, value in ALPHA_MARKS.items()
        ]
        self.scale = w.FloatLogSlider(
            description="Scale s",
            base=2,
            min=-2,
            max=6,
            step=SCALE_STEP,
            readout=False,
            layout=w.Layout(width="210px"),
            style=described,
            tooltip=State.scale.help,
        )
        exact = {"continuous_update": False, "layout": w.Layout(width="58px")}
        self.alpha_field = w.Text(tooltip="α, exactly", **exact)
        self.scale_field = w.Text(tooltip="the scale factor s, exactly", **exact)
        self.flops = w.Text(
            description="flops asked (G multiply-adds)",
            continuous_update=False,
            layout=w.Layout(width="278px"),
            style=described,
            tooltip=State.flops.help,
        )
        self.strategies = w.HBox([], layout=w.Layout(flex_flow="row wrap"))
        self._boxes: dict[str, w.Checkbox] = {}

    def _make_timing(self) -> None:
        described = {"description_width": "initial"}
        self.device = w.Dropdown(
            description="Time on",
            layout=w.Layout(width="185px"),
            style=described,
            tooltip=State.device.help,
        )
        self.batch = w.Text(
            description="batch",
            continuous_update=False,
            layout=w.Layout(width="95px"),
            style=described,
            tooltip=State.batch.help,
        )
        self.precision = w.Dropdown(
            description="precision", options=State.precision.choices, layout=w.Layout(width="125px"), style=described
        )
        self.mode = w.Dropdown(
            description="mode", options=State.mode.choices, layout=w.Layout(width="135px"), style=described
        )
        narrow = w.Layout(width="60px")
        self.time = w.Button(
            description="Time", button_style="primary", layout=narrow, tooltip="time the marked networks"
        )
        self.live = w.Checkbox(description="Live", indent=False, layout=w.Layout(width="50px"), tooltip=State.live.help)
        self.cancel = w.Button(
            description="Cancel", layout=w.Layout(width="70px"), tooltip="stop timing; what was measured stays"
        )
        self.predict = w.Button(
            description="Predict",
            layout=w.Layout(width="70px"),
            tooltip="measure 40 small networks once at this batch, in about a minute, and predict the time of others",
        )
        self.progress = w.FloatProgress(min=0, max=1, layout=w.Layout(width="130px"))
        self.status, self.message = w.HTML(), w.HTML()

    def _make_tables(self) -> None:
        self.shown = w.Dropdown(
            description="Scaled network by", layout=w.Layout(width="230px"), style={"description_width": "initial"}
        )
        self.tables, self.saved = w.HTML(), w.HTML()
        self.exports = [
            w.Button(description=text, layout=w.Layout(width="auto"), tooltip=tip)
            for text, tip in {
                "Python": "the shown scaled network as Python",
                "YAML": "the shown scaled network as YAML",
                "CSV": "the curves as CSV",
                "HTML": "the page as one file that opens offline, with an α slider",
            }.items()
        ]

    def _bind(self) -> None:
        for name in ("network", "precision", "mode", "device", "live", "shown"):
            getattr(self, name).observe(lambda change, name=name: self._ask(name, change["new"]), "value")
        self.family.observe(lambda change: self._ask_family(change["new"]), "value")
        self.alpha.observe(lambda change: self._slide("alpha", change["new"], _on_alpha_step), "value")
        self.scale.observe(lambda change: self._slide("scale", change["new"], _on_scale_step), "value")
        typed = {"flops": self.flops, "alpha": self.alpha_field, "scale": self.scale_field}
        for name, field in (typed | {"resolution": self.resolution, "batch": self.batch}).items():
            field.observe(lambda change, name=name: self._ask(name, _number(change["new"], name)), "value")
        for button, value in zip(self.alpha_marks, ALPHA_MARKS.values(), strict=True):
            button.on_click(lambda _, value=value: self._ask("alpha", value))
        for button in self.exports:
            button.on_click(lambda button: self._try(self._save, button.description.lower()))

    def _ask(self, name: str, value: Any) -> None:
        """Set a trait by hand; what is wrong is said in place, and nothing else changes."""
        if self._following or value is None:
            return
        self._try(setattr, self.state, name, value)

    def _slide(self, name: str, value: float, on_step: Callable[[float], float]) -> None:
        """Set a trait by its slider; a slider that shows the step nearest to the present value asks for nothing."""
        if not _same_step(value, on_step(getattr(self.state, name))):
            self._ask(name, value)

    def _try(self, action: Any, *arguments: Any) -> None:
        self.state.message = self.saved.value = ""
        try:
            action(*arguments)
        except (T.TraitError, ValueError, OSError) as error:
            self.state.message = str(error)

    def _ask_family(self, family: str) -> None:
        if not self._following and family in families():
            self._ask("network", families()[family][0])

    def _save(self, kind: str) -> None:
        path = self._save_as(kind)
        self.saved.value = f"<div role='status'>saved {html.escape(path.name)} in the notebook's folder</div>"

    def _follow_network(self) -> None:
        name, known = self.state.network.name, families()
        family = next((each for each, names in known.items() if name in names), OWN)
        if family == OWN:
            known = {**known, OWN: [name]}
        self.family.options, self.family.value = list(known), family
        self.network.options = known[family]
        self.network.value = name

    def _follow_strategies(self) -> None:
        x = self.state
        for name in dict.fromkeys([*STRATEGIES, *x.strategies]):
            if name not in self._boxes:
                look = {"layout": w.Layout(width="auto"), "style": {"description_width": "initial"}}
                box = w.Checkbox(description=label(name), indent=False, **look)
                box.observe(lambda _: self._ask_strategies(), "value")
                self._boxes[name] = box
        if len(self.strategies.children) != len(self._boxes):
            self.strategies.children = tuple(self._boxes.values())
        for name, box in self._boxes.items():
            box.value = name in x.strategies
        self.shown.options = [("the α slider", "α"), *((label(name), name) for name in x.strategies)]
        self.shown.value = x.shown

    def _ask_strategies(self) -> None:
        if not self._following:
            self._ask("strategies", tuple(name for name, box in self._boxes.items() if box.value))

    def _say(self) -> None:
        x = self.state
        self.message.value = f"<div role='alert' class='fastscale-message'>{html.escape(x.message)}</div>"
        self.status.value = f"<div role='status' class='fastscale-status'>{html.escape(x.status)}</div>"

    def _show_progress(self) -> None:
        x = self.state
        self.progress.value = x.progress
        self.cancel.disabled, self.time.disabled, self.predict.disabled = not x.busy, x.busy, x.busy
        self.progress.layout.display = None if x.busy else "none"


def _number(text: str, name: str) -> Any:
    """The number that a field means, flops in units of 10⁹; text that is no number stays as it is, and is refused.

    A resolution may be height × width, as 1280x800.
    """
    if name == "resolution" and (sides := re.fullmatch(r"\s*(\d{1,9})\s*[x×]\s*(\d{1,9})\s*", text)):
        return int(sides[1]), int(sides[2])
    try:
        value = float(Fraction(text.strip().rstrip("Gg×x")))
    except (ValueError, ZeroDivisionError, OverflowError):
        return text
    if name == "flops":
        return value * 1e9
    return int(value) if name in ("resolution", "batch") and value.is_integer() else value


def _same_step(value: float, other: float) -> bool:
    return math.isclose(value, other, rel_tol=1e-6, abs_tol=1e-9)


def _show_step(slider: w.FloatSlider | w.FloatLogSlider, value: float) -> None:
    """Move the slider, unless it is there: a last digit would throw it back under a hand that moves on."""
    if not _same_step(slider.value, value):
        slider.value = value


def _on_alpha_step(alpha: float) -> float:
    return round(round(alpha / ALPHA_STEP) * ALPHA_STEP, 6)


def _on_scale_step(scale: float) -> float:
    return 2 ** (round(math.log2(scale) / SCALE_STEP) * SCALE_STEP)
