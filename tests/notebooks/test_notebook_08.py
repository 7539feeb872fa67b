"""Scaling for a budget: what the laws say of each budget, what is predicted, and what is measured."""

import papermill
import pytest
from helpers.fake_device import rows
from helpers.notebooks import REPO, named, prose, tables, verdicts

import fastscale_lib as fs
from fastscale_lib.analysis.claims import BEYOND, HOLDS, UNDECIDED, UNTESTED
from fastscale_lib.prediction.stored_models import fitted_model

BUDGET = named("08_scaling_for_a_budget")
BOUGHT = "ratio of flops bought by"
SHIPPED = sorted((REPO / "data" / "measured").glob("*.jsonl"))
EPYC, XEON = "AMD EPYC", "Intel(R) Xeon(R) Processor"


@pytest.fixture(scope="module")
def without_rows(tmp_path_factory):
    """The notebook where nothing was measured: no model, so no time."""
    folder = tmp_path_factory.mktemp("budgets")
    (folder / "data").mkdir()
    (folder / "data" / "published").symlink_to(REPO / "data" / "published")
    parameters = {"data": str(folder / "data"), "network": "RegNetX-200MF", "strategies": ["w", "dWr"], "times": 2.0}
    parameters |= {"mode": "inference"}
    return papermill.execute_notebook(BUDGET, folder / "out.ipynb", parameters, cwd=folder, progress_bar=False)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """The notebook with the rows of a made-up GPU, on which time is flops; it measures on this machine's CPU."""
    folder = tmp_path_factory.mktemp("measured")
    (folder / "data").mkdir()
    (folder / "data" / "published").symlink_to(REPO / "data" / "published")
    store = fs.Store(folder / "own.jsonl")
    time = rows(lambda network, batch: fs.complexity(network).flops * batch / 1e10, device="cuda:0")
    for row in time.to_dict("records"):
        store.add(row)
    parameters = {"data": str(folder / "data"), "stores": [str(store.path)], "network": "RegNetX-200MF"}
    parameters |= {"strategies": ["w", "dWr"], "times": 1.5, "mode": "inference", "measure": True, "device": "cpu"}
    return papermill.execute_notebook(BUDGET, folder / "out.ipynb", parameters, cwd=folder, progress_bar=False)


def by_default() -> dict[str, dict[str, float]]:
    """What the notebook's own parameters buy, but for memory: flops, by budget and strategy."""
    base, ways, how = "RegNetY-400MF", ["w", "dw", "dwr", "dWr"], {"batch": 4, "mode": "training", "memory": False}
    start = fs.complexity(base)
    bought = {}
    for name in ("params", "activations"):
        most = 6.0 * getattr(start, name)
        bought[name] = fs.within(base, ways, **{name: most}, **how).set_index("strategy")["flops"].to_dict()
    return bought


def by_time(device: str, base: str, ways: list[str], times: float, mode: str) -> dict[str, float]:
    """Flops in G that a time buys on a shipped device, as times what the base network takes there."""
    how = {"batch": 4, "mode": mode, "memory": False, "model": fitted_model(SHIPPED, mode, "fp32", device)}
    most = times * fs.prediction.costs(base, "w", 1.0, **how)["predicted_ms"][0]
    bought = fs.within(base, ways, time_ms=float(most), **how).set_index("strategy")["flops"]
    return (bought / 1e9).to_dict()


def in_fast_profile(notebook) -> dict[str, dict[str, float]]:
    """Flops in G, by budget and strategy, as the notebook shows them."""
    [table] = [table for table in tables(notebook) if table[0][-1] == "at most"]
    ways = table[0][1:-1]
    return {row[0]: dict(zip(ways, map(float, row[1:-1]), strict=True)) for row in table[2:]}


# What the text tells


def test_the_text_on_the_laws():
    text = "activations grow as *s* to 1/2 under *w*, 0.6 under *dWr*, 3/4 under *dw* and 5/6 under *dwr*"
    assert text in prose(BUDGET)
    laws = {name: fs.strategy(name).laws for name in ("w", "dWr", "dw", "dwr")}
    assert [float(each.activations) for each in laws.values()] == pytest.approx([1 / 2, 0.6, 3 / 4, 5 / 6])
    assert "as *s* under *w* and *dw*, 0.9 under *dWr* and 2/3 under *dwr*" in prose(BUDGET)
    assert [float(laws[name].params) for name in ("w", "dw", "dWr", "dwr")] == pytest.approx([1, 1, 0.9, 2 / 3])


def test_what_the_text_says_of_each_budget_comes_out_in_both_profiles(executed):
    text = prose(BUDGET)
    assert "*w* does for activations and *dwr* for params" in text
    assert "Fast scaling is first or second under every budget" in text
    for bought in (by_default(), in_fast_profile(executed(BUDGET))):
        ranked = {name: sorted(flops, key=flops.get, reverse=True) for name, flops in bought.items()}
        assert (ranked["activations"][0], ranked["params"][0]) == ("w", "dwr")
        assert all("dWr" in best[:2] for best in ranked.values())
    assert "in inference, where weights count for more, *dwr* does" in text
    assert ranked["memory_bytes"] == ["dwr", "dWr", "w"]  # of the fast profile, which is of inference


