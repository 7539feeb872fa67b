"""Reports opened from a file without a network: what they draw, what a hand does with them, and what they refuse."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
import pytest
from helpers.executed_notebooks import HOSTILE, code, everything, report, sliding
from helpers.notebooks import NOTEBOOKS, named, outputs
from helpers.waiting import until

from fastscale_lib.explorer.widget import FIGURE_MIME
from fastscale_lib.figures.theme import STYLES
from fastscale_lib.reports import pages

PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
CONTRAST = """([a, b]) => {
    const luminance = text => text.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
        .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const [p, q] = [a, b].map(luminance);
    return (Math.max(p, q) + 0.05) / (Math.min(p, q) + 0.05);
}"""
LINES = """node => Object.fromEntries([...node.querySelectorAll("svg g[data-key]:not(.key)")]
    .map(group => [group.dataset.key, group.querySelector("path[fill=none]")])
    .filter(([, path]) => path).map(([key, path]) => [key, getComputedStyle(path).stroke]))"""
SEEN = """node => [...node.querySelector("svg").querySelectorAll("g[data-step]")]
    .filter(group => group.style.display !== "none").map(group => group.dataset.step)"""


@pytest.fixture
def opened(new_page, tmp_path):
    """Opens a page's text as a file, offline, when all its figures are drawn; it keeps what was asked of a network."""

    def open_(text: str, **options):
        path = tmp_path / "page.html"
        path.write_text(text, "utf-8")
        page = new_page(offline=True, **options)
        page.asked = []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("dialog", lambda dialog: page.errors.append(f"dialog: {dialog.message}") or dialog.dismiss())
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-figures=drawn]", state="attached")
        return page

    return open_


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> str:
    return pages.render(everything(tmp_path_factory.mktemp("told")))


def outside(page) -> list[str]:
    """The requests that are not for the page itself or for what it carries."""
    return [url for url in page.asked if not url.startswith(("file:", "data:", "blob:"))]


def drawing(page, number: int):
    return page.locator(".drawing").nth(number)


# Drawn, without a network


