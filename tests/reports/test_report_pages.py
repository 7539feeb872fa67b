"""Pages of reports: whole in one file, harmless whatever a parameter says, and true to the notebook."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import plotly.graph_objects as go
import pytest
from helpers.executed_notebooks import HOSTILE, MADE, code, everything, prose, report, sliding
from helpers.notebooks import NOTEBOOKS, named, outputs
from hypothesis import given
from hypothesis import strategies as st

import fastscale_lib as fs
from fastscale_lib._common.json_text import embedded
from fastscale_lib.analysis.claims import (
    BEYOND,
    EVIDENCE,
    HEADLINES,
    MIME,
    UNTESTED,
    Claim,
    ClaimError,
    Scorecard,
    gathered,
)
from fastscale_lib.explorer.widget import FIGURE_MIME
from fastscale_lib.figures import explorer_code
from fastscale_lib.reports import pages, plots
from fastscale_lib.reports.markdown import rendered
from fastscale_lib.reports.result import LARGEST_PAGE, Report
from fastscale_lib.reports.sanitise import TAGS, sanitised


class Page(HTMLParser):
    """A page as a browser reads it: its tags, its scripts, its data, and the text that is seen."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.data: list = []
        self._words: list[str] = []
        self._inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._inside.append(dict(attrs).get("type") or tag)

    def handle_endtag(self, tag):
        if tag in ("script", "style"):
            self._inside.pop()
        elif tag in ("td", "th", "li", "p", "summary", "button", "caption"):
            self._words.append(" ")

    def handle_data(self, data):
        kind = self._inside[-1] if self._inside else ""
        if kind in ("script", "module"):
            self.scripts.append(data)
        elif kind == "application/json":
            self.data.append(json.loads(data))
        elif not kind:
            self._words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self._words).split())

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> Report:
    return everything(tmp_path_factory.mktemp("told"))


@pytest.fixture(scope="module")
def page(told) -> Page:
    return Page(pages.render(told))


# What comes from a notebook is harmless


@pytest.mark.parametrize(
    ("source", "harmless"),
    [
        ("a <b>bold</b> <em>word</em> &amp; 1 &lt; 2", "a <b>bold</b> <em>word</em> &amp; 1 &lt; 2"),
        ('<td rowspan="2" class="c" style="color: red" onclick="x()">1</td>', '<td rowspan="2">1</td>'),
        ("<script>alert(1)</script>seen", "seen"),
        ("<style>b { background: url(https://example.org) }</style>seen", "seen"),
        ("<svg><g onload=alert(1)>not</g></svg>seen", "seen"),
        ('<img src=x onerror=alert(1) alt="a &quot;cat&quot;">', "a &quot;cat&quot;"),
        ('<a href="https://example.org/?a=1&b=2">out</a>',
         '<a href="https://example.org/?a=1&amp;b=2" rel="noopener noreferrer">out</a>'),
        ('<a href="javascript:alert(1)">a</a><a href=" JavaScript:alert(1)">b</a>', "<a>a</a><a>b</a>"),
        ('<a href="data:text/html,<script>alert(1)</script>">a</a>', "<a>a</a>"),
        ("</div></main><p>still inside", "<p>still inside</p>"),
        ("<b><i>nested</b> after", "<b><i>nested</i></b> after"),
        ("<scr<script>ipt>alert(1)</script>", "ipt&gt;alert(1)"),
        ("<!-- <b>not</b> -->seen", "seen"),
        ('<math xmlns="x" display="block"><mrow href="javascript:alert(1)" style="x:y"><mi>s</mi></mrow></math>',
         '<math display="block"><mrow><mi>s</mi></mrow></math>'),
        ("<math><annotation-xml><style><img src=x onerror=alert(1)></style></annotation-xml></math>", "<math></math>"),
    ],
)  # fmt: skip
def test_html_is_rebuilt_from_what_is_harmless(source, harmless):
    assert sanitised(source) == harmless


@pytest.mark.parametrize("source", ["so $$s^2$$ grows", "so\n\n$$s^2$$\n\ngrows", "- so $$s^2$$"])
def test_displayed_maths_stands_in_any_text(source):
    told = rendered(source)
    assert '<math display="block"><mrow><msup><mi>s</mi><mn>2</mn></msup></mrow></math>' in told
    assert "<div>" not in told


