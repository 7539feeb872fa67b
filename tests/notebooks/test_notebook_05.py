"""Accuracy: what the notebook shows is what the library makes of published errors and of those trained here."""

from helpers.notebooks import REPO, named, outputs, tables, verdicts
from helpers.played_notebooks import played

import fastscale_lib as fs
from fastscale_lib.analysis import BEYOND, FAILS, HOLDS, UNDECIDED, UNTESTED

ACCURACY = named("05_accuracy_of_scaled_networks")
FIGURE = "application/vnd.plotly.v1+json"
SHIPPED = fs.records.read_rows(sorted((REPO / "data" / "measured" / "training").glob("*.jsonl")))
OWN = fs.analysis.seed_errors(SHIPPED).query("part == 'test'")


def test_the_growth_shown_is_the_library_s(executed):
    [shown] = [rows for rows in tables(executed(ACCURACY)) if rows[0][-1] == "law of params"]
    table = fs.analysis.growth_beside_laws(fs.records.published_errors())
    assert [row[2] for row in shown[1:]] == [f"{each:.2f}" for each in table["activations"]]


def test_what_is_published_is_judged_and_what_is_not_is_left_open(executed):
    shown = verdicts(executed(ACCURACY))
    assert shown.loc["error of one base at about equal flops: dwr less w", "verdict"] == HOLDS
    for family in ("RegNetY", "RegNetZ"):
        assert shown.loc[f"error at equal training time: {family} (dWr) less EfficientNet (dwr)", "verdict"] == HOLDS
    left_open = shown[shown["verdict"] == UNTESTED]
    assert len(left_open) == 2
    assert left_open["details"].str.startswith("no table has errors of one ConvNet under both").all()
    transformer = shown[shown.index.str.startswith("error of DeiT-Ti, a transformer")]
    assert transformer[["scope", "verdict"]].to_numpy().tolist() == [[BEYOND, HOLDS]] * 3
    quoted = shown.loc["error at equal flops: RegNetZ (dWr) less EfficientNet (dwr)"]
    assert quoted[["evidence", "verdict"]].tolist() == ["published", HOLDS]


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
    [table] = [rows for rows in tables(executed(ACCURACY)) if "training, ms/image" in rows[0]]
    shown = OWN[OWN["strategy"].isna() | OWN["scale"].between(3.8, 4.2) | OWN["scale"].between(7.6, 8.4)]
    assert [row[2] for row in table[1:]] == [f"{error:.2f}" for error in shown["error"]]


# What the sentences tell


def told(notebook) -> list[str]:
    """The sentences that the cells of a notebook computed."""
    return [output.data["text/markdown"] for output in outputs(notebook) if "text/markdown" in output.get("data", {})]


def test_sentences_on_gaps_follow_the_length_of_training():
    early = fs.records.published_errors("early_convolutions_table2")
    texts = {}
    for epochs, errors in early.groupby("epochs"):
        gaps = fs.analysis.gaps_to_family({"the table": errors}, "EfficientNet")
        texts[epochs] = fs.analysis.gaps_text(gaps, "EfficientNet")
        at_flops = fs.analysis.error_gaps(errors, "RegNetY", "EfficientNet")["gap"]
        turned = texts[epochs].partition("at equal training time, 4 of 5 families. ")[2]
        assert ("RegNetY (the table)" in turned) == bool(at_flops.min() > 0)
    assert texts[100] != texts[400] == texts[200]


def test_sentences_on_seeds_follow_the_sizes_that_are_judged():
    both, small = (
        fs.analysis.seeds_text(OWN, fs.analysis.trained_claims(OWN, scales, 0.0, 0.5), scales)
        for scales in ([4.0, 8.0], [2.0])
    )
    lowest = ONE[(ONE["scale"] / 4 - 1).abs() < 0.05].sort_values("error").iloc[0]
    assert f"{lowest['strategy']} has the lowest mean error ({lowest['error']:.2f} %)" in both
    assert "Of 12 comparisons the seeds settle 2 (no worse: RegNetY-28px at 8 times its flops: dWr less dwr" in both
    assert "at 2 times its flops" in small
    assert "at 8 times" not in small


def test_sentences_on_growth_and_one_base_name_what_is_published():
    errors = fs.records.published_errors()
    text = fs.analysis.families_growth_text(fs.analysis.growth_beside_laws(errors))
    assert "RegNetZ (Early Convolutions) by dWr" in text.partition("These do not")[0]
    assert "ResNet (pycls), 0.67 and not 1.00" in text
    ways = fs.analysis.errors_of_one_base(fs.analysis.scaled_from_one_base(REPO / "data" / "published"))
    assert "of DeiT-Ti 19.6 % by dWr beside 19.5 % by dwr and 20.1 % by w" in fs.analysis.one_base_text(ways)
    without = fs.analysis.one_base_text(ways.drop(index="DeiT-Ti"))
    assert without.endswith("None of these tables has a network scaled by dWr.")


def test_the_notebook_shows_these_sentences(executed):
    shown = told(executed(ACCURACY))
    assert fs.analysis.families_growth_text(fs.analysis.growth_beside_laws(fs.records.published_errors())) in shown
    assert sum(text.startswith("**What came out.**") for text in shown) == 3


# What was trained here

ONE = OWN[(OWN["base"] == "RegNetY-28px") & OWN["strategy"].notna()]


JUDGED = {claim.claim: claim.verdict for claim in fs.analysis.trained_claims(OWN, [4.0, 8.0], 0.0, 0.5)}


def test_from_the_first_base_dwr_is_behind_at_eight_times():
    """At four times w has the lowest mean, and no difference among the three is settled."""
    assert ONE.loc[ONE["error"].idxmin(), "strategy"] == "w"
    settled = {text: verdict for text, verdict in JUDGED.items() if verdict != UNDECIDED}
    text = "error of RegNetY-28px at 8 times its flops"
    assert settled == {f"{text}: dwr less w": FAILS, f"{text}: dWr less dwr": HOLDS}
    assert len(JUDGED) == 12


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
    parameters = {"data": str(tmp_path), "fast": "[RegNetZ]", "epochs": 400}
    done = played(ACCURACY, parameters)
    shown = verdicts(done)
    assert not shown.index.str.contains(r"RegNetY\b(?!-28px)").any()
    assert "error at equal training time: RegNetZ (dWr) less EfficientNet (dwr)" in shown.index
    assert shown.loc["error of networks trained here: dWr less dwr", "verdict"] == UNTESTED
    assert any("nothing is compared" in text for text in told(done))
