"""Scaling for a budget: what the laws say of each budget, what is predicted, and what is measured."""

import re

import nbformat
import pytest
from helpers.fake_device import rows
from helpers.notebooks import REPO, named, tables, texts, verdicts
from helpers.played_notebooks import played
from helpers.zoo_rows import write_store

import fastscale_lib as fs
from fastscale_lib.analysis import BEYOND, HOLDS, UNDECIDED, UNTESTED
from fastscale_lib.analysis.budget_claims import BUDGETS, flops_bought

BUDGET = named("08_scaling_for_a_budget")
BOUGHT = "ratio of flops bought by"
SHIPPED = sorted((REPO / "data" / "measured").glob("*.jsonl"))
EPYC, XEON = "AMD EPYC", "Intel Xeon"


SMALL = {"network": "RegNetX-200MF", "mode": "inference", "times": 1.5}
COUNTED = ("params", "activations")


def without_measured(folder) -> str:
    """A folder of data that holds no measured rows."""
    (folder / "published").symlink_to(REPO / "data" / "published")
    return str(folder)


def own_gpu(path) -> str:
    """A store of a made-up GPU, on which time is flops."""
    time = rows(lambda network, batch: fs.complexity(network).flops * batch / 1e10, device="cuda:0")
    return write_store(path, [{str(name): each for name, each in row.items()} for row in time.to_dict("records")])


@pytest.fixture(scope="module")
def without_rows(tmp_path_factory) -> nbformat.NotebookNode:
    """The notebook where nothing was measured: no model, so no time."""
    data = without_measured(tmp_path_factory.mktemp("budgets"))
    return played(BUDGET, SMALL | {"data": data, "strategies": ["w", "dWr"]})


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> nbformat.NotebookNode:
    """The notebook with the rows of a made-up GPU; it measures on this machine's CPU."""
    folder = tmp_path_factory.mktemp("measured")
    parameters = {"stores": [own_gpu(folder / "own.jsonl")], "strategies": ["w", "dWr"]}
    parameters |= {"data": without_measured(folder), "measure": True, "device": "cpu"}
    return played(BUDGET, SMALL | parameters)


def in_fast_profile(notebook: nbformat.NotebookNode) -> dict[str, dict[str, float]]:
    """Flops in G, by budget and strategy, as the notebook shows them."""
    [table] = [table for table in tables(notebook) if table[0][-1] == "at most"]
    ways = table[0][1:-1]
    return {row[0]: dict(zip(ways, map(float, row[1:-1]), strict=True)) for row in table[2:]}


def ranked(flops: dict[str, float]) -> list[str]:
    """Strategies from the most flops to the fewest."""
    return sorted(flops, key=lambda name: -flops[name])


@pytest.fixture(scope="module")
def by_default() -> dict[str, dict[str, float]]:
    """What the notebook's own parameters buy, but for memory: flops, by budget and strategy."""
    base, ways = "RegNetY-400MF", ["w", "dw", "dwr", "dWr"]
    budgets = {name: 6.0 * getattr(fs.complexity(base), name) for name in COUNTED}
    bought = fs.analysis.bought_within(base, ways, budgets, batch=4, mode="training")
    return {name: each.set_index("strategy")["flops"].to_dict() for name, each in bought.items()}


@pytest.fixture(scope="module")
def fits() -> dict[str, dict[str, fs.RuntimeModel]]:
    """Models of the shipped devices, by mode and device."""
    modes = ("training", "inference")
    return {mode: fs.analysis.models_by_device(SHIPPED, "RegNetX-200MF", 4, mode, "fp32") for mode in modes}


@pytest.fixture(scope="module")
def by_time(fits) -> dict[tuple[str, str], dict[str, float]]:
    """Flops that a time buys, by device and case: the notebook's own parameters in both modes, and the fast profile."""
    default, fast = ("RegNetY-400MF", ["w", "dw", "dwr", "dWr"]), ("RegNetX-200MF", ["w", "dwr", "dWr"])
    cases = {"training": (*default, 6, "training"), "inference": (*default, 6, "inference")}
    cases |= {"fast": (*fast, 3, "inference")}
    found = {}
    for case, (base, ways, times, mode) in cases.items():
        on_each, *_ = fs.analysis.bought_on_each(base, ways, fits[mode], times, batch=4, mode=mode, precision="fp32")
        found |= {(name, case): each.set_index("strategy")["flops"].to_dict() for name, each in on_each.items()}
    return found


