"""The explorer in a real JupyterLab, driven by hand; the page is held against what the kernel says."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from helpers.waiting import until as wait_until

import fastscale_lib as fs

REPO = Path(__file__).resolve().parents[2]
PLOT = ".fastscale-explorer .js-plotly-plot .main-svg"
BASE = "EfficientNet-B0"
FLOPS = "flops asked (G multiply-adds)"
START = {"network": BASE, "strategies": ("w", "dw", "dwr", "dWr"), "alpha": 0.8, "scale": 4, "shown": "α"}
START |= {"seconds": 0.2, "batch": 8, "live": False, "device": "auto", "mode": "inference", "precision": "fp32"}

CELLS = [
    f"import fastscale_lib as fs\nexplorer = fs.explore({BASE!r}, seconds=0.2, batch=8)\nexplorer",
    # What the kernel says should be seen, and a network that is timed in no time.
    """import json
TINY = fs.anynet(name="Tiny", depths=[1, 1], widths=[16, 32], strides=[1, 2], group_widths=8,
                 stem="res_stem_cifar", stem_width=8, resolution=32, classes=10)

def truth(explorer):
    names, curves, marked = [*explorer.strategies, "α"], explorer.curves, explorer.marked
    points = len(curves) // len(names)
    numbers = lambda values: [float(value) for value in values]
    curve = lambda i, metric: numbers(curves[metric].iloc[i * points : (i + 1) * points])
    return json.dumps({
        panel: {
            "curves": {name: [curve(i, "flops"), curve(i, panel)] for i, name in enumerate(names)},
            "marks": [numbers(marked["flops"]), numbers(marked[panel])],
        }
        for panel in ("activations", "params")
    })""",
    "",  # for a second view
]

# In the page: the axes of the four panels, and what is drawn in them. Typed arrays become lists.
PICTURE = """gd => {
    const shown = gd._fullData.filter(trace => trace.visible === true);
    const points = trace => [[...trace.x], [...trace.y]];
    const one = (axis, name) => points(shown.find(t => t.xaxis === axis && t.name === name));
    const counted = axis => ({
        curves: Object.fromEntries(shown
            .filter(t => t.xaxis === axis && t.legendgroup && t.legendgroup !== 'laws')
            .map(t => [t.legendgroup, points(t)])),
        marks: one(axis, 'present scale'),
    });
    return { activations: counted('x'), params: counted('x2') };
}"""
# The marks where they lie on the screen, as numbers on the axes.
DRAWN_MARKS = """gd => {
    const node = [...gd.querySelectorAll('.scatterlayer .trace')].find(
        node => node.__data__[0].trace.name === 'present scale' && node.__data__[0].trace.xaxis === 'x');
    const { xaxis, yaxis } = gd._fullLayout;
    const places = [...node.querySelectorAll('.points path')].map(
        path => path.getAttribute('transform').match(/-?[\\d.]+/g).map(Number));
    return [places.map(([x]) => xaxis.p2d(x)), places.map(([, y]) => yaxis.p2d(y))];
}"""
# What the time panel shows on the screen: the measured points as numbers on the axes, and whose lines there are.
DRAWN_TIMES = """gd => {
    const { xaxis3, yaxis3 } = gd._fullLayout, of = node => node.__data__[0].trace;
    const traces = [...gd.querySelectorAll('.subplot.x3y3 .scatterlayer .trace')];
    const points = traces.filter(node => of(node).name === 'measured').flatMap(
        node => [...node.querySelectorAll('.points path')]);
    const places = points.map(path => path.getAttribute('transform').match(/-?[\\d.]+/g).map(Number));
    const lines = traces.filter(node => node.querySelector('path.js-line')?.getAttribute('d')?.includes('L'));
    return {
        flops: places.map(([x]) => xaxis3.p2d(x)),
        ms: places.map(([, y]) => yaxis3.p2d(y)),
        lines: lines.map(node => of(node).legendgroup).sort(),
    };
}"""
DRAWN_CURVE = """gd => [...gd.querySelectorAll('.scatterlayer .trace')].find(
    node => node.__data__[0].trace.legendgroup === 'α').querySelector('path.js-line').getAttribute('d')"""
TITLES = "gd => ['', 2, 3, 4].map(n => ['x', 'y'].map(a => gd.querySelector(`.${a}${n}title`).textContent))"
PANELS = [
    ["flops (multiply-adds)", "activations (elements)"],
    ["flops (multiply-adds)", "params (weights)"],
    ["flops (multiply-adds)", "time (ms/batch)"],
    ["α (share of width)", "count (times s × base)"],
]


# What overlaps or is cut, as sentences: among the controls, and among the texts and plots of the picture.
UGLY = """([box, what]) => {
    const named = node => (node.textContent || node.title || node.type || node.className.baseVal || node.className);
    const seen = (within, css) => [...within.querySelectorAll(css)]
        .filter(node => node.getBoundingClientRect().width && getComputedStyle(node).visibility !== 'hidden');
    const overlap = (a, b) => {
        const [p, q] = [a, b].map(node => node.getBoundingClientRect());
        return Math.min(p.right, q.right) - Math.max(p.left, q.left) > 1
            && Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top) > 1;
    };
    const cut = (nodes, within) => {
        const all = within.getBoundingClientRect();
        return nodes.filter(node => {
            const r = node.getBoundingClientRect();
            return r.left < all.left - 1 || r.right > all.right + 1 || r.top < all.top - 1 || r.bottom > all.bottom + 1;
        }).map(node => `${named(node)} is cut`);
    };
    const clash = (nodes, others) => nodes.flatMap((a, i) => (others ?? nodes.slice(i + 1))
        .filter(b => !a.contains(b) && !b.contains(a) && overlap(a, b))
        .map(b => `${named(a)} overlaps ${named(b)}`));
    if (what === 'controls') {
        const controls = box.querySelector('.fastscale-controls');
        const nodes = seen(controls, 'select, input, button, label, .noUi-base, .widget-readout');
        return [...clash(nodes), ...cut(nodes, controls)];
    }
    const svg = box.querySelector('.js-plotly-plot .main-svg'), legends = '.legendtext, .legend2text';
    const titles = ['', 2, 3, 4].flatMap(n => [`.x${n}title`, `.y${n}title`]).join();
    const plot = svg.parentElement;
    const texts = seen(plot, `.xtick text, .ytick text, .annotation-text, ${legends}, ${titles}`);
    const keys = seen(plot, legends);
    return [...clash(texts), ...cut(texts, svg), ...clash(keys, seen(plot, '.draglayer .nsewdrag'))];
}"""
# What can be scrolled sideways, from the explorer outwards.
SIDEWAYS = """box => {
    const wide = [];
    for (let node = box; node; node = node.parentElement)
        if (node.scrollWidth > node.clientWidth + 1 && ['auto', 'scroll'].includes(getComputedStyle(node).overflowX))
            wide.push(`${node.className}: ${node.scrollWidth} > ${node.clientWidth}`);
    return wide;
}"""


def until(page: Any, condition: Callable[[], Any]) -> None:
    """Wait until the condition holds; the page lives on meanwhile."""
    # What is asked of the kernel passes through the page's ears, too.
    wait_until(condition, pause=lambda: page.wait_for_timeout(100))


@dataclass
class Shown:
    """One view of an explorer in a notebook's page, and the explorer's name in the kernel."""

    nb: Any = field(repr=False)
    view: int = 0
    name: str = "explorer"

    @property
    def page(self) -> Any:
        return self.nb.page

    @property
    def boxes(self) -> Any:
        """The explorers that are seen in this notebook."""
        notebook = self.page.locator(f"[id='{self.nb.panel('return panel.id;')}']")
        return notebook.locator(".fastscale-explorer")

    @property
    def box(self) -> Any:
        return self.boxes.nth(self.view)

    # The controls, by the words that are beside them

    def slider(self, label: str) -> Any:
        return self.box.locator(f".widget-hslider:has(label:text-is('{label}')) [role=slider]")

    def field(self, label: str) -> Any:
        return self.box.get_by_label(label, exact=True)

    def button(self, text: str) -> Any:
        return self.box.get_by_role("button", name=text, exact=True)

    def enter(self, label: str, text: str) -> None:
        self.field(label).fill(text)
        self.field(label).press("Enter")

    # What is seen

    def plot(self, script: str) -> Any:
        return self.box.locator(".js-plotly-plot").evaluate(script)

    def picture(self) -> dict:
        return self.plot(PICTURE)

    def timed(self) -> list[float]:
        """The flops of the points that are seen in the time panel."""
        return self.plot(DRAWN_TIMES)["flops"]

    def note(self) -> str:
        """What is said above the time panel."""
        return self.plot("gd => gd.layout.annotations.at(-1).text")

    def range(self, axis: str = "xaxis") -> list[float]:
        return self.plot(f"gd => gd._fullLayout.{axis}.range")

    def said(self, role: str = "alert") -> str:
        return "".join(self.box.get_by_role(role).all_text_contents())

    # What the kernel says

    def kernel(self, attribute: str) -> Any:
        return json.loads(self.nb.execute(f"print(json.dumps({self.name}.{attribute}))"))

    def set(self, **traits: Any) -> None:
        for name, value in traits.items():
            self.nb.execute(f"{self.name}.{name} = {value!r}")

    def truth(self) -> dict:
        return json.loads(self.nb.execute(f"print(truth({self.name}))"))

    def marked(self) -> Any:
        """The flops of the marked networks, to within what a screen can tell."""
        return pytest.approx(self.truth()["activations"]["marks"][0], rel=1e-3)

    def hear_the_page(self) -> None:
        """Let a word of the page reach the kernel, and so all that it said before."""
        asked = not self.kernel("live")
        self.field("Live").set_checked(asked)
        until(self.page, lambda: self.kernel("live") == asked)
        self.field("Live").set_checked(not asked)
        until(self.page, lambda: self.kernel("live") == (not asked))

    def follows(self) -> bool:
        """Whether the traces, and the marks on the screen, come to be those of the kernel."""
        marks: list[list[float]] = []

        def same() -> bool:
            truth = self.truth()
            marks[:] = truth["activations"]["marks"]
            return self.picture() == truth and self.plot(DRAWN_MARKS)[0] == pytest.approx(marks[0], rel=1e-3)

        until(self.page, same)
        return self.plot(DRAWN_MARKS)[1] == pytest.approx(marks[1], rel=1e-3)


@pytest.fixture(scope="module")
def notebook(open_shared):
    return open_shared(CELLS, wait_for=PLOT)


@pytest.fixture
def x(notebook) -> Iterator[Shown]:
    """The shared notebook's explorer, as it was at first; its page has met no error by the end of the test."""
    shown = Shown(notebook)
    until(notebook.page, lambda: shown.kernel("devices"))
    notebook.page.errors.clear()
    notebook.execute("explorer.cancel()")
    until(notebook.page, lambda: not shown.kernel("busy"))
    shown.set(**START)
    notebook.execute("explorer.message, explorer.measurements = '', ()")
    assert shown.follows()
    assert shown.boxes.count() == 1
    yield shown
    assert notebook.page.errors == []


