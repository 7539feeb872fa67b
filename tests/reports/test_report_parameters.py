"""Parameters of notebooks: what a cell's source says of them, and how a value, often a text, becomes one."""

import ast
import contextlib
import math
import string
from typing import Any

import papermill
import pytest
from helpers.notebooks import NOTEBOOKS, code, stored
from hypothesis import given
from hypothesis import strategies as st
from papermill.translators import PythonTranslator

from fastscale_lib.reports import ParameterError, Range, Share
from fastscale_lib.reports.parameters import KINDS, Parameter, _kind_and_rule, as_text, read_parameters, settle

CELL = """
from fastscale_lib.reports import Mode, PositiveFloat, Range, Share

network: str = "ResNet-50"  # the base network; as `fs.network` takes it
alphas: list[Share] = [0.5]  # shares of the scaling that width gets
points: Annotated[int, Range(2)] = 64
largest: PositiveFloat = 8  # # is no end of it, nor are a "; or a =
mode: Mode = "inference"  # of the times
epochs: Literal[100, 200] = 100
measure: bool = False
title: str = ""  # 1 to 9; a comment binds nothing
"""
TAKES = read_parameters(CELL)


def test_a_cell_says_names_types_defaults_rules_and_help():
    assert [str(each) for each in TAKES.values()] == [
        "network: str = 'ResNet-50'  # the base network; as `fs.network` takes it",
        "alphas: list[float] = [0.5]  # 0 to 1; shares of the scaling that width gets",
        "points: int = 64  # from 2",
        'largest: float = 8  # above 0; is no end of it, nor are a "; or a =',
        "mode: str = 'inference'  # one of inference, training; of the times",
        "epochs: int = 100  # one of 100, 200",
        "measure: bool = False",
        "title: str = ''  # 1 to 9; a comment binds nothing",
    ]
    assert [each.rule and each.rule.text for each in TAKES.values()] == [
        *[None, "0 to 1", "from 2", "above 0", "one of inference, training", "one of 100, 200", None, None]
    ]


def test_a_line_without_a_type_has_that_of_its_default():
    found = read_parameters("alpha = 0.5\nscales = [1, 2]\nname = 'x'")
    assert [each.kind for each in found.values()] == ["float", "list[int]", "str"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("len('x')", "is not of the form"),
        ("x: int = len('x')", "is not of the form `name: type = value`"),
        ("x: int", "is not of the form"),
        ("a = b = 1", "is not of the form"),
        ("x: dict = {}", "x is of type 'dict', but must be one of str, int, float, bool, list[str]"),
        ("x = []", "x is of type 'list', but must be one of"),
        ("x = None", "x is of type 'NoneType'"),
        ("x: np.ndarray = []", "x is of type 'np.ndarray', but must be one of"),
        ("x: list[np.ndarray] = []", "x is of type 'list[np.ndarray]'"),
        ("x: __import__('os').abort() = 1", "x is of type \"__import__('os').abort()\""),
        ("x: Literal[y] = 1", "x is of type 'Literal[y]'"),
        ("x: Annotated[float] = 1", "x is of type 'Annotated[float]'"),
        ("x: Annotated[int, Range(0, 1, 2, 3)] = 1", "x is of type 'Annotated[int, Range(0, 1, 2, 3)]'"),
        ("x: list[int, str] = [1]", "x is of type 'list[int, str]'"),
    ],
)
def test_another_line_is_no_parameter(line, said):
    with pytest.raises(ParameterError) as error:
        read_parameters(line)
    assert said in str(error.value)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_papermill_lists_the_parameters_of_our_notebooks(path):
    """By name, with a literal default and the help; `papermill --help-notebook` shows these."""
    [cell] = [cell for cell in code(stored(path)) if "parameters" in cell.metadata.get("tags", [])]
    listed = papermill.inspect_notebook(str(path))
    assert {name: (ast.literal_eval(each["default"]), each["help"]) for name, each in listed.items()} == {
        each.name: (each.default, each.help) for each in read_parameters(cell.source).values()
    }


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_types_of_our_notebooks_are_those_that_their_cells_import(path):
    """So that the cell runs, and an editor sees the types that the report checks."""
    [cell] = [cell for cell in code(stored(path)) if "parameters" in cell.metadata.get("tags", [])]
    namespace: dict[str, Any] = {}
    exec(cell.source, namespace)
    declared = {name: _kind_and_rule(each) for name, each in namespace["__annotations__"].items()}
    assert {each.name: (each.kind, each.rule) for each in read_parameters(cell.source).values()} == declared


# From a value, or the text of one, to the type


