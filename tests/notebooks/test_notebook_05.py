"""Accuracy: what the notebook shows is what the library makes of published errors and of those trained here."""

import pandas as pd
import pytest
from helpers.notebooks import REPO, named, outputs, tables, verdicts
from helpers.played_notebooks import played

import fastscale_lib as fs
from fastscale_lib.analysis import BEYOND, FAILS, HOLDS, UNDECIDED, UNTESTED
from fastscale_lib.training import datasets

ACCURACY = named("05_accuracy_of_scaled_networks")
FIGURE = "application/vnd.plotly.v1+json"
SHIPPED = fs.records.read_rows(sorted((REPO / "data" / "measured" / "training").glob("*.jsonl")))
OWN = fs.analysis.seed_errors(SHIPPED).query("part == 'test'")


def difference(part: pd.DataFrame, one: str, other: str, scale: float) -> fs.analysis.Difference:
    found = fs.analysis.error_difference(part, one, other, scale)
    assert found is not None
    return found


def test_the_growth_shown_is_the_library_s(executed):
    [shown] = [rows for rows in tables(executed(ACCURACY)) if rows[0][-1] == "law of params"]
    table = fs.analysis.growth_beside_laws(fs.records.published_errors())
    assert [float(row[-6]) for row in shown[1:]] == table["activations"].round(3).tolist()


def test_what_is_published_is_judged_and_what_is_not_is_left_open(executed):
    shown = verdicts(executed(ACCURACY))
    assert shown.loc["error of one base at about equal flops: dwr less w", "verdict"] == HOLDS
    for family in ("RegNetY", "RegNetZ"):
        assert shown.loc[f"error at equal training time: {family} (dWr) less EfficientNet (dwr)", "verdict"] == HOLDS
    left_open = shown[shown["verdict"] == UNTESTED]
    assert len(left_open) == 2
    assert left_open["details"].str.startswith("no table at hand has errors of one base under both").all()


def test_what_was_trained_here_is_judged_at_four_and_eight_times_the_flops(executed):
    shown = verdicts(executed(ACCURACY))
    claims = {claim.claim: claim for claim in fs.analysis.trained_claims(OWN, [4.0, 8.0], 0.0, 0.5)}
    judged = shown[shown["evidence"] == "trained"]
    assert set(judged["scope"]) == {BEYOND}
    assert judged["verdict"].to_dict() == {text: claim.verdict for text, claim in claims.items()}
    devices = {f"error of RegNetY-28px at {scale} times": name for scale, name in ((4, "AMD EPYC"), (8, "Intel"))}
    for text, name in devices.items():
        assert judged["details"].filter(like=text).str.startswith(name).tolist() == [True] * 3


def test_errors_trained_here_stand_apart_from_the_published(executed):
    shown = [output["data"] for output in outputs(executed(ACCURACY)) if FIGURE in output.get("data", {})]
    titles = [data[FIGURE]["layout"]["title"]["text"] for data in shown]
    assert [title.partition(" trained on ")[0] for title in titles[3:]] == [f"{base}," for base in OWN["base"].unique()]
    [table] = [rows for rows in tables(executed(ACCURACY)) if rows[0][:4] == ["base", "strategy", "scale", "seeds"]]
    assert [row[4] for row in table[1:]] == [f"{error:.2f}" for error in OWN["error"]]


def test_a_tiny_case_is_trained_now(executed):
    pytest.importorskip("torch")
    table = tables(executed(ACCURACY))[-2]
    if not (datasets.DEBIAN / "fashion-mnist").is_dir():
        pytest.skip("Debian's package dataset-fashion-mnist is not installed")
    assert [row[2] for row in table[1:]] == ["2", "2"]
    assert all(float(row[4]) <= float(row[3]) <= float(row[5]) for row in table[1:])


# What the text tells of networks trained here

ONE, TWO = (OWN[(OWN["base"] == base) & OWN["strategy"].notna()] for base in ("RegNetY-28px", "MBConv-28px"))


