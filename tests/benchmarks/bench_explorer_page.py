"""From a key press, and from a move of the mouse, to the changed picture of the explorer's file.

8 strategies and predicted times, in headless Chromium. Three figures are kept of each press:

- to the frame: from the time stamp of the input to when the frame that it changed was presented (`EventLatency`), with
  the waits for the main thread, for the screen's next frame, 16.7 ms at 60 Hz, and for other processes. Controls,
  lines and marks are in this frame; the texts, the table and the silhouette are in the next one;
- the processor's time of the page's main thread, which waits for nobody, for both frames;
- and that of painting, which other threads do.

Beside them stands the machine's floor: the same press in an empty page, where a slider moves one circle, as a drag
does. Both pages take turns, so that whatever else runs disturbs both alike. The goal is 16 ms, one frame, at p95.

The α line moved by `Plotly.restyle` in a page of its own is there too: plotly as it is, and no kernel.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
import pytest

import fastscale_lib as fs
from fastscale_lib.explorer.app_data import SCALES, STRATEGIES

pytest_plugins = ["tests.browser.conftest"]

GOAL_MS = 16
ROUNDS, PRESSES = 5, 20  # presses of each page in each round
HELD_MS = 50  # a key, by a finger
DRAGS, DRAG_S, REST_MS = 3, 3, 250
BASE = "EfficientNet-B0"
VIEWPORT = {"width": 1280, "height": 800}
TRACED = {"includedCategories": ["cc", "benchmark", "input", "viz"], "recordMode": "recordUntilFull"}

EMPTY = """<!DOCTYPE html><meta charset="utf-8"><body>
<input type="range" aria-label="α" min="0" max="1" step="0.01" value="0.5">
<svg width="400" height="400"><circle cy="9" r="5"/></svg>
<script>
const circle = document.querySelector("circle");
document.querySelector("input").oninput = event => circle.setAttribute("cx", 400 * event.target.value);
document.querySelector("svg").onpointermove = event => circle.setAttribute("cx", event.offsetX);
</script>"""
PLOTLY = """<!DOCTYPE html><meta charset="utf-8"><body><input type="range" aria-label="α" min="0" max="100" value="50">
<div id="figure"></div><script>{plotly}</script><script>
const figure = {figure}, rows = {rows};
Plotly.newPlot("figure", figure.data, figure.layout);
document.querySelector("input").oninput = event =>
    Plotly.restyle("figure", {{ y: [rows[event.target.value]] }}, [figure.data.length - 1]);
</script>"""


class Taken(NamedTuple):
    """Milliseconds of each input: to the frame that shows it, of the processor, and of painting."""

    frame: np.ndarray
    processor: np.ndarray
    painting: np.ndarray  # the mean of a round


class Watched:
    """A page whose inputs are timed."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.inspected = page.context.new_cdp_session(page)
        self.inspected.send("Performance.enable", {"timeDomain": "threadTicks"})
        self.inspected.on("Tracing.dataCollected", lambda part: self.events.extend(part["value"]))
        self.inspected.on("Tracing.tracingComplete", lambda end: self.ended.append(end))
        self.events: list[dict[str, Any]] = []
        self.ended: list[Any] = []

    def processor_ms(self) -> float:
        """Milliseconds that the processor has worked for the page's main thread."""
        found = self.inspected.send("Performance.getMetrics")["metrics"]
        return 1000 * next(each["value"] for each in found if each["name"] == "TaskDuration")

    def trace(self, kind: str, act: Any) -> np.ndarray:
        """Return when each input of a kind came, and when its frame was presented, in ms; others are left out."""
        self.page.bring_to_front()
        self.events, self.ended = [], []
        self.inspected.send("Tracing.start", {"transferMode": "ReportEvents", "traceConfig": TRACED})
        act()
        self.page.wait_for_timeout(300)
        self.inspected.send("Tracing.end")
        while not self.ended:
            self.page.wait_for_timeout(20)
        begun, spans = {}, []
        for event in sorted(self.events, key=lambda each: each["ts"]):
            if event["name"] != "EventLatency":
                continue
            key = (event["pid"], str(event.get("id2") or event.get("id")))
            told = event["args"].get("event_latency")
            if event["ph"] == "b" and told and told["event_type"] == kind and "display_trace_id" in told:
                begun[key] = event["ts"]
            elif event["ph"] == "e" and key in begun:
                spans.append((begun.pop(key) / 1000, event["ts"] / 1000))
        return np.array(spans)

    def presses(self, slider: str, random: np.random.Generator) -> Taken:
        """Press the arrow keys, at any moment of a frame."""
        control, spent = self.page.get_by_role("slider", name=slider), []

        def press() -> None:
            control.focus()
            for number in range(PRESSES):
                before, key = self.processor_ms(), "ArrowLeft" if number % 2 else "ArrowRight"
                self.page.wait_for_timeout(random.uniform(10, 30))
                self.page.keyboard.down(key)
                self.page.wait_for_timeout(HELD_MS)  # nothing is asked of the page meanwhile
                spent.append(self.processor_ms() - before)
                self.page.keyboard.up(key)

        spans = self.trace("KEY_PRESSED", press)
        painted = sum(each.get("tdur", 0) for each in self.events if each["name"] == "RasterTask") / 1000
        return Taken(spans[:, 1] - spans[:, 0], np.array(spent), np.array([painted / PRESSES]))

    def drag(self, area: str) -> np.ndarray:
        """Drag over an element; return the gaps between the frames that were drawn, in ms."""
        box = self.page.locator(area).bounding_box()

        def move() -> None:
            self.page.mouse.move(box["x"] + 60, box["y"] + 100)
            self.page.mouse.down()
            for number in range(60 * DRAG_S):
                self.page.mouse.move(box["x"] + 60 + 1.4 * abs(number % 200 - 100), box["y"] + 100)
            self.page.mouse.up()

        self.trace("MOUSE_DRAGGED", move)
        drawn = sorted(each["ts"] for each in self.events if each["name"] == "Display::DrawAndSwap")
        gaps = np.diff(drawn) / 1000
        return gaps[gaps < REST_MS]  # before the first move, and after the last