# The notebook that comes with the project


@pytest.fixture(scope="module")
def story(open_shared) -> Shown:
    return Shown(open_shared(REPO / "notebooks" / "00_explorer.ipynb", wait_for=PLOT))


def test_the_notebook_shows_four_panels(story, tmp_path):
    assert story.page.errors == []
    assert story.plot(TITLES) == PANELS
    assert set(story.picture()["activations"]["curves"]) == {"w", "dw", "dwr", "dWr", "α"}
    for label in ("Family", "Base network", "Base resolution (px)", FLOPS):
        assert story.field(label).is_visible(), label
    for label in ("Time on", "batch", "precision", "mode"):
        assert story.field(label).is_visible(), label
    for label in ("α", "Scale s"):
        assert story.slider(label).is_visible(), label
    for name in ("d", "w", "r", "dw", "dr", "wr", "dwr", "dWr", "Live"):
        assert story.field(name).is_visible(), name
    assert story.nb.screenshot(tmp_path / "explorer.png", ".fastscale-explorer").stat().st_size > 50_000


@pytest.fixture
def width(request, story) -> int:
    """The width of the page, once the picture has taken it over."""
    story.page.set_viewport_size({"width": request.param, "height": 800})
    fits = "gd => Math.abs(gd._fullLayout.width - gd.parentElement.getBoundingClientRect().width) < 2"
    until(story.page, lambda: story.plot(fits))
    story.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    story.box.evaluate("box => box.scrollIntoView()")
    return request.param


