"""The explorer as one file, opened from disk in Chromium: its counts, its controls, its looks."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.fake_device import by_layers, rows
from helpers.waiting import until as wait_until

import fastscale_lib as fs
from fastscale_lib.explorer import app_data

BASES = ("EfficientNet-B0", "RegNetY-4.0GF", "ConvNeXt-T", "ViT-S/16")
COUNTED = """([name, count]) => {
    const { counts } = explorer.view();
    if (counts.header.name !== name) throw new Error(counts.header.name);
    return Array.from(counts.index, (network) => counts[count][network]);
}"""
DRAWN = "panel => [...document.querySelectorAll(`.${panel} .line`)].map(line => line.getAttribute('d'))"


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    timing = fs.explorer.Timing("a made-up device, batch 4", "predicted", fs.RuntimeModel.fit(rows(by_layers)), 4)
    return fs.explorer.write_page(tmp_path_factory.mktemp("page") / "explorer.html", BASES, [timing])


@pytest.fixture
def open_page(saved, new_page) -> Iterator[Any]:
    """Open the file, at an address's fragment; nothing but the file is asked for, and no script fails."""
    pages, asked = [], []

    def open_(fragment: str = "", **options: Any) -> Any:
        page = new_page(offline=True, **options)
        page.on("request", lambda request: asked.append(request.url.split("#")[0]))
        page.goto(saved.as_uri() + fragment)
        page.wait_for_function("globalThis.explorer")
        pages.append(page)
        return page

    yield open_
    assert set(asked) == {saved.as_uri()}
    assert [page.errors for page in pages] == [[]] * len(pages)


def until(page: Any, condition: Callable[[], Any]) -> None:
    """Wait until the condition holds; what happens in the page is heard meanwhile."""
    wait_until(condition, pause=lambda: page.wait_for_timeout(50))


def slider(page: Any, name: str) -> Any:
    return page.get_by_role("slider", name=name)


def state(page: Any) -> dict[str, Any]:
    return page.evaluate("explorer.state")


def says(page: Any) -> str:
    return page.locator(".sentence").text_content()


def test_the_file_is_small(saved):
    assert saved.stat().st_size < 2_000_000


@pytest.mark.parametrize("base", BASES)
def test_every_step_of_both_sliders_counts_as_sweep_does(open_page, base):
    page = open_page(f"#network={base}")
    counted = fs.sweep(base, list(app_data.rows().values()), app_data.SCALES)
    for metric in ("flops", "params", "activations", "resolution"):
        assert page.evaluate(COUNTED, [base, metric]) == counted[metric].tolist(), metric


def test_the_marked_networks_are_the_nearest_to_the_flops(open_page):
    page = open_page("#network=EfficientNet-B0&scale=8&alpha=0.25&strategies=w,d,dwr")
    flops = 8 * fs.complexity("EfficientNet-B0").flops
    marked = page.evaluate("explorer.view().drawn.map(way => explorer.view().counts.flops[way.network])")
    for strategy, found in zip(["w", "d", "dwr", 0.25], marked, strict=True):
        every = fs.sweep("EfficientNet-B0", strategy, app_data.SCALES)["flops"]
        assert found == every[np.abs(np.log(every / flops)).argmin()], strategy


def test_the_first_screen_tells_the_paper_s_message(open_page):
    page = open_page()
    base = fs.network("EfficientNet-B0")
    flops = 16 * fs.complexity(base).flops
    activations = {way: fs.complexity(fs.scale_to(base, way, flops=flops)).activations for way in ("dwr", "dWr")}
    said = says(page)
    assert said.startswith("At 6.17 G multiply-adds, to within ")
    factor = float(said.split("dwr makes ")[1].split("×")[0])
    assert factor == pytest.approx(activations["dwr"] / activations["dWr"], rel=0.03)
    assert "as long on a made-up device, batch 4 (predicted, ±" in said
    for panel in ("counts", "time", "trade"):
        assert len(page.evaluate(DRAWN, panel)) >= 3, panel


def test_keys_move_the_picture_and_the_address_follows(open_page):
    page = open_page()
    before, said = page.evaluate(DRAWN, "counts"), says(page)
    slider(page, "α").press("ArrowRight")
    until(page, lambda: page.evaluate(DRAWN, "counts") != before)
    slider(page, "Scale s").press("ArrowRight")
    until(page, lambda: says(page) != said and state(page)["scale"] > 16)
    until(page, lambda: "alpha=0.51" in page.url)
    again = open_page("#" + page.url.partition("#")[2])
    assert says(again) == says(page)
    assert again.evaluate(DRAWN, "counts") == page.evaluate(DRAWN, "counts")


def test_an_address_shows_the_named_alpha_again(open_page):
    page = open_page()
    page.get_by_role("button", name="⅓ dwr").click()
    until(page, lambda: "alpha=0.333333" in page.url)
    again = open_page("#" + page.url.partition("#")[2])
    assert state(again)["alpha"] == 1 / 3
    again.get_by_role("button", name="Copy network").click()
    copied = again.locator(".exports [role=status]")
    until(again, lambda: "fs.strategy(alpha=1/3)" in copied.text_content())
    made = eval(copied.text_content().removeprefix("copied: "), {"fs": fs})
    drawn = again.evaluate("explorer.view().counts.flops[explorer.view().shown.network]")
    assert fs.complexity(made).flops == drawn


