"""From a key pressed on a slider to the trace changed in the page: the explorer, and a plain FigureWidget.

Each lies in a notebook and a page of its own; both draw the same strategies, and are pressed in turns. A press counts
from the time stamp of its keydown event. It ends when the drawn SVG last changed: the lines' paths and the markers'
places of all panels are read whenever the page has touched them, and compared. Painting, of one frame at most, comes
after that.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastscale_lib as fs

pytest_plugins = ["tests.browser.conftest"]

GOAL_MS = 16
TURNS, PRESSES, WARM_UP = 5, 12, 2
STRATEGIES = {4: ["w", "dw", "dwr", "dWr"], 8: list(fs.scaling.STRATEGIES)}

EXPLORER = """
import fastscale_lib as fs
explorer = fs.explore(strategies={strategies})
explorer
"""
PLAIN = """
import fastscale_lib as fs
import ipywidgets as w
import plotly.graph_objects as go
from fastscale_lib.explorer import panels
from fastscale_lib.explorer.views import Views

alpha = w.FloatSlider(description="α", min=0, max=1, step=0.01, value=0.8)
scale = w.FloatLogSlider(description="Scale s", base=2, min=-2, max=6, step=0.05, value=4)
strategies = {strategies}
views, base, times = Views(), fs.network("EfficientNet-B0"), fs.explore().times
view = views.view(base, strategies, 0.8, 4.0, times)
plain = go.FigureWidget(list(panels.traces(view).values()), panels.figure_layout(view, ""))

def follow(_):
    traces = panels.traces(views.view(base, strategies, alpha.value, scale.value, times))
    with plain.batch_update():
        for drawn, trace in zip(plain.data, traces.values()):
            drawn.update({{key: trace[key] for key in ("x", "y", "text") if key in trace}})

alpha.observe(follow, "value")
scale.observe(follow, "value")
box = w.VBox([alpha, scale, plain])
box.add_class("plain")
box
"""
WATCH = """box => {
    const gd = box.querySelector('.js-plotly-plot, .panels');
    const drawn = () => [...gd.querySelectorAll('.scatterlayer path, .line, circle')]
        .map(node => ['d', 'transform', 'cx', 'cy'].map(each => node.getAttribute(each))).join();
    let last;
    window.addEventListener('keydown', event => {
        last = drawn();
        gd.press = { from: event.timeStamp, to: null };
    }, true);
    new MutationObserver(() => {
        const now = performance.now(), present = drawn();
        if (gd.press && present !== last) [last, gd.press.to] = [present, now];
    }).observe(gd, { subtree: true, childList: true, attributes: true });
}"""
AT_REST = """gd => new Promise((rested, failed) => {
    const start = performance.now();
    const look = () => {
        const { from, to } = gd.press;
        if (to && performance.now() - to > 200) rested(to - from);
        else if (performance.now() - start > 10_000) failed(new Error('the press changed nothing'));
        else setTimeout(look, 20);
    };
    look();
})"""


def press(page: Any, view: str, slider: str, key: str) -> float:
    """Milliseconds from this key press to the last change of what is drawn."""
    plain = page.locator(f"{view} .widget-hslider:has(label:text-is('{slider}')) [role=slider]")
    plain.or_(page.locator(view).get_by_role("slider", name=slider)).press(key)
    return page.locator(f"{view} :is(.js-plotly-plot, .panels)").evaluate(AT_REST)


@pytest.mark.parametrize("strategies", STRATEGIES)
def test_a_key_press(open_notebook, report, strategies):
    sources = {".fastscale-explorer": ("explorer", EXPLORER), ".plain": ("plain FigureWidget, batch_update", PLAIN)}
    pages = {}
    for view, (name, source) in sources.items():
        cells = [source.format(strategies=STRATEGIES[strategies])]
        pages[name] = view, open_notebook(cells, wait_for=f"{view} :is(.main-svg, .sentence b)", timeout=120)
        pages[name][1].page.locator(view).evaluate(WATCH)
    for _, nb in pages.values():
        nb.wait_ready()

    rows, figures = [], {}
    for slider, key in {"α": "ArrowLeft", "Scale s": "ArrowRight"}.items():
        taken: dict[str, list[float]] = {name: [] for name in pages}
        for _ in range(TURNS):
            for name, (view, nb) in pages.items():
                nb.page.bring_to_front()
                times = [press(nb.page, view, slider, key) for _ in range(WARM_UP + PRESSES)]
                taken[name] += times[WARM_UP:]
        p50, p95 = ({name: float(np.percentile(times, part)) for name, times in taken.items()} for part in (50, 95))
        first, other = pages
        ratio = f"goal {GOAL_MS} ms at p95: {p95[first] / GOAL_MS:.2f} of it"
        rows.append((f"{slider}: {first}", f"{p50[first]:.0f}, {p95[first]:.0f} ms", ratio))
        ratio = f"{p50[other] / p50[first]:.1f}, {p95[other] / p95[first]:.1f} times as long"
        rows.append((f"{slider}: {other}", f"{p50[other]:.0f}, {p95[other]:.0f} ms", ratio))
        figures[slider] = {"p50_ms": p50, "p95_ms": p95}
    title = f"Four panels, {strategies} strategies, {TURNS * PRESSES} presses: from key to changed SVG, p50 and p95"
    report.table(title, rows, **figures)