@pytest.mark.parametrize("width", [1280, 900, 1300], indirect=True, ids=["1280", "900", "wide again"])
def test_nothing_overlaps_or_is_cut(story, width, tmp_path):
    def ugly() -> list[str]:
        return [
            each for what in ("controls", "picture") for each in story.box.evaluate(f"box => ({UGLY})([box, {what!r}])")
        ]

    with contextlib.suppress(pytest.fail.Exception):
        until(story.page, lambda: not ugly())  # plotly takes a second turn where a legend needs more room
    story.nb.screenshot(tmp_path / f"{width}.png")
    assert ugly() == []
    assert story.box.evaluate(SIDEWAYS) == []


@pytest.mark.parametrize("width", [1280, 900], indirect=True)
def test_every_control_is_in_reach(story, width):
    for text in ("⅓ dwr", "0.8 dWr", "1 w", "Time", "Python", "YAML", "CSV", "HTML"):
        story.button(text).click(trial=True)  # would be refused were it covered, or out of the page
    for panel in ("xy", "x2y2", "x3y3", "x4y4"):
        story.box.locator(f".draglayer .{panel} .nsewdrag").click(trial=True)


# Keys and the mouse


def test_keys_move_alpha(x):
    before = x.plot(DRAWN_CURVE)
    x.slider("α").press("ArrowRight")
    until(x.page, lambda: x.kernel("alpha") == 0.81)
    until(x.page, lambda: x.plot(DRAWN_CURVE) != before)
    assert x.follows()


