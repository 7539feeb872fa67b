"""A fit to ten rows of a device, from the profile of another one: how near, and what pages say of it."""

import re

import numpy as np
import pandas as pd
import pytest
from helpers.notebooks import REPO

import fastscale_lib as fs
from fastscale_lib.prediction.forms import fit_form, form_of, log_seconds
from fastscale_lib.prediction.from_profiles import fit_from_profiles
from fastscale_lib.prediction.timed_rows import families_of, timed_rows, timed_runs


@pytest.fixture(scope="module")
def errors():
    return pd.read_csv(REPO / "data" / "devices" / "calibrations.csv")


def percent(values: pd.Series) -> str:
    """The least and the most, as pages write them: "3 to 6 %"."""
    return f"{100 * values.min():.0f} to {100 * values.max():.0f} %"


def test_the_page_quotes_what_was_judged(errors):
    page = re.sub(r"\s+", " ", (REPO / "docs" / "how-to" / "device.md").read_text("utf-8"))
    gpu = errors["device_name"].str.startswith("RTX")
    inference, cpus = errors[gpu & errors["mode"].eq("inference")], errors[~gpu]
    assert errors["draws"].eq(4).all()
    assert (
        f"on GPUs in inference the median error was {percent(inference['error'])} "
        f"(nine in ten networks: {percent(inference['error_90'])}), where a fit to the same ten rows alone has "
        f"{percent(inference['few_alone'])}, and one to forty rows {percent(inference['many_alone'])}; "
        f"on CPUs it was {percent(cpus['error'])}, with or without a profile"
    ) in page
    assert percent(cpus["few_alone"]) == percent(cpus["error"])
    training = errors[gpu & errors["mode"].eq("training")]["error"]
    assert f"in training on a GPU {100 * training.mean():.0f} %, as there is no profile of that" in page


def test_the_bands_held_on_networks_of_other_families(errors):
    assert errors["within_half"].between(0.4, 0.85).all()
    assert errors["within_ninety"].between(0.8, 1).all()
    assert errors["within_ninety"].mean() == pytest.approx(0.93, abs=0.03)


def test_ten_rows_and_another_gpu_s_profile_predict_other_families():
    """A compiled RTX 4090 as if it had no profile: nearer than a fit to the ten rows alone."""
    times = fs.records.timm_times()
    times = times[times["device_name"].eq("RTX 4090") & times["compile"].eq(True) & times["torch"].eq("2.9.1")]
    [(setting, rows)] = timed_rows(times)
    families = np.array(families_of(rows))
    draw = np.random.default_rng(0)
    known = np.isin(families, draw.permutation(sorted(set(families)))[:8])
    few = rows.iloc[draw.permutation(np.flatnonzero(known))[:10]]
    others = rows[~known].sample(40, random_state=0)
    runs, seconds = timed_runs(others)

    own, alone = fit_from_profiles(setting, few, without="RTX 4090"), form_of("layers")
    assert str(own.prior).startswith("RTX 5090, inference, amp, compiled")
    off = np.abs(np.exp(log_seconds(own.form, runs, own.parameters)) / seconds - 1)
    by_ten = np.exp(log_seconds(alone, runs, fit_form(alone, *timed_runs(few), few, setting)))
    assert np.median(off) < min(0.07, np.median(np.abs(by_ten / seconds - 1)))
    assert 0.3 < (off <= own.error).mean() <= 1
    assert (off <= own.error_90).mean() > 0.75
