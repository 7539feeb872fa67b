"""What budgets buy: models that predict times, budgets asked for, and networks within."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from pandas.io.formats.style import Styler

from .._common.digits import significant
from .._common.frames import dicts
from .._common.frames import rows as rows_of
from ..architectures.definition import Network
from ..architectures.zoo import network as named_network
from ..measuring.settings import Mode, Precision, Settings
from ..measuring.worker import Worker
from ..prediction.budgets import costs, within
from ..prediction.calibration import calibrate
from ..prediction.model import RuntimeModel
from ..prediction.stored_models import fitted_models
from ..records.conditions import distinct_labels
from ..scaling.rounding import scale as scaled
from ..scaling.strategies import named_strategy
from .budget_claims import BUDGETS, budget_text, in_units

_MODEL = ["batches", "rows", "families"]
_ERRORS = {"median error": "error", "90th percentile": "error_90"}
_BAND = ["low_90_ms", "high_90_ms"]  # of nine in ten networks
_COSTS = ["scale", "flops", "params", "activations", "resolution", "predicted_ms", *_BAND, "note"]
_ENDS = {"ratio": "median_ms", "low": "low_ms", "high": "high_ms"}


def models_by_device(
    stores: Iterable[str | os.PathLike],
    network: Network | str,
    batch: int,
    mode: Mode,
    precision: Precision,
    device_name: str = "",
    device: str | None = None,
) -> dict[str, RuntimeModel]:
    """Fit a model of time for each device with enough rows, if it can predict a network.

    Arguments:
        stores: files of measured rows.
        network: that is to be predicted.
        batch: images in a run, of the rows, too.
        mode: of the run and the rows.
        precision: of the run and the rows.
        device_name: of the device, as the rows have it; "calibrate": probes are timed here instead, once; default: any.
        device: that probes are timed on; default: the GPU where there is one.

    Returns:
        Models by the device's name, in the order of the stores.

    Raises:
        NetworkError: there is no such network.
        PublishedError: there is no such file.
        StoreError: a file is not a store.
    """
    if device_name == "calibrate":
        fitted = calibrate(device or None, mode, precision, batch=batch, progress=lambda step: None)
        models = dict.fromkeys(fitted.rates()["device_name"], fitted)
    else:
        models = fitted_models(stores, mode, precision, device_name, batch)
    known = {name: each.predict(network, batch, strict=False)["predicted_ms"].notna() for name, each in models.items()}
    return {name: each for name, each in models.items() if known[name].all()}


def model_errors(models: Mapping[str, RuntimeModel]) -> pd.DataFrame:
    """List models with their errors on families left out, and what they were fitted to.

    Arguments:
        models: of `models_by_device`.

    Returns:
        Index: device, with its setting. Columns batches, rows, families; median error and 90th percentile, in percent,
        as text. A row for each model.
    """
    if not models:
        return pd.DataFrame(columns=[*_MODEL, *_ERRORS])
    rates = pd.concat([each.rates() for each in models.values()])
    errors = {shown: rates[name].map("{:.1%}".format) for shown, name in _ERRORS.items()}
    return rates[_MODEL].assign(**errors).set_axis(pd.Index(distinct_labels(rates), name="device"))


def with_fast_scaling(strategies: Iterable[str]) -> list[str]:
    """List strategies under the library's names, each once, and dWr among them.

    Arguments:
        strategies: by any of their names.

    Raises:
        StrategyError: there is no such strategy.
    """
    return list(dict.fromkeys(named_strategy(each).name for each in [*strategies, "dWr"]))


def cost_of(network: Network | str, **how: Any) -> pd.Series:
    """Count and predict what a network itself costs.

    Arguments:
        network: a Network, or the name of a base network.
        how: batch, mode, precision and model, as for `costs`.

    Returns:
        Index time_ms (NaN without a model), memory_bytes, params, activations.

    Raises:
        NetworkError: there is no such network.
    """
    names = {"predicted_ms": "time_ms", "counted_memory_bytes": "memory_bytes"}
    row = costs(network, "w", 1.0, **how).rename(columns=names)
    return row[["time_ms", "memory_bytes", "params", "activations"]].astype(float).iloc[0]


def budgets_of(own: pd.Series, times: float, asked: Mapping[str, float]) -> dict[str, float]:
    """Return the budgets asked for; else multiples of the base network's costs.

    Arguments:
        own: of `cost_of`, of the base network.
        times: the multiple.
        asked: by the names of `own`; 0: the multiple.

    Returns:
        By the names of `own`; without time_ms if nothing predicts times.
    """
    return {name: float(asked[name] or times * own[name]) for name in own.dropna().index.astype(str)}


def bought_within(
    network: Network | str, strategies: Iterable[str], budgets: Mapping[str, float], **how: Any
) -> dict[str, pd.DataFrame]:
    """Find the largest network that each strategy makes within each budget by itself.

    Arguments:
        network: the base network, or its name.
        strategies: names.
        budgets: of `budgets_of`.
        how: batch, mode, precision and model, as for `within`.

    Returns:
        Rows of `within` by the budget's name; memory is counted where it is the budget.

    Raises:
        NetworkError: there is no such network.
        StrategyError: there is no such strategy.
        BudgetError: a budget is not a number above 0, or not one of `within`.
        SettingError: (a ValueError) a setting is wrong.
    """
    ways = list(strategies)
    return {
        name: within(network, ways, **{name: most}, **how, memory=name == "memory_bytes", strict=False)
        for name, most in budgets.items()
    }


def bought_table(bought: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Tabulate what each budget buys.

    Arguments:
        bought: of `bought_within`.

    Returns:
        Columns budget and strategy, then scale, what the network costs, and reason; those with any value.
    """
    table = pd.concat(bought, names=["budget"]).reset_index("budget").reset_index(drop=True)
    shown = table[["budget", "strategy", *_COSTS, "counted_memory_bytes", "reason"]].replace({"budget": BUDGETS})
    told = ("predicted_ms", *_BAND, "note", "reason")
    return shown.drop(columns=[name for name in told if table[name].isna().all()])