fragments = st.lists(
    st.sampled_from(
        ["<", ">", "</", "/>", "script", "img", "b", "td", "svg", "style", " ", "onerror=", "href=", "x", '"', "'",
         "math", "mtext", "display=", "<!--", "-->", "javascript:", "&lt;", "&#60;", "\n", "=", "a", "https://e.org"]
    ) | st.text(max_size=3)
).map("".join)  # fmt: skip


@given(fragments)
def test_no_text_gets_a_tag_or_an_attribute_through(text):
    made = Page(sanitised(text))
    assert {tag for tag, _ in made.tags} <= TAGS
    for _, attributes in made.tags:
        assert set(attributes) <= {"href", "rel", "colspan", "rowspan", "start", "display"}
        assert re.match(r"https?://|mailto:|#", attributes.get("href") or "#", re.IGNORECASE)
    assert sanitised(sanitised(text)) == sanitised(text)


@given(st.text())
def test_escaped_text_is_seen_as_it_is(text):
    assert html.unescape(sanitised(html.escape(text))) == html.unescape(html.escape(text))


def test_a_figure_s_texts_keep_plotly_s_plain_markup_and_no_more():
    kept = "<b>s</b><sup>1/2</sup><br>%{y:.3s}<extra></extra>"
    assert plots.defused({"text": [kept, 1.5, None]}) == {"text": [kept, 1.5, None]}
    assert plots.defused("<a href='https://example.org'>net</a>") == "&lt;a href='https://example.org'>net&lt;/a>"
    assert plots.defused('<b style="font-size: 99em">') == '&lt;b style="font-size: 99em">'
    assert plots.defused([float("nan"), float("inf")]) == [None, None]


@given(st.recursive(st.text() | st.integers() | st.none(), st.lists) | fragments)
def test_data_in_a_page_comes_out_as_it_went_in_and_ends_no_script(value):
    text = embedded(value)
    assert "<" not in text
    assert json.loads(text) == value


@pytest.mark.parametrize("make", [pages.render, lambda each: pages.index([each])], ids=["page", "index"])
def test_a_hostile_parameter_is_text_wherever_it_stands(make, tmp_path):
    hostile = everything(tmp_path, HOSTILE, name=f"01_told network={HOSTILE.replace('/', '')}"[:60], error=HOSTILE)
    made = Page(make(hostile))
    assert len(made.scripts) == 2
    assert [each for each in made.all("img") if "src" in each] == []
    assert [name for _, attributes in made.tags for name in attributes if name.startswith("on")] == []
    assert all(re.match("#|https?:|[0-9A-Za-z_%.]+$", str(each["href"])) for each in made.all("a") if "href" in each)
    assert HOSTILE in made.text


# A page is whole, and runs its own scripts only


def test_a_page_names_its_scripts_by_hash_and_loads_nothing(page):
    [policy] = [each["content"] for each in page.all("meta") if each.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    hashes = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in page.scripts]
    assert rules["script-src"].split() == [f"'sha256-{each}'" for each in hashes]
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data: blob:"
    assert [tag for tag, attributes in page.tags if "src" in attributes] == []
    assert page.all("link") == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_page_of_each_notebook_draws_all_its_figures_as_svg(path, executed, page_of):
    notebook, made = executed(path), page_of(path).read_text("utf-8")
    assert len(made.encode()) <= LARGEST_PAGE == 1.5e6
    shown = [output.data[FIGURE_MIME] for output in outputs(notebook) if FIGURE_MIME in output.get("data", {})]
    drawn = [plots.drawing(plots.defused({"data": each["data"], "layout": each["layout"]})) for each in shown]
    assert None not in drawn  # plotly, which is large, has nothing to draw
    data = [json.loads(embedded(each.data)) for each in drawn if each]
    of_all = [output.get("data", {}) for output in outputs(notebook)]
    data += [each[explorer_code.MIME] for each in of_all if explorer_code.MIME in each]
    assert sorted(map(str, Page(made).data)) == sorted(map(str, data))  # findings come first
    written = [
        caption
        for above, caption in pairwise(notebook.cells)
        if re.match(r"\*\*(Figure|Table)\.\*\* ", caption.source) and above.outputs  # 08 may have measured nothing
    ]
    assert len(captions(made)) == len(written)  # each stands below what it describes


# What a page shows


