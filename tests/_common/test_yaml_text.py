"""YAML as plain data: what is read, and what is refused."""

import itertools
import math

import pytest
import yaml
from helpers.waiting import stopped_where_it_hangs
from hypothesis import given
from hypothesis import strategies as st

import fastscale_lib as fs
from fastscale_lib._common.yaml_text import JsonError, YamlError, read_json, read_yaml, write_yaml


def test_plain_data_comes_back():
    assert read_yaml("a: [1, 2.5, x]\nb: {c: true, d: null}\n1: one\n'1': text") == {
        **{"a": [1, 2.5, "x"], "b": {"c": True, "d": None}},
        **{1: "one", "1": "text"},  # two keys
    }


def test_the_same_key_may_stand_in_several_places():
    assert read_yaml("- {depth: 1}\n- {depth: 2}") == [{"depth": 1}, {"depth": 2}]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-2", 0.01),
        ("1.0e+308", 1e308),
        ("-.5", -0.5),
        ("5.", 5.0),
        ("0224", 224),  # 148 in YAML 1.1
        ("0o340", 224),
        ("0xE0", 224),
        ("+7", 7),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("True", True),
        ("~", None),
        ("", None),
        ("3:44", "3:44"),  # 224 in YAML 1.1, in sixties
        ("yes", "yes"),
        ("on", "on"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("2026-01-01", "2026-01-01"),
        ("'0224'", "0224"),
        ("!!str 0224", "0224"),
        ("!!int 0224", 224),
        ("=", "="),
    ],
)
def test_numbers_and_texts_are_those_of_yaml_1_2(text, value):
    """The core schema: https://yaml.org/spec/1.2.2, section 10.3.2."""
    found = read_yaml(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("batch: 1\nmode: training\nbatch: 2", "batch is given in line 1 and again in line 3; keep one"),
        ("a:\n  - {depth: 1,\n     depth: 1}", "depth is given in line 2 and again in line 3; keep one"),
        ("8: 1\n08: 1", "8 is given in line 1 and again in line 2; keep one"),
        ("a: [", "expected the node content"),
        ("a: 1\n---\nb: 2", "expected a single document"),
        ("!!python/object/apply:os.getcwd []", "os.getcwd' asks for an object"),
        ("day: !!timestamp 2026-99-99", "timestamp' asks for an object"),
        ("!!int three", "'three' is no int"),
        ("a: &usual {lr: 1}", r"line 1: anchors (&) and aliases (*) are not read; write the values out"),
        ("a: 1\nb: *usual", r"line 2: anchors (&) and aliases (*) are not read"),
        ("a: {<<: {lr: 1}}", "merge keys (<<) are not read; write the values out"),
        ("? [1, 2]\n: 3", "a key is a list or a dict, but must be a string or a number"),
        ("1" * 401, "a number of 401 digits; 400 are read at most"),
        ("[" * 21, "line 1: lists and dicts are nested more than 20 deep"),
    ],
)
def test_what_is_not_plain_is_refused_in_one_line(text, said):
    with pytest.raises(YamlError, match=r"^not plain YAML: ") as refused:
        read_yaml(text)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


BILLION = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in itertools.pairwise("abcdefghijklmnop")
)
HOSTILE = {
    "nested aliases": BILLION,
    "nested merges": "a: &a {x: 1}\n" + "".join(f"b{n}: &a {{<<: [*a, *a]}}\n" for n in range(99)),
    "deep in one line": "[" * 100_000,
    "deep in lines": "[\n" * 100_000,
    "dicts": "{a: " * 100_000,
    "many values": "[" + "a," * 240_000 + "]",
    "many keys": "\n".join(f"k{n}: 1" for n in range(40_000)),
    "long number": "1" * 400_000,
    "long tag": f"!<{'x' * 100_000}> a",
    "long anchor": f"&{'x' * 100_000} a",
    "long key, twice": f"? {'k' * 100_000}\n: 1\n? {'k' * 100_000}\n: 2",
    "too long": "#" * 10**7,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=list(HOSTILE))
def test_a_hostile_text_is_refused_in_few_words(text):
    with stopped_where_it_hangs(), pytest.raises(YamlError) as refused:  # without the bounds, minutes
        read_yaml(text)
    assert len(str(refused.value)) < 400


words = st.text(st.characters(categories=("L", "M", "N", "P", "S"), include_characters=" "), max_size=12)
numbers = st.floats(allow_nan=False) | st.integers() | st.booleans() | st.none()
looks = st.from_regex(r"[-+]?[0-9._:box]{1,6}([eE][-+]?[0-9]{1,3})?|[yntfo~][a-z]{0,4}|<<|=", fullmatch=True)
plain_values = st.recursive(
    numbers | words | looks, lambda each: st.lists(each, max_size=3) | st.dictionaries(words | looks, each, max_size=3)
)


@given(plain_values, st.sampled_from([True, False, None]))
def test_what_is_written_is_read_again_by_either_version(value, flow):
    text = write_yaml(value, default_flow_style=flow)
    assert read_yaml(text) == value
    assert yaml.safe_load(text) == value  # PyYAML's own is YAML 1.1


letters = st.text(st.characters(categories=("L", "P")), max_size=12)


@given(st.recursive(numbers | letters, lambda each: st.lists(each) | st.dictionaries(letters, each)))
def test_what_pyyaml_wrote_by_itself_is_read_as_it_was_meant(value):
    """So were the files of earlier versions written; texts alone that look like 1e5 have changed."""
    assert read_yaml(yaml.safe_dump(value, allow_unicode=True)) == value


def test_plain_json_comes_back_and_each_key_stands_once():
    assert read_json('{"a": [1, 2.5, "x", null, true]}') == {"a": [1, 2.5, "x", None, True]}
    for text, said in {
        '{"a": 1, "b": {"c": 1, "c": 2}}': "c is given twice; keep one",
        "[" * 100_000: "it is nested too deeply",
        "1" * 5_000: "a number of 5,000 digits; 400 are read at most",
        "{": "Expecting property name",
    }.items():
        with pytest.raises(JsonError, match=r"^not (plain )?JSON: ") as refused:
            read_json(text)
        assert said in str(refused.value)


def test_a_key_given_twice_is_refused_wherever_yaml_is_read(tmp_path):
    twice = "is given in line 1 and again in line 2; keep one"
    with pytest.raises(fs.measuring.PlanError, match=f"plan: this is not plain YAML: scales {twice}"):
        fs.Plan.from_yaml("scales: [1]\nscales: [2]\nnetworks: ResNet-50")
    with pytest.raises(fs.architectures.NetworkError, match=f"network: this is not plain YAML: name {twice}"):
        fs.Network.from_yaml("name: a\nname: b")
    (tmp_path / "recipe.yaml").write_text("lr: 0.1\nlr: 0.2")
    with pytest.raises(fs.training.RecipeError, match=rf"recipe\.yaml is not plain YAML: lr {twice}"):
        fs.Recipe.read(tmp_path / "recipe.yaml")