# What the text tells


def test_each_budget_buys_most_under_the_strategy_that_the_text_names(by_default, executed):
    fast = in_fast_profile(executed(BUDGET))
    for bought in (by_default, fast):
        assert (ranked(bought["activations"])[0], ranked(bought["params"])[0]) == ("w", "dwr")
        assert all("dWr" in ranked(flops)[:2] for flops in bought.values())
    assert ranked(fast["memory"]) == ["dwr", "dWr", "w"]  # in inference


def test_on_the_epyc_time_buys_in_the_order_of_activations(by_default, by_time, executed):
    """With smaller steps between, and fast scaling close to w."""
    counted = {"training": by_default["activations"], "fast": in_fast_profile(executed(BUDGET))["activations"]}
    for case, activations in counted.items():
        time = by_time[EPYC, case]
        assert time["w"] * 0.95 < time["dWr"] < time["w"]
        assert time["dWr"] > 1.15 * time["dwr"]
        assert time["w"] / time["dwr"] < activations["w"] / activations["dwr"]


def test_on_the_xeon_fast_scaling_buys_most_in_inference(by_time):
    trained = by_time[XEON, "training"]
    assert trained["dWr"] == pytest.approx(trained["w"], rel=0.04)
    assert trained["dWr"] > 1.15 * max(trained["dwr"], trained["dw"])
    for case in ("inference", "fast"):
        time = by_time[XEON, case]
        assert ranked(time)[0] == "dWr"
        assert time["w"] / time["dWr"] == pytest.approx(0.95, abs=0.03)
    for case in ("training", "inference", "fast"):
        assert all(by_time[XEON, case][way] > flops for way, flops in by_time[EPYC, case].items())


def test_fast_scaling_is_first_or_second_and_near_width_scaling(by_time, fits):
    assert set(by_time) == {(device, case) for device in (EPYC, XEON) for case in ("training", "inference", "fast")}
    for (device, case), time in by_time.items():
        assert "dWr" in ranked(time)[:2]
        [fitted] = fits["training" if case == "training" else "inference"][device].fitted.values()
        assert abs(time["dWr"] / time["w"] - 1) < fitted.error_90


def test_what_a_time_buys_is_shown_device_by_device(by_time, executed):
    [table] = [rows for rows in tables(executed(BUDGET)) if rows[0][-1] == "at most, ms"]
    assert {row[0]: row[1:-1] for row in table[2:]} == {
        device: [f"{by_time[device, 'fast'][way] / 1e9:.2f}" for way in ("w", "dwr", "dWr")] for device in (EPYC, XEON)
    }


def test_in_training_the_others_need_more_memory_at_the_same_flops():
    base = "RegNetY-400MF"
    most = 6 * fs.peak_memory(base, 4, "training").peak_bytes
    bought = fs.within(base, "dWr", memory_bytes=most, batch=4, mode="training", memory=False)
    flops = bought["flops"].iloc[0]
    needed = {way: fs.peak_memory(fs.scale_to(base, way, flops=flops), 4, "training") for way in ("w", "dw", "dwr")}
    assert min(each.peak_bytes for each in needed.values()) > most
    assert needed["w"].activations_bytes < needed["w"].peak_bytes / 2


def test_in_inference_most_of_the_memory_of_w_is_not_outputs():
    most = 3 * fs.peak_memory("RegNetX-200MF", 4, "inference").peak_bytes
    scale = fs.within("RegNetX-200MF", "w", memory_bytes=most, batch=4, memory=False)["scale"].iloc[0]
    needed = fs.peak_memory(fs.scale("RegNetX-200MF", "w", scale), 4, "inference")
    assert needed.activations_bytes < needed.peak_bytes / 2


# What is bought


