"""YAML as plain data: what is read, and what is refused."""

import pytest

import fastscale_lib as fs
from fastscale_lib.yaml_text import YamlError, read_yaml


def test_plain_data_comes_back():
    assert read_yaml("a: [1, 2.5, x]\nb: {c: true, d: null}\n1: one\n'1': text") == {
        **{"a": [1, 2.5, "x"], "b": {"c": True, "d": None}},
        **{1: "one", "1": "text"},  # two keys
    }


def test_the_same_key_may_stand_in_several_places():
    assert read_yaml("- {depth: 1}\n- {depth: 2}") == [{"depth": 1}, {"depth": 2}]
    assert read_yaml("a: &usual {lr: 1, epochs: 2}\nb: {<<: *usual, lr: 3}")["b"] == {"lr": 3, "epochs": 2}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("batch: 1\nmode: training\nbatch: 2", "batch is given in line 1 and again in line 3; keep one"),
        ("a:\n  - {depth: 1,\n     depth: 1}", "depth is given in line 2 and again in line 3; keep one"),
        ("a: [", "expected the node content"),
        ("!!python/object/apply:os.getcwd []", "could not determine a constructor"),
        ("day: 2026-99-99", "month must be in 1..12"),
    ],
)
def test_what_is_not_plain_is_refused_in_one_line(text, said):
    with pytest.raises(YamlError, match=r"^not plain YAML: ") as refused:
        read_yaml(text)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_key_given_twice_is_refused_wherever_yaml_is_read(tmp_path):
    twice = "is given in line 1 and again in line 2; keep one"
    with pytest.raises(fs.PlanError, match=f"plan: this is not plain YAML: scales {twice}"):
        fs.Plan.from_yaml("scales: [1]\nscales: [2]\nnetworks: ResNet-50")
    with pytest.raises(fs.NetworkError, match=f"network: this is not plain YAML: name {twice}"):
        fs.Network.from_yaml("name: a\nname: b")
    (tmp_path / "recipe.yaml").write_text("lr: 0.1\nlr: 0.2")
    with pytest.raises(fs.RecipeError, match=rf"recipe\.yaml is not plain YAML: lr {twice}"):
        fs.Recipe.read(tmp_path / "recipe.yaml")