def test_a_page_has_language_title_contents_and_a_way_past_them(page, told):
    assert page.all("html") == [{"lang": "en"}]
    assert "All of it" in page.text
    places = {each["id"] for _, each in page.tags if "id" in each}
    links = [each["href"] for each in page.all("a") if each["href"].startswith("#")]
    assert links[0] == "#content"
    assert {link[1:] for link in links} <= places
    assert links.count("#verdicts") == 4  # one of each verdict
    assert len(links) == 4 + 2 + len(
        re.findall("^##", told.notebook.read_text("utf-8").replace('"', "\n"), re.MULTILINE)
    )


def test_a_page_leads_to_the_index_and_to_the_pages_beside_it(told):
    made = Page(pages.render(told, pages.Site(["00_before", told.name, "02_after α"])))
    found = [each["href"] for each in made.all("a") if str(each["href"]).endswith(".html")]
    assert found == ["index.html", "00_before.html", "02_after%20%CE%B1.html"]
    alone = Page(pages.render(told))
    assert [each for each in alone.all("a") if str(each["href"]).endswith(".html")] == []


def tagged(tag: str, cell):
    cell.metadata["tags"] = [tag]
    return cell


def test_what_is_tagged_a_finding_comes_first_with_its_caption(tmp_path):
    cells = [
        prose("# Told\n\nThe question."),
        code("draw()", sliding("early")),
        prose("**Figure.** An early one."),
        tagged("finding", code("draw()", sliding("key"))),
        prose("**Figure.** The key."),
        tagged("finding", code("said", {"text/markdown": "It came out at *2*."})),
        tagged("finding", code("did not run")),
        prose("The end."),
    ]
    made = pages.render(report(tmp_path, cells))
    text = Page(made).text
    assert text.count("It came out at 2.") == 2  # the sentence stands where it belongs, too
    assert text.count("The key.") == 1
    text = text.replace("It came out at 2.", "First sentence.", 1)
    order = ("First sentence.", "Figure 1. The key.", "Parameters, versions", "The question", "Figure 2. An early")
    places = [text.rindex(each) for each in order]
    assert places == sorted(places)
    assert text.index("An early one") < text.index("did not run") < text.index("The end.")


def test_the_index_shows_what_is_tagged_lead_once(tmp_path):
    cells = [prose("# Told"), tagged("lead", code("said", {"text/markdown": "It came out."})), code("x")]
    text = Page(pages.index([report(tmp_path, cells)])).text
    assert text.count("It came out.") == 1


def test_a_page_without_findings_begins_with_its_central_claims(tmp_path):
    claims = [Claim("time over w", 1, 1.061, 0.25, headline="time", words="{} times the time of w")]
    text = Page(pages.render(report(tmp_path, [prose("# Told"), prose("Text."), code("x", Scorecard(claims))]))).text
    assert text.index(f"{HEADLINES['time']} Counted: 1.06 times the time of w.") < text.index("Text.")


def test_the_footer_says_what_made_a_page(tmp_path):
    made = {"fastscale": "1.2.3", "commit": "abc1234, changed"}
    alike = [everything(tmp_path / name, name=name, made=made) for name in ("01_told", "02_told")]
    for text in (pages.render(alike[0]), pages.index(alike)):
        footer = text[text.index("<footer>") :]
        assert "Made by fastscale 1.2.3, commit abc1234, changed." in footer
        assert "arxiv.org/abs/2103.06877" in footer


def test_other_people_s_notebooks_carry_their_own_titles(told):
    site = pages.Site([told.name], paper=False)
    for text in (pages.render(told, site), pages.index([told], site)):
        assert "All of it" in text
        assert "Fast and accurate model scaling" not in text
        assert "2103.06877" not in text


def test_a_page_names_the_command_that_makes_it(tmp_path):
    cell = code("alpha: float = 0.5\nname: str = 'w'")
    cell.metadata["tags"] = ["parameters"]
    made = Page(pages.render(report(tmp_path, [cell], parameters={"alpha": 0.5, "name": "d w"})))
    assert "fastscale report --only 01_told -p 'name=d w'" in made.text


def test_parameters_and_provenance_stand_at_the_top(page):
    top = page.text[: page.text.index("Here is plain")]
    for text in ("network plain", "alpha 0.8", *(f"{label} {value}" for label, value in MADE.items())):
        assert text in top


