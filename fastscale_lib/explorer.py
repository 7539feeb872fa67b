"""The explorer: a widget whose whole state is traits, and a picture that follows it.

A hand moves a control, a test or a cell sets a trait; both take the same way through the same checks.
"""

from __future__ import annotations

import html
import math
import operator
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import ipywidgets as widgets
import numpy as np
import pandas as pd
import traitlets as T

from . import panels
from .complexity import METRICS, Complexity, complexity, law_columns, sweep, sweep_columns
from .controls import Controls
from .figures import label
from .live import LiveFigure
from .measuring import Job, Measuring, running_loop
from .networks import Dimensions, Network
from .scaling import STRATEGIES, Strategy, scale, scale_factor
from .scaling import strategy as named_strategy
from .tables import short
from .timing import Measurement
from .zoo import network as named_network

ALPHA = "α"  # the name, among the strategies, of the one that the slider sets
SMALLEST_SCALE, LARGEST_SCALE = 1 / 4, 64
SCALES = tuple(np.geomspace(SMALLEST_SCALE, LARGEST_SCALE, 64).tolist())
FAMILY = tuple(named_strategy(alpha=alpha) for alpha in sorted({*np.linspace(0, 1, 41).tolist(), 1 / 3}))
MODES, PRECISIONS = ("inference", "training"), ("fp32", "bf16", "fp16")
AUTO = "auto"
LARGEST_RESOLUTION, LARGEST_BATCH, LARGEST_SECONDS = 2048, 65536, 600
CPU_BATCH = 8  # the default where there is no GPU
REST_S = 0.5  # how long the sliders must have rested before Live measures
_DEFAULTS = {
    "network": "EfficientNet-B0",
    "strategies": ("w", "dw", "dwr", "dWr"),
    "alpha": 0.8,
    "scale": 4.0,
    "resolution": None,
    "flops": None,
    "batch": 64,
    "precision": "fp32",
    "mode": "inference",
    "device": AUTO,
    "seconds": 3.0,
    "live": False,
    "shown": ALPHA,
}
_TIME_COLUMNS = ["strategy", "scale", "flops", "median_ms", "low_ms", "high_ms", "device_name", "text"]


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
        state: other traits of `Explorer`: resolution, batch, precision, mode, device, seconds, live, shown.

    Raises:
        TraitError: a value is wrong; the message says what is right.
    """
    return Explorer(network=network, strategies=strategies, alpha=alpha, scale=scale, **state)


class Explorer(widgets.VBox):
    """Slide α and the scale factor; see complexity follow, and time the scaled networks.

    Traits that are set: `network`, `strategies`, `alpha`, `scale`, `flops` (multiply-adds wanted: scale × the
    base's), `resolution` (of the base, pixels), `batch`, `precision`, `mode`, `device` ("auto": a GPU where there
    is one), `seconds` (to spend on each timing), `live`, `shown` (the strategy whose stages are tabled and that is
    exported; "α" is the slider's). Traits that are read: `message` (what is wrong), `status`, `busy`, `progress`,
    `devices`, `measurements`.
    """

    network = T.Any()
    strategies = T.Tuple()
    alpha = T.Any(0.8)
    scale = T.Any(4.0)
    flops = T.Any()
    resolution = T.Any()
    batch = T.Any(64)
    precision = T.Any("fp32")
    mode = T.Any("inference")
    device = T.Any(AUTO)
    seconds = T.Any(3.0)
    live = T.Bool(False)
    shown = T.Any(ALPHA)

    message = T.Unicode("")
    status = T.Unicode("")
    busy = T.Bool(False)
    progress = T.Float(0.0)
    devices = T.Dict()
    measurements = T.Tuple()

    def __init__(self, **state: Any) -> None:
        if unknown := set(state) - set(_DEFAULTS):
            raise T.TraitError(f"explorer: {', '.join(sorted(unknown))} is not known; known are {', '.join(_DEFAULTS)}")
        super().__init__()
        self._settling = True
        self._kept: dict[str, tuple[Any, Any]] = {}
        self._measuring: Measuring | None = None
        self._rest: threading.Timer | None = None
        self._own_batch = "batch" in state
        self._jobs = 0
        for name, default in _DEFAULTS.items():  # in this order: the later are checked against the earlier
            value = state.get(name, default)
            setattr(self, name, self._follow(name) if value is None else value)
        self._settling = False
        view = self._view()
        self.figure = LiveFigure(panels.traces(view), self._layout(view))
        self._controls = Controls(self)
        self.children = self._controls.layout(self.figure)
        self._controls.show_tables()
        self.add_class("fastscale-explorer")
        self.observe(self._on_state, names=list(_DEFAULTS))

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        self._ask_devices()
        return super()._repr_mimebundle_(**kwargs)

    # What the state means

    @property
    def base(self) -> Network:
        """The base network at the chosen resolution."""
        return replace(self.network, resolution=self.resolution)

    @property
    def slider(self) -> Strategy:
        """The strategy of the α slider."""
        return named_strategy(alpha=self.alpha)

    def strategy(self, name: str | None = None) -> Strategy:
        """The strategy of this name ("α" is the slider's); left out: the shown one."""
        name = name or self.shown
        return self.slider if name == ALPHA else named_strategy(name)

    def scaled(self, name: str | None = None) -> Network:
        """The base network scaled by this strategy, or by the shown one, to the present scale."""
        return scale(self.base, self.strategy(name), self.scale)

    def counted(self, name: str | None = None) -> Complexity:
        """The complexity of the network that `scaled` gives."""
        row = (*self.strategies, ALPHA).index(name or self.shown)
        return Complexity(*(int(self.marked[metric][row]) for metric in METRICS))

    @property
    def curves(self) -> pd.DataFrame:
        """The rows of `sweep` that are drawn: the chosen strategies and the slider's, over all scales."""
        return sweep(self.base, [*self.strategies, self.slider], SCALES)

    @property
    def times(self) -> pd.DataFrame:
        """What was measured of the present base network under the present settings."""
        return self._keep("times", _times, self.measurements, self.base, self._settings())

    # Timing

    def time(self) -> None:
        """Measure the marked networks, one after another, and return at once; see `wait`."""
        self._start(self._marked(again=True))

    def cancel(self) -> None:
        """Stop measuring; what was measured stays."""
        if self._measuring:
            self._measuring.cancel()

    def wait(self, timeout: float | None = None) -> bool:
        """Block until nothing is being measured; False if that took longer than `timeout` seconds."""
        return self._measuring is None or self._measuring.wait(timeout)

    def close(self) -> None:
        """End the measuring process, and the widget."""
        if self._rest:
            self._rest.cancel()
        if self._measuring:
            self._measuring.close()
        super().close()

    # Sharing

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

    def to_html(self) -> str:
        """A page that shows the four panels by itself, without a network or a kernel, with an α slider."""
        from .page import page

        return page(self)

    def save(self, kind: str, folder: str | Path = ".") -> Path:
        """Write "python", "yaml", "csv" or "html" to a new file in the folder, and return its path."""
        ending = {"python": "py", "yaml": "yaml", "csv": "csv", "html": "html"}
        if kind not in ending:
            raise T.TraitError(f"explorer: {kind!r} cannot be saved; use one of {', '.join(ending)}")
        text = getattr(self, f"to_{kind}")()
        stem = "".join(c if c.isalnum() or c in "-._=" else "_" for c in self.scaled().name.replace("×", "x"))
        path = _new_file(Path(folder), stem, ending[kind])
        path.write_text(text, encoding="utf-8")
        return path

    # Following the state

    def _follow(self, name: str) -> Any:
        """The value of a trait that follows the others where it is not given."""
        return self.network.resolution if name == "resolution" else complexity(self.base).flops * self.scale

    def _on_state(self, change: dict[str, Any]) -> None:
        """Settle the traits that follow this one, then the picture."""
        if self._settling:
            return
        self._settling = True
        try:
            name = change["name"]
            if name == "network":
                self.resolution = max(self.network.resolution, self.network.total_stride)
            if name == "flops":
                self.scale = self.flops / complexity(self.base).flops
            elif name in ("network", "resolution", "scale"):
                self.flops = self._follow("flops")
            if name == "strategies" and self.shown not in (ALPHA, *self.strategies):
                self.shown = ALPHA
            self._own_batch |= name == "batch"
        finally:
            self._settling = False
        self._controls.follow()
        if name in ("device", "seconds", "live", "batch", "precision", "mode", "shown"):
            self._controls.show_tables()
        if name not in ("seconds", "live", "shown"):
            self._draw(reset=name in ("network", "resolution"))
            self._controls.show_tables()
        self._live_soon()

    def _draw(self, reset: bool = False) -> None:
        view = self._view()
        self.figure.draw(panels.traces(view), self._layout(view), reset)

    def _layout(self, view: panels.View) -> dict[str, Any]:
        devices = view.times["device_name"]
        note = panels.NOTHING_TIMED if devices.empty else f"measured on {html.escape(devices.iloc[-1])}"
        return panels.figure_layout(view, panels.count_ranges({name: view.curves[name] for name in STRATEGIES}), note)

    def _view(self) -> panels.View:
        base, slider = self.base, self.slider
        shown = [named_strategy(name) for name in self.strategies]
        names = [*dict.fromkeys([*STRATEGIES, *self.strategies])]
        curves = self._keep("curves", self._named_curves, base, tuple(names))
        present = self._keep("present", sweep_columns, base, (*shown, *FAMILY), (self.scale,))
        by_slider = self._keep("slider", sweep_columns, base, (slider,), (*SCALES, self.scale))
        self.marked = {name: [*rows[: len(shown)], by_slider[name][-1]] for name, rows in present.items()}
        drawn = panels.counted(_rows(by_slider, 0, len(SCALES)), name="α (slider)", legendgroup=ALPHA)
        return panels.View(
            curves=curves | {ALPHA: drawn},
            shown=(*self.strategies, ALPHA),
            laws=law_columns(base, [*shown, slider], np.array([SMALLEST_SCALE, LARGEST_SCALE])),
            marks=self.marked,
            alphas=_rows(present, len(shown), None),
            base=complexity(base),
            alpha=self.alpha,
            times=self.times,
        )

    def _keep(self, name: str, make: Callable, *arguments: Any) -> Any:
        """What `make` gives for these arguments; that of the last move, if they have not changed."""
        if self._kept.get(name, (None,))[0] != arguments:
            self._kept[name] = arguments, make(*arguments)
        return self._kept[name][1]

    def _named_curves(self, base: Network, names: tuple[str, ...]) -> dict[str, panels.Traces]:
        columns = sweep_columns(base, [named_strategy(name) for name in names], SCALES)
        size = len(SCALES)
        return {
            name: panels.counted(_rows(columns, number * size, (number + 1) * size))
            for number, name in enumerate(names)
        }

    # Measuring, continued

    def _settings(self) -> tuple:
        return self.batch, self.mode, self.precision, self.device

    def _marked(self, again: bool) -> list[Job]:
        """A job for each different marked network; those that were measured already only if asked for again."""
        known = {(t.base, t.settings, t.network) for t in self.measurements}
        jobs: dict[Any, Job] = {}
        for name in (*self.strategies, ALPHA):
            network = self.scaled(name)
            same = network.dimensions
            if not again and (self.base, self._settings(), same) in known:
                continue
            strategies = (
                [*jobs[same].key.strategies, self.strategy(name).name] if same in jobs else [self.strategy(name).name]
            )
            key = _Asked(self.base, self._settings(), same, tuple(strategies), self.scale, complexity(network).flops)
            jobs[same] = Job(key, self._request(network))
        return list(jobs.values())

    def _request(self, network: Network) -> dict[str, Any]:
        settings = {name: getattr(self, name) for name in ("batch", "mode", "precision", "seconds")}
        device = None if self.device == AUTO else self.device
        return {"kind": "measure", "network": network.to_dict(), "device": device, **settings}

    def _start(self, jobs: list[Job]) -> None:
        if not jobs:
            return
        self._jobs = len(jobs)
        self._failures: list[str] = []
        self.busy, self.progress = True, 0.0
        self._measurer.start(jobs)

    @property
    def _measurer(self) -> Measuring:
        if self._measuring is None:
            self._measuring = Measuring(self._on_event)
        return self._measuring

    def _ask_devices(self) -> None:
        """Learn which devices there are, in the process apart, so that this one need not load torch."""
        if not self.devices and not self._measurer.busy:
            self._measurer.start([Job(None, {"kind": "devices"})])

    def _on_event(self, key: _Asked | None, event: dict[str, Any]) -> None:
        getattr(self, f"_on_{event['kind']}")(key, event)

    def _on_devices(self, key: None, event: dict[str, Any]) -> None:
        self.devices = event["devices"]
        if not any(name.startswith("cuda") for name in self.devices) and not self._own_batch:
            self.batch, self._own_batch = CPU_BATCH, False
            self.status = f"no GPU here: timing is on the CPU, with batch {CPU_BATCH}"

    def _on_progress(self, key: _Asked, event: dict[str, Any]) -> None:
        done = self._jobs - self._measurer.left
        self.progress = min(1.0, (done + min(event["fraction"], 1.0)) / self._jobs)
        names = " and ".join(map(label, key.strategies))
        self.status = f"timing {done + 1} of {self._jobs}: {names} ({event['phase']})"

    def _on_result(self, key: _Asked, event: dict[str, Any]) -> None:
        measurement = Measurement.from_dict(event["measurement"])
        timed = tuple(
            Timed(key.base, key.settings, key.network, name, key.scale, key.flops, measurement)
            for name in key.strategies
        )
        replaced = {(t.base, t.settings, t.strategy, t.scale) for t in timed}
        kept = (t for t in self.measurements if (t.base, t.settings, t.strategy, t.scale) not in replaced)
        self.measurements = (*kept, *timed)
        self._draw()
        self._controls.show_tables()

    def _on_error(self, key: _Asked | None, event: dict[str, Any]) -> None:
        if key is None:
            self.message = f"the devices could not be asked for: {event['message']}"
        elif event["reason"] != "cancelled":
            self._failures.append(f"{' and '.join(map(label, key.strategies))}: {event['message']}")
            self.message = "; ".join(self._failures)
        else:
            self.status = "cancelled; what was measured stays"

    def _on_done(self, key: None, event: dict[str, Any]) -> None:
        if not self.busy:
            return
        self.busy, self.progress = False, 1.0
        if not self._failures and "cancelled" not in self.status:
            self.status = f"timed {self._jobs} networks" if self._jobs > 1 else "timed 1 network"

    def _live_soon(self) -> None:
        """With Live, measure once the state has rested; what was being measured is overtaken."""
        if self._rest:
            self._rest.cancel()
        if not self.live:
            return
        loop = running_loop()
        self._rest = threading.Timer(
            REST_S, lambda: loop.call_soon_threadsafe(self._live_now) if loop else self._live_now()
        )
        self._rest.daemon = True
        self._rest.start()

    def _live_now(self) -> None:
        if self.live:
            self._start(self._marked(again=False))

    # Checks

    @T.validate("network")
    def _check_network(self, proposal: dict[str, Any]) -> Network:
        return _or_trait_error(named_network, proposal["value"])

    @T.validate("strategies")
    def _check_strategies(self, proposal: dict[str, Any]) -> tuple[str, ...]:
        names = proposal["value"]
        return tuple(dict.fromkeys(_or_trait_error(named_strategy, name).name for name in names))

    @T.validate("alpha")
    def _check_alpha(self, proposal: dict[str, Any]) -> float:
        _or_trait_error(lambda value: named_strategy(alpha=value), proposal["value"])
        return float(proposal["value"])

    @T.validate("scale")
    def _check_scale(self, proposal: dict[str, Any]) -> float:
        s = _or_trait_error(scale_factor, proposal["value"])
        if not SMALLEST_SCALE <= s <= LARGEST_SCALE:
            raise T.TraitError(f"scale: the factor is {s:g}, but here goes from {SMALLEST_SCALE:g} to {LARGEST_SCALE}")
        return s

    @T.validate("flops")
    def _check_flops(self, proposal: dict[str, Any]) -> float:
        base = complexity(self.base).flops
        value = _number(proposal["value"])
        if not SMALLEST_SCALE * base * (1 - 1e-9) <= value <= LARGEST_SCALE * base * (1 + 1e-9):
            raise T.TraitError(
                f"flops: {proposal['value']!r} multiply-adds wanted, but {self.network.name} scales here from "
                f"{short(SMALLEST_SCALE * base)} to {short(LARGEST_SCALE * base)}"
            )
        return value

    @T.validate("resolution")
    def _check_resolution(self, proposal: dict[str, Any]) -> int:
        return _whole("resolution", proposal["value"], self.network.total_stride, LARGEST_RESOLUTION, "pixels")

    @T.validate("batch")
    def _check_batch(self, proposal: dict[str, Any]) -> int:
        return _whole("batch", proposal["value"], 1, LARGEST_BATCH, "images")

    @T.validate("precision", "mode", "shown")
    def _check_choice(self, proposal: dict[str, Any]) -> str:
        name, value = proposal["trait"].name, proposal["value"]
        known = {"precision": PRECISIONS, "mode": MODES, "shown": (ALPHA, *self.strategies)}[name]
        if value not in known:
            raise T.TraitError(f"{name}: {value!r} is not one of {', '.join(known)}")
        return value

    @T.validate("device")
    def _check_device(self, proposal: dict[str, Any]) -> str:
        value = proposal["value"]
        known = self.devices or ("cpu",)
        if value != AUTO and self.devices and value not in self.devices:
            raise T.TraitError(f"device: {value!r} is not there; use one of {AUTO}, {', '.join(known)}")
        if not isinstance(value, str) or not re.fullmatch(rf"{AUTO}|cpu|cuda(:\d+)?", value):
            raise T.TraitError(f"device: {value!r} is not a device; use {AUTO}, cpu, cuda or cuda:0")
        return value

    @T.validate("seconds")
    def _check_seconds(self, proposal: dict[str, Any]) -> float:
        value = _number(proposal["value"])
        if not 0 < value <= LARGEST_SECONDS:
            raise T.TraitError(f"seconds: {proposal['value']!r}, but must be above 0 and at most {LARGEST_SECONDS}")
        return value


def _times(measurements: tuple[Timed, ...], base: Network, settings: tuple) -> pd.DataFrame:
    rows = [
        (t.strategy, t.scale, t.flops, m.median_ms, m.low_ms, m.high_ms, m.device_name, f"{label(t.strategy)}: {m}")
        for t in measurements
        if (t.base, t.settings) == (base, settings)
        for m in [t.measurement]
    ]
    return pd.DataFrame(rows, columns=_TIME_COLUMNS)


def _rows(columns: dict[str, Any], start: int, stop: int | None) -> dict[str, Any]:
    return {name: values[start:stop] for name, values in columns.items()}


class _Asked(NamedTuple):
    """What a timing job is about."""

    base: Network
    settings: tuple
    network: Dimensions
    strategies: tuple[str, ...]
    scale: float
    flops: int


class Timed(NamedTuple):
    """A scaled network that was measured: of which base, under which settings, by which strategy, and how long."""

    base: Network
    settings: tuple
    network: Dimensions
    strategy: str
    scale: float
    flops: int
    measurement: Measurement


def _or_trait_error(make: Callable[[Any], Any], value: Any) -> Any:
    try:
        return make(value)
    except ValueError as error:
        raise T.TraitError(str(error)) from None


def _number(value: Any) -> float:
    """As a float; NaN, which no range holds, for what is no number."""
    try:
        return math.nan if isinstance(value, bool | str) else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _whole(name: str, value: Any, least: int, most: int, unit: str) -> int:
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or not least <= number <= most:
        raise T.TraitError(f"{name}: {value!r} {unit}, but must be a whole number from {least} to {most}")
    return number


def _new_file(folder: Path, stem: str, ending: str) -> Path:
    """A path at which nothing lies yet."""
    names = (f"{stem}.{ending}" if number == 1 else f"{stem}-{number}.{ending}" for number in count(1))
    return next(path for path in map(folder.joinpath, names) if not path.exists())
