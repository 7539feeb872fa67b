"""Counts and predicted times of a base network over α and s, as the page's arrays."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np

from .._common.errors import FastscaleError
from ..architectures.counting import METRICS, complexity
from ..architectures.definition import Network
from ..architectures.operation_lists import Operations, operations
from ..architectures.parts import NetworkError
from ..architectures.resolutions import both_sides, side_text
from ..architectures.timm_models import to_timm
from ..architectures.traced.module_family import Family
from ..prediction.device_profiles import profile_model, profiles
from ..prediction.forms import PredictionError
from ..prediction.model import RuntimeModel
from ..prediction.reach import Extent
from ..scaling.asymptotics import law_parts
from ..scaling.grids import sweep_columns
from ..scaling.rounding import scale, scaled_dimensions
from ..scaling.strategies import Strategy, grid_factors
from ..scaling.strategies import strategy as named_strategy

STRATEGIES = {
    "w": "width alone",
    "dWr": "mostly width",
    "dw": "depth, width",
    "dwr": "all three alike",
    "d": "depth alone",
    "r": "resolution alone",
    "dr": "depth, resolution",
    "wr": "width, resolution",
}  # in the order of the page, with what each scales
ALPHAS = 101  # from 0 to 1
LEAST, MOST = 0.25, 64.0
PER_OCTAVE = 20
TIME_STEPS, TIME_OFFSET = (
    2048,
    2**14,
)  # of a time in ms: steps of its logarithm to base 2, and the one of 1 ms; 0 is none
ERROR_STEPS = 1000  # of the error of a time, as a fraction
USUAL_BATCH = 256
MARGIN = 0.5  # octaves beyond LEAST and MOST, so that a network of these flops is there though its s is another
FIRST = float(np.log2(LEAST) - MARGIN)
STEPS = round((np.log2(MOST) + MARGIN - FIRST) * PER_OCTAVE) + 1
SCALES = 2.0 ** (FIRST + np.arange(STEPS) / PER_OCTAVE)
_TIMM_SIZES = ("depths", "dims", "layers", "channels", "cardinality", "base_width")
_TIMM_SIZES += ("embed_dim", "depth", "num_heads", "img_size")
_CHUNK = 512  # networks whose operations are listed at once


class ExplorerPageError(FastscaleError, ValueError):
    """A page cannot be made of these networks."""


@dataclass(frozen=True)
class Timing:
    """Predicted times of one device and use of it.

    Arguments:
        label: device and use, as in "NVIDIA H200, batch 64, inference fp16".
        note: what the times are from.
        model: predicts them.
        batch: images a batch.
        setting: keywords of `RuntimeModel.predict` that choose among the model's settings.
    """

    label: str
    note: str
    model: RuntimeModel
    batch: int
    setting: Mapping[str, Any] = field(default_factory=dict)


def shipped_timings() -> list[Timing]:
    """Return the inference times of shipped profiles, by device, memory format and compiling."""
    timings = []
    for name in dict.fromkeys(profiles()["device_name"]):
        model = profile_model(name)
        ways = dict.fromkeys((key.channels_last, key.compile) for key in model.fitted if key.mode == "inference")
        for channels_last, compiled in ways:
            setting = {"mode": "inference", "channels_last": channels_last, "compile": compiled}
            reach = model.fitted[model.setting(**setting)].reach
            least, most = reach.batches if reach else (USUAL_BATCH, USUAL_BATCH)
            batch = min(max(USUAL_BATCH, least), most)
            how = [name, *["channels last"] * bool(channels_last), *["compiled"] * bool(compiled), f"batch {batch}"]
            timings.append(Timing(", ".join(how), "predicted", model, batch, setting))
    return sorted(timings, key=lambda each: -each.batch)  # GPUs first: the paper is about them


def predicting(base: Network, timings: Sequence[Timing]) -> list[Timing]:
    """Return those timings whose models predict a base network itself."""
    ops = operations(base)
    extent = Extent.of(ops)
    return [timing for timing in timings if _predicts(timing, ops, extent)]


def rows() -> dict[str, Strategy]:
    """Return the page's strategies by name: every α of the slider, and the named ones."""
    slider = {f"α={number / (ALPHAS - 1):g}": named_strategy(alpha=number / (ALPHAS - 1)) for number in range(ALPHAS)}
    return slider | {name: named_strategy(name) for name in STRATEGIES}


@cache
def _counted_alphas() -> np.ndarray:
    return np.array([float(each.alpha) for each in rows().values() if each.alpha is not None])


def rows_between(alpha: float) -> tuple[str, ...]:
    """Return the name of the row that an α needs which has none among `rows`, else nothing."""
    return () if np.abs(_counted_alphas() - alpha).min() < 1e-9 else (f"α={alpha!r}",)


