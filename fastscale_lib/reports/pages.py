"""Pages of reports: one HTML file each, which loads nothing and runs only its own scripts."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, NamedTuple
from urllib.parse import quote

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from ..analysis.claims import BEYOND, EVIDENCE, FAILS, HOLDS, UNDECIDED, UNTESTED, details_text, found_text
from . import plots
from .cells import Part, story
from .result import Report

SYMBOLS = {HOLDS: "✓", FAILS: "✗", UNDECIDED: "?", UNTESTED: "○"}
CLASSES = {HOLDS: "holds", FAILS: "fails", UNDECIDED: "undecided", UNTESTED: "untested"}
_PACKAGE = __name__.rpartition(".")[0]
_HERE = resources.files(_PACKAGE)


def render(report: Report) -> str:
    """Render the page of one report, as complete HTML.

    It shows the cells with code folded, interactive figures, parameters and verdicts. Its own scripts are named by
    their hash in a Content-Security-Policy, so no other runs, whatever a parameter contains.
    """
    told = story(report.notebook, report.title)
    failed = next((cell for cell in told.cells if cell.failed), None)
    return _page("report.html.j2", report=report, story=told, failed=failed, changed=report.changed)


def index(reports: Sequence[Report]) -> str:
    """Render the page of all reports: failures, verdicts by kind of evidence, and pictures."""
    rows = scorecard(reports)
    kinds = [(kind, rows[rows["kind"] == kind]) for kind in (*EVIDENCE, UNTESTED, BEYOND)]
    failed = [each for each in reports if each.error]
    return _page(
        "index.html.j2",
        reports=[*failed, *(each for each in reports if not each.error)],
        failed=failed,
        kinds=[(kind, part) for kind, part in kinds if len(part)],
        counts=Counter(rows["verdict"]),
        beyond=int((rows["kind"] == BEYOND).sum()),
        made=shared([each.made for each in reports]),
        cards={each.name: _card(each) for each in reports},
    )


def scorecard(reports: Sequence[Report]) -> pd.DataFrame:
    """Gather the verdicts of all reports: `claims.scorecard`, with the report, and kind.

    The kind is `BEYOND` for a claim beyond the paper, `UNTESTED` for one not tested, else the kind of evidence.
    """
    found = [(each, each.verdicts()) for each in reports]
    frames = [rows.assign(report=pd.Series([each] * len(rows), rows.index, dtype=object)) for each, rows in found]
    columns = ["scope", "evidence", "verdict"]
    rows = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)
    tested = rows["evidence"].where(rows["verdict"] != UNTESTED, UNTESTED)
    return rows.assign(kind=tested.where(rows["scope"] != BEYOND, BEYOND))


def shared(made: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the entries that are the same in all, and when they were made."""
    dates = sorted({each["date"] for each in made if "date" in each})
    first, *others = made or [{}]
    same = {label: text for label, text in first.items() if all(each.get(label) == text for each in others)}
    return {"date": " to ".join(dict.fromkeys([dates[0], dates[-1]])), **same} if dates else same


class Card(NamedTuple):
    """A report on the index: address and size (MB) of its page, first figure, and verdicts."""

    address: str
    size: float
    picture: Part | None
    counts: Counter


def _card(report: Report) -> Card:
    cells = story(report.notebook, report.title).cells if report.shown else []
    figure = next((part for cell in cells for part in cell.parts if part.kind == "figure"), None)
    picture = figure and figure._replace(content=plots.still(figure.content))
    return Card(quote(report.page.name), report.size / 1e6, picture, Counter(report.verdicts()["verdict"]))


def _page(template: str, **content: Any) -> str:
    scripts = [_plotly(), *(_text(name) for name in ("page.js", "figures.js"))]
    return (
        _templates()
        .get_template(template)
        .render(
            **content,
            scripts=[Markup(script) for script in scripts],
            allowed=" ".join(f"'sha256-{_hash(script)}'" for script in scripts),
            style=Markup(_text("page.css")),
        )
    )


@cache
def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader(_PACKAGE, "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    made.globals |= {"symbols": SYMBOLS, "classes": CLASSES, "untested": UNTESTED}
    made.filters |= {
        "harmless": Markup,  # what `cells` has sanitised
        "embedded": lambda value: Markup(plots.embedded(value)),
        "number": _number,
        "found": found_text,
        "details": details_text,
        "short": _short,
        "value": _value,
    }
    return made


def _number(value: float) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:,.3f}"


def _short(name: str) -> str:
    """Shorten a report's name to its notebook's number, and a grid's values."""
    return re.sub(r"^(\d+)_[^\s,]*", r"\1", name)


def _value(value: Any) -> str:
    """Write a parameter's value as on a command line."""
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False, default=str)


@cache
def _text(name: str) -> str:
    return _HERE.joinpath(name).read_text("utf-8")


@cache
def _plotly() -> str:
    return get_plotlyjs()


@cache
def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