def test_every_network_keeps_within_its_budget(executed):
    [together] = [table for table in tables(executed(BUDGET)) if table[0][-1] == "bound"]
    [limits] = [table[2:] for table in tables(executed(BUDGET)) if table[0][-1] == "at most"]
    columns = {"time_ms": "time, ms", "memory_bytes": "memory, MB", "params": "params, M"}
    columns["activations"] = "activations, M"
    assert [row[0] for row in limits] == [BUDGETS[name] for name in columns]
    for name, (*_, most) in zip(columns, limits, strict=True):
        number, unit = most.split()
        place = together[0].index(columns[name])
        assert columns[name].endswith(unit)
        assert all(float(row[place]) <= 1.005 * float(number.replace(",", "")) for row in together[2:])


def test_tables_have_units_and_no_long_integers(executed):
    shown = [text for table in tables(executed(BUDGET)) for row in table[1:] for text in row]
    assert not [text for text in shown if text.isdigit() and len(text) > 6]
    assert not [text for text in shown if "e+" in text]


# Verdicts


def test_counts_are_judged_by_the_paper_s_laws(executed):
    found = verdicts(executed(BUDGET))
    share = found.loc[f"{BOUGHT} activations, dWr over w"]
    assert share["paper"] == f"> {3 ** (1 / 0.6 - 2):.3f}"
    assert float(share["found"]) < 1
    for name, other in (("activations", "w"), ("activations", "dwr"), ("params", "w"), ("params", "dwr")):
        assert found.loc[f"{BOUGHT} {name}, dWr over {other}", ["evidence", "verdict"]].tolist() == ["counted", HOLDS]


def test_memory_in_inference_is_marked_and_judged_by_a_law_of_its_own(executed):
    found = verdicts(executed(BUDGET))
    for other, relation in (("w", ">"), ("dwr", "<")):
        row = found.loc[f"{BOUGHT} memory in inference, dWr over {other}"]
        assert (row["paper"], row["evidence"], row["verdict"]) == (f"{relation} 1.000", "counted", HOLDS)


@pytest.mark.parametrize("device", [EPYC, XEON])
def test_predicted_times_are_judged_by_what_nine_in_ten_keep_within(device, fits, executed):
    found = verdicts(executed(BUDGET))
    assert found.index.is_unique
    [fitted] = fits["inference"][device].fitted.values()
    for other in ("w", "dwr"):
        row = found.loc[f"{BOUGHT} time of inference on a CPU ({device}), dWr over {other}"]
        assert row["verdict"] in (HOLDS, UNDECIDED)  # by the interval, which a fit decides
        within = f"{fitted.rows} rows of {device}, 90 % within {100 * fitted.error_90:.0f} %"
        assert row[["scope", "evidence", "details"]].tolist() == [BEYOND, "predicted", within]
        ratio, low, high = (float(each) for each in row["found"].rstrip(")").replace(" (", " to ").split(" to "))
        assert high / ratio == pytest.approx(ratio / low, rel=0.01)
        assert high / ratio > 0.99 * (1 + fitted.error_90)  # wider beyond the fitted networks
        untested = found.loc[f"{BOUGHT} time of inference on a GPU, dWr over {other}"]
        assert untested["verdict"] == UNTESTED


def test_the_rows_of_a_gpu_are_judged_as_the_paper_s_own(measured):
    claims = verdicts(measured)
    time = claims.loc[f"{BOUGHT} time of inference on a GPU (Made-up), dWr over w"]
    assert time["verdict"] in (HOLDS, UNDECIDED)  # as the interval has it, which a fit decides
    assert " to " in time["found"]
    assert time["details"].startswith("42 rows of Made-up, 90 % within")
    assert not claims.index.str.contains("on a CPU").any()


def test_another_device_s_prediction_is_not_judged_by_what_is_measured(measured):
    [found] = [table for table in tables(measured) if "measured over predicted" in table[0]]
    assert [row[0] for row in found[1:]] == ["w", "dWr"]
    for *_, said, note in found[1:]:
        ratio, *ends = (float(each) for each in re.findall(r"[0-9.]+", said))
        assert note or 0 < ends[0] <= ratio <= ends[1]
    claims = verdicts(measured)
    for way in ("w", "dWr"):
        row = claims.loc[f"ratio of measured to predicted time, {way}"]
        assert row["verdict"] == UNTESTED
        assert row["details"].startswith("disturbed") or row["details"].endswith("which was not fitted")


