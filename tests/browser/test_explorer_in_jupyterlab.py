"""The explorer in a real JupyterLab, driven by hand; the page is held against what the kernel says."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import psutil
import pytest
from helpers.waiting import until as wait_until

import fastscale_lib as fs

REPO = Path(__file__).resolve().parents[2]
PLOT = ".fastscale-explorer .sentence b"
BASE = "EfficientNet-B0"
START = {"network": BASE, "strategies": ("w", "dw", "dwr", "dWr"), "alpha": 0.8, "scale": 4, "shown": "α"}
START |= {"seconds": 0.2, "batch": 8, "live": False, "device": "auto", "mode": "inference", "precision": "fp32"}

CELLS = [
    f"import fastscale_lib as fs\nexplorer = fs.explore({BASE!r}, seconds=0.2, batch=8)\nexplorer",
    # A network that is timed in no time.
    """import json
TINY = fs.anynet(name="Tiny", depths=[1, 1], widths=[16, 32], strides=[1, 2], group_widths=8,
                 stem="res_stem_cifar", stem_width=8, resolution=32, classes=10)""",
    "",  # for a second view
]

# A cell is the active one from here on, until a control of another cell has the focus.
LAST_CELL = "panel.content.activeCellIndex = 2; panel.content.activeCell.model.sharedModel.setSource(arg);"

# In the page: what is drawn in a chart, as paths, and where its marks stand.
DRAWN = """(box, panel) => ({
    lines: [...box.querySelectorAll(`.${panel} .line`)].map(line => line.getAttribute('d')),
    marks: [...box.querySelectorAll(`.${panel} circle`)].map(mark => ["cx", "cy"].map(at => mark.getAttribute(at))),
    names: [...box.querySelectorAll(`.${panel} .names text`)].map(text => text.textContent).sort(),
    measured: box.querySelectorAll(`.${panel} .measured path[fill]`).length,
})"""
# What overlaps or is cut among the controls, as sentences.
UGLY = """box => {
    const named = node => node.textContent || node.title || node.getAttribute('aria-label') || node.type;
    const controls = '.controls :is(select, input[type=range], .switches label), .chips label'
        + ', .actions :is(select, input, button, label)';
    const nodes = [...box.querySelectorAll(controls)].filter(node => node.checkVisibility());
    const overlap = (a, b) => {
        const [p, q] = [a, b].map(node => node.getBoundingClientRect());
        return Math.min(p.right, q.right) - Math.max(p.left, q.left) > 1
            && Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top) > 1;
    };
    const all = box.getBoundingClientRect();
    const cut = [...nodes, ...box.querySelectorAll('.chart text')].filter(node => {
        const r = node.getBoundingClientRect();
        return r.width && (r.left < all.left - 1 || r.right > all.right + 1);
    });
    return [
        ...nodes.flatMap((a, i) => nodes.slice(i + 1)
            .filter(b => !a.contains(b) && !b.contains(a) && overlap(a, b))
            .map(b => `${named(a)} overlaps ${named(b)}`)),
        ...cut.map(node => `${named(node)} is cut`),
    ];
}"""
# What can be scrolled sideways, from the explorer to its cell; JupyterLab's line for hidden code does not wrap.
SIDEWAYS = """box => {
    const wide = [];
    for (let node = box; !node.matches('.jp-Cell'); node = node.parentElement)
        if (node.scrollWidth > node.clientWidth + 1 && ['auto', 'scroll'].includes(getComputedStyle(node).overflowX))
            wide.push(`${node.className}: ${node.scrollWidth} > ${node.clientWidth}`);
    return wide;
}"""


def until(page: Any, condition: Callable[[], Any]) -> None:
    """Wait until the condition holds; the page lives on meanwhile."""
    # What is asked of the kernel passes through the page's ears, too.
    wait_until(condition, pause=lambda: page.wait_for_timeout(100))


def said_alpha(alpha: float) -> str:
    """An α as the page says it."""
    return f"{alpha:.2f}" if alpha in (1 / 3, round(alpha, 2)) else f"{alpha:g}"


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
        return self.box.get_by_role("slider", name=label)

    def field(self, label: str) -> Any:
        self.box.locator(".settings").evaluate("settings => (settings.open = true)")
        return self.box.get_by_label(label, exact=True)

    def strategy(self, name: str) -> Any:
        return self.box.locator(f".chips label:has(b:text-is('{name}')) input")

    def button(self, text: str) -> Any:
        return self.box.get_by_role("button", name=text, exact=True)

    def enter(self, label: str, text: str) -> None:
        self.field(label).fill(text)
        self.field(label).press("Enter")

    # What is seen

    def drawn(self, panel: str = "counts") -> dict[str, Any]:
        return self.box.evaluate(f"box => ({DRAWN})(box, {panel!r})")

    def sentence(self) -> str:
        return self.box.locator(".sentence").text_content()

    def said(self, role: str = "alert") -> str:
        return self.box.locator(f".actions [role={role}]").text_content()

    def measured(self) -> int:
        """How many measured points are seen in the time panel."""
        return self.drawn("time")["measured"]

    # What the kernel says

    def kernel(self, attribute: str) -> Any:
        return json.loads(self.nb.execute(f"import json; print(json.dumps({self.name}.{attribute}))"))

    def set(self, **traits: Any) -> None:
        lines = [f"{self.name}.{name} = {value!r}" for name, value in traits.items()]
        self.nb.execute("\n".join(lines))

    def sliders(self) -> tuple[float, float]:
        """α and s, where the sliders stand."""
        return float(self.slider("α").input_value()), 2 ** float(self.slider("Scale s").input_value())

    def follows(self) -> bool:
        """Whether the page comes to show the kernel's state: sliders, strategies, and the lines of a fresh page."""
        wanted: dict[str, Any] = {}

        def same() -> bool:
            wanted.update(self.kernel("_shown"))
            _, scale = self.sliders()
            alpha = self.box.get_by_label("α, typed").input_value()
            ticked = [each for each in wanted["strategies"] if self.strategy(each).is_checked()]
            names = self.drawn()["names"]
            return (
                alpha == said_alpha(wanted["alpha"])
                and abs(scale / wanted["scale"] - 1) < 0.018
                and ticked == wanted["strategies"]
                and all(each in names or each == "w" for each in ticked)
                and wanted["network"] in self.box.locator(".base select option:checked").text_content()
            )

        until(self.page, same)
        return True


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
    notebook.panel("arg.forEach((source, i) => panel.content.widgets[i].model.sharedModel.setSource(source));", CELLS)
    assert shown.follows()
    assert shown.boxes.count() == 1
    yield shown
    assert notebook.page.errors == []