def test_keys_move_scale_and_the_flops_follow(x):
    before = x.picture()["activations"]["marks"]
    x.slider("Scale s").press("ArrowRight")
    until(x.page, lambda: x.kernel("scale") == pytest.approx(2**2.05))
    assert x.follows()
    assert x.picture()["activations"]["marks"] != before
    until(x.page, lambda: x.field(FLOPS).input_value() == f"{x.kernel('flops') / 1e9:.6g}")


def test_typed_flops_move_the_scale(x):
    x.enter(FLOPS, "3")
    until(x.page, lambda: x.kernel("flops") == 3e9)
    scale = 3e9 / fs.complexity(fs.network(BASE)).flops
    assert x.follows()
    x.hear_the_page()
    assert x.kernel("flops") == 3e9
    assert x.kernel("scale") == pytest.approx(scale)
    assert 2 ** float(x.slider("Scale s").get_attribute("aria-valuenow")) == pytest.approx(scale, rel=0.05)


def test_typed_alpha(x):
    field = x.box.locator(".widget-hslider:has(label:text-is('α')) + .widget-text input")
    field.fill("1/3")
    field.press("Enter")
    until(x.page, lambda: x.kernel("alpha") == pytest.approx(1 / 3))
    until(x.page, lambda: field.input_value() == "0.3333")
    assert x.follows()


@pytest.mark.parametrize(
    ("text", "alpha"), [("⅓ dwr", pytest.approx(1 / 3)), ("0.8 dWr", 0.8), ("1 w", 1)], ids=["dwr", "dWr", "w"]
)
def test_a_press_on_a_named_alpha(x, text, alpha):
    x.set(alpha=0.5)
    assert x.follows()
    x.button(text).click()
    until(x.page, lambda: x.kernel("alpha") == alpha)
    assert x.follows()
    x.hear_the_page()
    assert x.kernel("alpha") == alpha


@pytest.mark.parametrize(("name", "value"), [("scale", 5), ("flops", 2.2e9), ("alpha", 0.123)])
def test_what_a_cell_sets_stays_as_it_was_set(x, name, value):
    """Also where it lies between two steps of a slider."""
    x.set(**{name: value})
    assert x.follows()
    x.hear_the_page()
    assert x.kernel(name) == value


def test_a_burst_of_keys_ends_where_the_kernel_does(x):
    for _ in range(30):
        x.slider("α").press("ArrowLeft")
        x.slider("Scale s").press("ArrowLeft")
    until(x.page, lambda: x.kernel("alpha") == pytest.approx(0.5))
    until(x.page, lambda: x.kernel("scale") == pytest.approx(2**0.5))
    assert x.follows()
    x.hear_the_page()
    assert x.kernel("scale") == pytest.approx(2**0.5)
    x.nb.execute(f"fresh = fs.explore({BASE!r}, alpha=explorer.alpha, scale=explorer.scale)")
    fresh = Shown(x.nb, name="fresh")
    for axis in ("yaxis", "yaxis2", "yaxis4"):
        assert x.range(axis) == pytest.approx(fresh.kernel(f"figure.layout.{axis}.range")), axis


def test_a_strategy_is_ticked_and_unticked(x):
    x.field("dr").check()
    until(x.page, lambda: x.kernel("strategies") == ["w", "dw", "dr", "dwr", "dWr"])
    assert x.follows()
    x.field("w").uncheck()
    until(x.page, lambda: x.kernel("strategies") == ["dw", "dr", "dwr", "dWr"])
    assert x.follows()
    assert set(x.picture()["params"]["curves"]) == {"dw", "dr", "dwr", "dWr", "α"}


# Zoom


def zoom(x: Shown) -> list[float]:
    """Drag over the middle of the first panel; the range of flops that it shows now."""
    before = x.range()
    x.box.locator(".js-plotly-plot").scroll_into_view_if_needed()
    area = x.box.locator(".draglayer .xy .nsewdrag").bounding_box()
    at = lambda part: (area["x"] + part * area["width"], area["y"] + part * area["height"])  # noqa: E731
    x.page.mouse.move(*at(0.3))
    x.page.mouse.down()
    x.page.mouse.move(*at(0.5))
    x.page.mouse.move(*at(0.8))
    x.page.mouse.up()
    until(x.page, lambda: x.range() != before)
    return x.range()


def test_a_zoom_survives_a_move(x):
    zoomed = zoom(x)
    until(x.page, lambda: x.kernel("figure.layout.xaxis.range") == pytest.approx(zoomed))
    x.slider("α").press("ArrowLeft")
    until(x.page, lambda: x.kernel("alpha") == 0.79)
    x.slider("Scale s").press("ArrowLeft")
    until(x.page, lambda: x.kernel("scale") < 4)
    assert x.follows()
    assert x.range() == pytest.approx(zoomed)


