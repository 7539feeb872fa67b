"""Tables of pages: significant digits, a dash for what is missing, and the window's width for many columns."""

from __future__ import annotations

import re

import pandas as pd
import pytest
from helpers.executed_notebooks import code, report
from hypothesis import given
from hypothesis import strategies as st

from fastscale_lib.analysis.claims import Claim, Scorecard
from fastscale_lib.reports import pages
from fastscale_lib.reports.tables import MOST_COLUMNS, MOST_ROWS, is_long, is_wide, number, tidy


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (907.724, "907.7"),
        (0.0643219, "0.06432"),
        (3.0, "3"),
        (1.055, "1.055"),
        (0.5, "0.5"),
        (513028.4, "513,028"),
        (-0.92712, "−0.9271"),
        (0.99996, "1"),
        (7.201e-16, "7.201 · 10⁻¹⁶"),
        (-1e-7, "−1 · 10⁻⁷"),
        (-3.0, "−3"),
        (float("nan"), "–"),
        (None, "–"),
    ],
)
def test_numbers_have_four_significant_digits_at_most(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("907.724", "907.7"),
        ("513,028.0", "513,028"),
        (" 0.064321 ", "0.06432"),
        ("NaN", "–"),
        ("&lt;NA&gt;", "–"),
        ("1.20", "1.20"),  # as its author wrote it
        ("5288548", "5288548"),  # an exact count
        ("torch 2.13.01", "torch 2.13.01"),
        ("1.6e+10", "1.6e+10"),
        ("-0.07", "−0.07"),
        ("+0.08 (-0.03 to 0.30)", "+0.08 (−0.03 to 0.30)"),
        ("16-16-32", "16-16-32"),  # depths of stages
        ("RegNetX-400MF", "RegNetX-400MF"),
        ("2026-11-27", "2026-11-27"),
        ("-p scale=4", "-p scale=4"),
    ],
)
def test_cells_are_shortened_where_they_are_numbers(cell, shown):
    assert tidy(f"<td>{cell}</td>") == f"<td>{shown}</td>"


@pytest.mark.parametrize(("heading", "shown"), [("2.0", "2"), ("-1.0", "−1"), ("0.25", "0.25"), ("s", "s")])
def test_headings_that_are_whole_numbers_have_no_decimals(heading, shown):
    assert tidy(f"<th>{heading}</th><td>2.0</td>") == f"<th>{shown}</th><td>2.0</td>"


@pytest.mark.parametrize(
    "written", [pd.DataFrame.to_html, lambda frame: frame.style.to_html()], ids=["plain", "styled"]
)
@pytest.mark.parametrize("names", [["device"], ["device", "mode"]])
def test_names_of_the_index_stand_beside_those_of_the_columns(written, names):
    index = pd.MultiIndex.from_product([["a", "b"]] * len(names), names=names)
    head, body = tidy(written(pd.DataFrame({"ms": range(len(index)), "MB": 2.0}, index=index))).split("</thead>")
    assert re.findall(r"<th[^>]*>(.*?)</th>", head) == [*names, "ms", "MB"]
    assert head.count("<tr") == 1
    assert body.count("<tr") == len(index)


def test_the_name_of_the_columns_keeps_a_row_of_its_own():
    frame = pd.DataFrame({2.0: [0.5]}, index=pd.Index(["law"], name="network")).rename_axis("flops", axis="columns")
    head, _ = tidy(frame.to_html()).split("</thead>")
    assert re.findall(r"<th[^>]*>(.*?)</th>", head) == ["flops", "2", "network", ""]


@given(st.floats(-1e9, 1e9))
def test_a_shortened_number_is_within_half_a_digit_of_the_whole_one(value):
    raised = str.maketrans("−⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "--0123456789")
    shown = number(value).replace(",", "").replace(" · 10", "e").translate(raised)
    assert float(shown) == pytest.approx(value, rel=0.0005, abs=1e-300)


@pytest.mark.parametrize("rows", [1, MOST_ROWS - 1, MOST_ROWS])
def test_more_rows_than_a_screen_holds_scroll_below_their_headings(rows, tmp_path):
    html = str(pd.DataFrame({"a": range(rows)}).to_html(index=False))
    assert is_long(html) == (rows + 1 > MOST_ROWS)  # with the headings
    page = pages.render(report(tmp_path, [code("frame", {"text/html": html})]))
    assert ('class="scroll long"' in page) == (rows + 1 > MOST_ROWS)


@pytest.mark.parametrize("count", [MOST_ROWS, MOST_ROWS + 1])
def test_a_long_scorecard_scrolls_too(count, tmp_path):
    claims = Scorecard([Claim(f"claim {number}", 1, 1) for number in range(count)])
    page = pages.render(report(tmp_path, [code("Scorecard(claims)", claims)]))
    assert ('class="scroll wide long"' in page) == (count > MOST_ROWS)
    assert page.count("data-verdict=") == count


@pytest.mark.parametrize("columns", [1, MOST_COLUMNS - 1, MOST_COLUMNS, MOST_COLUMNS + 4])
def test_more_than_six_columns_get_the_width_of_the_window(columns, tmp_path):
    frame = pd.DataFrame([[0.123456] * columns])
    html = str(frame.to_html(index=False))
    assert is_wide(html) == (columns > MOST_COLUMNS)
    page = pages.render(report(tmp_path, [code("frame", {"text/html": html})]))
    assert ('class="scroll wide"' in page) == (columns > MOST_COLUMNS)
    assert "0.1235" in page
    assert "0.123456" not in page
