"""The shell's command that makes the reports."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .._common.shell import DONE, FAILED, WRONG, say
from .parameter_types import ParameterError
from .selection import notebooks_folder, parameters_text, split


def add_report(commands: Any) -> None:
    """Add report to the commands of the shell."""
    reports = commands.add_parser(
        "report",
        help="run the notebooks with parameters; a page of each, and a scorecard",
        description=(
            "Run notebooks, several at a time, and write a page of each, DIR/<name>.html, and DIR/index.html with the "
            "scorecard. What has run already with the same parameters, source, library, data, device and versions is "
            "not run again."
        ),
        epilog=(
            "A list stands in brackets: -p scales=[1,2,8]. With --grid, values with commas between get a report each: "
            "-p alpha=0.5,0.8 or -p scales=[1,2],[1,4]. Exit status: 0 all ran, whatever the verdicts, 1 some failed, "
            "or a claim that is expected to hold does not, 2 the command or a parameter is wrong, and nothing was "
            "run, 130 stopped."
        ),
    )
    reports.add_argument(
        "--profile", help="fast (the default) or paper: the notebooks' parameters in their profiles.yaml"
    )
    reports.add_argument("--only", nargs="+", default=[], metavar="NAME", help="what notebooks' names begin with: 04")
    reports.add_argument(
        "-p", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the notebooks that take it"
    )
    reports.add_argument("--grid", action="store_true", help="values with commas between get a report each")
    reports.add_argument("--jobs", type=int, metavar="N", help="notebooks run at a time; default: one per core")
    reports.add_argument("--out", default="reports", metavar="DIR", help="default: reports")
    reports.add_argument("--force", action="store_true", help="run again what has run already")
    reports.add_argument(
        "--notebooks", metavar="DIR", help="where they are; default: those of the checkout, or installed"
    )
    reports.add_argument("--limit", type=float, metavar="SECONDS", help="that each notebook may take")
    reports.add_argument("--offline", action="store_true", help="fetch no data set that is not on this machine")
    reports.add_argument("--parameters", action="store_true", help="list what the notebooks take, and run none")
    reports.add_argument(
        "--expect", metavar="FILE", help="fail where a claim does not hold that does in FILE: verdicts.json of a run"
    )
    reports.set_defaults(command=_report)


def _report(asked: argparse.Namespace) -> int:
    try:
        from .engine import report
        from .expected import read_expected, unmet

        if asked.parameters:
            print(parameters_text(Path(asked.notebooks) if asked.notebooks else notebooks_folder(), asked.only))
            return DONE
        expected = [] if asked.expect is None else read_expected(asked.expect)
        parameters, grid = given_parameters(asked.p, asked.grid)
        names = ("profile", "jobs", "out", "force", "notebooks", "limit", "offline")
        settings = {name: getattr(asked, name) for name in names}
        reports = report(asked.only, parameters=parameters, grid=grid, **settings)
    except ParameterError as error:
        say(f"fastscale: {' '.join(str(error).split())}")
        return WRONG
    except ModuleNotFoundError as error:
        say(f"fastscale: report takes the package {error.name}, which is not installed; pip install fastscale has it")
        return WRONG
    failed = [each for each in reports if each.error]
    for each in failed:
        say(f"fastscale: {each.name} failed: {each.error}")
    for each in filter(lambda each: each.too_large, reports):
        say(f"fastscale: {each.name}: {each.too_large}")
    cached = sum(each.cached for each in reports if not each.error)
    verdicts = Counter(verdict for each in reports for verdict in each.verdicts()["verdict"])
    said = ", ".join(f"{verdict} {number}" for verdict, number in verdicts.items()) or "none"
    print(
        f"{len(reports) - cached - len(failed)} ran, {len(failed)} failed, {cached} from the cache; "
        f"verdicts: {said}: {reports[0].page.with_name('index.html')}"
    )
    missed = unmet(expected, reports) if expected else []
    for each in missed:
        say(f"fastscale: {each}")
    return FAILED if failed or missed else DONE


def given_parameters(given: Sequence[str], grid: bool) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Split the values of `-p` into single ones and lists for --grid, by name."""
    single, several = {}, {}
    for each in given:
        name, equals, value = each.partition("=")
        if not (equals and name):
            raise ParameterError(f"-p {each}: a parameter is given as NAME=VALUE, as in -p alpha=0.7")
        if name in single or name in several:
            raise ParameterError(f"-p {each}: {name} is given twice; give it once, or several values by --grid")
        values = split(value) if grid else [value]
        if len(values) > 1:
            several[name] = values
        else:
            single[name] = value
    if grid and not several:
        raise ParameterError("--grid has no grid; give a parameter several values, as in -p alpha=0.5,0.8")
    return single, several