def test_a_new_base_network_ends_the_zoom(x):
    zoomed = zoom(x)
    x.field("Base network").select_option("EfficientNet-B2")
    until(x.page, lambda: x.kernel("network.name") == "EfficientNet-B2")
    assert x.follows()
    until(x.page, lambda: x.range() != zoomed)
    x.nb.execute("fresh = fs.explore('EfficientNet-B2')")
    until(x.page, lambda: x.range() == pytest.approx(x.kernel("figure.layout.xaxis.range")))
    assert x.range() == pytest.approx(Shown(x.nb, name="fresh").kernel("figure.layout.xaxis.range"))


# Wrong input


@pytest.mark.parametrize(
    ("label", "text", "sentence"),
    [
        (FLOPS, "0", "flops: 0 multiply-adds wanted, but EfficientNet-B0 goes here from 96.46 M to 24.69 G"),
        (FLOPS, "many", "flops: 'many' multiply-adds wanted, but EfficientNet-B0 goes here from 96.46 M to 24.69 G"),
        ("batch", "-1", "batch: -1 images, but must be a whole number from 1 to 65536"),
        ("Base resolution (px)", "7", "resolution: 7 pixels, but must be a whole number from 32 to 2048"),
    ],
)
def test_wrong_input_is_answered_in_place(x, label, text, sentence):
    good, shown = x.picture(), x.field(label).input_value()
    x.enter(label, text)
    until(x.page, lambda: x.said().startswith(sentence))
    assert x.picture() == good
    assert x.follows()
    x.slider("α").press("ArrowLeft")  # the next right input
    until(x.page, lambda: x.said() == "")
    assert x.follows()
    assert x.picture() != good
    until(x.page, lambda: x.field(label).input_value() == shown)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("explorer.alpha = 2", "strategy: alpha is 2, but must be a number from 0 to 1"),
        ("explorer.scale = 1000", "scale: the factor is 1000, but here goes from 0.25 to 64"),
        ("explorer.device = 'cuda:7'", "device: 'cuda:7' is not there; use one of auto, cpu"),
    ],
)
def test_wrong_input_by_a_cell_is_answered_there(x, line, sentence):
    good = x.picture()
    with pytest.raises(RuntimeError, match=f"TraitError: {sentence}"):
        x.nb.execute(line)
    assert x.picture() == good
    assert x.follows()


# Several views, several notebooks


def test_two_views_of_one_explorer(x):
    x.nb.panel(
        "panel.content.activeCellIndex = 2; panel.content.activeCell.model.sharedModel.setSource(arg);", "explorer"
    )
    x.nb.panel("await jupyterapp.commands.execute('notebook:run-cell');")
    second = Shown(x.nb, view=1)
    second.box.locator(".main-svg").first.wait_for()
    assert second.follows()
    x.slider("α").press("ArrowLeft")
    until(x.page, lambda: x.kernel("alpha") == 0.79)
    assert x.follows()
    assert second.follows()
    second.slider("Scale s").press("ArrowRight")
    until(x.page, lambda: x.kernel("scale") > 4)
    assert x.follows()
    assert second.follows()
    x.nb.panel("await jupyterapp.commands.execute('notebook:clear-cell-output');")
    x.nb.panel("panel.content.activeCell.model.sharedModel.setSource('');")
    until(x.page, lambda: x.boxes.count() == 1)
    x.slider("α").press("ArrowLeft")
    until(x.page, lambda: x.kernel("alpha") == 0.78)
    assert x.follows()


def test_the_cell_is_run_again(x):
    x.slider("α").press("ArrowLeft")
    until(x.page, lambda: x.kernel("alpha") == 0.79)
    x.nb.execute("earlier = explorer")
    x.nb.run_all(wait_for=PLOT)
    until(x.page, lambda: x.kernel("alpha") == 0.8)
    assert x.follows()
    x.slider("α").press("ArrowRight")
    until(x.page, lambda: x.kernel("alpha") == 0.81)
    assert x.follows()
    assert Shown(x.nb, name="earlier").kernel("alpha") == 0.79
    x.nb.execute("earlier.close()")


def worker_pids(x: Shown) -> list[int]:
    """The measuring processes of the notebook's kernel."""
    pids = []
    for each in psutil.Process(int(x.nb.execute("import os; print(os.getpid())"))).children():
        with contextlib.suppress(psutil.Error):  # it has ended since
            if "fastscale_lib.measuring.worker_process" in each.cmdline():
                pids.append(each.pid)
    return pids