def test_what_the_text_says_of_time_comes_out_on_each_device_in_both_profiles(executed):
    text = prose(BUDGET)
    default, fast = ("RegNetY-400MF", ["w", "dw", "dwr", "dWr"], 6), ("RegNetX-200MF", ["w", "dwr", "dWr"], 3)
    cases = {"training": default, "inference": default, "fast": fast}
    bought = {
        (device, case): by_time(device, *asked, "training" if case == "training" else "inference")
        for device in (EPYC, XEON)
        for case, asked in cases.items()
    }
    assert "*w* buys the most, with fast scaling within a twentieth of it, and both well ahead of *dwr*" in text
    assert "the order of activations, with smaller steps between" in text
    activations = {"training": by_default()["activations"], "fast": in_fast_profile(executed(BUDGET))["activations"]}
    for case, counted in activations.items():
        time = bought[EPYC, case]
        assert time["w"] * 0.95 < time["dWr"] < time["w"]
        assert time["dWr"] > 1.15 * time["dwr"]
        assert time["w"] / time["dwr"] < counted["w"] / counted["dwr"]
    assert "For the Intel Xeon it is so in training, with fast scaling within a fiftieth of *w*" in text
    trained = bought[XEON, "training"]
    assert trained["w"] * 0.98 < trained["dWr"] < trained["w"]
    assert trained["dWr"] > 1.15 * max(trained["dwr"], trained["dw"])
    assert "In inference (`mode`) fast scaling buys the most there, and *w* some twentieth less" in text
    for case in ("inference", "fast"):
        time = bought[XEON, case]
        assert max(time, key=time.get) == "dWr"
        assert time["w"] / time["dWr"] == pytest.approx(0.95, abs=0.03)
    assert "a time buys more flops there than on the AMD EPYC" in text
    for case in cases:
        assert all(bought[XEON, case][way] > flops for way, flops in bought[EPYC, case].items())
    assert "Fast scaling is first or second on both, in either mode" in text
    assert all("dWr" in sorted(time, key=time.get)[-2:] for time in bought.values())
    assert "What it leads or lags *w* by is less than the models may be off" in text
    for (device, case), time in bought.items():
        [fitted] = fitted_model(
            SHIPPED, "training" if case == "training" else "inference", "fp32", device
        ).fitted.values()
        assert abs(time["dWr"] / time["w"] - 1) < fitted.error
    [table] = [rows for rows in tables(executed(BUDGET)) if rows[0][-1] == "at most, ms"]
    shown = {row[0]: row[1:-1] for row in table[2:]}
    assert shown == {
        device: [f"{bought[device, 'fast'][way]:.2f}" for way in ("w", "dwr", "dWr")] for device in (EPYC, XEON)
    }


def test_what_the_text_says_of_memory_is_counted_so_in_training():
    """Fast scaling buys the most: what the others make at the same flops takes more."""
    assert "At a batch of 4 most of the memory of *w*, at this budget, is not outputs, in either mode" in prose(BUDGET)
    assert "So *w* does not buy the most" in prose(BUDGET)
    base = "RegNetY-400MF"
    most, how = 6 * fs.peak_memory(base, 4, "training").peak_bytes, {"batch": 4, "mode": "training", "memory": False}
    flops = fs.within(base, "dWr", memory_bytes=most, **how)["flops"][0]
    needed = {way: fs.peak_memory(fs.scale_to(base, way, flops=flops), 4, "training") for way in ("w", "dw", "dwr")}
    assert min(each.peak_bytes for each in needed.values()) > most
    assert needed["w"].activations_bytes < needed["w"].peak_bytes / 2


def test_what_the_text_says_of_memory_is_counted_so_in_inference():
    most = 3 * fs.peak_memory("RegNetX-200MF", 4, "inference").peak_bytes
    scale = fs.within("RegNetX-200MF", "w", memory_bytes=most, batch=4, memory=False)["scale"][0]
    needed = fs.peak_memory(fs.scale("RegNetX-200MF", "w", scale), 4, "inference")
    assert needed.activations_bytes < needed.peak_bytes / 2


# What is bought