def with_parameters(folder, source: str, **given) -> Report:
    cell = code(source)
    cell.metadata["tags"] = ["parameters"]
    return report(folder, [prose("# Told"), cell], parameters=given)


def test_a_page_says_which_parameters_are_not_the_notebook_s_own(tmp_path):
    source = "alpha: float = 0.8\nnetworks: list[str] = ['RegNetY-4GF']\nscales: list[float] = [1, 2]\nseed: int = 0"
    given = {"alpha": 0.5, "networks": ["RegNetY-4.0GF"], "scales": [4.0], "seed": 1}
    told = with_parameters(tmp_path / "some", source, **given)
    assert told.changed == {"alpha": 0.8, "scales": [1.0, 2.0], "seed": 0}  # a name that means the same is the same
    made = Page(pages.render(told))
    assert [each.get("class") for each in made.all("tr")][:4] == ["changed", None, "changed", "changed"]
    assert "alpha 0.5 instead of 0.8" in made.text
    assert "scales [4.0] instead of [1.0, 2.0]" in made.text
    assert "Not the notebook's own values: alpha, scales and seed." in made.text
    assert "alpha 0.5 instead of 0.8" in Page(pages.index([told])).text

    one = with_parameters(tmp_path / "one", source, alpha=0.5)
    assert "Not the notebook's own values: alpha." in Page(pages.render(one)).text


@pytest.mark.parametrize("source", ["alpha: float = 0.8", "alpha = len('x')", "alpha: float ="])
def test_where_no_parameter_is_changed_the_page_says_nothing_of_it(tmp_path, source):
    told = with_parameters(tmp_path, source, alpha=0.8)
    assert told.changed == {}
    made = Page(pages.render(told))
    assert "instead of" not in made.text
    assert "Not the notebook's own values" not in made.text


def test_code_is_there_and_folded(page):
    folded = [each for each in page.all("details") if each.get("class") == "code"]
    assert len(folded) == 5
    assert not any("open" in each for each in folded)
    assert "Scorecard(claims)" in page.text


def test_a_widget_leaves_a_sentence(page):
    assert "This part is live in JupyterLab" in page.text
    assert "IntSlider" not in page.text


def test_verdicts_are_told_apart_by_sign_and_word(page):
    for verdict, symbol in pages.SYMBOLS.items():
        assert f"{symbol} {verdict}" in page.text
    assert len(set(pages.SYMBOLS.values())) == 4


def test_a_figure_is_described_in_words(page):
    first, second = [each["aria-label"] for each in page.all("div") if each.get("role") == "img"]
    assert first.startswith("Figure: counts, plain; ")
    for text in ("flops (multiply-adds)", "activations (elements)", "params (weights)", *fs.scaling.STRATEGIES):
        assert text in first
    assert "a slider changes what is drawn" in second


def test_a_description_names_panels_and_counts_what_is_too_much():
    many = go.Figure([go.Scatter(y=[1], name=f"line {number}") for number in range(30)])
    many.update_layout(title="<b>bold</b>", annotations=[{"text": "left: r = 0.9"}], xaxis_title="s<sup>2</sup>")
    said = plots.described(many.to_plotly_json())
    assert said.startswith("Figure: bold; panels: left: r = 0.9; from left to right: s 2; shown: line 0, line 1,")
    assert said.endswith("and 18 more.")


def test_maths_is_drawn_without_scripts(tmp_path):
    cells = [
        prose("# With $s^{1/2}$\n\nActivations grow as $\\sqrt{s}$:\n\n$$\na = \\frac{b}{c}\n$$\n\n- in a list $x_1$"),
        prose("`$code$`, \\$5, $\\left( x$, and $\\href{javascript:alert(1)}{x}$"),
        code("Math('y^2')", {"text/latex": "$\\displaystyle y^2$", "text/plain": "<Math>"}),
    ]
    made = pages.render(report(tmp_path, cells))
    page = Page(made)
    assert [each["display"] for each in page.all("math")] == ["inline", "inline", "block", *["inline"] * 3]
    assert "<msqrt><mrow><mi>s</mi></mrow></msqrt>" in made
    assert "<mfrac><mrow><mi>b</mi></mrow><mrow><mi>c</mi></mrow></mfrac>" in made
    assert "$code$, $5, $\\left( x$, and" in page.text  # what cannot be read is shown as it was written
    assert "javascript:" not in made
    assert len(page.scripts) == 2


