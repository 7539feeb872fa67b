"""The explorer as one file, opened from disk in Chromium: its counts, its controls, its looks."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from helpers.fake_device import by_layers, rows
from helpers.waiting import until as wait_until

import fastscale_lib as fs
from fastscale_lib.explorer import app_data, app_measured
from fastscale_lib.records.conditions import Conditions

REPO = Path(__file__).resolve().parents[2]
BASES = ("EfficientNet-B0", "RegNetY-4.0GF", "ConvNeXt-T", "ViT-S/16")
COUNTED = """([name, count]) => {
    const { counts } = explorer.view();
    if (counts.header.name !== name) throw new Error(counts.header.name);
    return Array.from(counts.index, (network) => counts[count][network]);
}"""
PANELS = ("counts", "time", "trade", "network")
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


def test_every_step_of_both_sliders_counts_as_sweep_does(open_page):
    """In Chromium; over more networks in tests/explorer/test_page_code.py."""
    base = "RegNetY-4.0GF"
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
    assert said.startswith("At 6.17 G multiply-adds (±")
    factor = float(said.split("dwr makes ")[1].split("×")[0])
    assert factor == pytest.approx(activations["dwr"] / activations["dWr"], rel=0.03)
    assert "as long on a made-up device, batch 4 (predicted, ±" in said
    ahead = re.search(r"; (\S+) is the fastest, ([0-9.]+)× as fast as (\S+)\.$", said)
    assert ahead
    model = fs.RuntimeModel.fit(rows(by_layers))
    ways = ("w", "dWr", "dw", "dwr")
    nets = [fs.scale_to(base, way, flops=flops) for way in ways]
    ms: dict[str, float] = dict(zip(ways, model.predict(nets, 4)["predicted_ms"], strict=True))
    assert [ahead[1], ahead[3]] == sorted(ms, key=ms.__getitem__)[:2]
    assert float(ahead[2]) == pytest.approx(ms[ahead[3]] / ms[ahead[1]], rel=0.03)
    for panel in ("counts", "time", "trade"):
        assert len(page.evaluate(DRAWN, panel)) >= 3, panel


def test_keys_move_the_picture_and_the_address_follows(open_page):
    page = open_page()
    before, said = page.evaluate(DRAWN, "counts"), says(page)
    slider(page, "α").press("ArrowRight")
    until(page, lambda: page.evaluate(DRAWN, "counts") != before)
    slider(page, "Scale s").press("ArrowRight")
    until(page, lambda: says(page) != said and state(page)["scale"] > 16)
    until(page, lambda: "alpha=0.51" in page.url and "scale=16&" not in page.url)
    again = open_page("#" + page.url.partition("#")[2])
    assert says(again) == says(page)
    assert again.evaluate(DRAWN, "counts") == page.evaluate(DRAWN, "counts")


def test_lines_move_at_once_and_the_texts_in_the_next_frame(open_page):
    page = open_page()
    lines, said = page.evaluate(DRAWN, "counts"), says(page)
    moved = page.evaluate(f"""() => {{
        explorer.change({{ alpha: 0.6, scale: 8 }});
        return [({DRAWN})("counts"), document.querySelector(".sentence").textContent];
    }}""")
    assert moved[0] != lines
    assert moved[1] == said
    until(page, lambda: says(page) == "".join(page.evaluate("explorer.view().sentence().flat()")))
    assert says(page) != said
    assert page.locator(".trade small").text_content().startswith("at 8.00×")
    page.evaluate("""() => {  // in a page that is not seen there are no frames
        globalThis.requestAnimationFrame = () => 0;
        explorer.change({ scale: 4 });
    }""")
    until(page, lambda: "scale=4" in page.url)
    assert says(page) == page.locator(".spoken").text_content()
    assert page.locator(".trade small").text_content().startswith("at 4.00×")


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


def type_into(page: Any, name: str, text: str) -> Any:
    field = page.get_by_role("textbox", name=name)
    field.fill(text)
    field.press("Enter")
    return field


def test_alpha_and_scale_are_typed(open_page):
    page = open_page("#network=EfficientNet-B0")
    flops = fs.complexity("EfficientNet-B0").flops
    for text, alpha in (("25 %", 0.25), ("0,8", 0.8), ("1/3", 1 / 3)):
        type_into(page, "α, typed", text)
        assert state(page)["alpha"] == alpha
    for text, scale in (("×2", 2), ("8x", 8), ("1.5G", 1.5e9 / flops), ("1500 M", 1.5e9 / flops), ("50 %", 0.5)):
        field = type_into(page, "Scale s", text)
        assert state(page)["scale"] == pytest.approx(scale)
    until(page, lambda: field.input_value() == "0.50×")
    assert slider(page, "Scale s").get_attribute("aria-valuetext").startswith("0.50 times, 193 M")


def test_what_is_typed_wrongly_is_told_of_each_field(open_page):
    page = open_page("#network=EfficientNet-B0")
    before = says(page)
    alpha, scale = type_into(page, "α, typed", "1.5"), type_into(page, "Scale s", "900G")
    assert [each.get_attribute("aria-invalid") for each in (alpha, scale)] == ["true", "true"]
    wrong = [each.text_content() for each in page.locator(".wrong").all()]
    assert "“1.5” is no share from 0 to 1; type one as 0.8, 80 % or 1/3" in wrong[0]
    assert "“900G” is not from 0.25 to 64 times the base, 96.5 M to 24.7 G multiply-adds; type 8" in wrong[1]
    assert says(page) == before
    type_into(page, "α, typed", "0.337")
    assert "“0.337” lies between the hundredths" in page.locator(".wrong").first.text_content()
    slider(page, "α").press("ArrowRight")  # what is set anew is no longer wrong
    until(page, lambda: alpha.get_attribute("aria-invalid") == "false" and alpha.input_value() == "0.51")
    assert scale.get_attribute("aria-invalid") == "true"


MEASURED = "#network=EfficientNet-B0&strategies=w,dWr,dw,dwr&time="
CPU = "Intel Xeon, 2 threads, inference, fp32, batch 4"


def test_measured_times_are_points_with_intervals(open_page):
    page = open_page(MEASURED + quote(CPU))
    rows_ = fs.records.read_rows(REPO / "data" / "measured" / "intel-xeon-2-threads.jsonl")
    rows_ = rows_[(rows_["base"] == "EfficientNet-B0") & (rows_["mode"] == "inference")]
    rows_ = rows_[rows_["strategy"].isna() | rows_["strategy"].isin(["w", "dWr", "dw", "dwr"])]
    points = page.evaluate("explorer.view().points")
    assert sorted(each["ms"] for each in points) == sorted(rows_["median_ms"])
    assert [each["low"] for each in points if each["doubt"]] == [None] * int(rows_["low_ms"].isna().sum())
    page.get_by_role("checkbox", name="absolute").check()  # relative to w they end where w was measured
    until(page, lambda: page.locator(".time .measured path[fill]").count() == len(points))
    assert page.locator(".time .measured text").count() == sum(each["doubt"] is not None for each in points) > 0
    assert "Times on " + CPU + " are measured, not predicted." in says(page)


def test_a_pointer_is_told_of_a_measured_point(open_page):
    page = open_page(MEASURED + quote(CPU) + "&axes=absolute")
    at = page.evaluate("explorer.view().points.findIndex(each => each.doubt)")
    point = page.evaluate("explorer.view().points")[at]
    box = page.locator(".time .measured path[fill='var(--paper)']").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tip = page.locator(".tip:not([hidden])")
    until(page, lambda: tip.count() and "⚠ " in tip.text_content())
    assert point["doubt"] in tip.text_content()
    assert "CPU: Intel Xeon" in tip.text_content()


def test_measured_times_are_set_by_a_host(open_page):
    page = open_page("#network=EfficientNet-B0&strategies=w,dwr")
    label = page.evaluate("explorer.view().timing.label")
    point = {"label": label, "strategy": "dwr", "flops": 3e9, "ms": 50, "low": 45, "high": 55, "doubt": None}
    page.evaluate("points => explorer.setMeasured(points)", [{**point, "text": "by hand"}, {**point, "label": "other"}])
    assert page.locator(".time .measured path[fill]").count() == 1
    assert "◆ measured" in page.locator(".time small").text_content()


def test_points_of_a_predicted_device_lie_on_its_lines(tmp_path):
    xeon = fs.records.read_rows(REPO / "data" / "measured" / "intel-xeon-2-threads.jsonl")
    model = fs.RuntimeModel.fit(xeon[(xeon["mode"] == "inference")])
    timing = fs.explorer.Timing("this machine", "predicted", model, 4, {"mode": "inference"})
    path = fs.explorer.write_page(tmp_path / "page.html", "EfficientNet-B0", [timing], xeon)
    found = re.search(r"^const data = (.*);$", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    labels = {each["label"] for each in json.loads(found[1])["networks"][0]["measured"]}
    assert "this machine" in labels
    assert not any("inference" in each for each in labels)


def test_laws_are_told_under_the_pointer_and_by_a_switch(open_page):
    page = open_page("#network=EfficientNet-B0&strategies=w,dwr&alpha=0.69")
    page.locator(".counts .chart").hover()
    told = page.locator(".tip tr:has-text('α 0.69')")
    until(page, lambda: told.count() and "s^0.655" in told.text_content())
    page.get_by_role("checkbox", name="laws").check()
    names = page.locator(".counts .names text")
    until(page, lambda: "dwr s^0.833" in names.all_text_contents())
    until(page, lambda: "laws=all" in page.url)


def test_the_shown_network_is_copied_as_timm_makes_it(open_page):
    page = open_page("#network=ConvNeXt-T&strategies=w,dwr&shown=dwr&scale=4")
    page.get_by_role("button", name="Copy timm").click()
    copied = page.locator(".exports [role=status]")
    until(page, lambda: "timm.create_model('convnext_tiny', depths=(" in copied.text_content())
    page.get_by_label("Base network").select_option(index=0)
    until(page, lambda: state(page)["network"] == "EfficientNet-B0")
    page.get_by_role("button", name="Copy timm").click()
    until(page, lambda: "  # timm's efficientnet_b0 takes no sizes of stages" in copied.text_content())


def test_the_shown_network_is_copied_as_yaml(open_page):
    page = open_page("#network=RegNetY-4.0GF&strategies=w,dwr&shown=dwr&scale=8")
    page.get_by_role("button", name="Copy YAML").click()
    copied = page.locator(".exports [role=status]")
    until(page, lambda: "stages:" in copied.text_content())
    made = fs.Network.from_yaml(copied.text_content().removeprefix("copied: "))
    assert made.scaling is not None
    assert made == fs.scale("RegNetY-4.0GF", "dwr", made.scaling.s)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(open_page, scheme):
    page = open_page(color_scheme=scheme)
    until(page, lambda: page.locator(".spoken[role=status]").text_content() == says(page))
    page.evaluate(resources.files("axe_playwright_python").joinpath("axe.min.js").read_text())
    found = page.evaluate("axe.run()")
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]] == []
    assert len(found["passes"]) > 30


def test_the_tab_key_stops_twenty_times_at_most(open_page):
    page = open_page()
    stops = []
    for _ in range(40):
        page.keyboard.press("Tab")
        at = "document.activeElement === document.body ? null : getComputedStyle(document.activeElement).outlineStyle"
        stops.append(page.evaluate(at))
        if stops[-1] is None:
            break
    assert 10 < len(stops) <= 20
    assert "none" not in stops[:5]  # focus is seen
    page.get_by_role("checkbox", name="w width alone").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    until(page, lambda: "dWr" not in state(page)["strategies"])


def test_on_paper_there_are_words_and_all_numbers(open_page):
    page = open_page("#network=EfficientNet-B0&scale=8")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator(".printed").text_content().startswith("EfficientNet-B0 · 386 M · 224 px; α = 0.50 ; 8.00× = ")
    assert page.locator(".numbers tbody tr").count() == 6
    assert not page.locator(".controls, .exports").first.is_visible()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert not page.locator(".numbers tbody").is_visible()


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


# Texts, fields, sliders and lists that are seen, and are cut or lie over another.
FAULTS = """() => {
    const seen = element => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), items = [], cut = [];
    const add = (name, box, element) => {
        const outer = (element.closest('.chart, .silhouette') ?? document.documentElement).getBoundingClientRect();
        if (box.left < outer.left - 1 || box.right > outer.right + 1) cut.push(`${name} leaves its place`);
        items.push([name, box]);
    };
    for (let text; (text = texts.nextNode()); ) {
        const parent = text.parentElement;
        const told = parent.closest('script, style, select, .spoken, .fastscale-title'); // to a screen reader alone
        if (told || !text.data.trim() || !seen(parent)) continue;
        const range = document.createRange();
        range.selectNodeContents(text);
        for (const box of range.getClientRects()) add(text.data, box, parent);
        const block = parent.closest('p, small, h2, button, td, th, summary');
        if (block && block.scrollWidth > block.clientWidth + 1 && block.clientWidth) cut.push(`${text.data} is cut`);
    }
    for (const field of document.querySelectorAll('.typed, [type=range], .base select')) {
        if (!seen(field)) continue;
        add(field.ariaLabel, field.getBoundingClientRect(), field);
        if (field.scrollWidth > field.clientWidth + 1) cut.push(`${field.value} is cut`);
        if (field.tagName !== 'SELECT') continue;
        const alone = field.cloneNode();
        alone.append(field.selectedOptions[0].cloneNode(true));
        alone.style.cssText = 'position: absolute; width: max-content; max-width: none';
        field.parentElement.append(alone);
        if (alone.offsetWidth > field.offsetWidth + 1) cut.push(`${field.selectedOptions[0].text} is cut`);
        alone.remove();
    }
    const over = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 4 && b.top < a.bottom - 4;
    items.forEach(([one, a], i) => {
        for (const [two, b] of items.slice(i + 1)) if (over(a, b)) cut.push(`${one} lies over ${two}`);
    });
    return cut;
}"""


@pytest.fixture(scope="module")
def long_names(tmp_path_factory) -> Path:
    """The file of a base network and a device whose names are the longest of all that are shipped."""
    base = replace(fs.network("EfficientNet-B0"), name=max(fs.networks(), key=len))
    devices = [*fs.devices()["device_name"], *(Conditions.of(row).label() for row in app_measured.shipped_rows())]
    label = max((f"{each}, channels last, compiled, batch 4096" for each in fs.devices()["device_name"]), key=len)
    timing = fs.explorer.Timing(max(label, *devices, key=len), "predicted", fs.RuntimeModel.fit(rows(by_layers)), 4)
    return fs.explorer.write_page(tmp_path_factory.mktemp("long") / "explorer.html", [base, "ViT-S/16"], [timing])


ALL = "#strategies=w,dWr,dw,dwr,d,r,dr,wr&laws=all"


# 1265 pixels are what a scrollbar leaves of 1280: one that came for a moment goes again.
@pytest.mark.parametrize("width", [390, 600, 900, 1265, 1280, 1440, 1920])
def test_nothing_is_cut_and_nothing_overlaps(long_names, new_page, width):
    height = {1440: 900, 1920: 1080}.get(width, 800)
    page = new_page(viewport={"width": width, "height": height}, color_scheme="dark" if width % 20 else "light")
    for fragment in (ALL, f"{ALL}&axes=absolute&count=params&alpha=0.8&scale=0.25", f"{ALL}&network=ViT-S/16"):
        page.goto("about:blank")
        page.goto(long_names.as_uri() + fragment)
        page.wait_for_function("globalThis.explorer")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(FAULTS) == [], fragment
        tops = [round(page.locator(f"section.{name}").bounding_box()["y"]) for name in PANELS]
        in_a_row = 4 if width >= 1265 else 2 if width == 900 else 1
        assert len(set(tops)) == 4 // in_a_row
        if in_a_row == 4:
            assert page.evaluate("document.documentElement.scrollHeight") <= height


def test_on_paper_nothing_is_cut_and_nothing_overlaps(long_names, new_page):
    page = new_page(viewport={"width": 720, "height": 1000})  # as wide as A4 between its margins
    page.goto(long_names.as_uri() + ALL)
    page.wait_for_function("globalThis.explorer")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.evaluate(FAULTS) == []


def test_a_network_without_times_says_so(open_page):
    page = open_page("#network=ViT-S/16")
    assert page.locator(".time .empty").text_content() == "no time is known of this network"
    assert not page.locator(".time .grid").is_visible()
    assert "as long on" not in says(page)


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
