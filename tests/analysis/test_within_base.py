"""The paper's section 4: within one base network, times of strategies at equal flops against their activations."""

import pandas as pd
import pytest
from helpers.notebooks import REPO

import fastscale_lib as fs
from fastscale_lib.analysis import FAILS, HOLDS, PAPER, UNDECIDED, UNTESTED
from fastscale_lib.analysis.within_base import times_within_bases, within_base_claims, within_base_table

H200 = fs.records.read_rows([REPO / "data" / "measured" / "nvidia-h200.jsonl"])
CASE = {"source": "own.jsonl", "device": "cuda", "device_name": "A chip", "mode": "inference", "precision": "fp32"}
CASE |= {"threads": None, "channels_last": True, "compile": False, "tf32": False, "batch": 64}


def timed(*strategies: tuple[str, float, float], off: float = 0.01, **changes) -> pd.DataFrame:
    """Rows of `times_within_bases`: strategy, activations, ms/image, with intervals of ± off."""
    rows = [
        {"strategy": way, "activations": count, "params": 1 / count, "ms_per_image": ms, "low_ms": ms * (1 - off)}
        | {"high_ms": ms * (1 + off), "base": "Tiny", "scale": 4.0, "doubt": None}
        for way, count, ms in strategies
    ]
    return pd.DataFrame(rows).assign(**CASE | changes)


IN_ORDER = timed(("w", 2, 1.0), ("dWr", 3, 1.2), ("dwr", 4, 1.5))


def test_on_the_h200_four_strategies_take_the_time_of_their_activations():
    """EfficientNet-B0 at about four times its flops: so in all three settings, and sure where there are intervals."""
    found = times_within_bases(H200)
    table = within_base_table(found)
    assert table["fastest to slowest"].tolist() == ["w dWr dw dwr"] * 3
    assert table["Spearman, activations"].tolist() == pytest.approx([1.0] * 3)
    assert table["Spearman, params"].tolist() == pytest.approx([-0.4] * 3)
    assert (table["Pearson of logs, activations"] > 0.95).all()
    claims = within_base_claims(found)
    assert {(claim.found, claim.scope) for claim in claims} == {(0, PAPER)}
    assert {claim.claim.split(", ")[-2]: claim.verdict for claim in claims} == {"bf16": HOLDS, "fp32": UNDECIDED}


def test_the_counts_are_those_of_networks_of_these_flops():
    found = times_within_bases(H200).drop_duplicates("strategy").set_index("strategy")
    for way in ("w", "dWr"):
        near = fs.equal_flops("EfficientNet-B0", way, float(found["scale"][way])).iloc[0]
        for metric in ("params", "activations"):
            assert found[metric][way] == pytest.approx(near[metric], rel=0.01)


@pytest.mark.parametrize(
    ("frame", "ends", "verdict"),
    [
        (IN_ORDER, (0, 0, 0), HOLDS),
        (timed(("w", 2, 1.5), ("dWr", 3, 1.2), ("dwr", 4, 1.0)), (3, 3, 3), FAILS),
        (timed(("w", 2, 1.0), ("dWr", 3, 1.01), ("dwr", 4, 1.5)), (0, 0, 1), UNDECIDED),
        (IN_ORDER.assign(low_ms=float("nan"), high_ms=float("nan")), (0, 0, 3), UNDECIDED),
        (timed(("w", 2, 1.5), ("dWr", 2, 1.2), ("dwr", 4, 1.6)), (0, 0, 0), HOLDS),  # as many: no order
    ],
    ids=["in order", "swapped", "near", "no intervals", "equal"],
)
def test_pairs_are_counted_by_whether_their_order_is_sure(frame, ends, verdict):
    [claim] = within_base_claims(frame)
    assert (claim.found, claim.low, claim.high) == ends
    assert claim.verdict == verdict


def test_cpus_are_shown_and_not_judged():
    frame = timed(("w", 2, 1.5), ("dWr", 3, 1.2), ("dwr", 4, 1.0), device="cpu")
    [claim] = within_base_claims(frame)
    assert (claim.verdict, claim.details[:28]) == (UNTESTED, "no base network measured on ")
    assert within_base_table(frame)["Spearman, activations"].tolist() == pytest.approx([-1.0])


def test_a_row_that_waits_for_its_host_is_left_out():
    rows = H200[H200["precision"] == "bf16"].copy()
    rows["launch_ms"] = rows["median_ms"]
    assert times_within_bases(rows).empty
    assert within_base_table(times_within_bases(rows)).empty


@pytest.mark.parametrize("nothing", [pd.DataFrame(), H200.head(0)])
def test_of_nothing_there_is_nothing(nothing):
    assert times_within_bases(nothing).empty
    assert [claim.verdict for claim in within_base_claims(times_within_bases(nothing))] == [UNTESTED]


def test_too_few_strategies_or_too_little_growth_have_no_order():
    assert times_within_bases(H200[H200["strategy"].isin(["w", "dWr"]) | H200["strategy"].isna()]).empty
    small = H200[H200["strategy"].isna() | (H200["scale"] < 1.5)] if "scale" in H200 else H200[H200["strategy"].isna()]
    assert times_within_bases(small).empty