def captions(text: str) -> list[str]:
    return re.findall(r"<figcaption>(.*?)</figcaption>", text, re.DOTALL)


def test_markdown_below_a_figure_or_a_table_is_its_numbered_caption(tmp_path):
    table = {"text/html": "<table><tr><td>cell</td></tr></table>"}
    cells = [
        code("draw()", sliding("first"), sliding("second"), table, {"text/html": "<p>said</p>"}),
        prose("**Figure.** Lines *rise* by α.\n\nAnd prose goes on."),
        code("show()", table, table),
        prose("**Table.** Cells, <script>x</script>each one."),
        code("picture()", {"image/png": "AAAA"}),
        prose("**Figure.** A picture."),
    ]
    made = pages.render(report(tmp_path, cells))
    assert captions(made) == [
        "<strong>Figure 1.</strong> Lines <em>rise</em> by α.",
        "<strong>Table 1.</strong> Cells, each one.",
        "<strong>Figure 2.</strong> A picture.",
    ]
    figures = re.findall(r"<figure>(.*?)</figure>", made, re.DOTALL)
    assert ["<figcaption>" in each for each in figures] == [False, True, True, True]  # the last of several has it
    assert figures[2].index("<figcaption>") < figures[2].index("<table")  # a table's stands above it
    assert "And prose goes on." in Page(made).text
    assert "**" not in Page(made).text


def test_a_caption_without_its_figure_is_not_shown(tmp_path):
    cells = [code("draw()", {"text/plain": "not measured"}), prose("**Figure.** Times."), prose("**Figure.** Prose.")]
    made = pages.render(report(tmp_path, cells))
    assert captions(made) == []
    assert "Times." not in made
    assert "Prose." not in made


def test_text_like_a_caption_elsewhere_is_text(tmp_path):
    cells = [code("x"), prose("Between."), prose("**Figure.** Alone."), prose("A **Figure.** within.")]
    made = pages.render(report(tmp_path, cells))
    assert captions(made) == []
    assert "<strong>Figure.</strong> Alone." in made


def test_pictures_and_texts_of_other_kinds(tmp_path):
    svg = "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"
    cells = [
        code("one", {"image/png": "AAAA\n", "text/plain": "a picture of one"}),
        code("two", {"image/svg+xml": svg, "text/plain": "two"}),
        code("three", {"text/markdown": "*three* <script>3</script>"}),
        code("four", {"text/html": "<script>only</script>", "text/plain": "four"}),
    ]
    made = Page(pages.render(report(tmp_path, cells)))
    png, vector = made.all("img")
    assert png == {"src": "data:image/png;base64,AAAA", "alt": "a picture of one"}
    assert base64.b64decode(str(vector["src"]).removeprefix("data:image/svg+xml;base64,")).decode() == svg
    assert "three" in made.text


def test_a_failed_report_says_why_and_where(tmp_path):
    error = ValueError("scale is -1 & <odd>")
    cells = [
        prose("# Fails"),
        code("scale = -1", number=1),
        code("raise error", error, number=2),
        code("never", number=3),
    ]
    said = f"cell [2]: ValueError: {error}"
    made = Page(pages.render(report(tmp_path, cells, error=said)))
    assert made.text.index(f"This report failed. {said}") < made.text.index("alpha 0.8")
    assert {"href": "#failed"} in made.all("a")
    assert [each["class"] for each in made.all("div") if each.get("id") == "failed"] == ["cell"]
    assert "Traceback ValueError: scale is -1 & <odd>" in made.text
    assert "\x1b" not in made.text


# The index


def test_the_index_counts_verdicts_by_what_they_rest_on(told):
    made = Page(pages.index([told]))
    for text in ("all (5)", "✓ holds (2)", "✗ does not hold (1)", "? undecided (1)", "○ not tested here (1)"):
        assert text in made.text
    kinds = ("Counted (1)", "Measured (1)", "Published (2)", "Not tested here (1)")
    places = [made.text.index(kind) for kind in kinds]
    assert places == sorted(places)
    assert {each.get("data-verdict") for each in made.all("tr")} == {None, *pages.CLASSES.values()}


