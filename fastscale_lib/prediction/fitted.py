"""A fit to the rows of one setting, and the plain form in which a profile keeps it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .._common.device_kinds import CUDA, kind_of
from ..architectures.operation_lists import element_bytes
from ..records.conditions import Conditions
from .forms import By, bytes_of, form_of, host_seconds
from .layer_forms import Layers
from .mean_times import MeanTimes
from .reach import LEAST_WIDENING, Bands, Reach, Trial, reach_of
from .sheets import larger_trials, traced_trials
from .timed_rows import families_of, timed_runs
from .unseen import Chosen, best_form, predict_from

SETTING = (*Conditions.FIT[1:], "torch")  # what tells the settings of one device apart
_DIGITS = 6  # of a parameter: a ten-thousandth of the error of any fit


class Fitted(NamedTuple):
    """A fit to the rows of one setting, and its error on rows that were held out.

    Attributes:
        parameters: of the formula, as logarithms.
        rows: how many it was fitted to.
        families: of their base networks.
        error: median of the absolute error, as a fraction: each family is held out in turn; if there is only one, each
            fifth of the rows.
        error_90: the 90th percentile of the absolute error.
        reach: how far it predicts; None for rates that were given by hand, which hold everywhere.
        host: seconds per launch: least, median and most of the rows.
        form: the formula, if it is not the usual one of the model; None if it is.
        note: what every prediction is said to be, as "estimate by the data sheet"; None for those of a fit to rows.
        prior: the profile that it is fitted from, and how many times as long the device takes; None without one.
        of: the setting of that profile; None without one.
    """

    parameters: np.ndarray
    rows: int
    families: tuple[str, ...]
    error: float
    error_90: float
    reach: Reach | None = None
    host: tuple[float, float, float] = (0.0, 0.0, 0.0)
    form: Any = None
    note: str | None = None
    prior: str | None = None
    of: Conditions | None = None


def widening_of_others(setting: Conditions, without: str | None = None) -> Bands:
    """Return the powers of the ratio of sizes by which bands grow for larger networks.

    How much they must grow was tried on published rows of GPUs in inference, of networks much larger than all fitted.
    The band of nine in ten takes the most that any setting of the same kind needed: more if they were compiled or ran
    in channels_last. The band of half takes the median of all settings, as the most would hold far more than half.

    Arguments:
        setting: of the fit.
        without: name of a device whose trials are left aside; default: none.
    """
    tried = larger_trials()
    tried = tried[tried["mode"].eq("inference") & ~tried["device_name"].isin([without])]
    same = (tried["compile"] | tried["channels_last"]).eq(bool(setting.compile or setting.channels_last))
    half, ninety = float(tried["needed_half"].median()), float(tried.loc[same, "needed"].max())
    return Bands(max(LEAST_WIDENING.half, half), max(LEAST_WIDENING.ninety, ninety))


def widening_of_traced(setting: Conditions, without: str | None = None, tried: pd.DataFrame | None = None) -> Bands:
    """Return by which factor's logarithm bands grow for networks that are traced.

    It was tried on the ConvNets of timm, all traced. As for `widening_of_others`, the band of nine in ten takes the
    most that any setting alike needed, compiled or not and with elements of the same size, and that of half the median
    of all settings.

    Arguments:
        setting: of the fit.
        without: name of a device whose trials are left aside; default: none.
        tried: as `traced_trials`, which is the default.
    """
    known = traced_trials() if tried is None else tried
    known = known[~known["device_name"].isin([without])]
    same = known["compile"].eq(bool(setting.compile)) & known["precision"].map(element_bytes).eq(bytes_of(setting))
    alike = known[same] if same.any() else known
    return Bands(max(0.0, float(known["needed_half"].median())), max(0.0, float(alike["needed"].max())))


def fit_setting(
    by: By, setting: Conditions, rows: pd.DataFrame, chosen: Chosen | None = None, without: str | None = None
) -> Fitted:
    """Fit to the rows of one setting, and try the fit on rows held out and on other sizes.

    Bands for larger networks widen as `widening_of_others` says; of a baseline, on a CPU or by fewer than 60 rows they
    widen more if a trial on the rows needs it.

    Arguments:
        by: as for `RuntimeModel.fit`.
        setting: of the rows.
        rows: as `timed_rows` splits them.
        chosen: the fit, if it is made; default: it is made here.
        without: name of a device whose trials on larger networks are left aside; default: none.
    """
    runs, seconds = timed_runs(rows)
    form, parameters, held_out = chosen or best_form(by, runs, seconds, rows, setting)
    off = np.abs(held_out / seconds - 1)
    reach = reach_of(
        rows["batch"].to_numpy(),
        runs.extent,
        lambda on: predict_from(on, form, runs, seconds, rows, setting),
        seconds,
        held_out,
        widening_of_others(setting, without),
        by == "layers" and "device" in rows and kind_of(rows["device"].iloc[0]) is CUDA,
    )
    if by == "layers":
        reach = reach._replace(traced=widening_of_traced(setting, without))
    error, error_90 = float(np.median(off)), float(np.quantile(off, 0.9))
    families = tuple(sorted(set(families_of(rows))))
    return Fitted(parameters, len(rows), families, error, error_90, reach, host_seconds(runs), form)


def plain_fit(key: Conditions, fitted: Fitted) -> dict[str, Any]:
    """Return a fit as plain numbers and texts, as a profile keeps it."""
    reach = fitted.reach
    assert reach is not None
    form = fitted.form or form_of("layers")
    assert isinstance(form, Layers)
    values, trials = np.exp(fitted.parameters), {"up": reach.up, "down": reach.down}
    return {
        "setting": {name: value for name in SETTING if (value := getattr(key, name)) != getattr(Conditions, name)},
        "form": {"design": form.design},
        "parameters": {name: _rounded(value) for name, value in zip(form.names, values, strict=True)},
        "rows": fitted.rows,
        "families": list(fitted.families),
        "error": _rounded(fitted.error),
        "error_90": _rounded(fitted.error_90),
        "host": [_rounded(each) for each in fitted.host],
        "reach": {
            "batches": [int(each) for each in reach.batches],
            **{name: [_rounded(each) for each in getattr(reach, name)] for name in ("least", "most", "shares")},
            "bands": [_rounded(each) for each in reach.bands],
            **{name: [_rounded(trial.times), *map(_rounded, trial.widening)] for name, trial in trials.items()},
        },
    }


def read_fits(kept: Mapping[str, Any]) -> Iterator[tuple[Conditions, Fitted]]:
    """Read the settings of a profile, and the fit to each."""
    for each in kept["settings"]:
        form, parameters = _read_form(each)
        reach = each["reach"]
        up, down = (Trial(times, Bands(*widening)) for times, *widening in (reach["up"], reach["down"]))
        least, most, shares = (np.array(reach[name]) for name in ("least", "most", "shares"))
        setting = Conditions(device_name=kept["device_name"], **each["setting"])
        ends, bands, wider = tuple(reach["batches"]), Bands(*reach["bands"]), widening_of_traced(setting)
        yield (
            setting,
            Fitted(
                parameters,
                each["rows"],
                tuple(each["families"]),
                each["error"],
                each["error_90"],
                Reach(ends, least, most, shares, up, down, bands, traced=wider),
                tuple(each["host"]),
                form,
                kept.get("note"),
            ),
        )


def _read_form(kept: Mapping[str, Any]) -> tuple[Any, np.ndarray]:
    """Read a formula and its parameters."""
    if several := kept["form"].get("mean of"):
        read = [_read_form(each) for each in several]
        form: Any = MeanTimes(read)
    else:
        form = Layers(kept["form"]["design"])
    return form, np.log([kept["parameters"][name] for name in form.names])


def _rounded(value: Any) -> float:
    return float(f"{float(value):.{_DIGITS}g}")