def test_the_cell_is_run_again_while_it_measures(tiny):
    x = tiny
    for _ in range(3):
        x.set(seconds=600, strategies=("w",), alpha=1)
        x.nb.execute("explorer.network = TINY")
        x.button("Time").click()
        until(x.page, lambda: x.said("status").startswith("timing 1 of 1: w and α = 1, "))
        x.nb.panel("panel.content.activeCellIndex = 0; await jupyterapp.commands.execute('notebook:run-cell');")
        until(x.page, lambda: x.kernel("alpha") == 0.8 and x.kernel("devices"))
        # The page puts the new output in the old one's place a moment after the kernel has it.
        until(x.page, lambda: len(worker_pids(x)) == x.boxes.count() == 1)
    measures = "sum(each.busy for each in _instances.values() if hasattr(each, 'ended'))"
    assert x.nb.execute(f"from ipywidgets.widgets.widget import _instances\nprint({measures})") == "0\n"
    assert x.said("status") == ""
    assert x.follows()


# Keys that JupyterLab would take for its own


def test_keys_pressed_on_a_control_leave_the_notebook_as_it_is(x):
    cells = lambda: x.nb.panel("return panel.model.toJSON().cells.map(c => [c.cell_type, c.source]);")  # noqa: E731
    before = cells()
    x.nb.panel("panel.content.mode = 'command';")
    controls = [x.slider("α"), x.field("dr"), x.field("Live"), x.button("Python"), x.field("precision"), x.field(FLOPS)]
    for control in [*controls, x.box.locator(".modebar-btn").first]:
        for key in ("d", "d", "a", "b", "m", "x", "1", "c", "v", "Shift+M", "Shift+L", "0", "0"):
            control.focus()
            x.page.keyboard.press(key)
    x.page.wait_for_timeout(300)
    assert cells() == before
    assert x.page.locator(".jp-Dialog").count() == 0
    x.slider("α").focus()
    x.page.keyboard.press("Control+s")
    until(x.page, lambda: not x.nb.panel("return panel.model.dirty;"))  # saving is still JupyterLab's


def test_after_a_button_is_pressed_keys_do_not_delete_its_cell(tiny):
    cells = lambda: tiny.nb.panel("return panel.model.toJSON().cells.length;")  # noqa: E731
    before = cells()
    measure_for_long(tiny)  # the button that was pressed is disabled
    tiny.page.keyboard.press("d")
    tiny.page.keyboard.press("d")
    tiny.page.wait_for_timeout(300)
    assert cells() == before
    tiny.button("Cancel").click()
    until(tiny.page, lambda: not tiny.kernel("busy"))
    tiny.page.keyboard.press("d")
    tiny.page.keyboard.press("d")
    tiny.page.wait_for_timeout(300)
    assert cells() == before


def test_reload_shows_the_present_state(x):
    x.nb.save()  # with what was shown at first
    x.slider("α").press("ArrowLeft")
    x.slider("Scale s").press("ArrowRight")
    x.set(network="EfficientNet-B1")
    until(x.page, lambda: x.kernel("alpha") == 0.79)
    assert x.follows()
    before = x.picture()
    x.nb.reload(wait_for=PLOT)
    assert x.follows()
    assert x.picture() == before
    until(x.page, lambda: x.field(FLOPS).input_value() == f"{x.kernel('flops') / 1e9:.6g}")
    assert x.field("Base network").input_value() == "EfficientNet-B1"
    x.slider("α").press("ArrowLeft")
    until(x.page, lambda: x.kernel("alpha") == 0.78)
    assert x.follows()


def test_a_page_on_which_plotly_starts_slowly(open_notebook):
    slow = """
import traitlets
from fastscale_lib.explorer import widget

class Slow(widget.LiveFigure):
    _plotly = traitlets.Unicode(
        "await new Promise(go => (globalThis.startPlotly = go));" + widget.LiveFigure._plotly.default_value
    ).tag(sync=True)

widget.LiveFigure = Slow"""
    x = Shown(open_notebook([slow, *CELLS]))
    x.page.wait_for_function("() => Boolean(globalThis.startPlotly)")
    x.page.wait_for_timeout(2500)  # a widget that takes 2 s to begin is given up
    x.slider("α").press("ArrowRight")
    x.set(strategies=("w", "r"))
    assert x.box.locator(".main-svg").count() == 0
    x.page.evaluate("startPlotly()")
    x.box.locator(".main-svg").first.wait_for()
    assert x.follows()
    x.slider("α").press("ArrowRight")
    until(x.page, lambda: x.kernel("alpha") == 0.82)
    assert x.follows()


