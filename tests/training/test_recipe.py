"""The recipe: its schedule against the papers' formulas, what it refuses, and the same recipe from a file."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastscale_lib as fs
from fastscale_lib.training.recipe import Recipe, RecipeError


def test_the_learning_rate_is_scaled_with_the_batch():
    """Goyal et al. 2017, section 2.1: a batch k times as large gets k times the learning rate."""
    assert Recipe(lr=0.1, batch=256).peak_lr == 0.1
    assert Recipe(lr=0.1, batch=1024).peak_lr == 0.4


def test_the_learning_rate_grows_to_its_peak_and_falls_along_half_a_cosine():
    recipe = Recipe(lr=0.2, batch=256, warmup=0.1)
    rates = [recipe.learning_rate(step, 1000) for step in range(1000)]
    growing = [rates[step + 1] - rates[step] for step in range(99)]
    assert growing == pytest.approx([0.2 / 101] * 99)  # by one part a step
    assert rates[100] == max(rates) == 0.2
    assert rates[550] == pytest.approx(0.1)  # half of the way: half of the peak
    assert rates[325] == pytest.approx(0.2 * 0.5 * (1 + math.cos(math.pi / 4)))
    assert 0 < rates[-1] < 1e-6


@given(
    epochs=st.integers(1, 300),
    steps=st.integers(1, 500),
    warmup=st.floats(0, 0.9),
    batch=st.sampled_from([2, 64, 4096]),
)
def test_the_learning_rate_stays_between_0_and_its_peak(epochs, steps, warmup, batch):
    recipe = Recipe(epochs=epochs, warmup=warmup, batch=batch)
    for step in {0, steps * epochs // 2, steps * epochs - 1}:
        assert 0 < recipe.learning_rate(step, steps * epochs) <= recipe.peak_lr


def test_weights_are_averaged_over_a_share_of_the_training():
    recipe = Recipe(ema=0.1)
    assert recipe.ema_decay(0, 1000) == 0.1
    assert recipe.ema_decay(999, 1000) == 1 - 1 / 100


def test_nothing_is_left_to_the_device():
    assert Recipe().on("cuda").precision == "bf16"
    assert Recipe().on("cpu").precision == "fp32"
    assert Recipe(precision="fp32").on("cuda").precision == "fp32"
    assert Recipe().on("cuda").id != Recipe().on("cpu").id == Recipe(precision="fp32").id


def test_a_recipe_in_a_file_is_the_recipe(tmp_path):
    recipe = Recipe(epochs=3, lr=1e-4, mixup=0.2, precision="bf16")
    (tmp_path / "recipe.yaml").write_text(recipe.to_yaml())
    assert Recipe.read(tmp_path / "recipe.yaml") == recipe
    (tmp_path / "short.json").write_text('{"epochs": 3}')
    assert Recipe.read(tmp_path / "short.json") == Recipe(epochs=3)
    assert fs.Recipe is Recipe


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"epochs": 0}, "recipe: epochs is 0, but must be a whole number of at least 1"),
        ({"batch": 2.5}, "recipe: batch is 2.5, but must be a whole number of at least 2"),
        ({"lr": 0}, "recipe: lr is 0, but must be a number above 0"),
        ({"lr": float("nan")}, "recipe: lr is nan, but must be a number above 0"),
        ({"lr": float("inf")}, "recipe: lr is inf, but must be a number above 0"),
        ({"ema": 1.5}, "recipe: ema is 1.5, but must be a number from 0 to 1"),
        ({"drop_path": True}, "recipe: drop_path is True, but must be a number from 0 to 0.9"),
        ({"flip": "no"}, "recipe: flip is 'no', but must be True or False"),
        ({"precision": "fp8"}, "recipe: precision is 'fp8', but must be one of fp32, "),
        ({"batch": 100, "parts": 3}, "recipe: a batch of 100 has no 3 parts of equal size; change one"),
        ({"epoch": 3}, "recipe: 'epoch' is not known here; did you mean epochs?"),
    ],
)
def test_what_is_no_recipe_is_refused_in_a_sentence(settings, said):
    with pytest.raises(fs.training.RecipeError) as refused:
        Recipe.from_dict(settings)
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("none.yaml", None, "none.yaml cannot be read: No such file"),
        ("list.yaml", "- 1", "expected names with values"),
        ("bad.yaml", "a: [", "bad.yaml is not plain YAML: "),
        ("bad.json", "{", "bad.json is not JSON: "),
    ],
)
def test_a_file_that_is_no_recipe_is_refused_in_a_sentence(tmp_path, name, text, said):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(fs.training.RecipeError, match=said) as refused:
        Recipe.read(tmp_path / name)
    assert "\n" not in str(refused.value)


def test_settings_are_written_over_a_recipe():
    recipe = Recipe(epochs=3)
    changed = recipe.set("lr=0.4", "flip=false", "precision=bf16")
    assert changed == Recipe(epochs=3, lr=0.4, flip=False, precision="bf16")
    assert changed.set("precision=null") == Recipe(epochs=3, lr=0.4, flip=False)
    with pytest.raises(RecipeError, match="'momentums' is not known here; did you mean momentum"):
        recipe.set("momentums=0.8")