# The notebook that comes with the project


@pytest.fixture(scope="module")
def story(open_shared) -> Shown:
    return Shown(open_shared(REPO / "notebooks" / "00_explorer.ipynb", wait_for=PLOT))


def test_the_notebook_shows_four_panels_none_of_them_empty(story, tmp_path):
    for panel in ("counts", "time", "trade"):
        until(story.page, lambda panel=panel: len(story.drawn(panel)["lines"]) >= 3)
    assert story.box.locator(".silhouette *").count() > 2
    assert story.page.locator(".jp-CodeCell .jp-InputArea-editor:visible").count() == 0  # a click away
    assert story.sentence().startswith("At ")
    assert "as long on " in story.sentence()
    assert story.page.errors == []
    assert story.nb.screenshot(tmp_path / "explorer.png", ".fastscale-explorer").stat().st_size > 50_000


@pytest.mark.parametrize("width", [1280, 900, 600])
def test_nothing_overlaps_or_is_cut(story, width, tmp_path):
    story.page.set_viewport_size({"width": width, "height": 800})
    story.box.evaluate("box => box.scrollIntoView()")
    with contextlib.suppress(AssertionError):
        until(story.page, lambda: not story.box.evaluate(UGLY))
    story.nb.screenshot(tmp_path / f"{width}.png")
    assert story.box.evaluate(UGLY) == []
    assert story.box.evaluate(SIDEWAYS) == []
    for text in ("Time", "Predict"):
        story.button(text).click(trial=True)  # would be refused were it covered, or out of the page


# Keys and the mouse


def test_keys_move_the_picture_at_once_and_the_kernel_follows(x):
    before = x.drawn("counts")
    x.slider("α").press("ArrowLeft")
    until(x.page, lambda: x.drawn("counts") != before)
    until(x.page, lambda: x.kernel("alpha") == 0.79)
    before = x.drawn("counts")["marks"]
    x.slider("Scale s").press("ArrowRight")
    until(x.page, lambda: x.drawn("counts")["marks"] != before)
    until(x.page, lambda: x.kernel("scale") == pytest.approx(2**2.05))
    base = fs.complexity(fs.network(BASE)).flops
    assert x.kernel("flops") == pytest.approx(2**2.05 * base)


