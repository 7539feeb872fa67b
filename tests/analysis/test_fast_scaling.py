"""Fast scaling beside other strategies: tables of times, and claims of counts and times at equal flops."""

import math

import pandas as pd
import pytest
from helpers.fake_device import by_layers, rows

import fastscale_lib as fs
from fastscale_lib.analysis.claims import BEYOND, FAILS, HOLDS, PAPER, UNDECIDED, UNTESTED
from fastscale_lib.analysis.fast_scaling import (
    activation_claims,
    fast_scaling_ratios,
    measured_times_of_bases,
    predicted_times_beside,
    relative_times,
    time_claims,
)

B0 = "EfficientNet-B0"


def timed(device: str = "cuda", ms=(1.0, 1.2, 1.1, 1.05), **more) -> pd.DataFrame:
    """Times of w, dwr, dw and dWr on a device, as `measured_times_of_bases` gives them."""
    names = ["w", "dwr", "dw", "dWr"]
    frame = pd.DataFrame({"strategy": names, "alpha": [1.0, 1 / 3, math.nan, 0.8], "ms_per_image": ms})
    frame = frame.assign(low_ms=frame["ms_per_image"] * 0.999, high_ms=frame["ms_per_image"] * 1.001, doubt=None)
    case = {"source": "own.jsonl", "device": device, "device_name": "A chip", "mode": "training", "precision": "fp32"}
    case |= {"threads": 2, "channels_last": True, "compile": False, "tf32": False, "batch": 4}
    return frame.assign(scale=4.0, base=B0, case="A chip, training", **case).assign(**more)


def counted(alpha: float = 0.8, scales=(2.0, 16.0)) -> pd.DataFrame:
    return fs.equal_flops(B0, list(dict.fromkeys([alpha, 1.0, "dwr", "dw"])), scales)


# Claims


def test_activations_are_held_to_the_laws_at_each_scale():
    claims = activation_claims(counted(), B0, 0.8, [2.0, 16.0])
    assert [each.claim for each in claims[:3]] == [
        f"{B0} at 2× flops, activations: dWr over {other}" for other in ("w", "dwr", "dw")
    ]
    assert [each.paper for each in claims] == pytest.approx([2**0.1, 1, 1, 16**0.1, 1, 1])
    assert {(each.scope, each.evidence, each.relation) for each in claims} == {(PAPER, "counted", "<")}
    frame = counted().set_index(["scale", "strategy"])["activations"]
    assert claims[3].found == frame[16.0, "alpha=0.8"] / frame[16.0, "alpha=1"]


def test_another_alpha_is_beyond_the_paper_and_as_much_as_w_is_not_more():
    claims = activation_claims(counted(1.0), B0, 1.0, [2.0])
    assert {each.scope for each in claims} == {BEYOND}
    assert (claims[0].claim, claims[0].verdict) == (f"{B0} at 2× flops, activations: α = 1 over w", HOLDS)


def test_a_transformer_is_beyond_the_paper():
    frame = counted().assign(network="ViT-S/16")
    assert {each.scope for each in activation_claims(frame, "ViT-S/16", 0.8, [2.0])} == {BEYOND}
    assert {each.scope for each in time_claims(timed(base="ViT-S/16"), "ViT-S/16", 0.8, 0.25, "training")} == {BEYOND}


@pytest.mark.parametrize(
    ("ms", "verdicts"),
    [
        ((1.0, 1.5, 1.3, 1.2), [HOLDS, HOLDS, HOLDS]),
        ((1.0, 1.5, 1.1, 1.3), [FAILS, HOLDS, FAILS]),
        ((1.0, 1.2, 1.3, 1.2), [HOLDS, UNDECIDED, HOLDS]),
    ],
)
def test_fast_scaling_is_nearly_as_fast_as_w_and_faster_than_the_rest(ms, verdicts):
    claims = time_claims(timed(ms=ms), B0, 0.8, 0.25, "training")
    assert [each.verdict for each in claims] == verdicts
    assert [each.claim for each in claims] == [
        f"time on a GPU (A chip), {B0} at 4× flops: dWr over {other}" for other in ("w", "dwr", "dw")
    ]
    assert {(each.scope, each.evidence) for each in claims} == {(PAPER, "measured")}
    assert {each.details for each in claims} == {"A chip, training; interval within one run"}


def test_times_of_a_cpu_are_beyond_the_paper_and_those_of_a_gpu_not_tested():
    claims = time_claims(timed("cpu"), B0, 0.8, 0.25, "training")
    assert [each.scope for each in claims] == [BEYOND] * 3 + [PAPER] * 3
    assert [each.verdict for each in claims[3:]] == [UNTESTED] * 3
    assert claims[3].claim == f"time on a GPU, {B0} at equal flops: dWr over w"
    assert claims[3].details.startswith(f"no measured rows of {B0} scaled by w, dwr, dw and dWr on a GPU (training)")


@pytest.mark.parametrize("missing", ["w", "dwr", "dw", "dWr"])
def test_times_without_all_four_strategies_are_not_judged(missing):
    times = timed()
    claims = time_claims(times[times["strategy"] != missing], B0, 0.8, 0.25, "training")
    assert [each.verdict for each in claims] == [UNTESTED] * 3