def test_two_notebooks_and_a_kernel_restarted(x, open_shared):
    other = Shown(open_shared([CELLS[0].replace("0.2", "0.3"), CELLS[1]], beside=x.nb))
    other.box.locator(".main-svg").first.wait_for()
    other.slider("α").press("ArrowRight")
    x.slider("α").press("ArrowLeft")
    until(x.page, lambda: (x.kernel("alpha"), other.kernel("alpha")) == (0.79, 0.81))
    assert x.follows()
    assert other.follows()

    shown = other.picture()
    other.nb.restart_kernel()
    other.slider("α").press("ArrowRight")
    assert other.picture() == shown  # nobody is there to change it
    x.slider("α").press("ArrowLeft")
    until(x.page, lambda: x.kernel("alpha") == 0.78)
    assert x.follows()

    other.nb.run_all(timeout=120)
    other.box.locator(".main-svg").first.wait_for()
    assert other.kernel("alpha") == 0.8
    other.slider("α").press("ArrowLeft")
    until(x.page, lambda: other.kernel("alpha") == 0.79)
    assert other.follows()
    assert x.follows()


# Timing


@pytest.fixture
def tiny(x) -> Shown:
    """The explorer of a network that one strategy scales, and that is timed in no time."""
    x.set(strategies=("w",), alpha=1)
    x.nb.execute("explorer.network = TINY")
    x.enter("batch", "1")
    until(x.page, lambda: x.kernel("batch") == 1)
    return x


def measure_for_long(x: Shown) -> None:
    """Press Time, with more to do than this test will wait for; it is measuring when this returns."""
    x.set(seconds=600)
    x.button("Time").click()
    until(x.page, lambda: x.said("status").startswith("timing 1 of 1"))


def measure(x: Shown) -> None:
    """Press Time, and wait until the marked networks are measured."""
    x.set(seconds=0.2)
    x.button("Time").click()
    until(x.page, lambda: x.said("status").startswith("timed 1 network"))
    until(x.page, lambda: x.timed() == x.marked())  # the picture follows after the status


def test_time_draws_points_and_says_cpu(tiny):
    assert tiny.timed() == []
    assert tiny.note() == "nothing measured yet: press Time"
    measure(tiny)
    assert tiny.timed() == tiny.marked()
    assert "CPU" in tiny.note()
    assert "batch 1, fp32 inference" in tiny.note()
    assert tiny.said() == ""


def seen_times(x: Shown) -> Any:
    """What the time panel should show: each measured point at its flops and median, and lines if there is a model."""
    flops, ms = (pytest.approx(x.kernel(f"times[{column!r}].tolist()"), rel=5e-3) for column in ("flops", "median_ms"))
    lines = sorted([*x.kernel("strategies"), "α", "error"]) if x.kernel("predictor is not None") else []
    return {"flops": flops, "ms": ms, "lines": lines}


def moves(x: Shown) -> Iterator[str]:
    """Moves a slider in each of the ways that a hand has, and waits until the picture has followed."""
    for name, key in [("Scale s", "ArrowRight"), ("α", "ArrowLeft"), ("Scale s", "PageDown"), ("α", "Home")]:
        x.slider(name).press(key)
        assert x.follows()
        yield f"{name}: {key}"
    for _ in range(10):  # faster than each can be drawn
        x.slider("α").press("ArrowRight")
        x.slider("Scale s").press("ArrowRight")
    until(x.page, lambda: x.kernel("alpha") == pytest.approx(0.1))
    assert x.follows()
    yield "a burst"


def test_measured_points_stay_where_they_are_while_a_slider_moves(tiny, tmp_path):
    tiny.set(strategies=("w", "r"))
    tiny.set(seconds=0.2)
    tiny.button("Time").click()
    until(tiny.page, lambda: tiny.said("status").startswith("timed 2 networks ("))
    until(tiny.page, lambda: len(tiny.timed()) == 3)  # of w, and of α = 1, which is w, and of r
    until(tiny.page, lambda: tiny.plot(DRAWN_TIMES) == seen_times(tiny))
    for _ in moves(tiny):
        until(tiny.page, lambda: tiny.plot(DRAWN_TIMES) == seen_times(tiny))
    tiny.nb.screenshot(tmp_path / "moved.png", ".fastscale-explorer")


def test_the_kernel_is_free_while_it_measures_until_cancelled(tiny):
    measure_for_long(tiny)
    tiny.slider("Scale s").press("ArrowRight")
    until(tiny.page, lambda: tiny.kernel("scale") > 4)
    assert tiny.follows()
    assert tiny.kernel("busy")  # it answered while it measured
    assert tiny.button("Time").is_disabled()
    tiny.button("Cancel").click()
    until(tiny.page, lambda: tiny.said("status") == "cancelled; what was measured stays")
    until(tiny.page, lambda: not tiny.kernel("busy"))
    assert tiny.timed() == []
    measure(tiny)
    assert tiny.timed() == tiny.marked()


