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
    """Write the least and the most as pages do: "3 to 6 %"."""
    return f"{100 * values.min():.0f} to {100 * values.max():.0f} %"


def test_the_page_quotes_what_was_judged(errors):
    page = re.sub(r"\s+", " ", (REPO / "docs" / "how-to" / "device.md").read_text("utf-8"))
    gpu, is_inference = errors["device_name"].str.startswith("RTX"), errors["mode"].eq("inference")
    inference, training = errors[gpu & is_inference], errors[gpu & ~is_inference]
    i9 = errors["device_name"].str.startswith("Core i9")
    cpus, [of_i9] = errors[~gpu & ~i9], errors.loc[i9, "error"]
    assert errors["draws"].eq(4).all()
    assert errors.loc[~gpu & errors["unlike_error"].notna(), "device_name"].str.startswith("Core i9").all()
    for said in (
        f"on GPUs in inference the median error was {percent(inference['error'])} "
        f"(nine in ten networks: {percent(inference['error_90'])}), where a fit to the same ten rows alone has "
        f"{percent(inference['few_alone'])}, and one to forty rows of any size {percent(inference['many_alone'])}; in "
        f"training on a GPU, of which there is no profile, it was {percent(training['error'])}. "
        f"On CPUs it was {percent(cpus['error'])}, and {100 * of_i9:.0f} % on a Core i9-10940X",
        "Ten rows of any size, kind and family predicted all other networks on GPUs in inference to "
        f"{percent(inference['by_any'])} ({percent(inference['by_any_90'])}).",
        f"were off by {percent(inference['unlike_error'])} on GPUs in inference",
        f"held {percent(inference['held_ninety'])} of ConvNets on GPUs in inference, "
        f"{percent(training['held_ninety'])} in training, and {percent(errors.loc[~gpu, 'held_ninety'])} on CPUs; "
        f"of ConvNeXt and transformers {percent(errors.loc[gpu, 'unlike_held_ninety'])} on GPUs. "
        f"The band of half held {percent(inference['held_half'])}, {percent(training['held_half'])}, and "
        f"{percent(errors.loc[~gpu, 'held_half'])}; of ConvNeXt and transformers "
        f"{percent(errors.loc[gpu, 'unlike_held_half'])}.",
    ):
        assert said in page


def test_the_bands_that_others_found_hold_more_than_the_profile_s(errors):
    for kind, share in (("half", 0.5), ("ninety", 0.9)):
        held, within = errors[f"held_{kind}"], errors[f"within_{kind}"]
        assert (held >= within).all()
        assert (held >= share).mean() >= (within >= share).mean()
    inference = errors[errors["device_name"].str.startswith("RTX") & errors["mode"].eq("inference")]
    assert inference["held_ninety"].between(0.94, 1).all()
    assert inference["unlike_held_ninety"].between(0.83, 1).all()


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
