"""Few rows of a device, fitted from the profile of another one that explains them best.

A profile is the prior of a fit: all of its rates are divided by one factor, so that its median is right, and each rate
may then differ by a spread. The rows choose the profile: of those that explain them best by the factor alone, and of a
fit without any, the one with the least error on rows left out is taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .._common.checks import shown
from .._common.device_kinds import CPU, kind_of
from .._common.frames import dicts
from ..records.conditions import Conditions
from ..records.measurement import Measurement, judges_nothing
from ..records.rows_that_judge import judging
from .device_names import is_another
from .fitted import Fitted, fit_setting, read_fits
from .forms import PredictionError, Runs, fit_form, form_of, host_seconds, log_seconds
from .profile_files import shipped_profiles
from .reach import BANDS, Bands, Borrowed, Reach, Trial
from .sheets import ARITHMETIC, calibration_errors, data_sheets
from .timed_rows import families_of, timed_runs
from .unseen import best_form, held_out_groups

SPREAD = 0.4  # of each rate beside the common factor; 0.3 and 0.5 are as good, wider ones better on CPUs alone
_TRIED = 3  # profiles, of those that explain the rows best by the factor alone
_FOLDS = 10  # of rows that are of one family, as probes are
_SURELY = (
    1.25  # how many times as far off a fit from a profile is before one without any is taken: ten rows tell little
)
_MET = ("mode", "precision", "channels_last", "compile")  # what rows have in common with a model that they are to meet
_MEASURED = {"amp": "fp16"}  # the precision to measure in, where timm's is meant
_RATES = (*ARITHMETIC, "memory", "cache")  # beginnings of names; but "cache size" is no rate


class _Tried(NamedTuple):
    """A fit from a profile, and the seconds of each row predicted by a fit to the others."""

    key: Conditions
    profile: Fitted
    form: Any
    parameters: np.ndarray
    held_out: np.ndarray


class Widening(NamedTuple):
    """How much wider than the profile says the bands of a fit to few rows are.

    Attributes:
        larger: to which power of the ratio of sizes each band grows for larger networks, beside the profile's trial.
        unlike: by which factor's logarithm for networks with kinds of operations that no row has; NaN refuses them.
    """

    larger: Bands
    unlike: Bands


def fit_from_profiles(
    setting: Conditions, rows: pd.DataFrame, without: str | None = None, widening: Widening | None = None
) -> Fitted:
    """Fit to the few rows of one setting, from the profile that explains them best.

    Its `prior` says which profile that is. Its bands are of families left out (of rows, if all are of one family): the
    error that so many are within, counting one more that is within none, and no less than those of the profile. It
    predicts at the batches of the rows. Networks of other sizes have wider bands, by the trials of the profile; larger
    ones, and those with kinds of operations that no row has, also by the trials of fits to ten rows of other devices.

    Where no profile is like the rows, or a fit without any is surely nearer, it is that of `fit_setting`.

    Arguments:
        setting: of the rows.
        rows: 10 at least; as `timed_rows` splits them.
        without: a device whose profile is left aside; default: none.
        widening: default: that of the trials.
    """
    runs, seconds = timed_runs(rows)
    is_cpu = kind_of(str(rows["device"].iloc[0])) is CPU if "device" in rows else setting.threads is not None
    known = [each for each in _profiles(is_cpu) if each[0].device_name != without]
    known = known if is_cpu else _run_alike(setting, known)
    if not known:
        return fit_setting("layers", setting, rows)
    nearest = sorted(known, key=lambda each: _unexplained(each[1], runs, seconds))[:_TRIED]
    tried = [_fit_from(key, profile, runs, seconds, rows, setting) for key, profile in nearest]
    best = min(tried, key=lambda each: _off(each.held_out, seconds).mean())
    by_none = best_form("layers", runs, seconds, rows, setting)
    if _SURELY * _off(by_none.held_out, seconds).mean() < _off(best.held_out, seconds).mean():
        alone = fit_setting("layers", setting, rows, by_none)
        return alone._replace(prior="none (no profile explains the rows better than they do themselves)")
    wider = widening or found_on_trial(calibration_errors(), setting.mode, is_cpu)
    return _fitted_from(best, runs, seconds, rows, wider)


def _profiles(is_cpu: bool) -> Iterator[tuple[Conditions, Fitted]]:
    """Yield the settings of all profiled CPUs, or GPUs."""
    gpus = set(data_sheets()["device_name"])
    for name, kept in shipped_profiles().items():
        if (name not in gpus) == is_cpu:
            yield from read_fits(kept)


def _run_alike(setting: Conditions, known: list[tuple[Conditions, Fitted]]) -> list[tuple[Conditions, Fitted]]:
    """Return the profiles of the same mode, of these those of the same precision, and so on.

    Where none is alike in one of these, that one is passed over.
    """
    for names in (("mode",), ("precision",), ("compile", "channels_last")):
        known = [each for each in known if not differing(setting, each[0], names)] or known
    return known


def differing(setting: Conditions, prior: Conditions, names: tuple[str, ...] = ("mode", "precision")) -> list[str]:
    """List the values of a prior that are not those of the setting; "amp" is fp16 or bf16."""

    def alike(name: str) -> bool:
        own, other = getattr(setting, name), getattr(prior, name)
        return own == other or (other == "amp" and own in ("fp16", "bf16"))

    return [str(getattr(prior, name)) for name in names if not alike(name)]


def rows_that_meet(measured: Any, setting: Conditions) -> pd.DataFrame:
    """Return the rows of a device that a model's times are to meet.

    Disturbed and launch-bound rows are left out beside others.

    Arguments:
        measured: what `fs.measure` returned, or a frame of such rows.
        setting: of the model.

    Raises:
        PredictionError: measured is something else, a row has no time or description, or is of another device or
            setting, or none is left.
    """
    measured = measured.to_dict() if isinstance(measured, Measurement) else measured
    if not isinstance(measured, pd.DataFrame | Mapping):
        raise PredictionError(f"adjusted: measured is {shown(measured)}, but must be what fs.measure() returns")
    frame = measured if isinstance(measured, pd.DataFrame) else pd.DataFrame([dict(measured)])
    if missing := sorted({"description", "batch", "median_ms"} - set(frame.dropna(axis="columns").columns)):
        raise PredictionError(f"adjusted: the measured rows lack {', '.join(missing)}; fs.measure() gives them")
    if not len(frame):
        raise PredictionError("adjusted: measured has no row; give one at least, as fs.measure() returns it")
    known = [
        name for name in _MET if getattr(setting, name) is not None and frame.get(name, pd.Series([None])).notna().all()
    ]
    for row in dicts(frame):
        if is_another(row.get("device_name"), str(setting.device_name)):
            raise PredictionError(
                f"adjusted: a row is of {row['device_name']}, not of {setting.device_name}; measure that device"
            )
        if others := [name for name in known if differing(Conditions.of(row), setting, (name,))]:
            asked = ", ".join(f"{name}={_MEASURED.get(value := getattr(setting, name), value)!r}" for name in others)
            raise PredictionError(f"adjusted: a row is not of the model's setting; measure with {asked}")
    left = judging(frame)
    if not len(left):
        why = judges_nothing(dicts(frame)[0])
        raise PredictionError(
            f"adjusted: a time tells nothing of the device: {why}; measure more images in a run, on a quiet machine"
        )
    return left


def _unexplained(profile: Fitted, runs: Runs, seconds: np.ndarray) -> float:
    """Return the mean deviation of the rows from the profile, divided by the common factor."""
    ratio = np.log(seconds) - _logs(profile, runs)
    return float(np.abs(ratio - np.median(ratio)).mean())


def _logs(profile: Fitted, runs: Runs) -> np.ndarray:
    return log_seconds(profile.form or form_of("layers"), runs, profile.parameters)


def _off(predicted: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    return np.abs(np.log(predicted / seconds))


def _fit_from(
    key: Conditions, profile: Fitted, runs: Runs, seconds: np.ndarray, rows: pd.DataFrame, setting: Conditions
) -> _Tried:
    form = profile.form or form_of("layers")
    ratio = np.log(seconds) - _logs(profile, runs)
    slower = np.array([-1 if _is_rate(name) else int(name == "launch") for name in form.names])

    def fit(on: np.ndarray | None = None, first: np.ndarray | None = None) -> np.ndarray:
        start = profile.parameters + slower * np.median(ratio if on is None else ratio[on])
        return fit_form(form, runs, seconds, rows, setting, on, first, (start, np.full(len(start), SPREAD)))

    parameters, held_out = fit(), np.empty(len(rows))
    groups = held_out_groups(rows, _FOLDS)
    for group in sorted(set(groups)):
        on = groups != group
        at_host = runs._replace(host=runs.launches * host_seconds(runs, on)[1])
        held_out[~on] = np.exp(log_seconds(form, at_host, fit(on, parameters)))[~on]
    return _Tried(key, profile, form, parameters, held_out)


def found_on_trial(tried: pd.DataFrame, mode: str | None, is_cpu: bool, without: str | None = None) -> Widening:
    """Return how much wider bands were on trial on CPUs, or on GPUs.

    The band of nine in ten takes the most of any, that of half the median, as for `widening_of_others`. Of trials in
    this mode, if there are any, else in every one.

    Arguments:
        tried: as `calibration_errors`.
        mode: of the rows.
        is_cpu: whether the rows are of a CPU.
        without: a device that is left aside; default: none.
    """
    names = tried["device_name"]
    on = names.isin(data_sheets()["device_name"]).ne(is_cpu) & ~names.isin([without])

    def needed(what: str) -> Bands:
        columns = [f"{what}_widening", f"{what}_widening_90"]
        found = tried[on].dropna(subset=columns)
        of_mode = found[found["mode"] == mode]
        half, ninety = ((of_mode if len(of_mode) else found)[name] for name in columns)
        return Bands(float(half.median()), float(ninety.max()))

    return Widening(needed("larger"), needed("unlike"))


def _fitted_from(best: _Tried, runs: Runs, seconds: np.ndarray, rows: pd.DataFrame, wider: Widening) -> Fitted:
    """Describe the fit: its bands, how far it reaches, and which profile it is from."""
    off = np.sort(np.expm1(_off(best.held_out, seconds)))
    reach = best.profile.reach
    assert reach is not None
    bands = Bands(*(max(_with_one_more(off, share), of_it) for share, of_it in zip(BANDS, reach.bands, strict=True)))
    ends = (int(rows["batch"].min()), int(rows["batch"].max()))
    own = runs.extent
    shares = own.shares.max(axis=0)
    borrowed = None if np.isnan(wider.unlike).any() else Borrowed(best.key.label(), shares, wider.unlike)
    shares = np.maximum(shares, reach.shares) if borrowed else shares
    up = Trial(reach.up.times, Bands(*np.add(reach.up.widening, wider.larger).tolist()))
    least, most = own.sizes.min(axis=0), own.sizes.max(axis=0)
    factor = float(np.exp(np.median(np.log(seconds) - _logs(best.profile, runs))))
    prior = f"{best.key.label()}; times × {factor:.3g}"
    return Fitted(
        best.parameters,
        len(rows),
        tuple(sorted(set(families_of(rows)))),
        bands.half,
        bands.ninety,
        Reach(ends, least, most, shares, up, reach.down, bands, borrowed, reach.traced),
        host_seconds(runs),
        best.form,
        prior=prior,
        of=best.key,
    )


def _with_one_more(off: np.ndarray, share: float) -> float:
    """Return the error that this share of rows is within, counting one more that is within none."""
    return float(off[min(int(np.ceil(share * (len(off) + 1))), len(off)) - 1])


def _is_rate(name: str) -> bool:
    return name.startswith(_RATES) and name != "cache size"
