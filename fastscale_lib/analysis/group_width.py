"""Tables and claims on grouped convolutions, with the group width kept or scaled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd

from ..architectures.counting import layers
from ..architectures.definition import Network
from ..architectures.operation_lists import flops_by_kind
from ..architectures.parts import METRICS
from ..architectures.provenance import GROUP_WIDTHS
from ..architectures.zoo import network as named_network
from ..prediction.device_profiles import profile_model
from ..prediction.model import RuntimeModel
from ..scaling.grids import sweep
from ..scaling.matched import equal_flops
from ..scaling.rounding import scale as scaled
from ..scaling.strategies import Strategy
from ..scaling.strategies import strategy as named_strategy
from .claims import BEYOND, Claim
from .laws_counted import base_counts, law_table

_GROUPED = "conv in groups"


def grouped_laws(strategies: Iterable[str]) -> pd.DataFrame:
    """List exponents of s of sizes, and of flops of dense and grouped convolutions.

    A grouped convolution has k²·g·w·r² multiply-adds where a dense one has k²·w·w·r² (section 3 of the paper).

    Arguments:
        strategies: names of strategies.

    Returns:
        One row per strategy, by name. Columns, as Fractions: depth; width; group width; resolution; flops, dense and
        1×1; flops, in groups.

    Raises:
        StrategyError: there is no such strategy.
    """
    table = law_table(strategies)
    laws = table[["depth", "width", "group width", "resolution"]].assign(**{"flops, dense and 1×1": table["flops"]})
    laws["flops, in groups"] = table["flops"] - table["width"] + table["group width"]
    return laws


def only_width(strategies: Iterable[str]) -> list[Strategy]:
    """Select the strategies that scale nothing but width and group width, each once.

    Arguments:
        strategies: names of strategies.

    Raises:
        StrategyError: there is no such strategy.
    """
    ways = {way.name: way for way in map(named_strategy, strategies)}
    return [way for way in ways.values() if not (way.exponents.d or way.exponents.r)]


def last_block(network: Network | str, strategies: Iterable[str], scale: float) -> pd.DataFrame:
    """List the layers of a network's last block, before scaling and under each strategy.

    Arguments:
        network: the base network, or its name.
        strategies: names of strategies.
        scale: scale factor of flops.

    Returns:
        Index: strategy ("base" for none), name (of the layer). Columns: kernel; groups; read (input channels per output
        channel); width (output channels); flops; activations; flops and activations relative to the base ("flops, ×
        base").

    Raises:
        NetworkError: there is no such network.
        StrategyError: there is no such strategy, or the scale factor is not above 0.
    """
    networks = {"base": named_network(network)}
    networks |= {way.name: scaled(network, way, scale) for way in map(named_strategy, strategies)}
    blocks = {}
    for name, each in networks.items():
        convolutions = layers(each).query("kind == 'conv' and resolution_out != 1")
        block = convolutions["name"].iloc[-1].rsplit(".", 1)[0]
        last = convolutions[convolutions["name"].str.startswith(f"{block}.")]
        last = last.assign(read=last["width_in"] // last["groups"], width=last["width_out"])
        blocks[name] = last.set_index("name")
    table = pd.concat(blocks, names=["strategy"])[["kernel", "groups", "read", "width", "flops", "activations"]]
    for count in ("flops", "activations"):
        table[f"{count}, × base"] = table[count] / blocks["base"][count].reindex(table.index, level="name")
    return table


def sizes(rows: pd.DataFrame) -> pd.DataFrame:
    """List the resolution, depth and width of scaled networks.

    Arguments:
        rows: of `equal_flops`.

    Returns:
        Index: network, strategy. Columns: resolution (pixels); blocks; last width (channels of the last stage).
    """
    last = [(each.resolution, sum(each.depths), each.widths[-1]) for each in rows["scaled"]]
    index = pd.MultiIndex.from_frame(rows[["network", "strategy"]])
    return pd.DataFrame(last, columns=["resolution", "blocks", "last width"], index=index)


def flops_by_kind_scaled(networks: Iterable[str], strategies: Iterable[str], scale: float) -> pd.DataFrame:
    """Count flops by kind of layer, of base networks and of their scaled networks.

    Arguments:
        networks: names of base networks.
        strategies: names of strategies.
        scale: scale factor of flops.

    Returns:
        Index: name of the network, and for scaled ones of the strategy: "ResNet-50, w". One column per kind.

    Raises:
        NetworkError: there is no such network.
        StrategyError: there is no such strategy, or the scale factor is not above 0.
    """
    ways, found = [named_strategy(each) for each in strategies], {}
    for name in networks:
        found[name] = flops_by_kind(name)
        found |= {f"{name}, {way}": flops_by_kind(scaled(name, way, scale)) for way in ways}
    return pd.DataFrame.from_dict(found, orient="index").fillna(0)


def counts_over_laws(counts: pd.DataFrame, laws: pd.DataFrame) -> pd.DataFrame:
    """Divide counts of scaled networks by those of the laws.

    Arguments:
        counts: rows of `sweep`.
        laws: rows of `fs.scaling.laws`, of the same networks, strategies and scale factors.

    Returns:
        The columns of counts, and flops_over_law, params_over_law and activations_over_law.
    """
    keys = ["network", "strategy", "scale"]
    merged = counts.merge(laws[[*keys, *METRICS]], how="left", on=keys, suffixes=("", "_law"))
    return merged.assign(**{f"{metric}_over_law": merged[metric] / merged[f"{metric}_law"] for metric in METRICS})


def group_width_alone(networks: Sequence[str], scales: Sequence[float]) -> pd.DataFrame:
    """Scale nothing but the group width of networks.

    Arguments:
        networks: names of base networks.
        scales: scale factors of the group width.

    Returns:
        Index: network, scale. Columns: group widths and widths (of the stages); flops, params, activations (relative
        to the base network).

    Raises:
        NetworkError: there is no such network.
        StrategyError: a scale factor is not above 0.
    """
    rows = sweep(networks, "g1", scales)
    sizes = rows[["group_widths", "widths"]].rename(columns={"group_widths": "group widths"})
    counts = rows[list(METRICS)] / base_counts(networks).loc[rows["network"]].to_numpy()
    index = pd.MultiIndex.from_frame(rows[["network", "scale"]])
    return sizes.join(counts).set_index(index)


def grouped_exponents(
    networks: Sequence[str], strategies: Iterable[str], scale_from: float, scale_to: float
) -> pd.DataFrame:
    """Compute exponents of the flops of grouped convolutions between two scale factors.

    Arguments:
        networks: names of base networks.
        strategies: names of strategies.
        scale_from: the smaller scale factor.
        scale_to: the larger scale factor.

    Returns:
        One row per strategy, one column per network; NaN for networks without grouped convolutions.

    Raises:
        NetworkError: there is no such network.
        StrategyError: there is no such strategy, or the scale factor is not above 0.
    """
    found = {}
    for way in map(named_strategy, strategies):
        ends = [
            [flops_by_kind(scaled(name, way, s)).get(_GROUPED, np.nan) for name in networks]
            for s in (scale_from, scale_to)
        ]
        found[way.name] = np.log(np.divide(ends[1], ends[0])) / np.log(scale_to / scale_from)
    return pd.DataFrame.from_dict(found, orient="index", columns=list(networks))


def grouped_exponent_claims(exponents: pd.DataFrame, tolerance: float) -> list[Claim]:
    """Claim that flops of grouped convolutions follow the law, even of the farthest network.

    Arguments:
        exponents: of `grouped_exponents`, for large scale factors.
        tolerance: on the exponents.
    """
    claims, laws = [], grouped_laws(exponents.index)["flops, in groups"]
    for name, found in exponents.T.items():
        law, known = laws[name], found.dropna()
        details, exponent = "no network with grouped convolutions", None
        if len(known):
            details = (known - float(law)).abs().idxmax()
            exponent = known[details]
        text = f"flops of grouped convolutions under {name}, large s"
        claims.append(Claim(text, law, exponent, tolerance, details=details))
    return claims


def group_width_claims(
    grown: pd.DataFrame, at_equal: pd.DataFrame, strategies: Iterable[str], scale: float, tolerance: float
) -> list[Claim]:
    """Claim how counts differ with the group width kept, or scaled as the width.

    With it kept, there are fewer flops and params and as many activations at the same scale factor, and more
    activations at the same flops. The network that is worst for the claim is judged.

    Arguments:
        grown: of `relative_to_base`, at the same scale factor.
        at_equal: of `relative_to_base`, at the same flops.
        strategies: names of strategies; those that differ only in group width are compared.
        scale: scale factor of flops.
        tolerance: on ratios that should be 1.

    Raises:
        StrategyError: there is no such strategy.
    """
    claims, at_scale = [], f"at s = {scale:g}"
    for follows, stays in differing_in_group_width(strategies):
        counts, equal = (
            each.xs(stays, level="strategy") / each.xs(follows, level="strategy") for each in (grown, at_equal)
        )
        judged = [("flops", counts, at_scale, "<", 0.0), ("params", counts, at_scale, "<", 0.0)]
        judged += [("activations", counts, at_scale, "=", tolerance)]
        judged += [("activations", equal, f"at {scale:g} times the flops", ">", 0.0)]
        for metric, ratios, where, relation, allowed in judged:
            ratio = ratios[metric]
            worst = {"<": ratio, ">": -ratio, "=": (ratio - 1).abs()}[relation].idxmax()
            text = f"{metric} under {stays} over those under {follows}, {where}"
            claims.append(Claim(text, 1, ratio[worst], allowed, scope=BEYOND, relation=relation, details=worst))
    return claims


def differing_in_group_width(strategies: Iterable[str]) -> list[tuple[str, str]]:
    """Pair strategies that differ only in group width, the one that scales it first."""
    ways = [named_strategy(each) for each in strategies]
    alike = [(a, b) for a, b in permutations(ways, 2) if a.exponents._replace(g=0) == b.exponents._replace(g=0)]
    return [(a.name, b.name) for a, b in alike if a.exponents.g == a.exponents.w and b.exponents.g == 0]


def beside_powers_of_two(
    networks: Iterable[str],
    strategies: Iterable[str],
    scales: Iterable[float],
    device_name: str = "RTX 4090",
    batch: int = 128,
) -> pd.DataFrame:
    """Compare group widths in multiples of 8 and in powers of two, at equal flops.

    Strategies that keep the group width are left out. Times are those of the device's profile, in inference without
    compiling, where it tells groups of 2^k channels from others.

    Arguments:
        networks: names of base networks.
        strategies: names of strategies.
        scales: flops relative to the base network's.
        device_name: of a shipped profile (`fs.prediction.profiles`); default: "RTX 4090".
        batch: images in a run; default: 128.

    Returns:
        Index: network, strategy, scale. Columns: group width (of the last stage) in multiples of 8, and in powers of
        two; then of powers of two relative to multiples of 8: flops (both are within 1 % of the scale), params,
        activations, and ms for each memory format that the profile has ("ms, channels last"); NaN for a network that
        it cannot predict.

    Raises:
        PredictionError: there is no such profile.
    """
    ways = [way for way in map(named_strategy, strategies) if way.exponents.g]
    given = list(networks), ways, list(scales)
    by_rule = [equal_flops(*given, group_widths=rule) for rule in GROUP_WIDTHS]
    columns = {
        rule: [each.group_widths[-1] for each in rows["scaled"]]
        for rule, rows in zip(GROUP_WIDTHS, by_rule, strict=True)
    }
    columns |= {metric: by_rule[1][metric] / by_rule[0][metric] for metric in METRICS}
    model = profile_model(device_name)
    for title, setting in _settings_with_groups(model).items() if len(by_rule[0]) else ():
        times = [model.predict(rows["scaled"], batch, strict=False, **setting)["predicted_ms"] for rows in by_rule]
        columns[title] = times[1] / times[0]
    index = pd.MultiIndex.from_frame(by_rule[0][["network", "strategy", "scale"]])
    return pd.DataFrame({name: list(values) for name, values in columns.items()}, index=index)


def _settings_with_groups(model: RuntimeModel) -> dict[str, dict[str, Any]]:
    """Find eager inference settings, by title, whose rates tell groups of 2^k from others."""
    rates = model.rates()
    told = rates[rates.get("conv in groups of 2^k", pd.Series(index=rates.index)).notna() & ~rates["compile"]]
    formats = dict.fromkeys(told.loc[told["mode"] == "inference", "channels_last"])
    titles = {True: "ms, channels last", False: "ms, channels first"}
    return {titles[each]: {"mode": "inference", "compile": False, "channels_last": each} for each in formats}