JUDGED = {claim.claim: claim.verdict for claim in fs.analysis.trained_claims(OWN, [4.0, 8.0], 0.0, 0.5)}


def test_from_the_first_base_dwr_is_behind_at_eight_times():
    """At four times w has the lowest mean, and no difference among the three is settled."""
    assert ONE.loc[ONE["error"].idxmin(), "strategy"] == "w"
    settled = {text: verdict for text, verdict in JUDGED.items() if verdict != UNDECIDED}
    text = "error of RegNetY-28px at 8 times its flops"
    assert settled == {f"{text}: dwr less w": FAILS, f"{text}: dWr less dwr": HOLDS}
    assert len(JUDGED) == 12


def test_neither_compound_nor_fast_scaling_beats_width_here():
    pairs = [(part, way, scale) for part in (ONE, TWO) for scale in (4, 8) for way in ("dwr", "dWr")]
    assert all(difference(part, way, "w", scale).high > 0 for part, way, scale in pairs)


def test_depth_alone_and_resolution_alone_have_the_highest_errors():
    for part, scale in ((ONE, 4), (TWO, 8)):
        largest = part[(part["scale"] / scale - 1).abs() < 0.05]
        assert len(largest) == 7
        assert set(largest.nlargest(2, "error")["strategy"]) == {"d", "r"}


def test_three_seeds_settle_no_small_difference():
    assert (OWN["seeds"] == 3).all()
    for base, scale in (("RegNetY-28px", 4), ("MBConv-28px", 8)):
        gap = difference(OWN[OWN["base"] == base], "dWr", "w", scale)
        assert (gap.high - gap.low) / 2 > 0.25


def test_several_strategies_give_the_same_network_at_twice_the_flops():
    base = fs.Network.from_yaml((REPO / "data" / "training" / "regnety_28px.yaml").read_text("utf-8"))
    flops = 2 * fs.complexity(base).flops
    scaled = {way: fs.scale_to(base, way, flops=flops) for way in ("w", "d", "dw", "dwr", "dWr", "alpha=0.5")}
    counts = {way: fs.complexity(network) for way, network in scaled.items()}
    assert len(set(counts.values())) < len(counts)


def test_every_network_has_a_time_of_the_one_device_that_is_named():
    assert OWN["training_ms_per_image"].notna().all()
    assert OWN.groupby("base")["timed_on"].nunique().eq(1).all()


def test_the_test_images_were_used_once_and_settings_chosen_on_others():
    trained = SHIPPED[SHIPPED["kind"] == "trained"]
    assert set(trained["part"]) == {"test", "holdout"}
    assert SHIPPED.query("kind == 'epoch' and part == 'test'")["top1_error"].isna().all()
    chosen = trained.query("part == 'test'")
    assert chosen["recipe_id"].nunique() == 1
    tuned = trained.query("part == 'holdout'")
    best = tuned.groupby("recipe_id")["top1_error"].mean().idxmin()
    assert best == chosen["recipe_id"].iloc[0]
    assert tuned.groupby("recipe_id")["network_id"].nunique().eq(2).all()
    assert fs.Recipe.read(REPO / "data" / "training" / "recipe.yaml").on("cpu").id == best


# With other data


def test_a_store_of_one_s_own_without_training_rows_and_other_epochs(tmp_path):
    """What is not asked for is not judged; -28px is a base trained here."""
    (tmp_path / "published").symlink_to(REPO / "data" / "published")
    parameters = {"data": str(tmp_path), "fast": "[RegNetZ]", "epochs": 400, "live": 0}
    done = played(ACCURACY, parameters)
    shown = verdicts(done)
    assert not shown.index.str.contains(r"RegNetY\b(?!-28px)").any()
    assert "error at equal training time: RegNetZ (dWr) less EfficientNet (dwr)" in shown.index
    assert shown.loc["error of networks trained here: dWr less dwr", "verdict"] == UNTESTED
    assert tables(done)[-2][-1][-1] == "not asked for"