@pytest.mark.parametrize(
    ("name", "given", "settled"),
    [
        ("network", "ResNet-50", "ResNet-50"),
        ("title", "[1, 2]", "[1, 2]"),  # a text stays the text that it is
        ("title", "true", "true"),
        ("title", "'quoted'", "'quoted'"),
        ("title", "__import__('os').abort()\n\"", "__import__('os').abort()\n\""),
        ("alphas", "0.7", [0.7]),
        ("alphas", 1, [1.0]),
        ("alphas", "[0, 1e-3, '.5']", [0.0, 0.001, 0.5]),
        ("alphas", (0, 1), [0.0, 1.0]),
        ("points", "8", 8),
        ("points", 8, 8),
        ("largest", 3, 3.0),
        ("measure", "true", True),
        ("measure", "False", False),
        ("mode", "training", "training"),
        ("epochs", "200", 200),
    ],
)
def test_a_value_is_brought_into_the_type(name, given, settled):
    found = TAKES[name].settle(given)
    assert found == settled
    assert [type(each) for each in (found, *(found if isinstance(found, list) else ()))] == [
        type(each) for each in (settled, *(settled if isinstance(settled, list) else ()))
    ]


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("points", "2.0", "points is '2.0', but must be a whole number; try points=64"),
        ("points", 2.0, "points is 2.0, but must be a whole number"),
        ("points", True, "points is True, but must be a whole number"),
        ("points", "1", "points is '1', but must be a number from 2; try points=64"),
        (
            "points",
            "9" * 400,
            "9999', but must be a number of at most 308 digits; try points=64",
        ),
        ("points", -(10**400), "but must be a number of at most 308 digits"),
        ("points", "9" * 5000, "but must be a number of at most 308 digits"),
        ("largest", 10**400, "but must be a number of at most 308 digits"),
        ("largest", 0, "largest is 0, but must be a number above 0; try largest=8"),
        ("largest", "nan", "largest is 'nan', but must be a number above 0"),
        ("largest", "inf", "largest is 'inf', but must be a number above 0"),
        ("largest", "1/2", "largest is '1/2', but must be a number"),
        ("alphas", "[0.5, 1.5]", "alphas holds '1.5', but must hold a number 0 to 1; try alphas=[0.5]"),
        ("alphas", "0.5,0.8", "a list stands in brackets, as in [1, 2]"),
        ("alphas", "[0.5", "alphas is '[0.5', but must be a list of plain items, as in alphas=[0.5]"),
        ("alphas", "[[0.5]]", "must be a list of plain items"),
        ("alphas", "[{a: 1}]", "must be a list of plain items"),
        ("alphas", "[" * 2_000, "must be a list of plain items"),
        ("alphas", "&a [*a]", "alphas holds '&a [*a]', but must hold a number"),
        ("alphas", "[!!python/object/apply:os.abort []]", "must be a list of plain items"),
        ("alphas", [], "alphas is empty; give at least one item, as in alphas=[0.5]"),
        ("alphas", "", "alphas is empty"),
        ("alphas", {"a": 1}, "but must hold a number"),
        ("measure", "yes", "measure is 'yes', but must be true or false; try measure=false"),
        ("measure", 1, "measure is 1, but must be true or false"),
        ("epochs", "300", "epochs is '300', but must be one of 100, 200; try epochs=100"),
        ("mode", "train", "mode is 'train', but must be one of inference, training; try mode=inference"),
        ("title", 7, "title is 7, but must be a text; try title=text"),
        ("title", None, "title is None, but must be a text"),
        ("title", "\udcff", "but must be a text"),  # how Python hands on bytes that are no UTF-8
        ("network", "ResNet-51", "'ResNet-51' is not a base network; the nearest names are ResNet-50"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_in_a_sentence(name, given, said):
    with pytest.raises(ParameterError) as error:
        TAKES[name].settle(given)
    assert said in str(error.value)
    assert str(error.value).startswith(name)
    assert len(str(error.value)) < 350
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("line", "wrong", "said"),
    [
        ("networks: list[str] = ['ResNet-50']", "[ResNet-50, VGG]", "'VGG' is not a base network"),
        ("strategies: list[str] = ['w']", "dx", "'dx' is not one; use one of d w r"),
        ("strategy: str = 'w'", "dx", "'dx' is not one"),
        ("alpha: float = 0.8", "1.5", "1.5"),
        ("scales: list[float] = [1.0]", "[0]", "the scale factor is 0.0, but must be a finite number above 0"),
        ("batch: int = 64", "0", "batch is 0, but must be a whole number of at least 1"),
        ("precision: str = 'fp32'", "fp8", "precision is 'fp8', but must be one of fp32, bf16, fp16"),
        ("mode: str = 'inference'", "guess", "mode is 'guess', but must be one of inference, training"),
        ("rival: str = 'ResNet-50'", "VGG", "rival: 'VGG' is not a base network"),
        ("depthwise: str = 'EfficientNet-B0'", "VGG", "depthwise: 'VGG' is not a base network"),
    ],
)
def test_values_of_these_names_are_held_to_the_library_s_own_rules(line, wrong, said):
    [parameter] = read_parameters(line).values()
    assert parameter.settle(parameter.default) == parameter.default
    with pytest.raises(ParameterError) as error:
        parameter.settle(wrong)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("line", "given", "settled"),
    [
        ("network: str = 'ResNet-50'", "RegNetY-4GF", "RegNetY-4.0GF"),
        ("rival: str = 'ResNet-50'", "efficientnet_b4", "EfficientNet-B4"),
        ("depthwise: str = 'EfficientNet-B0'", "EfficientNetB1", "EfficientNet-B1"),
        ("networks: list[str] = ['ResNet-50']", "[resnet50, RegNetY-4GF, ResNet-50]", ["ResNet-50", "RegNetY-4.0GF"]),
        ("strategy: str = 'w'", "α = 4/5", "alpha=0.8"),
        ("strategies: list[str] = ['w']", "[w, alpha=0.50, w, alpha=0.5, d1_w8_r1]", ["w", "alpha=0.5", "d1_w8_r1"]),
        ("strategies: list[float] = [0.5]", "[0.50, 1, 0.5]", [0.5, 1.0]),  # a number is an α, and stays one
        ("metrics: list[Metric] = ['flops']", "[params, flops, params]", ["params", "flops"]),
        ("others: list[str] = ['a']", "[a, a]", ["a", "a"]),  # which nobody knows by name
    ],
)
def test_what_the_library_knows_by_name_has_its_own_name_and_stands_once(line, given, settled):
    [parameter] = read_parameters(line).values()
    assert parameter.settle(given) == settled
    assert parameter.settle(settled) == settled