def test_every_network_keeps_within_its_budget(executed):
    [together] = [table for table in tables(executed(BUDGET)) if table[0][-1] == "bound"]
    [limits] = [table[2:] for table in tables(executed(BUDGET)) if table[0][-1] == "at most"]
    columns = {"time_ms": "time, ms", "memory_bytes": "memory, MB", "params": "params, M"}
    columns["activations"] = "activations, M"
    assert [row[0] for row in limits] == list(columns)
    for name, *_, most in limits:
        number, unit = most.split()
        place = together[0].index(columns[name])
        assert columns[name].endswith(unit)
        assert all(float(row[place]) <= 1.005 * float(number.replace(",", "")) for row in together[1:])


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
def test_predicted_times_are_judged_by_what_nine_in_ten_predictions_keep_within(device, executed):
    found = verdicts(executed(BUDGET))
    assert found.index.is_unique
    [fitted] = fitted_model(SHIPPED, "inference", "fp32", device).fitted.values()
    for other, verdict in (("w", HOLDS), ("dwr", UNDECIDED)):
        row = found.loc[f"{BOUGHT} time of inference on a CPU ({device}), dWr over {other}"]
        assert row["verdict"] == verdict
        within = f"{fitted.rows} rows of {device}, 90 % within {100 * fitted.error_90:.0f} %"
        assert row[["scope", "evidence", "details"]].tolist() == [BEYOND, "predicted", within]
        ratio, low, high = (float(each) for each in row["found"].rstrip(")").replace(" (", " to ").split(" to "))
        assert high / ratio == pytest.approx(ratio / low, rel=0.01) == pytest.approx(1 + fitted.error_90, rel=0.01)
        untested = found.loc[f"{BOUGHT} time of inference on a GPU, dWr over {other}"]
        assert untested["verdict"] == UNTESTED


def test_the_rows_of_a_gpu_are_judged_as_the_paper_s_own(measured):
    claims = verdicts(measured)
    time = claims.loc[f"{BOUGHT} time of inference on a GPU (Made-up), dWr over w"]
    assert time["verdict"] in (HOLDS, UNDECIDED)  # as the interval has it, which a fit decides
    assert " to " in time["found"]
    assert time["details"].startswith("42 rows of Made-up, 90 % within")
    assert not claims.index.str.contains("on a CPU").any()


def test_networks_are_measured_and_another_device_s_prediction_is_not_judged_by_them(measured):
    [found] = [table for table in tables(measured) if "disturbed" in table[0]]
    assert [row[1] for row in found[1:]] == ["w", "dWr"]
    for row in found[1:]:
        ratio, low, high = (float(row[found[0].index(name)]) for name in ("ratio", "low", "high"))
        assert row[found[0].index("doubt")] or 0 < low <= ratio <= high
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


def test_a_strategy_that_a_budget_does_not_bound_has_a_row_that_says_so(tmp_path):
    """Params do not grow under r; and times of a precision that no rows have are not predicted, whatever is asked."""
    parameters = {"strategies": ["w", "r"], "times": 1.5, "network": "RegNetX-200MF", "mode": "inference"}
    parameters |= {"precision": "bf16", "time_ms": 100}
    done = papermill.execute_notebook(BUDGET, tmp_path / "out.ipynb", parameters, cwd=tmp_path, progress_bar=False)
    [bought] = [table for table in tables(done) if table[0][:2] == ["budget", "strategy"]]
    told = {tuple(row[:2]): row[-1] for row in bought[1:]}
    assert "does not bound RegNetX-200MF scaled by r" in told["params", "r"]
    assert {told[key] for key in told if key != ("params", "r")} == {"–"}
    assert not any(budget == "time_ms" for budget, _ in told)
    found = verdicts(done)
    row = found.loc[f"{BOUGHT} params, dWr over r"]
    assert row["verdict"] == UNTESTED
    assert "does not bound RegNetX-200MF scaled by r" in row["details"]
    assert not found.index.str.contains("on a CPU").any()


def test_own_rows_come_before_the_shipped_ones(tmp_path):
    store = fs.Store(tmp_path / "own.jsonl")
    for row in rows(lambda network, batch: fs.complexity(network).flops * batch / 1e10, device="cuda:0").to_dict(
        "records"
    ):
        store.add(row)
    parameters = {"strategies": ["w"], "times": 1.5, "network": "RegNetX-200MF", "mode": "inference"}
    parameters |= {"stores": [str(store.path)]}
    done = papermill.execute_notebook(BUDGET, tmp_path / "out.ipynb", parameters, cwd=tmp_path, progress_bar=False)
    assert [row[1] for row in tables(done)[0][1:]] == ["Made-up", EPYC, XEON]
    claims = verdicts(done)
    assert f"{BOUGHT} time of inference on a GPU (Made-up), dWr over w" in claims.index
    assert claims.index.str.contains("time of inference on a CPU").sum() == 2


def test_strategies_are_taken_by_any_name_and_fast_scaling_is_always_among_them(tmp_path):
    parameters = {"strategies": ["alpha=0.50"], "times": 1.5, "network": "RegNetX-200MF", "mode": "inference"}
    done = papermill.execute_notebook(BUDGET, tmp_path / "out.ipynb", parameters, cwd=tmp_path, progress_bar=False)
    assert f"{BOUGHT} activations, dWr over alpha=0.5" in verdicts(done).index