def test_without_measured_rows_nothing_is_said_of_time(without_rows):
    found = verdicts(without_rows)
    time = found[found.index.str.contains("time of inference")]
    assert time["verdict"].tolist() == [UNTESTED]
    assert time["details"].tolist() == ["no times predicted from rows of a GPU, inference, fp32"]
    assert found.loc["ratio of measured to predicted time", "details"] == "nothing was measured"
    assert found.loc[f"{BOUGHT} activations, dWr over w", "found"] != "–"


def test_a_strategy_that_a_budget_does_not_bound_has_a_row_that_says_so():
    """Params do not grow under r; and times of a precision that no rows have are not predicted, whatever is asked."""
    done = played(BUDGET, SMALL | {"strategies": ["w", "r"], "precision": "bf16", "time_ms": 100})
    [bought] = [table for table in tables(done) if table[1:] and table[1][:2] == ["budget", "strategy"]]
    told = {tuple(row[:2]): row[-1] for row in bought[2:]}
    assert "does not bound RegNetX-200MF scaled by r" in told["params", "r"]
    assert {told[key] for key in told if key != ("params", "r")} == {"–"}
    assert not any(budget == BUDGETS["time_ms"] for budget, _ in told)
    found = verdicts(done)
    row = found.loc[f"{BOUGHT} params, dWr over r"]
    assert row["verdict"] == UNTESTED
    assert "does not bound RegNetX-200MF scaled by r" in row["details"]
    assert not found.index.str.contains("on a CPU").any()


def test_own_rows_come_first_and_fast_scaling_is_always_judged(tmp_path):
    """Strategies are taken by any name."""
    parameters = SMALL | {"strategies": ["alpha=0.50"], "stores": [own_gpu(tmp_path / "own.jsonl")]}
    done = played(BUDGET, parameters)
    assert [row[0].split(", ")[0] for row in tables(done)[0][2:]] == ["Made-up", EPYC, XEON]
    claims = verdicts(done)
    assert f"{BOUGHT} activations, dWr over alpha=0.5" in claims.index
    assert f"{BOUGHT} time of inference on a GPU (Made-up), dWr over alpha=0.5" in claims.index
    assert claims.index.str.contains("time of inference on a CPU").sum() == 2


# What the sentences tell


def test_sentences_follow_the_budgets(executed, without_rows):
    """The best is named; without measured rows no device is."""
    shown, other = texts(executed(BUDGET)), texts(without_rows)
    best = ranked(in_fast_profile(executed(BUDGET))["params"])[0]
    [bought] = [text for text in shown if "The most flops are bought by" in text]
    assert re.search(rf"by {best} for [a-z ,]*params[;.]", bought)
    assert "under 4 of 4 budgets" in bought
    assert any(f"are bought on {EPYC} by " in text for text in shown)
    assert "No device has rows enough to predict a time." in other
    assert any("under 3 of 3 budgets" in text for text in other)
    assert "There are no measured times." in other


def test_a_gap_is_held_to_the_band_of_the_model(fits, by_time):
    on_each, *_ = fs.analysis.bought_on_each(
        "RegNetX-200MF", ["w", "dwr", "dWr"], fits["inference"], 3, batch=4, mode="inference", precision="fp32"
    )
    text = fs.analysis.bought_on_each_text(on_each, fits["inference"])
    rows = on_each[EPYC]
    best = rows.sort_values("flops")["strategy"].iloc[-1]
    ratio = flops_bought(rows, "dWr", best, 3, fits["inference"][EPYC])
    assert ratio["high"] >= 1
    assert (
        f"on {EPYC} by {best} (dWr {ratio['found']:.2f} times as many, {ratio['low']:.2f} to {ratio['high']:.2f}: "
        "within the error of the predictions)"
    ) in text