@pytest.mark.parametrize("options", [{}, {"color_scheme": "dark"}, PHONE], ids=["light", "dark", "phone"])
def test_every_figure_draws_and_no_request_leaves_the_page(opened, text, options):
    page = opened(text, **options)
    assert page.locator(".drawing").count() == 2
    shown = page.locator(".drawing > svg:visible")
    assert shown.count() == 2
    for picture in shown.all():
        assert picture.locator("g[data-key] path").count() >= 1
    page.get_by_role("button", name=re.compile("Dark|Light")).click()
    assert page.errors == []
    assert outside(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_without_javascript_every_figure_is_there(new_page, text, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(text, "utf-8")
    page = new_page(offline=True, java_script_enabled=False)
    page.goto(path.as_uri())
    assert page.locator(".drawing > svg:visible").count() == 2
    assert page.get_by_role("heading", name="With a slider").is_visible()


def marker(page, number: int):
    """The line of a drawing, at its second point."""
    line = drawing(page, number).locator("svg g[data-key]:not(.key):not([style*=none]) path[fill=none]").first
    line.scroll_into_view_if_needed()
    return line


def test_a_hand_points_and_reads_what_is_there(opened, text):
    page = opened(text)
    box, tip = marker(page, 1).bounding_box(), page.locator(".plot >> nth=1 >> css=.tip")
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tip.wait_for()
    assert tip.text_content().startswith("plain")
    page.mouse.move(2, 2)
    tip.wait_for(state="hidden")


def test_an_entry_of_the_legend_hides_its_lines_and_shows_them_again(opened, text):
    page = opened(text)
    lines = drawing(page, 0).locator("svg >> nth=0 >> css=g[data-key=w]:not(.key)")
    entry = drawing(page, 0).locator("svg >> nth=0 >> css=.key[data-key=w]")
    assert lines.count() >= 2
    entry.click()
    assert not any(each.is_visible() for each in lines.all())
    assert "off" in entry.get_attribute("class")
    entry.click()
    assert all(each.is_visible() for each in lines.all())


def test_the_slider_moves_the_line_by_keys_and_outlasts_a_change_of_theme(opened, text):
    page = opened(text)
    plot, slider = drawing(page, 1), page.get_by_role("slider", name="k")
    assert plot.evaluate(SEEN) == ["0"]
    slider.press("ArrowRight")
    slider.press("ArrowRight")
    assert plot.evaluate(SEEN) == ["2"]
    assert slider.get_attribute("aria-valuetext") == "k 3"
    page.get_by_role("button", name="Dark").click()
    assert plot.evaluate(SEEN) == ["2"]
    slider.press("Home")
    assert plot.evaluate(SEEN) == ["0"]


def test_a_picture_is_saved_and_none_is_uploaded(opened, text):
    page = opened(text)
    drawing(page, 0).hover()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save SVG").first.click()
    assert download.value.suggested_filename == "counts_plain.svg"
    saved = Path(download.value.path()).read_text("utf-8")
    assert saved.startswith("<svg")
    assert "var(" not in saved  # its colours stand alone
    assert page.errors == []
    assert outside(page) == []


def test_plotly_draws_what_is_not_drawn_as_svg(opened, tmp_path):
    pie = go.Figure(go.Pie(labels=["a", "b"], values=[1, 2]))
    page = opened(pages.render(report(tmp_path, [code("pie", pie, sliding())])))
    assert page.locator(".plot.drawn").count() == 1
    plot = page.locator(".plot:not(.drawn) .drawing")
    assert plot.locator(".pielayer .slice").count() == 2
    page.get_by_role("button", name="Dark").click()
    until(lambda: plot.get_attribute("data-drawn") == "dark")
    assert page.errors == []
    assert outside(page) == []


# The pages of the notebooks themselves, as the command leaves them

SLIDERS = {
    "04_fast_scaling": "times the base",
    "05_accuracy_of_scaled_networks": None,
    "09_beyond_convnets": None,
}


@pytest.mark.parametrize("stem", SLIDERS)
def test_a_notebook_s_page_draws_every_figure_offline_and_its_slider_moves(opened, executed, page_of, stem):
    page = opened(page_of(named(stem)).read_text("utf-8"))
    figures = [each for each in outputs(executed(named(stem))) if FIGURE_MIME in each.get("data", {})]
    assert page.locator(".drawing").count() == page.locator(".plot.drawn").count() == len(figures) > 0
    assert page.locator(".drawing > svg:visible").count() == len(figures)
    if SLIDERS[stem]:
        slider = page.get_by_role("slider", name=SLIDERS[stem])
        plot = page.locator(".plot", has=slider).locator(".drawing")
        before = plot.evaluate(SEEN)
        slider.press("Home")
        slider.press("ArrowRight")
        assert plot.evaluate(SEEN) != before
    assert page.errors == []
    assert outside(page) == []


def sentence(page) -> str:
    return page.locator(".live .sentence").text_content()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_explorer_itself_stands_in_its_report(opened, page_of, width, scheme):
    page = opened(
        page_of(named("00_explorer")).read_text("utf-8"),
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
    )
    page.wait_for_selector(".live[data-ready]")
    assert page.locator(".drawing > svg:visible").count() == 0
    assert page.locator(".live .chart svg:visible").count() == 3
    assert page.get_by_label("base network").locator("option").count() == 1
    for slider, key in (("α", "Home"), ("Scale", "End")):
        before = sentence(page)
        page.locator(".live").get_by_role("slider", name=re.compile(slider)).press(key)
        until(lambda before=before: sentence(page) != before)
    paper = "node => getComputedStyle(node).backgroundColor"
    explorer = page.locator(".live .fastscale-app")
    looks = []
    for _ in range(2):  # as the system has it, then the other way round
        looks.append(explorer.evaluate(paper))
        assert looks[-1] == page.locator("body").evaluate(paper)
        page.get_by_role("button", name=re.compile("^(Dark|Light)$")).click()
    assert len(set(looks)) == 2
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.errors == []
    assert outside(page) == []


def test_the_explorer_s_figure_stands_there_on_paper(opened, page_of):
    page = opened(page_of(named("00_explorer")).read_text("utf-8"))
    page.wait_for_selector(".live[data-ready]")
    page.emulate_media(media="print")
    assert page.locator(".drawing > svg:visible").count() == 1
    assert not page.locator(".live").is_visible()


def test_without_javascript_the_explorer_s_figure_stands_there(new_page, page_of):
    page = new_page(offline=True, java_script_enabled=False)
    page.goto(page_of(named("00_explorer")).as_uri())
    assert page.locator(".drawing > svg:visible").count() == 1
    assert not page.locator(".live").is_visible()


def test_an_explorer_that_cannot_be_drawn_leaves_its_figure(opened, page_of):
    text = page_of(named("00_explorer")).read_text("utf-8")
    [live] = re.findall(r'<div class="live".*?</script>', text, re.DOTALL)
    wrong = live.replace('"networks":[{', '"networks":[],"no":[{', 1)
    page = opened(text.replace(live, f"{wrong}<section>{live}</section>"))
    page.wait_for_selector("section .live[data-ready]")  # those after it are drawn
    [error] = page.errors
    assert "undefined" in error
    assert page.locator(".drawing > svg:visible").count() == 1
    assert page.locator(".live:visible").count() == 1


HIDDEN = """() => [...document.querySelectorAll("details")].map(each => each.open = true)
    && [...document.querySelectorAll(".scroll:has(.verdicts)")].filter(each => each.scrollWidth > each.clientWidth)
        .map(each => each.textContent.trim().slice(0, 60))"""  # scorecards that do not show their verdicts


def test_no_page_is_too_tall_or_wider_than_the_window(opened, reported):
    """Heights are those with the fonts of a Debian without others, as in CI."""
    heights, widths, hidden = {}, {}, {}
    for path in sorted(reported.out.glob("*.html")):
        page = opened(path.read_text("utf-8"), viewport={"width": 1280, "height": 800})
        root = "document.documentElement"
        heights[path.stem], widths[path.stem] = page.evaluate(f"[{root}.scrollHeight, {root}.scrollWidth]")
        hidden[path.stem] = page.evaluate(HIDDEN)
        page.close()
    assert len(heights) == len(NOTEBOOKS) + 1
    assert max(heights.values()) <= 12_000, heights
    assert set(widths.values()) == {1280}
    assert not any(hidden.values()), hidden


def test_the_index_of_the_notebooks_draws_a_picture_of_each(opened, reported):
    page = opened((reported.out / "index.html").read_text("utf-8"))
    pictures = page.locator(".picture > svg")
    assert pictures.count() == len(NOTEBOOKS)
    for picture in pictures.all():
        assert picture.bounding_box()["height"] > 100
    assert page.errors == []
    assert outside(page) == []


# What a parameter says is never run


@pytest.mark.parametrize("make", [pages.render, lambda each: pages.index([each])], ids=["page", "index"])
def test_a_hostile_parameter_does_nothing(opened, tmp_path, make):
    page = opened(make(everything(tmp_path, HOSTILE)))
    assert page.evaluate("() => window.hacked === undefined")
    assert page.locator("svg a, [href^='javascript'], main img[src=x]").count() == 0
    assert page.errors == []
    assert outside(page) == []
    if page.locator(".drawing").count():
        shown = "".join(drawing(page, 0).locator("svg >> nth=0 >> css=text").all_text_contents())
        assert HOSTILE.replace(" ", "") in shown.replace(" ", "")
        page.locator("[data-do=theme]").click()
        marker(page, 1).hover(force=True)
        page.get_by_role("button", name="Save SVG").first.click(force=True)
        assert page.evaluate("() => window.hacked === undefined")


def test_a_script_that_got_into_a_page_would_not_run(opened, text):
    """The second wall, tried by breaking the first: the policy lets no other script run, and no handler."""
    broken = (
        '<script>hacked=1</script><img src=x onerror="hacked=1"><a id="go" href="javascript:hacked=1">go</a></main>'
    )
    page = opened(text.replace("</main>", broken))
    page.locator("#go").click()
    assert page.evaluate("() => window.hacked === undefined")
    assert any("Content Security Policy" in error for error in page.errors)


# Read


def test_code_is_one_click_from_sight(opened, text):
    page = opened(text)
    source = page.locator("details.code pre")
    assert not source.first.is_visible()
    page.locator("details.code summary").first.click()
    assert source.first.is_visible()
    page.get_by_role("button", name="Show all code").click()
    assert all(each.is_visible() for each in source.all())
    page.get_by_role("button", name="Hide all code").click()
    assert not any(each.is_visible() for each in source.all())


def column(table, place: int) -> list[str]:
    return table.locator("tbody tr").evaluate_all(
        "(rows, place) => rows.map(row => row.cells[place].textContent.trim())", place
    )


def test_tables_sort_by_numbers_and_by_text_with_mouse_and_keys(opened, text):
    page = opened(text)
    table = page.locator("main .scroll table").first
    assert column(table, 1) == ["10.0", "9.0", "–"]
    times = table.get_by_role("button", name="times")
    times.click()
    assert column(table, 1) == ["9.0", "10.0", "–"]  # as text, 10.0 would come first
    assert table.locator("th[aria-sort]").get_attribute("aria-sort") == "ascending"
    times.press("Enter")
    assert column(table, 1) == ["10.0", "9.0", "–"]  # what is empty stays last
    assert table.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"
    table.get_by_role("button", name="share").press("Space")
    assert column(table, 2) == ["1/2", "25 %", "–"]
    table.get_by_role("button", name="name").click()
    assert column(table, 0) == ["a", "b", "plain"]
    assert table.locator("th[aria-sort]").count() == 1


def test_cells_over_several_rows_come_apart_when_rows_change_places(opened, text):
    rows = "<tr><th rowspan=2>a</th><th>x</th><td>3</td></tr><tr><th>y</th><td>1</td></tr>"
    rows += "<tr><th>b</th><th>x</th><td>2</td></tr>"
    table = f"<table id=t><thead><tr><th>one</th><th>two</th><th>n</th></tr></thead><tbody>{rows}</tbody></table>"
    page = opened(text.replace("</main>", f"{table}</main>"))
    page.locator("#t").get_by_role("button", name="n", exact=True).click()
    assert [column(page.locator("#t"), place) for place in range(3)] == [
        ["a", "b", "a"],
        ["y", "x", "x"],
        ["1", "2", "3"],
    ]


def test_on_dark_paper_the_strategies_stand_out_and_stay_apart(opened, text):
    page = opened(text)
    plot, switch = drawing(page, 0), page.locator("[data-do=theme]")
    light = plot.evaluate(LINES)
    assert set(STYLES) <= set(light)
    switch.click()
    dark, paper = plot.evaluate(LINES), page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    for name in STYLES:
        assert page.evaluate(CONTRAST, [dark[name], paper]) >= 3, name
    assert len({dark[name] for name in STYLES}) == len(STYLES)
    switch.click()
    assert plot.evaluate(LINES) == light


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_the_paper(opened, text, scheme):
    page = opened(text, color_scheme=scheme)
    paper = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    for css in ("body", "main a", "nav a", ".verdict.holds", ".verdict.fails", ".verdict.untested", ".note", "summary"):
        ink = page.locator(css).first.evaluate("node => getComputedStyle(node).color")
        assert page.evaluate(CONTRAST, [ink, paper]) >= 4.5, css


def test_on_a_phone_panels_stand_one_above_the_other(opened, text):
    page = opened(text, **PHONE)
    boxes = [each.bounding_box() for each in drawing(page, 0).locator("> svg:visible > svg").all()]
    assert len(boxes) == 2
    assert boxes[0]["y"] + boxes[0]["height"] < boxes[1]["y"]
    for box in boxes:
        assert 220 < box["width"] < 360
        assert box["height"] > 150
    assert page.locator("nav details").get_attribute("open") is None
    for table in page.locator(".scroll").all():
        assert table.bounding_box()["width"] <= 360


def test_contents_are_at_hand_on_a_wide_screen_and_keys_go_past_them(opened, text):
    page = opened(text)
    assert page.get_by_role("link", name="With a slider").is_visible()
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    assert skip.evaluate("node => node === document.activeElement && node.getBoundingClientRect().x >= 0")
    assert skip.evaluate("node => getComputedStyle(node).outlineStyle") == "solid"
    page.get_by_role("link", name="Verdicts").click()
    verdicts = page.get_by_role("heading", name="Verdicts")
    until(lambda: 0 <= verdicts.evaluate("node => node.getBoundingClientRect().y") < 900)


def test_paper_gets_light_figures_that_fit_and_nothing_to_press(opened, text, tmp_path):
    page = opened(text, color_scheme="dark")
    dark = drawing(page, 0).evaluate(LINES)
    page.emulate_media(media="print")
    assert drawing(page, 0).evaluate(LINES) != dark
    assert all(
        page.evaluate(CONTRAST, [ink, "rgb(255, 255, 255)"]) > 1.9 for ink in drawing(page, 0).evaluate(LINES).values()
    )
    assert page.locator(".drawing > svg:visible").count() == 2
    for css in (".slider", ".tools", "nav", "details.code", ".save"):
        assert not any(each.is_visible() for each in page.locator(css).all()), css
    page.emulate_media(media="null")  # "screen" would print the page as a screen shows it
    printed = page.pdf(path=str(tmp_path / "page.pdf"), format="A4")
    assert printed.startswith(b"%PDF")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 5


WIDE = pd.DataFrame(  # as notebook 06 shows pairs of times: 14 columns
    [
        [text, *[64] * 3, text, text, *[907.724] * 3, *[1.054] * 5]
        for text in ("intel-xeon-2-threads.jsonl", "NVIDIA H200")
    ],
    columns=[
        *("source", "batch", "threads", "resolution", "device_name", "mode"),
        *(f"RegNetY-4.0GF at {times} GF by dWr, ms a batch" for times in (4, 8, 16)),
        *("ratio", "low", "high", "memory_ratio", "reason"),
    ],
)
BROKEN = """() => [...document.querySelectorAll('th, td')].filter(cell => {
    const walk = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    const range = document.createRange(), lines = new Set();
    while (walk.nextNode()) {
        range.selectNodeContents(walk.currentNode);
        for (const box of range.getClientRects()) lines.add(Math.round(box.top));
    }
    return lines.size > cell.textContent.trim().split(/[\\s-]+/).length;
}).map(cell => cell.textContent)"""  # cells with more lines than words


@pytest.fixture(scope="module")
def wide(tmp_path_factory) -> str:
    return pages.render(report(tmp_path_factory.mktemp("wide"), [code("pairs", WIDE, sliding())]))


def test_printed_tables_keep_words_whole_and_columns_on_the_paper(opened, wide):
    page = opened(wide, viewport={"width": 688, "height": 900})  # what A4 leaves between its margins
    page.emulate_media(media="print")
    assert page.evaluate(BROKEN) == []
    table = page.locator(".scroll table").bounding_box()
    assert table["x"] + table["width"] <= 688
    for cell in page.locator(".scroll table tr >> nth=0").locator("th").all():
        assert cell.is_visible()


def pixel(page, x: float, y: float) -> bytes:
    return page.screenshot(clip={"x": x, "y": y, "width": 1, "height": 1})


@pytest.mark.parametrize("width", [1280, 600, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_table_that_is_too_wide_scrolls_and_its_edge_is_shaded(opened, wide, width, scheme):
    page = opened(wide, viewport={"width": width, "height": 900}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(BROKEN) == []
    around = page.locator(".scroll:has(table)")
    around.scroll_into_view_if_needed()
    assert around.evaluate("node => node.scrollWidth > node.clientWidth")
    box = around.bounding_box()
    ends, above = (box["x"] + 1, box["x"] + box["width"] - 2), box["y"] + 1  # where no text is
    paper = pixel(page, box["x"] + 60, above)
    assert [pixel(page, x, above) == paper for x in ends] == [True, False]
    around.evaluate("node => node.scrollTo(node.scrollWidth, 0)")
    assert [pixel(page, x, above) == paper for x in ends] == [False, True]
    last = around.locator("thead th").last.bounding_box()
    assert last["x"] + last["width"] <= box["x"] + box["width"] + 1


@pytest.mark.parametrize("width", [1280, 1600])
def test_a_table_of_many_columns_takes_the_width_of_the_window(opened, wide, width):
    page = opened(wide, viewport={"width": width, "height": 900})
    box, column = page.locator(".scroll:has(table)").bounding_box(), page.locator("main").bounding_box()
    assert box["x"] + box["width"] > column["x"] + column["width"]
    assert box["x"] + box["width"] <= width - 16
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_table_over_several_printed_pages_repeats_its_head(opened, tmp_path):
    """Chromium leaves the text of buttons out of a repeated head: on paper it stands without them."""
    page = opened(pages.render(report(tmp_path, [code("long", pd.DataFrame({"heading": range(200)}), sliding())])))
    page.emulate_media(media="print")
    assert page.locator("thead button").first.evaluate("node => getComputedStyle(node).display") == "contents"
    assert page.locator("thead").evaluate("node => getComputedStyle(node).display") == "table-header-group"


def test_the_index_draws_its_pictures_and_chooses_verdicts(opened, tmp_path):
    page = opened(pages.index([everything(tmp_path)]))
    picture = page.locator(".picture")
    assert picture.get_attribute("aria-label").startswith("Figure: counts, plain")
    assert picture.locator("svg g[data-key] path").count() > 8
    rows = page.locator("tr[data-verdict]:visible")
    assert rows.count() == 0  # folded away
    page.get_by_text("All 5 claims").click()
    assert rows.count() == 5
    page.get_by_role("button", name="does not hold").click()
    assert rows.count() == 1
    assert page.get_by_role("heading", name="Counted").is_hidden()
    page.get_by_role("button", name="all (5)").click()
    assert rows.count() == 5
    assert page.errors == []
    assert outside(page) == []
