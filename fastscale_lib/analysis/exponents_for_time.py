"""Time of a network over all exponents of depth, width and resolution, at equal flops."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from .._common.checks import AnalysisError, check_real, check_whole
from .._common.wording import bullets, counted, span
from ..architectures.counting import complexity
from ..architectures.definition import Network
from ..architectures.zoo import network as named_network
from ..scaling.grids import sweep
from ..scaling.matched import equal_flops
from ..scaling.rules_of_others import published_rules
from .profiled import DeviceSetting

_REACH, _POINTS = (0.25, 2.0), 16  # of the scale factors around the one asked for, through which a curve is laid
_FINE = 201  # points at which a curve is read; the middle one is at the scale
_MOST_STEPS = 40
FASTEST = "fastest, d–w–r in %"
_BUDGET_OF = "dWr"  # whose time at the scale is the budget


def simplex(steps: int = 20) -> pd.DataFrame:
    """List all shares d, w and r that are multiples of 1/steps and add up to 1.

    Arguments:
        steps: of a share from 0 to 1; default: 20, which gives 231.

    Returns:
        Columns: strategy (weights, as `scale` takes them; group widths grow as widths do), d, w, r (shares of the
        logarithm of flops: exponents of s are d, w/2 and r/2).

    Raises:
        AnalysisError: (a ValueError) steps is no whole number from 1 to 40.
    """
    steps = check_whole("simplex: steps", steps, AnalysisError, most=_MOST_STEPS)
    shares = [(d, w, steps - d - w) for d in range(steps + 1) for w in range(steps + 1 - d)]
    names = [f"d{d}_w{w}_g{w}_r{r}" for d, w, r in shares]
    return pd.DataFrame(np.array(shares) / steps, columns=["d", "w", "r"]).assign(strategy=names)


def exponent_map(network: Network | str, device: DeviceSetting, scale: float, steps: int = 20) -> pd.DataFrame:
    """Predict a network's time over all shares of depth, width and resolution.

    Sizes are rounded, so no two strategies have the same flops. Of each a curve, the logarithm of time as a polynomial
    of degree 2 in that of flops, is fitted to networks from a quarter to twice the scale, and read at the scale: so
    roundings even out. Read the other way, it says how many flops a time buys.

    Arguments:
        network: the base network, or its name.
        device: of `device_settings`, or one with a model of your own.
        scale: flops relative to the base network's.
        steps: of a share from 0 to 1, as for `simplex`; default: 20.

    Returns:
        One row per point of `simplex`, then per rule of `fs.scaling.published_rules`. Columns: rule (its name, or
        None); strategy; d, w, r; ms (per image, at `scale` times the flops); flops (that the time of dWr at `scale`
        buys, relative to the base network's). NaN where the model predicts no time.

    Raises:
        AnalysisError: (a ValueError) scale is not above 1, or steps is no whole number from 1 to 40.
        PredictionError: the model is a baseline, or has no such setting.
    """
    scale = check_real("exponent_map: scale", scale, AnalysisError, 1, 1e4, above=True)
    base = named_network(network)
    rules = published_rules().rename_axis("rule").reset_index()[["rule", "strategy", "d", "w", "r"]]
    points = pd.concat([simplex(steps).assign(rule=None), rules], ignore_index=True)
    points = points[["rule", "strategy", "d", "w", "r"]]
    scales = scale * np.geomspace(*_REACH, _POINTS)
    names = list(points["strategy"])
    counted = sweep(base, names, scales, stages=False)["flops"].to_numpy() / complexity(base).flops
    shape = (len(names), len(scales))
    ms = device.model.curve(base, names, scales, device.batch, **device.setting).ms / device.batch
    curves = [_curve(*each, scale) for each in zip(counted.reshape(shape), ms.reshape(shape), strict=True)]
    points["ms"] = [times[_FINE // 2] for _, times in curves]
    budget = points["ms"][names.index(_BUDGET_OF)]
    points["flops"] = [np.interp(budget, times, flops, np.nan, np.nan) for flops, times in curves]
    return points


def _curve(flops: np.ndarray, ms: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Return flops around the scale, and the time at each; NaN beyond the networks."""
    at = np.linspace(-np.log(8), np.log(8), _FINE)
    fitted = np.polynomial.Polynomial.fit(np.log(flops / scale), np.log(ms), 2) if np.isfinite(ms).all() else None
    within = (at >= np.log(flops.min() / scale)) & (at <= np.log(flops.max() / scale))
    times = np.where(within, np.exp(fitted(at)), np.nan) if fitted else np.full(_FINE, np.nan)
    return scale * np.exp(at), times


def compare_rules(maps: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Compare the published rules on several devices, by time at equal flops.

    Arguments:
        maps: of `exponent_map`, by the device's title.

    Returns:
        One row per device. Columns: fastest (the shares of depth, width and resolution of the fastest point, in
        percent: "5–95–0"), and one per rule (time relative to that of the fastest point). A device without any
        prediction has no values.
    """
    found = {}
    for title, points in maps.items():
        known = points.dropna(subset="ms").sort_values("ms")
        shares = ["–".join(f"{100 * share:.0f}" for share in known.iloc[0][["d", "w", "r"]])] if len(known) else []
        ratios = points.dropna(subset="rule").set_index("rule")["ms"] / known["ms"].min()
        found[title] = dict(zip([FASTEST], shares, strict=False)) | ratios.dropna().to_dict()
    return pd.DataFrame.from_dict(found, orient="index")


def rules_text(compared: pd.DataFrame, rules: Iterable[str]) -> str:
    """Say where the fastest points lie, and how much longer the rules take.

    Arguments:
        compared: of `compare_rules`.
        rules: names of its columns that are told.
    """
    rules = list(rules)
    known = compared.reindex(columns=[FASTEST, *rules]).dropna(subset=FASTEST)
    if not len(known):
        return "No time of these networks is predicted on these devices."
    width = [int(shares.split("–")[1]) for shares in known[FASTEST]]
    times = {rule: known[rule].dropna() for rule in rules}
    told = "; ".join(f"{rule} {span(own) if len(own) else 'not predicted'}" for rule, own in times.items())
    return (
        f"On {counted(len(known), 'device setting')}, width has {span(width, '.0f')} % of the scaling at the fastest "
        f"point. Times relative to that point: {told}."
    )


def time_by_kind(
    network: Network | str, device: DeviceSetting, scale: float, rules: Iterable[str] | None = None, kinds: int = 4
) -> pd.DataFrame:
    """Split the predicted time of networks scaled to equal flops by kind of layer.

    Arguments:
        network: the base network, or its name.
        device: as for `exponent_map`.
        scale: flops relative to the base network's.
        rules: names of `fs.scaling.published_rules`; default: all.
        kinds: how many kinds of layers have a column of their own, those that take most time; default: 4.

    Returns:
        One row per rule, and "base" for the network itself at `scale` times its time. One column per kind of layer, and
        other: its time as a fraction of the whole time of the first rule; and all together.
    """
    known = published_rules()["strategy"]
    ways = known if rules is None else known[list(rules)]
    base = named_network(network)
    scaled = dict(zip(ways.index, equal_flops(base, list(ways), scale)["scaled"], strict=True))
    rows = {name: _ms_by_kind(each, device) for name, each in {"base": base, **scaled}.items()}
    rows["base"] = rows["base"] * scale
    table = pd.DataFrame.from_dict(rows, orient="index").fillna(0.0)
    table = table[table.sum().sort_values(ascending=False).index] / table.loc[ways.index[0]].sum()
    own, rest = table.iloc[:, :kinds], table.iloc[:, kinds:]
    return own.assign(other=rest.sum(axis=1), all=table.sum(axis=1))


def kinds_text(table: pd.DataFrame) -> str:
    """Say in which kind of layer the time of each rule differs most from that of the first.

    Arguments:
        table: of `time_by_kind`.
    """
    first, *others = [name for name in table.index if name != "base"]
    said = []
    for rule in others:
        longer = table.loc[rule] - table.loc[first]
        kind = longer.drop("all").abs().idxmax()
        said.append(f"{rule} {longer['all']:+.2f} ({kind} {longer[kind]:+.2f})")
    if not said:
        return ""
    return f"Extra time over {first}, as a fraction of its time, with the kind that differs most: {'; '.join(said)}."


def profile_errors_text(devices: Iterable[DeviceSetting]) -> str:
    """Say how large the error of the devices' profiles is on families of networks left out.

    Arguments:
        devices: of `device_settings`.
    """
    return bullets(
        "Error of the profiles on families of networks left out, the median and the 90th percentile",
        [f"{each.title}: {100 * each.error:.1f} % and {100 * each.error_90:.0f} %" for each in devices],
    )


def _ms_by_kind(network: Network, device: DeviceSetting) -> pd.Series:
    layers = device.model.layers(network, device.batch, **device.setting)
    return (layers["predicted_ms"] * layers["times"]).groupby(layers["kind"]).sum()