def costs_styled(table: pd.DataFrame) -> Styler:
    """Style costs with their units, and times with three digits and their band.

    A strategy is shown with its scale factor, as "dWr ×4.50"; what follows from the two, the resolution, is left out.
    Strategies, and the budgets that are asked for, head the rows.

    Arguments:
        table: of `bought_table`, or columns of `within`.
    """
    shown = in_units(table.assign(strategy=[_way_text(row) for row in dicts(table)]))
    if "predicted_ms" in table:
        shown["time, ms"] = [_time_text(row) for row in dicts(table)]
    shown = shown.drop(columns=["s", "resolution", "low, ms", "high, ms"], errors="ignore")
    shown = shown.replace({"bound": BUDGETS}).set_index([name for name in ("budget", "strategy") if name in shown])
    return shown.style.format(precision=2, na_rep="–", escape="html").format_index(escape="html")


def _way_text(row: Mapping[str, Any]) -> str:
    return row["strategy"] if pd.isna(row.get("scale")) else f"{row['strategy']} ×{row['scale']:.2f}"


def _time_text(row: Mapping[str, Any]) -> str:
    if pd.isna(row["predicted_ms"]):
        return "–"
    ends = [row.get(name) for name in _BAND]
    band = "" if pd.isna(ends).any() else f" ({' to '.join(map(significant, ends))})"
    return significant(row["predicted_ms"]) + band


def flops_by_budget(bought: Mapping[str, pd.DataFrame], budgets: Mapping[str, float]) -> pd.DataFrame:
    """List the flops that each strategy makes of each budget.

    Arguments:
        bought: of `bought_within`.
        budgets: of `budgets_of`.

    Returns:
        Index budget; a column for each strategy (flops in G, two decimals, "–" for none), and "at most",
        the budget with its unit.
    """
    limits = pd.Series({name: budget_text(name, most) for name, most in budgets.items()}, name="at most")
    return _flops_in_g(bought).join(limits).rename(BUDGETS).rename_axis("budget")