def test_a_cell_moves_the_page_and_what_it_set_stays(x):
    """Also where it lies between two steps of a slider."""
    before = x.sentence()
    x.set(scale=5, alpha=0.123, strategies=("w", "dr"))
    assert x.follows()
    until(x.page, lambda: x.sentence() != before)
    assert x.drawn()["names"][0] == "dr"
    x.slider("α").press("Home")
    until(x.page, lambda: x.kernel("alpha") == 0)
    assert x.kernel("scale") == 5
    x.set(flops=2.2e9)
    assert x.follows()
    assert x.kernel("flops") == 2.2e9


def test_a_press_on_a_named_alpha(x):
    x.button("⅓ dwr").click()
    until(x.page, lambda: x.kernel("alpha") == pytest.approx(1 / 3, abs=1e-12))
    assert x.follows()


def test_a_burst_of_keys_ends_where_the_kernel_does(x):
    for _ in range(30):
        x.slider("α").press("ArrowLeft")
        x.slider("Scale s").press("ArrowLeft")
    until(x.page, lambda: x.kernel("alpha") == pytest.approx(0.5))
    until(x.page, lambda: x.kernel("scale") == pytest.approx(2**0.5))
    assert x.follows()


def test_a_message_that_is_lost_is_said_again(x):
    """As where the kernel has ended the thread that was to take it."""
    x.nb.execute("hear = explorer._hand.hear")
    x.nb.execute("explorer._hand.hear = lambda message: False")
    x.slider("α").press("ArrowLeft")
    until(x.page, lambda: x.box.locator(".late").is_visible())
    x.nb.execute("explorer._hand.hear = hear")
    until(x.page, lambda: x.kernel("alpha") == 0.79)
    until(x.page, lambda: not x.box.locator(".late").is_visible())


def test_a_strategy_is_ticked_and_unticked(x):
    x.strategy("dr").check(force=True)
    until(x.page, lambda: set(x.kernel("strategies")) == {"w", "dw", "dr", "dwr", "dWr"})
    until(x.page, lambda: "dr" in x.drawn()["names"])
    x.strategy("dw").uncheck(force=True)
    until(x.page, lambda: set(x.kernel("strategies")) == {"w", "dr", "dwr", "dWr"})
    until(x.page, lambda: "dw" not in x.drawn()["names"])
    x.set(strategies=("w", "d1_w2_g2_r1"))  # which the page has no chip of yet
    until(x.page, lambda: "d1_w2_g2_r1" in x.drawn()["names"])
    assert x.follows()


def test_a_base_network_and_times_are_chosen(x):
    x.box.locator(".base select").select_option(label="ResNet-50")
    until(x.page, lambda: x.kernel("network.name") == "ResNet-50")
    assert x.follows()
    until(x.page, lambda: len(x.drawn("time")["lines"]) >= 3)
    names = x.field("Time on").locator("option").all_text_contents()
    x.field("Time on").select_option(index=1)
    until(x.page, lambda: x.kernel("_shown")["timing"] == names[1])
    until(x.page, lambda: f"as long on {names[1]} " in x.sentence())
    assert len(x.drawn("time")["lines"]) >= 3


# Wrong input


@pytest.mark.parametrize(
    ("label", "text", "sentence"),
    [
        ("batch", "-1", "batch: -1 images, but must be a whole number from 1 to 65536"),
        ("base px", "7", "resolution: 7 pixels, but must be a whole number from 32 to 2048"),
    ],
)
def test_wrong_input_is_answered_in_place(x, label, text, sentence):
    good, shown = x.drawn(), x.field(label).input_value()
    x.enter(label, text)
    until(x.page, lambda: x.said().startswith(sentence))
    assert x.field(label).get_attribute("aria-invalid") == "true"
    assert x.drawn() == good
    x.slider("α").press("ArrowLeft")  # the next right input
    until(x.page, lambda: x.said() == "")
    assert x.drawn() != good
    until(x.page, lambda: x.field(label).input_value() == shown)
    assert x.field(label).get_attribute("aria-invalid") == "false"