def test_a_killed_measurement_is_said_and_the_next_press_works(tiny):
    measure_for_long(tiny)
    os.kill(tiny.kernel("timings.pid"), signal.SIGKILL)
    until(tiny.page, lambda: tiny.said() != "")
    assert "killed" in tiny.said()
    assert tiny.follows()
    until(tiny.page, lambda: tiny.button("Time").is_enabled())
    measure(tiny)
    assert tiny.said() == ""
    assert tiny.timed() == tiny.marked()


def test_live_measures_where_the_slider_rests(tiny):
    tiny.field("Live").check()
    until(tiny.page, lambda: len(tiny.timed()) > 0)
    for _ in range(5):
        tiny.slider("Scale s").press("ArrowRight")
    until(tiny.page, lambda: tiny.kernel("scale") == pytest.approx(2**2.25))
    until(tiny.page, lambda: tiny.timed()[-2:] == tiny.marked())
    tiny.field("Live").uncheck()
    until(tiny.page, lambda: not tiny.kernel("live"))


# Times predicted

PREDICTED = """gd => {
    const { x, y } = gd._fullData.find(t => t.visible === true && t.xaxis === 'x3' && t.legendgroup === 'α');
    return [[...x], [...y].map(ms => Number.isFinite(ms) ? ms : null)];
}"""
FEW_PROBES = f"""import sys
sys.path.insert(0, {str(REPO / "tests")!r})
from helpers.fake_device import TINY as probes
from fastscale_lib.explorer import predictions as predicting
usual = predicting.probes, predicting.PROBE_SECONDS, predicting.LEAST_PROBES
predicting.probes, predicting.PROBE_SECONDS, predicting.LEAST_PROBES = lambda: probes, 0.05, 10

def predicted(explorer):
    from fastscale_lib.explorer.views import SCALES
    batch, way = explorer.batch, explorer.strategy("α")
    ms = explorer.model.curve(explorer.base, [way], SCALES, batch).ms
    flops = fs.sweep(explorer.base, way, SCALES)["flops"]
    return json.dumps([[float(each) if each == each else None for each in column] for column in (flops, ms)])"""


@pytest.fixture
def few_probes(x) -> Iterator[Shown]:
    """The explorer of a tiny network, whose Predict button measures a dozen such."""
    x.nb.execute(FEW_PROBES)
    x.nb.execute("explorer.network = TINY")
    yield x
    x.nb.execute("explorer.cancel(); explorer.predictions.fitted.clear(); explorer.model = None")
    x.nb.execute("predicting.probes, predicting.PROBE_SECONDS, predicting.LEAST_PROBES = usual")


def test_predict_draws_curves_that_follow_the_sliders(few_probes):
    x = few_probes
    x.button("Predict").click()
    until(x.page, lambda: "times are predicted, with a median error of" in x.said("status"))
    assert x.said() == ""
    assert "lines: predicted, ± " in x.note()

    def curve() -> list:
        """What is drawn, once it is what the kernel's model says."""
        until(x.page, lambda: x.plot(PREDICTED) == json.loads(x.nb.execute("print(predicted(explorer))")))
        return x.plot(PREDICTED)

    before = curve()
    assert any(ms is not None for ms in before[1])
    x.slider("α").press("ArrowLeft")
    assert before != curve()
    fitted = x.kernel("batch")
    x.enter("batch", "2")
    until(x.page, lambda: "too few probes were measured on cpu in inference, fp32, at batch 2" in x.said("status"))
    assert "nothing predicted for batch 2" in x.note()
    x.enter("batch", str(fitted))
    until(x.page, lambda: "lines: predicted, ± " in x.note())
    curve()
    assert x.follows()
    for _ in moves(x):
        until(x.page, lambda: x.plot(DRAWN_TIMES) == seen_times(x))


# The page as a file


def test_the_saved_page_opens_offline_and_its_slider_works(x, new_page, jupyter_lab):
    x.button("HTML").click()
    note = x.box.get_by_role("status").filter(has_text="saved ")
    saved = jupyter_lab.root / note.text_content().split()[1]
    page = new_page(offline=True)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(saved.as_uri())
    plot = page.locator(".js-plotly-plot")
    plot.locator(".main-svg").first.wait_for()
    assert plot.evaluate(TITLES) == PANELS
    assert plot.evaluate(PICTURE) == x.truth()

    before = plot.evaluate(DRAWN_CURVE)
    rail = plot.locator(".slider-rail-touch-rect").bounding_box()
    page.mouse.click(rail["x"] + rail["width"] * 0.25, rail["y"] + rail["height"] / 2)
    until(page, lambda: plot.evaluate(DRAWN_CURVE) != before)
    alpha = float(plot.locator(".slider-label").first.text_content().removeprefix("α = "))
    x.set(alpha=alpha)
    assert 0.1 < alpha < 0.4
    assert plot.evaluate(PICTURE) == x.truth()
    assert (page.errors, asked) == ([], [saved.as_uri()])
