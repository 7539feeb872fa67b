"""What plotly and nbformat bring along is not built before it is needed, and is there when it is."""

import subprocess
import sys

import pytest
from helpers.waiting import HANGS_S

GRAMMARS = "rfc3987_syntax.syntax_helpers"  # the module that builds them

USES = {
    "a figure that is shown": """
import fastscale_lib as fs, plotly.graph_objects as go
from fastscale_lib import figures
figures.complexity_curves(fs.sweep("ResNet-50", ["w"], [1, 2]))._repr_mimebundle_()""",
    "a figure that counts nothing": """
import fastscale_lib as fs
fs.figures.errors(fs.records.published_errors())._repr_mimebundle_()""",
    "the start of a notebook": """
import fastscale_lib as fs
from fastscale_lib.figures import theme
theme.offline()""",
    "a report's notebook": """
from fastscale_lib._common.light_imports import light_imports
with light_imports():
    import papermill, nbformat""",
}


def run(code: str) -> str:
    """What a fresh Python prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=HANGS_S)
    return done.stdout.strip()


@pytest.fixture(scope="module", autouse=True)
def installed():
    pytest.importorskip("rfc3987_syntax", reason="nothing brings the grammars along")


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_the_grammars_of_web_addresses_are_not_built(use):
    assert run(f"{use}\nimport sys; print('jsonschema' in sys.modules, {GRAMMARS!r} in sys.modules)") == "True False"


def test_the_explorer_needs_nothing_that_checks_notebooks():
    assert run("import fastscale_lib as fs, sys; fs.explore(); print('jsonschema' in sys.modules)") == "False"


def test_an_address_is_checked_as_ever():
    check = "jsonschema.FormatChecker().conforms(text, 'iri')"
    assert (
        run(f"""
import sys
{USES["the start of a notebook"]}
import jsonschema
print([{check} for text in ("http://example.org/ä", "no address", 3)], {GRAMMARS!r} in sys.modules)
import rfc3987_syntax
print(rfc3987_syntax.is_valid_syntax("iri", "http://example.org/ä"), hasattr(rfc3987_syntax, "make_syntax_validator"))
""")
        == "[True, False, True] True\nTrue True"
    )