def test_all_that_is_wrong_is_told_at_once(x):
    x.enter("batch", "-1")
    x.enter("base px", "7")
    until(x.page, lambda: "batch: -1 images" in x.said() and "resolution: 7 pixels" in x.said())
    assert [x.field(each).get_attribute("aria-invalid") for each in ("batch", "base px")] == ["true", "true"]


def test_what_is_being_typed_is_not_overwritten(x):
    x.field("batch").fill("16")
    x.set(scale=5)
    assert x.follows()
    x.field("batch").press("Enter")
    until(x.page, lambda: x.kernel("batch") == 16)
    assert x.field("batch").input_value() == "16"


def test_wrong_input_by_a_cell_is_answered_there(x):
    good = x.drawn()
    with pytest.raises(RuntimeError, match="TraitError: strategy: alpha is 2, but must be a number from 0 to 1"):
        x.nb.execute("explorer.alpha = 2")
    assert x.drawn() == good
    assert x.follows()


# Several views, several notebooks


def test_two_views_of_one_explorer(x):
    x.nb.panel(f"{LAST_CELL} await jupyterapp.commands.execute('notebook:run-cell');", "explorer")
    second = Shown(x.nb, view=1)
    until(x.page, lambda: second.boxes.count() == 2 and second.drawn()["lines"])
    assert second.follows()
    x.slider("α").press("ArrowLeft")
    until(x.page, lambda: x.kernel("alpha") == 0.79)
    assert second.follows()
    second.slider("Scale s").press("ArrowRight")
    until(x.page, lambda: x.kernel("scale") > 4)
    assert x.follows()
    x.nb.panel(f"{LAST_CELL} await jupyterapp.commands.execute('notebook:clear-cell-output');", "")
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
    assert x.follows()


# Keys that JupyterLab would take for its own


def test_axe_finds_nothing(x):
    x.page.evaluate(resources.files("axe_playwright_python").joinpath("axe.min.js").read_text())
    found = x.box.evaluate("box => axe.run(box)")
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]] == []
    assert len(found["passes"]) > 20


def test_the_tab_key_stops_twenty_times_at_most_and_its_place_is_seen(x):
    x.box.locator(".settings").evaluate("settings => (settings.open = false)")
    x.box.locator(".base select").focus()
    stops = []
    while x.box.evaluate("box => box.contains(document.activeElement)"):
        stops.append(x.page.evaluate("getComputedStyle(document.activeElement).outlineStyle"))
        x.page.keyboard.press("Tab")
    assert 10 < len(stops) <= 20
    assert "none" not in stops[1:]


def save_by_keys(x: Shown) -> None:
    """Press Control+S, which is still JupyterLab's: when it has saved, it has taken every key pressed before."""
    x.nb.panel("panel.model.dirty = true;")
    x.page.keyboard.press("Control+s")
    until(x.page, lambda: not x.nb.panel("return panel.model.dirty;"))


def test_keys_pressed_on_a_control_leave_the_notebook_as_it_is(x):
    cells = lambda: x.nb.panel("return panel.model.toJSON().cells.map(c => [c.cell_type, c.source]);")  # noqa: E731
    before = cells()
    x.nb.panel("panel.content.mode = 'command';")
    fields = [x.field("Live"), x.field("precision"), x.field("batch")]
    for control in [x.slider("α"), x.strategy("dr"), x.button("Copy code"), *fields]:
        for key in ("d", "d", "a", "b", "m", "x", "1", "c", "v", "Shift+M", "Shift+L", "0", "0"):
            control.focus()
            x.page.keyboard.press(key)
    x.slider("α").focus()
    save_by_keys(x)
    assert cells() == before
    assert x.page.locator(".jp-Dialog").count() == 0


def test_after_a_button_is_pressed_keys_do_not_delete_its_cell(tiny):
    cells = lambda: tiny.nb.panel("return panel.model.toJSON().cells.length;")  # noqa: E731
    before = cells()
    measure_for_long(tiny)  # the button that was pressed is disabled
    tiny.page.keyboard.press("d")
    tiny.page.keyboard.press("d")
    save_by_keys(tiny)
    assert cells() == before
    tiny.button("Cancel").click()
    until(tiny.page, lambda: not tiny.kernel("busy"))
    tiny.page.keyboard.press("d")
    tiny.page.keyboard.press("d")
    save_by_keys(tiny)
    assert cells() == before