def plain_plotly() -> str:
    """A page with the first chart's lines by plotly, and a slider that moves that of α."""
    from plotly.offline import get_plotlyjs

    counted = fs.sweep(BASE, list(STRATEGIES), SCALES)
    figure = go.Figure([go.Scatter(x=each["flops"], y=each["activations"]) for _, each in counted.groupby("strategy")])
    slider = fs.sweep(BASE, [number / 100 for number in range(101)], SCALES)["activations"].to_numpy()
    figure.add_scatter(x=SCALES, y=slider[: len(SCALES)]).update_layout(xaxis_type="log", yaxis_type="log")
    rows = slider.reshape(101, -1).tolist()
    return PLOTLY.format(plotly=get_plotlyjs(), figure=figure.to_json(), rows=rows)


@pytest.fixture
def pages(tmp_path, new_page) -> dict[str, Watched]:
    """The explorer's page, and the empty one."""
    page, empty = new_page(viewport=VIEWPORT), new_page(viewport=VIEWPORT)
    page.goto(f"{fs.explorer.write_page(tmp_path / 'page.html', BASE).as_uri()}#strategies={','.join(STRATEGIES)}")
    page.wait_for_function("globalThis.explorer")
    empty.set_content(EMPTY)
    return {"page": Watched(page), "floor": Watched(empty)}


def test_a_key_press(pages, new_page, report):
    plotly = new_page(viewport=VIEWPORT)
    plotly.set_content(plain_plotly())
    cases = {
        "α": (pages["page"], "α"),
        "s": (pages["page"], "Scale s"),
        "α by Plotly.restyle, one chart": (Watched(plotly), "α"),
        "floor": (pages["floor"], "α"),
    }
    random, taken = np.random.default_rng(0), {name: [] for name in cases}
    for number in range(ROUNDS + 1):
        for name, (page, slider) in cases.items():
            found = page.presses(slider, random)
            if number:  # the first round warms up
                taken[name].append(found)
    joined = {name: Taken(*map(np.concatenate, zip(*each, strict=True))) for name, each in taken.items()}
    rows, figures = [], {}
    for name, each in joined.items():
        for end, ms, floor in zip(Taken._fields, each, joined["floor"], strict=True):
            (p50, p95), (low, high) = np.percentile(ms, [50, 95]), np.percentile(floor, [50, 95])
            goal = f"; goal at p95 {GOAL_MS} ms" if end == "frame" else ""
            over = f"over the floor {p50 - low:.1f}, {p95 - high:.1f} ms{goal}"
            rows.append((f"{name}: {end}", f"{p50:.1f}, {p95:.1f} ms", over if name != "floor" else ""))
            figures[f"{name}: {end}"] = {"p50_ms": p50, "p95_ms": p95, "presses": len(ms)}
    report.table(f"{BASE}, 8 strategies and predictions, {ROUNDS * PRESSES} presses: p50 and p95", rows, **figures)


def test_a_drag(pages, report):
    """A move is sent as soon as the one before was taken, which in both pages is once a frame at most."""
    gaps = {"page": [], "floor": []}
    for _ in range(DRAGS):
        gaps["page"].append(pages["page"].drag(".counts .chart"))
        gaps["floor"].append(pages["floor"].drag("svg"))
    rows, figures = [], {}
    for name, each in gaps.items():
        joined = np.concatenate(each)
        p50, p95 = np.percentile(joined, [50, 95])
        figures[name] = {"frames_per_s": 1000 / joined.mean(), "p50_ms": p50, "p95_ms": p95}
        rows.append(
            (name, f"{1000 / joined.mean():.0f} frames a second", f"gaps, p50 and p95: {p50:.1f}, {p95:.1f} ms")
        )
    report.table(f"{BASE}, {DRAGS} drags of {DRAG_S} s over the first chart", rows, **figures)