def network_data(base: Network, timings: Sequence[Timing] = (), more: tuple[str, ...] = ()) -> dict[str, Any]:
    """Count and time a base network over all rows and `SCALES`, for `Counts.read` of counts.js.

    Many scales round to the same network: each distinct one is kept once, and an index says which stands where.

    Arguments:
        base: the base network.
        timings: predicted times; one whose model does not predict this network is left out.
        more: names of further strategies, and of an α as "α=0.125", with a row each.

    Returns:
        Header of the arrays, with the arrays compressed as text.

    Raises:
        ExplorerPageError: a count does not fit 53 bits, which is what a page counts with, or a size 16 bits, or there
            are more distinct networks than 16 bits tell apart.
    """
    counted = _counted(base, more)
    laws = {
        name: [_law_text(law_parts(base, each, name)) for each in counted.ways.values()]
        for name in ("params", "activations")
    }
    more_of_it = {"stages": len(base.stages), "laws": laws, "yaml": _yaml_parts(base), "timm": _timm_line(base)}
    return counted.header(base) | more_of_it | {"timings": times_data(base, timings, more)}


def times_data(base: Network, timings: Sequence[Timing], more: tuple[str, ...] = ()) -> list[dict[str, str]]:
    """Predict the times of the networks of `network_data`, by each model that predicts any."""
    if not timings:
        return []
    counted = _counted(base, more)
    powers = [_taken(each, counted.first) for each in grid_factors(list(counted.ways.values()), SCALES)]
    predicted = _predicted(base, powers, len(counted.first), timings)
    return [_timing_data(timing, ms, error) for timing, ms, error in predicted if np.isfinite(ms).any()]


class Counted(NamedTuple):
    """The distinct networks of a base or family under every row and scale, and their counts."""

    ways: Mapping[str, Strategy]
    first: np.ndarray  # where each distinct network stands first, among rows × scales
    index: np.ndarray  # which distinct network stands where
    counts: list[np.ndarray]  # flops, params, activations of the distinct networks
    sizes: list[np.ndarray]  # their resolution; of described networks height and width, stem, stages and head
    steps: list[list[int]] | None = None  # of each row, the scales that were counted; None: all

    def header(self, base: Network | Family) -> dict[str, Any]:
        """Return what a page reads, but for the number of stages and the times."""
        planes = [(each >> shift & 0xFFFF) for each in self.counts for shift in (0, 16, 32, 48)]
        arrays = [each.astype("<u2") for each in (*planes, *self.sizes, self.index)]
        at_base = complexity(base)
        return {
            "name": base.name,
            "resolution": side_text(base.resolution),
            "base": at_base._asdict(),
            "rows": list(self.ways),
            "networks": len(self.first),
            "steps": len(self.index) // len(self.ways),
            "first": FIRST,
            "perOctave": PER_OCTAVE,
            "timeSteps": TIME_STEPS,
            "timeOffset": TIME_OFFSET,
            "errorSteps": ERROR_STEPS,
            "arrays": _packed(arrays),
        } | ({"counted": self.steps} if self.steps else {})


@lru_cache(maxsize=8)  # times may be asked for later than counts
def _counted(base: Network, more: tuple[str, ...]) -> Counted:
    ways = rows() | {name: named_strategy(name) for name in more}
    columns = sweep_columns(base, list(ways.values()), SCALES, stages=False)
    counts = [np.asarray(columns[name], dtype=np.int64) for name in METRICS]
    if max(int(each.max()) for each in counts) >= 2**53:
        raise ExplorerPageError(
            f"{base.name} scaled by {MOST:g} is too large: the explorer counts up to 2**53; use a smaller network"
        )
    dims = scaled_dimensions(base, *grid_factors(list(ways.values()), SCALES))
    flat = (*both_sides(dims.resolution), *dims._replace(resolution=0).flat()[1:])
    sizes = [np.broadcast_to(each, len(counts[0])) for each in flat]
    _, first, index = np.unique(np.column_stack([*counts, *sizes]), axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)  # neighbours of a row differ little, which compresses best
    first, index = first[order], np.argsort(order)[index.reshape(-1)]
    if len(first) > 2**16:
        raise ExplorerPageError(
            f"{base.name} scales to {len(first):,} different networks, but the explorer holds 65,536; use fs.sweep"
        )
    if (largest := max(int(each.max()) for each in sizes)) >= 2**16:
        raise ExplorerPageError(
            f"{base.name} scaled by {MOST:g} has a depth, width or image side of {largest:,}, but here it is below "
            "65,536; use a smaller network, or fs.sweep"
        )
    return Counted(ways, first, index, [each[first] for each in counts], [each[first] for each in sizes])