def test_the_index_says_in_sentences_what_became_of_the_central_claims(tmp_path):
    claims = [
        Claim("time over w", 1, 1.061, 0.25, headline="time", words="{} times the time of w", evidence="measured"),
        Claim("counts", 1, 1),
        Claim("r", 0, 1, low=0, high=3, headline="follows", evidence="published"),
    ]
    made = report(tmp_path, [prose("# Told"), code("Scorecard(claims)", Scorecard(claims))])
    page = Page(pages.index([made]))
    assert "Of 2 central claims, 1 holds, 1 is undecided." in page.text
    assert f"{HEADLINES['time']} Measured: 1.06 times the time of w." in page.text
    assert page.text.index(HEADLINES["follows"]) < page.text.index(HEADLINES["time"])  # in their own order
    assert page.all("a").count({"href": "01_told.html#verdicts", "title": "Told"}) == 2
    assert "All 3 claims" in page.text  # folded away
    assert HEADLINES["time"] not in Page(pages.index([everything(tmp_path / "other")])).text


def test_the_index_has_a_section_for_each_kind_of_evidence_and_scope(tmp_path):
    claims = [Claim(f"from {kind}", 1, 1, evidence=kind) for kind in EVIDENCE]
    claims += [Claim("more", 1, 1, scope=BEYOND, evidence="predicted"), Claim("no rows", 1, None)]
    made = report(tmp_path, [code("Scorecard(claims)", Scorecard(claims))])
    assert pages.scorecard([made])["kind"].tolist() == [*EVIDENCE, UNTESTED, BEYOND]
    text = Page(pages.index([made])).text
    places = [text.index(f"{kind.capitalize()} (1)") for kind in (*EVIDENCE, UNTESTED, BEYOND)]
    assert places == sorted(places)
    assert "1 of the claims go beyond the paper" in text


def test_the_index_has_a_picture_and_a_link_of_each_report(told, tmp_path):
    failed = report(
        tmp_path, [prose("# Second")], name="02_fails, α=½", error="cell [1]: no such network", seconds=3.25
    )
    told.page.write_text("x" * 1_500_000)
    made = Page(pages.index([told, failed]))
    assert len([each for each in made.all("span") if each.get("role") == "img"]) == 1  # of the one that has figures
    assert "1 of 2 failed." in made.text
    cards = made.text[made.text.rindex("Reports") :]
    assert cards.index("Second") < cards.index("All of it")
    assert "02_fails, α=½ · 3.2 s, run now" in cards
    assert "1.5 MB" in cards
    assert {"href": "01_told.html", "title": "01_told"} in made.all("a")
    assert {"href": "02_fails%2C%20%CE%B1%3D%C2%BD.html"} in made.all("a")


def test_what_all_reports_share_is_said_once(told, tmp_path):
    other = everything(tmp_path, name="02_other", made={**MADE, "device": "a GPU"})
    made = Page(pages.index([told, other]))
    assert made.text.count(MADE["date"]) == 1
    assert made.text.count("a GPU") - made.text.count("of a GPU") - made.text.count("on a GPU") == 1
    assert pages.shared([]) == {}


def test_the_index_says_from_when_to_when_reports_were_made(told, tmp_path):
    dates = "2026-01-02 03:05 UTC", "2026-01-02 03:03 UTC"
    others = [everything(tmp_path / date[-6:-4], name="02_other", made={**MADE, "date": date}) for date in dates]
    made = Page(pages.index([told, *others]))
    assert f"Made with date {dates[1]} to {dates[0]} device a CPU" in made.text
    for date in (MADE["date"], *dates):
        assert f"date {date}" in made.text[made.text.index("Reports") :]  # each where it stands


def test_the_index_says_of_a_page_that_it_is_too_large(told, tmp_path):
    other = everything(tmp_path, name="02_other")
    told.page.write_text("x" * LARGEST_PAGE)
    other.page.write_text("x" * (LARGEST_PAGE + 400_000))
    made = Page(pages.index([told, other]))
    assert made.text.count("more than 1.5 MB") == 1
    assert "the page has 1.9 MB, more than" in made.text


def test_of_a_report_that_cannot_be_shown_the_index_has_name_and_error(tmp_path):
    lost = Report("01_lost", tmp_path / "runs" / "01_lost" / "01_lost.ipynb", {}, "it is lost", shown=False)
    made = Page(pages.index([lost]))
    assert "1 of 1 failed. 01_lost: it is lost" in made.text
    assert "no claims" in made.text