def test_reload_shows_the_present_state(x):
    x.nb.save()  # with what was shown at first
    x.slider("α").press("ArrowLeft")
    x.slider("Scale s").press("ArrowRight")
    x.set(network="EfficientNet-B1")
    until(x.page, lambda: x.kernel("alpha") == 0.79)
    assert x.follows()
    until(x.page, lambda: "as long on" in x.sentence())  # with the times of the new base network
    before = x.sentence()
    x.nb.reload(wait_for=PLOT)
    assert x.follows()
    until(x.page, lambda: x.sentence() == before)
    x.enter("batch", "32")
    until(x.page, lambda: x.kernel("batch") == 32)
    assert x.field("batch").input_value() == "32"
    x.slider("α").press("ArrowLeft")
    until(x.page, lambda: x.kernel("alpha") == 0.78)
    assert x.follows()


def test_two_notebooks_and_a_kernel_restarted(x, open_shared):
    other = Shown(open_shared([CELLS[0].replace("0.2", "0.3"), CELLS[1]], beside=x.nb))
    until(x.page, lambda: other.boxes.count() and other.drawn()["lines"])
    other.slider("α").press("ArrowRight")
    x.slider("α").press("ArrowLeft")
    until(x.page, lambda: (x.kernel("alpha"), other.kernel("alpha")) == (0.79, 0.81))
    assert x.follows()
    assert other.follows()

    other.nb.restart_kernel()
    shown = other.drawn()
    other.slider("α").press("ArrowRight")
    until(x.page, lambda: other.drawn() != shown)  # the picture needs no kernel, and tells that none hears
    until(x.page, lambda: other.box.locator(".late").is_visible())
    x.slider("α").press("ArrowLeft")
    until(x.page, lambda: x.kernel("alpha") == 0.78)
    assert x.follows()

    other.nb.run_all(timeout=120)
    until(x.page, lambda: other.boxes.count() and other.drawn()["lines"])
    assert other.kernel("alpha") == 0.8
    other.slider("α").press("ArrowLeft")
    until(x.page, lambda: other.kernel("alpha") == 0.79)
    assert other.follows()
    assert x.follows()


# A family of modules

FAMILY = """import fastscale_lib as fs
from torch import nn
class Plain(nn.Sequential):
    def __init__(self, blocks=2, channels=16):
        middle = [nn.Conv2d(channels, channels, 3, 1, 1) for _ in range(blocks)]
        super().__init__(nn.Conv2d(3, channels, 3, 2, 1), *middle, nn.AdaptiveAvgPool2d(1), nn.Flatten())
family = fs.family(Plain, resolution=32, depth={"blocks": 2}, width={"channels": 16})
explorer = fs.explore(family, ["w", "dwr"], 0.5, 4.0)
explorer"""


def test_a_family_is_drawn_as_it_is_counted_and_follows_the_hand(open_notebook):
    x = Shown(open_notebook([FAMILY], wait_for=PLOT))
    until(x.page, lambda: not x.kernel("status"))
    until(x.page, lambda: len(x.drawn()["lines"]) == 3)
    before = x.drawn()["marks"]
    x.slider("Scale s").press("End")
    until(x.page, lambda: x.kernel("scale") == 64)
    until(x.page, lambda: x.drawn()["marks"] != before)
    assert x.follows()
    assert x.sentence().startswith("At ")
    panels = x.box.locator("section:visible").evaluate_all("all => all.map(each => each.className)")
    assert panels == ["counts", "time", "trade"]  # it has no stages to draw
    offered = x.page.locator(".exports button:visible").all_inner_texts()
    assert offered == ["CSV"]  # a family has no name that makes it again
    assert x.page.errors == []


# Timing


@pytest.fixture
def tiny(x) -> Shown:
    """The explorer of a network that one strategy scales, and that is timed in no time."""
    x.set(strategies=("w",), alpha=1)
    x.nb.execute("explorer.network = TINY")
    x.enter("batch", "1")
    until(x.page, lambda: x.kernel("batch") == 1)
    assert x.follows()
    return x


def measure_for_long(x: Shown) -> None:
    """Press Time, with more to do than this test will wait for; it is measuring when this returns."""
    x.set(seconds=600)
    x.button("Time").click()
    until(x.page, lambda: x.said("status").startswith("timing 1 of 1"))