def _law_text(parts: Sequence[tuple[int, Any]]) -> str:
    """Write the power of s by which a count grows, or powers with their shares.

    Beside one of over 99 % the others are left out.
    """
    whole = sum(part for part, _ in parts)
    powers = [f"s^{float(exponent):.3g}" for _, exponent in parts]
    if len(parts) == 1:
        return powers[0]
    if parts[0][0] > 0.99 * whole:
        return f"≈ {powers[0]}"
    return " + ".join(f"{part / whole:.2g} {power}" for (part, _), power in zip(parts, powers, strict=True))


def _yaml_parts(base: Network) -> list[str]:
    """Cut a base network's YAML, without its name, where the sizes that scaling changes stand."""
    text = base.to_yaml().split("\n", 1)[1]
    pair = r"(?<=resolution: \[)\d+|(?<=, )\d+(?=\]\nstem:)"  # height and width of images that are not square
    return re.split(rf"(?:(?<=resolution: )|(?<=width: )|(?<=depth: ))\d+|{pair}", text)


def _timm_line(base: Network) -> dict[str, Any]:
    """Write the line of timm that makes what is scaled from a base; or say why there is none.

    Names in braces stand for sizes. timm takes those of ConvNeXts, vision transformers and ResNets. The keywords of the
    others are looked for, network by network, which only Python does.
    """
    try:
        name = to_timm(base).name
        if name.startswith("regnet") or (base.ends_grow and base.patches is None):
            return {"why": f"timm's {name} takes no sizes of stages: its keywords are looked for, if there are any"}
        found = to_timm(scale(base, "d", 2))
    except NetworkError as error:
        return {"why": str(error)}
    sizes = [name for name in _TIMM_SIZES if name in found.kwargs]
    marked = replace(found, kwargs=found.kwargs | {name: f"{{{name}}}" for name in sizes})
    template = re.sub(r"'(\{\w+\})'", r"\1", str(marked))
    expansion = base.widths[0] // found.kwargs["channels"][0] if "channels" in sizes else 1
    return {"template": template, "expansion": expansion, "bottleneck": float(base.stages[0].bottleneck)}


def _timing_data(timing: Timing, ms: np.ndarray, error: np.ndarray) -> dict[str, str]:
    told = np.isfinite(ms)
    steps = np.log2(np.where(told, ms, 1)) * TIME_STEPS + TIME_OFFSET
    errors = np.where(told, error, 0) * ERROR_STEPS
    arrays = [
        np.where(told, steps.round().clip(1, 2**16 - 1), 0).astype("<u2"),
        np.ceil(errors - 1e-9).clip(0, 2**16 - 1).astype("<u2"),
    ]
    return {"label": timing.label, "note": timing.note, "arrays": _packed(arrays)}


def _packed(arrays: Sequence[np.ndarray]) -> str:
    """Compress arrays of 16 bits as text: differences of neighbours, low bytes first.

    `inflated` of counts.js undoes it. The text is half as long as that of the values themselves. Level 9 of zlib would
    make it 2 % shorter, and take eight times as long.
    """
    steps = np.diff(np.concatenate(arrays), prepend=np.uint16(0))  # modulo 2**16
    planes = [each.astype(np.uint8).tobytes() for each in (steps & 255, steps >> 8)]
    return base64.b64encode(zlib.compress(b"".join(planes), 6)).decode()


def _predicted(
    base: Network, powers: Sequence[Any], size: int, timings: Sequence[Timing]
) -> Iterator[tuple[Timing, np.ndarray, np.ndarray]]:
    """Yield milliseconds and errors of the scaled base, for each timing that predicts any.

    All models share the networks' operations, which are listed for a few networks at a time, so that they stay in the
    processor's cache.
    """
    told: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {number: [] for number in range(len(timings))}
    for start in range(0, size, _CHUNK):
        part = slice(start, min(start + _CHUNK, size))
        dims = scaled_dimensions(base, *(_taken(each, part) for each in powers))
        ops = operations(base, dims, part.stop - part.start)
        extent = Extent.of(ops)
        for number in list(told):
            timing = timings[number]
            try:
                curve = timing.model.curve_of(ops, extent, timing.batch, **timing.setting)
            except PredictionError:
                del told[number]  # the model's own: it is by totals, or has no such setting or batch
                continue
            told[number].append((curve.ms, curve.high_ms / curve.ms - 1))
    for number, parts in told.items():
        ms, error = map(np.concatenate, zip(*parts, strict=True))
        yield timings[number], ms, error


def _predicts(timing: Timing, ops: Operations, extent: Extent) -> bool:
    try:
        curve = timing.model.curve_of(ops, extent, timing.batch, **timing.setting)
    except PredictionError:
        return False
    return bool(np.isfinite(curve.ms).all())


def _taken(factor: Any, part: Any) -> Any:
    """Take the factors of some networks; one that no strategy changes is a number."""
    return factor[part] if isinstance(factor, np.ndarray) else factor
