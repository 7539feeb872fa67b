"""Tell what came out of the comparison of two networks, and show its tables."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

import pandas as pd

from .._common.digits import significant
from .._common.frames import dicts
from .._common.frames import rows as rows_of
from .._common.wording import bullets, counted, listed, span
from ..architectures.counting import METRICS, layers
from ..architectures.definition import Network
from ..measuring.counted_memory import PeakMemory, peak_memory
from ..measuring.settings import Precision
from ..records.conditions import distinct_labels
from ..records.published_rows import table_title
from ..records.rows import read_rows
from .pairs import is_of, made

_MEMORY = ("mode", "counted, MB", "measured, MB", "beyond the count, %", "of the largest output")
_BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}


def pair_counts_text(counts: pd.DataFrame) -> str:
    """Say how the counts of the first network compare with those of the second.

    Arguments:
        counts: columns flops, params, activations; two rows.
    """
    one, other = counts.index
    first, second = dicts(counts)
    ratios = [f"{significant(first[name] / second[name])} times the {name}" for name in METRICS]
    return f"**What came out.** {one} has {listed(ratios)} of {other}."


def pair_memory_text(
    pair: Mapping[str, Network], memory: Mapping[tuple[str, str], PeakMemory], batch: int, precision: Precision
) -> str:
    """Say how the counted memory of two networks compares, also in inference of one image.

    Arguments:
        pair: the two networks by name.
        memory: counted, by mode and name.
        batch: images in a run, of `memory`.
        precision: of the run.
    """
    one, other = pair
    said = []
    for mode in dict.fromkeys(mode for mode, _ in memory):
        first, second = (memory[mode, name] for name in pair)
        outputs = [f"{100 * each.activations_bytes / each.peak_bytes:.0f} %" for each in (first, second)]
        said.append(
            f"in {mode} {significant(first.peak_bytes / second.peak_bytes)} times the memory of {other}, where outputs "
            f"of layers are {listed(outputs)} of the two"
        )
    single = [peak_memory(each, 1, "inference", precision).peak_bytes for each in pair.values()]
    return (
        f"**What came out.** At a batch of {batch}, {one} needs {'; '.join(said)}. In inference of one image, where "
        f"weights count for more, it needs {significant(single[0] / single[1])} times as much."
    )


def memory_beside_counted(paths: Iterable[str | os.PathLike], networks: Iterable[Network]) -> pd.DataFrame:
    """Compare the memory that GPUs held in measured runs with what is counted for them.

    Arguments:
        paths: of the stores; rows without a peak of memory or a description are ignored.
        networks: those that are asked for.

    Returns:
        Index: network, and device with its settings. Columns: mode; counted, MB; measured, MB; beyond the count
        (percent); of the largest output (that excess over the bytes of the largest output of a layer).

    Raises:
        PublishedError: there is no such file.
        StoreError: a file is not a store.
    """
    wanted, rows = list(networks), read_rows(paths)
    needed = ["peak_memory_bytes", "description"]
    rows = rows.dropna(subset=needed) if set(needed) <= set(rows) else rows.iloc[:0]
    rows = rows[[any(is_of(row, each) for each in wanted) for row in dicts(rows)]] if len(rows) else rows
    found = {}
    for row, label in zip(dicts(rows), distinct_labels(rows, briefly=True) if len(rows) else [], strict=True):
        network, batch = Network.from_dict(row["description"]), int(row["batch"])
        expected = peak_memory(network, batch, row["mode"], row["precision"]).peak_bytes
        largest = int(layers(network)["activations"].max()) * batch * _BYTES.get(row["precision"], 4)
        excess = row["peak_memory_bytes"] - expected
        found[row["network"], label] = {
            "mode": row["mode"],
            "counted, MB": f"{expected / 1e6:,.0f}",
            "measured, MB": f"{row['peak_memory_bytes'] / 1e6:,.0f}",
            "beyond the count, %": 100 * excess / expected,
            "of the largest output": excess / largest,
        }
    if not found:
        return pd.DataFrame(columns=list(_MEMORY))
    return pd.DataFrame.from_dict(found, orient="index").rename_axis(["network", "device and settings"])


def memory_excess_text(table: pd.DataFrame) -> str:
    """Say how far the memory that GPUs held lies from what is counted.

    Arguments:
        table: of `memory_beside_counted`.
    """
    if not len(table):
        return "No run on a GPU was measured: the count stands alone."
    excess = table["beyond the count, %"]
    said = [f"{span(part, '+.1f')} % in {mode}" for mode, part in excess.groupby(table["mode"], sort=False)]
    text = f"**What came out.** The memory that GPUs held differs from the count by {listed(said)}"
    if not excess.max() > 0:
        return f"{text}: never more than is counted."
    place = int(excess.to_numpy().argmax())
    name, where = list(table.index)[place]
    share = float(table["of the largest output"].iloc[place])
    return (
        f"{text}; the most beyond it is that of {name} ({where}), which is {significant(share, 2)} times its largest "
        "output."
    )


def published_pairs_shown(published: pd.DataFrame, one: str, other: str) -> pd.DataFrame:
    """Show published times of two networks, and how the first was made.

    Arguments:
        published: of `published_pairs`.
        one: name of the first network, as in the tables.
        other: the second.
    """
    rows = {
        (row.device_name, row.mode): {
            f"{one}, ms/image": significant(row.one_ms),
            f"{other}, ms/image": significant(row.other_ms),
            "ratio": significant(row.ratio),
            f"{one} was": made(row.source, one),
        }
        for row in rows_of(published)
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["device", "mode"])


def pair_errors_shown(errors: pd.DataFrame) -> pd.DataFrame:
    """Show published errors of two networks, by table and length of training.

    Arguments:
        errors: of `published_pair_errors`.
    """
    shown = errors.rename(index=table_title, level="source").rename_axis(["table", "epochs"])
    return shown.map("{:.1f}".format)


def pair_times_shown(measured: pd.DataFrame, one: str, other: str) -> pd.DataFrame:
    """Show measured ratios with their intervals, or with the reason why they judge nothing.

    Arguments:
        measured: of `measured_pairs`, with a column named (device and settings in words).
        one: the first network in words.
        other: the second.
    """
    rows = {
        row.named: {
            f"{one}, ms/batch": significant(row.one_ms),
            f"{other}, ms/batch": significant(row.other_ms),
            "ratio": "–" if pd.isna(row.ratio) else significant(row.ratio),
            "may be": "–" if pd.isna(row.low) else f"{significant(row.low)} to {significant(row.high)}",
            "ratio of memory": significant(row.memory_ratio),
            "decides nothing, since": row.left_out or row.doubt or "–",
        }
        for row in rows_of(measured)
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def pair_times_text(
    counts: pd.DataFrame, published: pd.DataFrame, measured: pd.DataFrame, one: str, other: str, published_as: str
) -> str:
    """Say how the times of two networks compare, beside their counts; published ones first.

    Arguments:
        counts: columns flops and activations; two rows.
        published: of `published_pairs`.
        measured: as for `pair_times_shown`.
        one: the first network in words.
        other: the second.
        published_as: name of the first in published tables.
    """
    first, second = dicts(counts)
    flops, activations = (significant(first[name] / second[name], 2) for name in ("flops", "activations"))
    text = f"**What came out.** {one} has {flops} times the flops of {other}, and {activations} times the activations."
    if len(published):
        on = listed(dict.fromkeys(published["device_name"]))
        text += f" As published, {published_as} takes {span(published['ratio'])} times its time (on {on})."
    decided = measured[measured["low"].notna() & measured["left_out"].isna() & measured["doubt"].isna()]
    said = [f"{row.ratio:.2f} times ({row.low:.2f} to {row.high:.2f}) on {row.named}" for row in rows_of(decided)]
    rest = measured.drop(index=decided.index)
    said += [f"not decided: {'; '.join(rest['named'])}"] * bool(len(rest))
    said += [
        f"at least {row.least_ratio:.2f} times on {row.named}, where {other} waited for its host"
        for row in rows_of(rest.dropna(subset="least_ratio"))
    ]
    memory = measured.dropna(subset="memory_ratio")
    said += [f"{row.memory_ratio:.2f} times the memory on {row.named}" for row in rows_of(memory)]
    if not said:
        return text if len(published) else f"{text} No table and no store has times of both."
    return f"{text}\n\n{bullets(f'As measured, {one} takes, relative to {other}', said)}"


def pair_errors_text(errors: pd.DataFrame, one: str, other: str) -> str:
    """Say in how many tables the first network has the lower error.

    Arguments:
        errors: column difference (first less second, in percentage points).
        one: the first network.
        other: the second.
    """
    if not len(errors):
        return "No table has errors of both."
    lower, gaps = int((errors["difference"] < 0).sum()), errors["difference"]
    return (
        f"**What came out.** {one} has the lower error in {lower} of {counted(len(errors), 'row')}; the difference to "
        f"{other} is {span(gaps, '+.1f')} percentage points."
    )