def test_times_of_another_base_network_are_not_judged():
    assert {each.verdict for each in time_claims(timed(base="ResNet-50"), B0, 0.8, 0.25, "training")} == {UNTESTED}


# Tables


def test_ratios_are_of_each_base_network_that_has_all_four():
    times = pd.concat(
        [timed(), timed(base="ResNet-50").iloc[1:], timed(base="RegNetX", doubt="a single block of runs")]
    )
    table = fast_scaling_ratios(times, 0.8)
    assert table.index.tolist() == [("A chip, training", B0), ("A chip, training", "RegNetX")]
    assert table[["w", "dwr", "dw"]].iloc[0].tolist() == pytest.approx([1.05, 1.05 / 1.2, 1.05 / 1.1])
    assert table["in doubt"].tolist() == [0, 4]
    assert fs.analysis.how_often_faster_text(table).endswith(
        "- A chip, training: of 1 base network, faster than w for 0, than dwr for 1 and than dw for 1; "
        "1 base network in doubt"
    )
    assert fs.analysis.how_often_faster_text(table.iloc[1:]).endswith("- A chip, training: 1 base network in doubt")


def test_an_alpha_that_nobody_measured_has_no_ratios():
    table = fast_scaling_ratios(pd.concat([timed(), timed(base="ResNet-50")]), 0.5)
    assert (len(table), table["in doubt"].dtype) == (0, int)
    assert list(table.columns) == ["w", "dwr", "dw", "in doubt"]
    assert fs.analysis.how_often_faster_text(table) == "No device has measured all four strategies."


@pytest.fixture(scope="module")
def stored() -> pd.DataFrame:
    """Rows of a made-up device, as `read_rows` gives them."""
    frame = rows(by_layers, bases=("ResNet-50", B0), device="cpu")
    frame["strategy"] = frame["network"].str.split(" ").str[1]
    unscaled = frame["network"].str.endswith("×1")
    frame["strategy"] = frame["strategy"].mask(unscaled, None)
    own = [fs.network(base).to_dict() for base in frame["base"]]
    frame["description"] = frame["description"].mask(unscaled, pd.Series(own))
    frame["flops"] = [fs.complexity(fs.Network.from_dict(each)).flops for each in frame["description"]]
    return frame.assign(source="own.jsonl", low_ms=math.nan, high_ms=math.nan)


def test_measured_times_stand_beside_the_predicted_ones(stored):
    times = measured_times_of_bases(stored, "ResNet-50", 0.8)
    own = times[times["base"] == "ResNet-50"]
    assert set(own["strategy"]) <= {"w", "dwr", "dw", "dWr", "alpha=0.8"}
    assert {"ResNet-50", B0} <= set(times["base"])
    predicted = predicted_times_beside(stored, fs.equal_flops("ResNet-50", [0.8, 1.0], [2.0]), times)
    table = relative_times(own, predicted)
    assert set(table["case"]) == set(own["case"])
    for case, shown in table.groupby("case"):
        measured = own[own["case"] == case].set_index("strategy")["ms_per_image"]
        assert shown.set_index("strategy")["ratio"].to_dict() == pytest.approx((measured / measured["w"]).to_dict())
    assert (table["predicted"] / table["ratio"]).between(0.8, 1.25).all()
    text = fs.analysis.predictions_text(predicted)
    assert text.startswith("Predicted times:\n\n- ")
    assert f"median error {100 * predicted['error'].iloc[0]:.1f} %" in text
    assert fs.analysis.predictions_text(predicted.iloc[:0]).startswith("There are no measured rows")


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (
            (1.0, 1.3, 1.2, 1.1),
            "1 of 1 setting. On A chip, training, at 4 times the flops, dWr takes 1.10, dw 1.20 and dwr 1.30",
        ),
        (
            (1.0, 1.1, 1.2, 1.3),
            "0 of 1 setting. On A chip, training, at 4 times the flops, dwr takes 1.10, dw 1.20 and dWr 1.30",
        ),
    ],
)
def test_measured_times_are_told_relative_to_w(ms, said):
    nothing = pd.DataFrame(columns=["case", "scale", "strategy", "ms_per_image"])
    times = relative_times(timed(ms=ms), nothing)
    assert fs.analysis.relative_times_text(times).endswith(f"in {said} times the time of w.")
    doubtful = fs.analysis.relative_times_text(relative_times(timed(ms=ms, doubt="a single block of runs"), nothing))
    in_order = "1 setting, 1 of them in doubt." if said.startswith("1") else "1 setting."
    assert doubtful.endswith(f"{in_order} In all settings a time is in doubt, so they decide nothing.")
    assert fs.analysis.relative_times_text(times.iloc[:0]).startswith("No device has measured")


def test_an_order_is_told_only_of_the_strategies_that_the_paper_orders():
    nothing = pd.DataFrame(columns=["case", "scale", "strategy", "ms_per_image"])
    other = timed().replace({"strategy": {"dWr": "alpha=0.5"}, "alpha": {0.8: 0.5}})
    text = fs.analysis.relative_times_text(relative_times(other, nothing))
    assert text.endswith("alpha=0.5 takes 1.05, dw 1.10 and dwr 1.20 times the time of w.")
    assert "order" not in text
    alone = relative_times(timed().iloc[:1], nothing)
    assert fs.analysis.relative_times_text(alone).startswith("No device has measured")