def measure(x: Shown) -> None:
    """Press Time, and wait until the marked networks are measured and seen."""
    x.set(seconds=0.2)
    x.button("Time").click()
    until(x.page, lambda: x.said("status").startswith("timed 1 network"))
    until(x.page, lambda: len(x.kernel("times.flops.tolist()")) == 2)  # of w, and of α = 1, which is w


def test_time_says_cpu_and_its_times_are_chosen(tiny):
    measure(tiny)
    until(tiny.page, lambda: "this machine: " in tiny.field("Time on").locator("option:checked").text_content())
    assert "batch 1, inference fp32" in tiny.field("Time on").locator("option:checked").text_content()
    assert tiny.said() == ""
    until(tiny.page, lambda: tiny.measured() == 2)
    tiny.slider("Scale s").press("ArrowRight")
    until(tiny.page, lambda: tiny.kernel("scale") > 4)
    assert tiny.follows()
    assert tiny.measured() == 2  # points stay as the sliders move


def test_the_kernel_is_free_while_it_measures_until_cancelled(tiny):
    measure_for_long(tiny)
    tiny.slider("Scale s").press("ArrowRight")
    until(tiny.page, lambda: tiny.kernel("scale") > 4)
    assert tiny.kernel("busy")  # it answered while it measured
    assert tiny.button("Time").is_disabled()
    tiny.button("Cancel").click()
    until(tiny.page, lambda: tiny.said("status") == "cancelled; what was measured stays")
    until(tiny.page, lambda: not tiny.kernel("busy"))
    measure(tiny)


def test_a_killed_measurement_is_said_and_the_next_press_works(tiny):
    measure_for_long(tiny)
    os.kill(tiny.kernel("timings.pid"), signal.SIGKILL)
    until(tiny.page, lambda: tiny.said() != "")
    assert "killed" in tiny.said()
    until(tiny.page, lambda: tiny.button("Time").is_enabled())
    measure(tiny)
    assert tiny.said() == ""


def test_live_measures_where_the_slider_rests(tiny):
    tiny.field("Live").check()
    until(tiny.page, lambda: tiny.kernel("times.flops.tolist()"))
    tiny.button("16×").click()
    tiny.slider("Scale s").press("ArrowRight")
    until(tiny.page, lambda: tiny.kernel("scale") == pytest.approx(2**4.05))
    # Where the slider rested on its way, the network may have been the same after rounding: its time is known then.
    until(tiny.page, lambda: tiny.kernel("times.flops.tolist()")[-1] == tiny.kernel("counted().flops"))
    assert tiny.kernel("counted().flops") > 2 * tiny.kernel("times.flops.tolist()")[0]
    tiny.field("Live").uncheck()
    until(tiny.page, lambda: not tiny.kernel("live"))


# Times predicted

FEW_PROBES = f"""import sys
sys.path.insert(0, {str(REPO / "tests")!r})
from helpers.fake_device import TINY as probes
from fastscale_lib.explorer import predictions as predicting
usual = predicting.probes, predicting.PROBE_SECONDS
predicting.probes, predicting.PROBE_SECONDS = lambda count=10: probes, 0.05"""


@pytest.fixture
def few_probes(x) -> Iterator[Shown]:
    """The explorer of a tiny network, whose Predict button measures a dozen such."""
    x.nb.execute(FEW_PROBES)
    x.nb.execute("explorer.network = TINY")
    yield x
    x.nb.execute("explorer.cancel(); explorer.predictions.fitted.clear(); explorer.model = None")
    x.nb.execute("predicting.probes, predicting.PROBE_SECONDS = usual")


def test_predict_draws_this_machine_s_times_which_stay_as_a_slider_moves(few_probes):
    x = few_probes
    x.button("Predict").click()
    until(x.page, lambda: "times are predicted, with a median error of" in x.said("status"))
    assert x.said() == ""
    until(x.page, lambda: "as long on this machine: " in x.sentence())
    assert len(x.drawn("time")["lines"]) >= 3
    x.slider("Scale s").press("ArrowRight")
    x.slider("α").press("ArrowLeft")
    until(x.page, lambda: x.kernel("alpha") == 0.79)
    assert len(x.drawn("time")["lines"]) >= 3
    fitted = x.kernel("batch")
    x.enter("batch", "2")
    until(x.page, lambda: "too few probes were measured on cpu in inference, fp32, at batch 2" in x.said("status"))
    x.enter("batch", str(fitted))
    until(x.page, lambda: "as long on this machine: " in x.sentence())