CLAIM = Scorecard([Claim("counts", 1, 2.0, 0.5)])._repr_mimebundle_()[MIME][0]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("text", "claims: a row is 'text', but must name its fields"),
        ({"claim": "counts"}, "claims: the row 'counts' has no 'paper'"),
        (CLAIM | {"found": "2"}, "claims: found of 'counts' is '2', but must be a number or null"),
        (CLAIM | {"tolerance": None}, "claims: tolerance of 'counts' is None, but must be a number; show claims by"),
        (CLAIM | {"evidence": None}, "claims: evidence of 'counts' is None, but must be a text"),
        (CLAIM | {"relation": "≈"}, "relation '≈' of a claim: give one of =, <, >"),
        (CLAIM | {"evidence": "measured on a CPU"}, "evidence 'measured on a CPU' of a claim: give one of counted, "),
        ({name: CLAIM[name] for name in CLAIM if name != "scope"}, "claims: the row 'counts' has no 'scope'"),
    ],
)
def test_a_row_that_is_no_claim_is_refused_in_a_sentence(row, said):
    with pytest.raises(ClaimError, match=re.escape(said)):
        gathered([CLAIM, row])


def test_an_index_of_nothing_says_so():
    assert "None of these reports states a claim." in Page(pages.index([])).text


def test_a_kept_run_is_called_one(told):
    kept = replace(told, cached=True, seconds=2.0)
    assert "2.0 s, taken from the cache" in Page(pages.index([kept])).text
    assert "2.0 s, then kept" in Page(pages.render(kept)).text


# The explorer in a report


def test_where_figures_stay_as_data_the_explorer_brings_one(monkeypatch):
    explorer = fs.explore("RegNetX-400MF")
    try:
        monkeypatch.delenv("PLOTLY_RENDERER", raising=False)
        assert {FIGURE_MIME, explorer_code.MIME}.isdisjoint(explorer._repr_mimebundle_())
        monkeypatch.setenv("PLOTLY_RENDERER", "plotly_mimetype")
        shown = explorer._repr_mimebundle_()
        assert "application/vnd.jupyter.widget-view+json" in shown
        assert {each["yaxis"] for each in shown[FIGURE_MIME]["data"]} == {"y", "y2", "y3", "y4"}
        assert embedded(shown[explorer_code.MIME]) in explorer.to_html()
    finally:
        explorer.close()


def test_each_panel_of_the_explorer_draws_all_its_lines(executed):
    shown = outputs(executed(named("00_explorer")))
    [figure] = [each.data[FIGURE_MIME] for each in shown if FIGURE_MIME in each.get("data", {})]
    for panel in ("y", "y2", "y3"):
        lines = [each for each in figure["data"] if each["yaxis"] == panel and each.get("visible") is True]
        assert {each["legendgroup"] for each in lines} == {"w", "dw", "dwr", "dWr", "α"}


def test_a_step_of_the_slider_draws_what_an_explorer_there_draws():
    one, other = fs.explore("RegNetX-400MF", alpha=0.8), fs.explore("RegNetX-400MF", alpha=0.25)
    try:
        figure, drawn = one.to_figure(), other.to_figure()
        steps = figure.to_plotly_json()["layout"]["sliders"][0]["steps"]
        [step] = [each for each in steps if each["label"] == "0.25"]
        moved, places = step["args"]
        assert places
        for name in ("x", "y"):
            for values, place in zip(moved[name], places, strict=True):
                expected = [np.nan if value is None else value for value in drawn.data[place][name]]
                np.testing.assert_array_equal(np.array(values, dtype=float), np.array(expected, dtype=float))
    finally:
        one.close()
        other.close()


def test_a_slider_s_steps_come_with_the_page():
    figure = json.loads(str(sliding().to_json()))
    assert plots.defused(figure) == figure
    drawn = plots.drawing(figure)
    assert drawn
    assert drawn.data["slider"] == {"name": "k", "labels": ["1", "2", "3"], "active": 0}


def test_colours_are_lightened_for_dark_paper_until_they_stand_out():
    assert plots.dark_colours("fill:var(--c222222,#222222)") == "--c222222:#dddddd;"  # greys are turned round
    [blue] = re.findall("#([0-9a-f]{6})", plots.dark_colours("stroke:var(--c0072b2,#0072B2)"))
    assert int(blue[4:], 16) > int(blue[:2], 16)  # it stays blue
    assert plots.dark_colours("no colour") == ""