def test_times_and_their_errors_are_the_model_s(open_page):
    """Networks above those that the model was fitted to have a wider interval, or no time."""
    page = open_page("#network=EfficientNet-B0")
    asked = "(counts => Array.from(counts.row(counts.rowOf.get('w')), at => TIMES[at] || null))(explorer.view().counts)"
    ms, error = (page.evaluate(asked.replace("TIMES", f"counts.timings[0].{each}")) for each in ("ms", "error"))
    curve = fs.RuntimeModel.fit(rows(by_layers)).curve("EfficientNet-B0", "w", app_data.SCALES, 4)
    told = np.isfinite(curve.ms)
    assert [each is not None for each in ms] == told.tolist()
    assert np.array(ms)[told].astype(float) == pytest.approx(curve.ms[told], rel=1e-3)
    stated = np.array([each or 0 for each in error])[told]
    assert stated == pytest.approx((curve.high_ms / curve.ms - 1)[told], abs=1.1e-3)
    assert not told.all() or len(set(stated)) > 1  # some are beyond


def test_a_hand_drags_the_flops_and_alpha_in_the_panels(open_page):
    page = open_page()
    for panel, name in (("counts", "scale"), ("trade", "alpha")):
        box = page.locator(f".{panel} .chart").bounding_box()
        before = state(page)[name]
        page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + 0.45 * box["width"], box["y"] + 0.5 * box["height"])
        page.mouse.up()
        until(page, lambda before=before, name=name: state(page)[name] < before)


def test_the_pointer_is_told_what_is_under_it(open_page):
    page = open_page("#strategies=w,dwr")
    box = page.locator(".time .chart").bounding_box()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.5 * box["height"])
    rows_ = page.locator(".tip:not([hidden]) tr")
    until(page, lambda: rows_.count() == 3)
    names = [row.locator("th").first.text_content() for row in rows_.all()]
    assert names == ["w", "dwr", "α 0.50"]


def test_a_strategy_is_chosen_and_the_axes_are_switched(open_page):
    page = open_page()
    page.get_by_role("checkbox", name="dw depth, width").focus()
    page.keyboard.press("Space")
    until(page, lambda: state(page)["strategies"] == ["w", "dWr", "dwr"])
    until(page, lambda: len(page.evaluate(DRAWN, "counts")) == 4)
    before = page.evaluate(DRAWN, "counts")
    page.get_by_role("checkbox", name="absolute").check()
    until(page, lambda: page.evaluate(DRAWN, "counts") != before)
    page.get_by_label("Count", exact=True).select_option("parameters")
    until(page, lambda: "count=params" in page.url)
    assert "axes=absolute" in page.url


def test_another_base_network_is_chosen(open_page):
    page = open_page()
    page.get_by_label("Base network").select_option(index=3)
    until(page, lambda: state(page)["network"] == "ViT-S/16")
    until(page, lambda: "ViT-S" in page.url)


def test_the_table_of_curves_is_saved(open_page):
    page = open_page("#network=RegNetY-4.0GF&strategies=dwr&alpha=0.8")
    with page.expect_download() as given:
        page.get_by_role("button", name="CSV").click()
    text = Path(given.value.path()).read_text()
    found = [row for row in csv.DictReader(io.StringIO(text)) if row["strategy"] == "dwr"]
    counted = fs.sweep("RegNetY-4.0GF", "dwr", app_data.SCALES)
    assert [int(row["activations"]) for row in found] == counted["activations"].tolist()


@pytest.mark.parametrize("width", [390, 900, 1280, 1920])
def test_nothing_is_wider_than_the_page(open_page, width):
    page = open_page(viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    cut = page.evaluate("""() => [...document.querySelectorAll('.names text, .grid text')]
        .filter(text => { const box = text.getBoundingClientRect(); return box.left < 0 || box.right > innerWidth; })
        .map(text => text.textContent)""")
    assert cut == []


def test_what_an_address_gets_wrong_is_left_as_at_the_start(open_page):
    page = open_page("#network=nothing&alpha=7&scale=-1&strategies=w,quick&time=none&shown=quick")
    found = state(page)
    assert (found["network"], found["alpha"], found["scale"]) == ("EfficientNet-B0", 0.5, 16)
    assert (found["strategies"], found["shown"]) == (["w"], "α")


@pytest.mark.parametrize(
    ("networks", "sentence"),
    [([], "give at least one"), (["ResNet-50", "ResNet-50"], "each once"), ([7], "7 is no Network")],
)
def test_what_no_page_is_made_of_is_refused(tmp_path, networks, sentence):
    with pytest.raises(fs.explorer.ExplorerPageError, match=sentence):
        fs.explorer.write_page(tmp_path / "page.html", networks)