@pytest.mark.parametrize(
    ("bounds", "text", "inside", "outside"),
    [
        (Range(0, 1), "0 to 1", [0, 0.5, 1], [-0.1, 1.1, math.nan, math.inf]),
        (Range(1), "from 1", [1, 1e300, 10**400], [0.9, math.inf]),
        (Range(0, open=True), "above 0", [1e-300], [0, -1, math.nan]),
        (Range(high=-1.5e1), "up to -15", [-15, -16], [-14.9, -math.inf]),
        (Range(high=8, open=True), "below 8", [7.9], [8]),
        (Range(2, 60_000, open=True), "above 2 and below 60000", [3], [2, 60_000, 10**400]),
    ],
)
def test_ranges(bounds, text, inside, outside):
    assert bounds.text == text
    assert [bounds.allows(each) for each in inside] == [True] * len(inside)
    assert [bounds.allows(each) for each in outside] == [False] * len(outside)


@pytest.mark.parametrize("bounds", ["1, 0", "'0', 1", "math.nan", "low=1, high=None"])
def test_a_range_without_an_order_is_refused(bounds):
    with pytest.raises(ParameterError, match=r"Range: the bounds are .* but must be two numbers, the lower one first"):
        eval(f"Range({bounds})")


# What a text says is what a kernel gets

texts = st.text(st.characters(codec="utf-8"), max_size=20)
items = {"str": texts, "int": st.integers(), "float": st.floats(allow_nan=False, allow_infinity=False)}
items["bool"] = st.booleans()


def written(value: object) -> str:
    """As a careful hand writes it on a command line: the texts of a list in double quotes, as YAML and JSON do."""
    if isinstance(value, list):
        return f"[{', '.join(map(quoted, value))}]"
    return as_text(value)


def quoted(item: object) -> str:
    if not isinstance(item, str):
        return as_text(item)
    kept = string.ascii_letters + string.digits
    return '"' + "".join(each if each in kept else f"\\U{ord(each):08x}" for each in item) + '"'


@given(st.data(), st.sampled_from(KINDS))
def test_a_value_goes_from_its_text_through_papermill_s_cell_unchanged(data, kind):
    item = items[kind.removeprefix("list[").removesuffix("]")]
    value = data.draw(st.lists(item) if kind.startswith("list") else item)
    settled = Parameter("x", kind).settle(written(value))
    assert settled == value
    [line] = ast.parse(PythonTranslator.codify({"x": settled})).body
    assert isinstance(line, ast.Assign)
    assert ast.literal_eval(line.value) == value


@given(texts, st.sampled_from(KINDS))
def test_any_text_is_a_value_or_refused(text, kind):
    with contextlib.suppress(ParameterError):
        assert type(Parameter("x", kind).settle(text)).__name__ == kind.split("[")[0]


# In a notebook


def test_settle_reads_the_parameters_cell_and_its_ranges():
    """As IPython keeps the cells that have run; papermill's own cell follows that of the parameters."""
    injected = "# Parameters\nalphas = '[0, 1]'\npoints = 8\n"
    cells = ["", "%matplotlib inline", CELL, injected, "settle(globals())"]
    namespace = {"In": cells, "alphas": "[0, 1]", "points": 8, "network": "ResNet-50"}
    settle(namespace)
    assert (namespace["alphas"], namespace["points"], "measure" in namespace) == ([0.0, 1.0], 8, False)
    with pytest.raises(ParameterError, match="points is 1, but must be a number from 2"):
        settle({"In": cells, "points": 1})


def test_without_ipython_settle_goes_by_the_annotations():
    """And without these by nothing."""
    namespace = {"__annotations__": {"alphas": list[Share], "n": "int", "other": dict}, "alphas": "[1]", "n": "2"}
    settle(namespace)
    assert (namespace["alphas"], namespace["n"]) == ([1.0], 2)
    with pytest.raises(ParameterError, match="alphas holds 2, but must hold a number 0 to 1"):
        settle({"__annotations__": {"alphas": list[Share]}, "alphas": [2]})
    namespace = {"alphas": "[1]"}
    settle(namespace)
    assert namespace == {"alphas": "[1]"}
