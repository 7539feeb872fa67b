"""Bands on networks larger than all fitted, judged by published rows of GPUs."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fastscale_lib as fs
from fastscale_lib._common.frames import dicts
from fastscale_lib.prediction.fitted import fit_setting, read_fits, widening_of_others
from fastscale_lib.prediction.forms import log_seconds
from fastscale_lib.prediction.layer_forms import Layers
from fastscale_lib.prediction.profile_files import shipped_profiles
from fastscale_lib.prediction.reach import Bands, Extent, judge, reach_of
from fastscale_lib.prediction.timed_rows import timed_rows, timed_runs
from fastscale_lib.records.conditions import Conditions

REPO = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def larger() -> pd.DataFrame:
    """Shares of larger networks within the bands of fits to those below 4 G multiply-adds."""
    return pd.read_csv(REPO / "data" / "devices" / "larger.csv")


def test_the_page_quotes_how_the_bands_held_on_larger_networks(larger):
    page = " ".join((REPO / "docs" / "limits.md").read_text("utf-8").split())
    shares = [100 * larger.loc[larger["compile"] == compiled, "ninety"] for compiled in (False, True)]
    eager, compiled = (f"{each.min():.0f} to {each.max():.0f} %" for each in shares)
    assert (
        f"below 4 G multiply-adds on {len(larger)} settings of GPUs, the bands of nine in ten held {eager} of" in page
    )
    assert f"networks eager, and {compiled} compiled." in page
    families = larger[["families_half", "families_ninety"]]
    half, of_half, of_ninety = (
        f"{100 * each.min():.0f} to {100 * each.max():.0f} %"
        for each in (larger["half"], *(families[name] for name in families))
    )
    near = larger["half"].between(0.45, 0.55).sum()
    assert f"The bands of half held {half} of them, and 45 to 55 % in {near} of the settings." in page
    assert f"they held {of_ninety} and {of_half}." in page


def test_the_bands_hold_their_share_of_families_left_out(larger):
    """Each family is left out of the fit, and of the errors that the bands are quantiles of."""
    assert larger["families_half"].between(0.45, 0.55).all()
    assert larger["families_ninety"].between(0.85, 0.95).all()


def test_where_the_bands_held_the_fewest_they_hold_them_again(larger):
    """Judged by the trials of the other devices: they must hold more before the page may say so."""
    [kept] = dicts(larger.nsmallest(1, "ninety"))
    times = fs.records.timm_times().assign(half_width=0.01)
    same = [times[name].eq(kept[name]) for name in ("device_name", "mode", "channels_last", "compile", "torch")]
    [(setting, published)] = timed_rows(times[np.logical_and.reduce(same)].reset_index(drop=True))
    runs, seconds = timed_runs(published)
    small = np.exp(runs.extent.sizes[:, 0]) < 4e9
    fitted = fit_setting("layers", setting, published[small], without=setting.device_name)
    assert fitted.reach is not None
    off = np.expm1(np.abs(log_seconds(fitted.form or Layers(), runs, fitted.parameters) - np.log(seconds)))
    bands = judge(fitted.reach, runs.extent).bands
    for name, band in zip(("half", "ninety"), bands, strict=True):
        assert (off <= band)[~small].mean() == pytest.approx(kept[name], abs=0.02)


@pytest.mark.parametrize("unusual", [{"compile": True}, {"channels_last": True}, {}])
def test_bands_widen_as_settings_of_other_devices_needed(larger, unusual):
    setting = Conditions(**{"device_name": "RTX 4090", "channels_last": False, "compile": False, **unusual})
    kind = (larger["compile"] | larger["channels_last"]) == bool(unusual)
    for without in (None, "RTX 4090"):
        others = larger[(larger["mode"] == "inference") & (larger["device_name"] != without)]
        half, ninety = widening_of_others(setting, without)
        assert half == others["needed_half"].median() > 0.01
        assert ninety == max(0.04, others.loc[kind, "needed"].max())


def test_profiles_of_gpus_widen_so_and_those_of_cpus_at_least(larger):
    for name, kept in shipped_profiles().items():
        for setting, fitted in read_fits(kept):
            assert fitted.reach is not None
            of_others = widening_of_others(setting)
            if name in set(larger["device_name"]):
                assert fitted.reach.up.widening == pytest.approx(of_others)
            else:
                assert all(own >= least for own, least in zip(fitted.reach.up.widening, of_others, strict=True))


@pytest.mark.parametrize(("count", "of_many", "taken"), [(60, True, True), (60, False, False), (59, True, False)])
def test_a_trial_within_few_rows_widens_more_than_others_needed(count, of_many, taken):
    """Larger networks take twice as long as predicted; of 60 rows, what many others needed is taken instead."""
    sizes = np.repeat(np.linspace(0, 3, count)[:, None], 3, axis=1)
    seconds = np.exp(sizes[:, 0])
    batches, extent = np.full(count, 4), Extent(sizes, np.ones((count, 1)))
    others = Bands(0.02, 0.06)
    found = reach_of(batches, extent, lambda fitted: seconds / 2, seconds, seconds * 1.01, others, of_many).up
    assert found.times == 200 if count >= 60 else found.times < 200
    assert (found.widening == others) == taken
    assert found.widening.half >= others.half
    assert found.widening.ninety >= others.ninety
