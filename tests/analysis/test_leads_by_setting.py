"""Which count time follows, in every published setting: the lead of activations over flops, with its interval."""

import pandas as pd
import pytest
from helpers.figures import traces

import fastscale_lib as fs
from fastscale_lib.analysis import BEYOND, FAILS, PAPER, UNDECIDED

CLASSIC = "classic ConvNets"


@pytest.fixture(scope="module")
def found() -> pd.DataFrame:
    return fs.analysis.leads_everywhere(fs.records.timm_times())


def test_every_setting_has_the_three_kinds_of_networks(found):
    assert len(found) == 18 * 3
    assert set(found["kind"]) == {CLASSIC, "ConvNeXt", "ViT"}
    assert found["setting"].nunique() == 18
    assert not found.duplicated(["setting", "kind"]).any()


def test_a_lead_is_the_difference_of_two_correlations(found):
    times = fs.records.timm_times()
    own = times[(times["device_name"] == "RTX 5090") & times["compile"]]
    classic = own[~own["base"].str.contains("^(?:ConvNeXt|ViT|DeiT)")]
    r = fs.analysis.correlations(classic, ["device_name"], ["flops", "activations"])
    r = r[r["statistic"] == "Pearson of logs"].set_index("metric")["r"]
    row = found[(found["device_name"] == "RTX 5090") & found["compile"] & (found["kind"] == CLASSIC)].iloc[0]
    assert row["lead"] == pytest.approx(r["activations"] - r["flops"])
    assert row["low"] < row["lead"] < row["high"]
    assert row["networks"] == len(classic)


def test_activations_lead_on_gpus_and_not_on_cpus(found):
    classic = found[found["kind"] == CLASSIC]
    assert (classic.loc[classic["device"] == "cuda", "lead"] > 0).all()
    assert (classic.loc[classic["device"] == "cpu", "lead"] < 0).all()


def test_claims_count_the_settings_of_each_kind(found):
    claims = {claim.claim: claim for claim in fs.analysis.leads_claims(found)}
    assert len(claims) == 6
    gpus = claims["settings of GPUs in which activations have the lower r, classic ConvNets"]
    assert (gpus.found, gpus.low, gpus.scope, gpus.verdict) == (0, 0, PAPER, UNDECIDED)
    cpus = claims["settings of CPUs in which activations have the lower r, classic ConvNets"]
    assert (cpus.found, cpus.scope, cpus.verdict) == (3, BEYOND, FAILS)
    assert cpus.details == "of 3 settings of timm's benchmarks; Holm over these"


def test_settings_of_an_unknown_device_are_no_gpus(found):
    claims = fs.analysis.leads_claims(found[found["kind"] == CLASSIC].assign(device="tpu"))
    assert [(each.claim, each.scope) for each in claims] == [
        ("settings of devices of unknown kind in which activations have the lower r, classic ConvNets", BEYOND)
    ]


def test_flops_against_activations_is_the_other_way_round(found):
    other = fs.analysis.leads_everywhere(fs.records.timm_times(), "flops", resamples=1)
    assert other["lead"].tolist() == pytest.approx((-found["lead"]).tolist())


def test_the_map_has_a_panel_a_kind_and_full_markers_where_decided(found):
    drawn = traces(fs.figures.leads_map(found))
    assert [trace.name for trace in drawn] == ["decided", "undecided"] * 3
    for kind, decided, undecided in zip(found["kind"].unique(), drawn[::2], drawn[1::2], strict=True):
        rows = found[found["kind"] == kind].set_index("setting")
        assert set(rows["verdict"][list(decided.y)]) <= {"ahead", "behind"}
        assert set(rows["verdict"][list(undecided.y)]) <= {"undecided"}
        assert list(decided.x) == rows["lead"][list(decided.y)].tolist()
        assert len(decided.x) + len(undecided.x) == 18
    assert found["kind"].tolist()[:3] == [CLASSIC, "ConvNeXt", "ViT"]