def bought_on_each(
    network: Network | str,
    strategies: Iterable[str],
    models: Mapping[str, RuntimeModel],
    times: float,
    time_ms: float = 0.0,
    **how: Any,
) -> tuple[dict[str, pd.DataFrame], dict[str, float], dict[str, float]]:
    """Find what a budget of time buys on each device.

    Arguments:
        network: the base network, or its name.
        strategies: names.
        models: of `models_by_device`.
        times: the budget, as a multiple of what the base network takes there.
        time_ms: the budget in ms; 0: the multiple; default: 0.
        how: batch, mode and precision, as for `within`.

    Returns:
        By the device's name: rows of `within`; the budget in ms; and this as a multiple of the base network's time.
    """
    ways, on_each, most, rooms = list(strategies), {}, {}, {}
    for name, model in models.items():
        own = float(costs(network, "w", 1.0, model=model, memory=False, **how)["predicted_ms"].iloc[0])
        most[name] = float(time_ms or times * own)
        rooms[name] = most[name] / own
        on_each[name] = within(network, ways, time_ms=most[name], model=model, memory=False, strict=False, **how)
    return on_each, most, rooms


def flops_by_device(on_each: Mapping[str, pd.DataFrame], most_ms: Mapping[str, float]) -> pd.DataFrame:
    """List the flops that each strategy makes of a budget of time on each device.

    Arguments:
        on_each: rows by device, of `bought_on_each`.
        most_ms: budgets by device, of `bought_on_each`.

    Returns:
        Index device; a column for each strategy, as `flops_by_budget` has them, and "at most, ms".
    """
    limits = pd.Series(most_ms, dtype=float).map(significant)
    return _flops_in_g(on_each).rename_axis("device").assign(**{"at most, ms": limits})


def time_bought(network: Network | str, rows: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Measure networks that a budget of time buys, on this machine, in a subprocess.

    Arguments:
        network: the base network.
        rows: of `within`; those without a network are ignored.
        settings: how they run.

    Returns:
        Columns strategy, flops, predicted_ms, measured_ms, ratio (measured over predicted), low, high (its 95 %
        interval), on (the device), disturbed and doubt ("" for none).
    """
    base, rows = named_network(network), rows.dropna(subset="scale")
    measured = []
    if len(rows):
        with Worker() as worker:
            measured = [worker.time(scaled(base, row.strategy, row.scale), settings) for row in rows_of(rows)]
    found = rows[["strategy", "flops", "predicted_ms"]].assign(measured_ms=[each.median_ms for each in measured])
    for name, ms in _ENDS.items():
        found[name] = [getattr(each, ms) for each in measured] / found["predicted_ms"]
    found["on"], found["disturbed"] = [each.device_name for each in measured], [each.warning or "" for each in measured]
    return found.assign(doubt=[each.doubt or "" for each in measured])


def time_bought_table(found: pd.DataFrame) -> pd.DataFrame:
    """List measured times beside predicted ones, with their ratio and what is in its way.

    Arguments:
        found: of `time_bought`.

    Returns:
        Columns strategy; flops, G; predicted, ms; measured, ms; measured over predicted, with its 95 % interval if
        there is one; note: what disturbed the measurement, or the doubt about it.
    """
    ends = found[["low", "high"]].itertuples(index=False)
    bands = ["" if pd.isna(low) else f" ({low:.2f} to {high:.2f})" for low, high in ends]
    return pd.DataFrame(
        {
            "strategy": found["strategy"],
            "flops, G": [f"{each / 1e9:.2f}" for each in found["flops"]],
            "predicted, ms": found["predicted_ms"].map(significant),
            "measured, ms": found["measured_ms"].map(significant),
            "measured over predicted": [f"{each:.2f}{band}" for each, band in zip(found["ratio"], bands, strict=True)],
            "note": [row.disturbed or row.doubt for row in rows_of(found)],
        }
    )


def _flops_in_g(bought: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    flops = {name: rows.set_index("strategy")["flops"].astype("Float64") for name, rows in bought.items()}
    ways = list(dict.fromkeys(way for rows in bought.values() for way in rows["strategy"]))
    table = pd.DataFrame({name: each.astype(float) for name, each in flops.items()}, index=ways).T / 1e9
    return table.map(lambda flops: "–" if pd.isna(flops) else f"{flops:.2f}")
