"""What a network is: stem, stages, head; made by hand or from a file.

A `Network` is plain data. It knows what can be built and refuses the rest in a sentence; how it scales, what it
costs and how it runs are the business of the other rooms.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, asdict, astuple, dataclass, field, fields, replace
from itertools import islice
from typing import Any, NamedTuple

from ._common.checks import check_real, check_whole, shown
from ._common.integers import nearest_multiple
from ._common.yaml_text import YamlError, read_yaml, write_yaml
from .fitting import BASIC, MBCONV, fit

BLOCKS = ("res_bottleneck_block", "res_bottleneck_linear_block", BASIC, MBCONV)
ACTIVATIONS = ("relu", "silu", "gelu")
MOST_STAGES = 1_000
MOST_BLOCKS = 10_000  # that are listed or built one by one; counts have no bound
BOTTLENECKS = (1e-6, 1e6)


class StemShape(NamedTuple):
    """The convolution of a stem, and whether a 3×3 stride-2 max-pool follows it."""

    kernel: int
    stride: int
    pool: bool

    @property
    def total_stride(self) -> int:
        return self.stride * (2 if self.pool else 1)


# Names as in pycls.
STEMS = {
    "simple_stem_in": StemShape(3, 2, pool=False),
    "res_stem_in": StemShape(7, 2, pool=True),
    "res_stem_cifar": StemShape(3, 1, pool=False),  # for small images
}


class NetworkError(ValueError):
    """A network that cannot be built, or is not known; the message names the part, the value and the rule."""


@dataclass(frozen=True)
class Stem:
    """The first convolution, with BN and activation: `kind` is a key of `STEMS`."""

    kind: str
    width: int

    def __post_init__(self):
        _check_known("stem", self.kind, STEMS)
        _set_whole(self, "stem", "width")


@dataclass(frozen=True)
class Stage:
    """A run of `depth` blocks of one width; the first of them carries the stride.

    `bottleneck` multiplies the width to the block's inner width (for MBConv it is the expansion ratio, and
    multiplies the block's input width); `group_width` is the channels in each group of the k×k convolution.
    """

    depth: int
    width: int
    stride: int = 2
    bottleneck: float = 1.0
    group_width: int = 1
    kernel: int = 3

    def __post_init__(self):
        for name in ("depth", "width", "stride", "group_width", "kernel"):
            _set_whole(self, "stage", name)
        _set_real(self, "stage", "bottleneck", *BOTTLENECKS)
        if self.kernel % 2 == 0:
            raise NetworkError(f"stage: kernel {shown(self.kernel)} is even, but padding (k−1)/2 needs an odd kernel")


@dataclass(frozen=True)
class Head:
    """What follows the last stage: a 1×1 convolution of this width (0: none), global pool, linear layer."""

    width: int = 0

    def __post_init__(self):
        _set_whole(self, "head", "width", least=0)


class Dimensions(NamedTuple):
    """The sizes that scaling changes; each is an int, or an array with one entry a network."""

    resolution: Any
    stem_width: Any
    depths: tuple
    widths: tuple
    group_widths: tuple
    head_width: Any


@dataclass(frozen=True)
class Neighbour:
    """A network that a strategy does reach: its scale factor s and its count."""

    s: float
    count: int

    def __post_init__(self):
        _set_real(self, "neighbour", "s", 0, above=True)
        _set_whole(self, "neighbour", "count", least=0)


@dataclass(frozen=True)
class Scaling:
    """Where a scaled network comes from; what was asked, what was achieved, and which roundings were changed.

    `metric`, `target`, `achieved`, `changes` and `neighbours` are filled by `scale_to` alone; `neighbours` are
    the nearest counts below and above the target that the strategy reaches by s alone.
    """

    base: str
    strategy: str
    s: float
    metric: str | None = None
    target: float | None = None
    achieved: int | None = None
    changes: tuple[str, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()

    def __post_init__(self):
        for name in ("base", "strategy"):
            if not _is_line(getattr(self, name)):
                raise NetworkError(f"scaling: {name} is {shown(getattr(self, name))}, but must be a line of text")
        _set_real(self, "scaling", "s", 0, above=True)
        object.__setattr__(self, "changes", tuple(self.changes))
        object.__setattr__(self, "neighbours", tuple(self.neighbours))
        if not all(map(_is_line, self.changes)):
            raise NetworkError(f"scaling: changes are {shown(self.changes)}, but must be lines of text")
        if not all(isinstance(each, Neighbour) for each in self.neighbours):
            raise NetworkError(f"scaling: neighbours are {shown(self.neighbours)}, but each must have s and count")
        if self.metric is not None:
            _check_known("scaling: metric", self.metric, ("flops", "params", "activations"))
            _set_real(self, "scaling", "target", 0, above=True)
            _set_whole(self, "scaling", "achieved", least=0)

    @property
    def error(self) -> float:
        """How far the achieved count lies from the target, as a signed fraction of the target."""
        return self.achieved / self.target - 1 if self.target else 0.0

    def __str__(self) -> str:
        said = f"{self.base} scaled by {self.strategy} with s = {self.s:.6g}"
        if self.metric is None:
            return said
        said += f": {self.metric} asked {self.target:,.0f}, achieved {self.achieved:,} ({self.error:+.2%})"
        if self.changes:
            said += "; changed: " + "; ".join(self.changes)
        elif self.neighbours and abs(self.error) > 0.01:
            near = " and ".join(f"{n.count:,} (s = {n.s:.6g})" for n in self.neighbours)
            said += f"; the strategy's nearest counts are {near}"
        return said


@dataclass(frozen=True)
class Network:
    """A convolutional network for square images of `resolution` pixels and `channels` channels.

    Equality and hash are by name and by what the network is; `scaling`, where it comes from, and `note`, what is to be
    known of its figures, do not count. A scaled network keeps the note.
    """

    name: str
    resolution: int
    stem: Stem
    block: str
    stages: tuple[Stage, ...]
    head: Head = field(default_factory=Head)
    se_ratio: float = 0.0
    activation: str = "relu"
    classes: int = 1000
    channels: int = 3
    scaling: Scaling | None = field(default=None, compare=False, repr=False)
    note: str = field(default="", compare=False)

    def __post_init__(self):
        if not _is_line(self.name):
            raise NetworkError(f"network: name is {shown(self.name)}, but must be a line of text")
        if self.note and not _is_line(self.note):
            raise NetworkError(f"network: note is {shown(self.note)}, but must be a line of text, or nothing")
        for name in ("resolution", "classes", "channels"):
            _set_whole(self, "network", name)
        _set_real(self, "network", "se_ratio", 0, 1)
        _check_known("block", self.block, BLOCKS)
        _check_known("activation", self.activation, ACTIVATIONS)
        for name, kind in (("stem", Stem), ("head", Head)):
            if not isinstance(getattr(self, name), kind):
                raise NetworkError(f"network: {name} is {shown(getattr(self, name))}, but must be a {kind.__name__}")
        if self.scaling is not None and not isinstance(self.scaling, Scaling):
            raise NetworkError(f"network: scaling is {shown(self.scaling)}, but must be a Scaling, or None")
        object.__setattr__(self, "stages", tuple(_one_a_stage("stages", self.stages)))
        if not self.stages:
            raise NetworkError("network: it has no stages; give at least one")
        if not all(isinstance(stage, Stage) for stage in self.stages):
            raise NetworkError(f"network: stages are {shown(self.stages)}, but each must be a Stage")
        for number, stage in enumerate(self.stages, 1):
            _check_stage(self.block, number, stage)

    @property
    def depths(self) -> tuple[int, ...]:
        return tuple(stage.depth for stage in self.stages)

    @property
    def widths(self) -> tuple[int, ...]:
        return tuple(stage.width for stage in self.stages)

    @property
    def group_widths(self) -> tuple[int, ...]:
        return tuple(stage.group_width for stage in self.stages)

    @property
    def total_stride(self) -> int:
        """How many pixels of the image, to a side, become one of the last stage."""
        return STEMS[self.stem.kind].total_stride * math.prod(stage.stride for stage in self.stages)

    @property
    def dimensions(self) -> Dimensions:
        return Dimensions(
            self.resolution, self.stem.width, self.depths, self.widths, self.group_widths, self.head.width
        )

    def with_dimensions(self, dims: Dimensions, **changes) -> Network:
        """The same network with other sizes (and other fields, where named)."""
        try:
            stages = tuple(
                replace(stage, depth=depth, width=width, group_width=group_width)
                for stage, depth, width, group_width in zip(
                    self.stages, dims.depths, dims.widths, dims.group_widths, strict=True
                )
            )
            return replace(
                self,
                resolution=dims.resolution,
                stem=replace(self.stem, width=dims.stem_width),
                stages=stages,
                head=Head(dims.head_width),
                **changes,
            )
        except NetworkError as error:
            raise NetworkError(f"{self.name}: {error}") from None

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists and numbers; `Network.from_dict` gives the network back."""
        plain = asdict(self)
        plain["stages"] = list(plain["stages"])
        if not self.note:
            del plain["note"]
        if self.scaling is None:
            del plain["scaling"]
        else:
            plain["scaling"]["changes"] = list(self.scaling.changes)
            plain["scaling"]["neighbours"] = list(plain["scaling"]["neighbours"])
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Network:
        """The network that `to_dict` described.

        Raises:
            NetworkError: a key is missing or unknown, or the network cannot be built.
        """
        plain = dict(_mapping("network", plain))
        if _PYCLS & plain.keys():
            raise NetworkError(_pycls_sentence(plain))
        _check_keys(cls, "network", plain)
        stages = plain["stages"]
        if isinstance(stages, str | Mapping) or not isinstance(stages, Iterable):
            raise NetworkError(f"network: stages must be a list with one entry a stage, not {shown(stages)}")
        stages = _one_a_stage("stages", stages)
        plain["stages"] = tuple(_make(Stage, f"stage {number}", stage) for number, stage in enumerate(stages, 1))
        plain["stem"] = _make(Stem, "stem", plain["stem"])
        plain["head"] = _make(Head, "head", plain.get("head", {}))
        if plain.get("scaling") is not None:
            scaling = dict(_mapping("scaling", plain["scaling"]))
            for name in ("changes", "neighbours"):
                if not isinstance(scaling.get(name, ()), list | tuple):
                    raise NetworkError(f"scaling: {name} is {shown(scaling[name])}, but must be a list")
            scaling["neighbours"] = [_make(Neighbour, "neighbour", each) for each in scaling.get("neighbours", ())]
            plain["scaling"] = _make(Scaling, "scaling", scaling)
        return _make(cls, "network", plain)

    def to_yaml(self) -> str:
        """YAML text, in the order of the fields, one line a stage."""
        plain = self.to_dict()
        lines = []
        for key, value in plain.items():
            if key == "stages":
                lines += ["stages:"] + [f"- {_flow(stage)}" for stage in value]
            else:
                lines.append(f"{key}: {_flow(value)}")
        return "\n".join(lines) + "\n"

    @classmethod
    def from_yaml(cls, text: str) -> Network:
        """The network that a YAML text describes; loading is safe, so the text can run nothing.

        Raises:
            NetworkError: the text is not YAML, or is not a network that can be built.
        """
        try:
            plain = read_yaml(text)
        except YamlError as error:
            raise NetworkError(f"network: this is {error}") from None
        return cls.from_dict(plain)

    def to_python(self) -> str:
        """A Python expression that makes this network again, given `import fastscale_lib as fs`."""
        stages = zip(*(tuple(getattr(s, f.name) for f in fields(Stage)) for s in self.stages), strict=True)
        depths, widths, strides, bottlenecks, group_widths, kernels = (list(values) for values in stages)
        arguments = {
            "name": self.name,
            "resolution": self.resolution,
            "stem": self.stem.kind,
            "stem_width": self.stem.width,
            "block": self.block,
            "depths": depths,
            "widths": widths,
            "strides": strides,
            "bottlenecks": bottlenecks,
            "group_widths": group_widths,
            "kernels": kernels,
            "se_ratio": self.se_ratio,
            "head_width": self.head.width,
            "activation": self.activation,
            "classes": self.classes,
            "channels": self.channels,
            **({"note": self.note} if self.note else {}),
        }
        return "fs.anynet(\n" + "".join(f"    {name}={value!r},\n" for name, value in arguments.items()) + ")"

    def __str__(self) -> str:
        sizes = {"depths": self.depths, "widths": self.widths, "group widths": self.group_widths}
        text = ", ".join(f"{name} {'-'.join(map(str, values))}" for name, values in sizes.items())
        return f"{self.name} ({self.resolution}×{self.resolution} px, {text})"

    def _repr_html_(self) -> str:
        return table(self)

    def may_become(self, other: Network) -> bool:
        """Whether some strategy and s could make the other of this one: all that scaling leaves alone is equal."""
        mine, theirs = ((each.stem, each.head) for each in (self, other))
        if self.block == MBCONV:  # whose stem and head grow
            mine, theirs = bool(self.head.width), bool(other.head.width)
        if len(self.stages) != len(other.stages) or mine != theirs:
            return False
        return other.with_dimensions(self.dimensions, name=self.name) == self


def table(network: Network) -> str:
    """The network stage by stage, as an HTML table (a fragment, with every text escaped)."""
    side = network.resolution
    rows = []

    def row(part, stride, *cells):
        nonlocal side
        side = (side - 1) // stride + 1
        rows.append("".join(f"<td>{cell}</td>" for cell in (part, *cells, stride, f"{side}×{side}")))

    row("stem", STEMS[network.stem.kind].total_stride, "", network.stem.width, "", "", _stem_kernel(network))
    for number, s in enumerate(network.stages, 1):
        row(
            f"stage {number}",
            s.stride,
            s.depth,
            s.width,
            s.group_width,
            f"{s.bottleneck:g}",
            f"{s.kernel}×{s.kernel}",
        )
    if network.head.width:
        row("head", 1, "", network.head.width, "", "", "1×1")
    rows.append(f"<td>classes</td><td></td><td>{network.classes}</td>" + "<td></td>" * 5)
    titles = ("", "depth", "width", "group width", "bottleneck", "kernel", "stride", "output")
    head = "".join(f"<th>{title}</th>" for title in titles)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    se = f", SE {network.se_ratio:g}" if network.se_ratio else ""
    caption = html.escape(
        f"{network.name}: {network.block}{se}, {network.activation}, {network.resolution}×{network.resolution} px"
    )
    if network.note:
        caption += f"<br><small>{html.escape(network.note)}</small>"
    if network.scaling is not None:
        caption += f"<br><small>{html.escape(str(network.scaling))}</small>"
    return f"<table class='fastscale-network'><caption>{caption}</caption><tr>{head}</tr>{body}</table>"


def anynet(
    *,
    depths: Sequence[int],
    widths: Sequence[int],
    strides: int | Sequence[int] = 2,
    bottlenecks: float | Sequence[float] = 1.0,
    group_widths: int | Sequence[int] | None = None,
    kernels: int | Sequence[int] = 3,
    block: str = "res_bottleneck_block",
    stem: str = "simple_stem_in",
    stem_width: int = 32,
    se_ratio: float = 0.0,
    head_width: int = 0,
    activation: str = "relu",
    classes: int = 1000,
    resolution: int = 224,
    channels: int = 3,
    name: str = "AnyNet",
    note: str = "",
) -> Network:
    """A network described by hand, with one entry a stage (a single number serves all stages).

    Arguments:
        depths, widths: blocks, and output channels, of each stage.
        strides: of each stage's first block.
        bottlenecks: inner width over width (for "mbconv": expansion ratio, inner width over input width).
        group_widths: channels a group of the k×k convolution; left out: no groups (for "mbconv": depthwise).
        kernels: side of the k×k convolution, odd.
        block: "res_bottleneck_block", "res_bottleneck_linear_block", "res_basic_block" or "mbconv".
        stem: "simple_stem_in" (3×3, stride 2), "res_stem_in" (7×7, stride 2, max-pool) or "res_stem_cifar"
            (3×3, stride 1, for small images).
        se_ratio: hidden over input channels of squeeze-and-excitation; 0 for none.
        head_width: width of a 1×1 convolution before the classifier; 0 for none.
        note: a line that is to be known of its figures, shown beside them.

    Raises:
        NetworkError: naming the stage, the value and the rule.
    """
    depths = _one_a_stage("depths", depths)
    stages = len(depths)
    depths, widths, strides, bottlenecks, kernels = (
        _per_stage(key, value, stages)
        for key, value in {
            "depths": depths,
            "widths": widths,
            "strides": strides,
            "bottlenecks": bottlenecks,
            "kernels": kernels,
        }.items()
    )
    rows = zip(depths, widths, strides, bottlenecks, [1] * stages, kernels, strict=True)
    described = [_stage(number, row) for number, row in enumerate(rows, 1)]
    if group_widths is None:
        group_widths = [_undivided(block, stage) for stage in described]
    group_widths = _per_stage("group_widths", group_widths, stages)
    return Network(
        name=name,
        resolution=resolution,
        stem=Stem(stem, stem_width),
        block=block,
        stages=tuple(
            _stage(number, (*astuple(stage)[:4], group_width, stage.kernel))
            for number, (stage, group_width) in enumerate(zip(described, group_widths, strict=True), 1)
        ),
        head=Head(head_width),
        se_ratio=se_ratio,
        activation=activation,
        classes=classes,
        channels=channels,
        note=note,
    )


def _undivided(block: str, stage: Stage) -> int:
    """The group width of a k×k convolution without groups (MBConv's is depthwise by definition)."""
    if block == MBCONV:
        return 1
    return stage.width if block == BASIC else max(1, nearest_multiple(stage.width, stage.bottleneck))


def _stage(number: int, row: Sequence) -> Stage:
    try:
        return Stage(*row)
    except NetworkError as error:
        raise NetworkError(str(error).replace("stage:", f"stage {number}:", 1)) from None


def _check_stage(block: str, number: int, stage: Stage) -> None:
    """The rules that bind a stage's numbers to each other."""
    width, b, g = stage.width, stage.bottleneck, stage.group_width
    if block == MBCONV:
        if g != 1:
            raise NetworkError(f"stage {number}: group width {shown(g)}, but MBConv is depthwise: its group width is 1")
        if b < 1:
            raise NetworkError(f"stage {number}: bottleneck {b:g}, but MBConv expands: its ratio is at least 1")
    elif block == BASIC:
        if (b, g) != (1, width):
            raise NetworkError(
                f"stage {number}: bottleneck {b:g} and group width {shown(g)}, but {BASIC} has dense convolutions: "
                f"its bottleneck is 1 and its group width is its width, {shown(width)}"
            )
    elif (inner := nearest_multiple(width, b)) < 1 or inner % g:
        raise NetworkError(
            f"stage {number}: inner width {shown(inner)} (width {shown(width)} × bottleneck {b:g}) is not a multiple "
            f"of group width {shown(g)}; {_what_fits(block, width, b, g)}"
        )


def _what_fits(block: str, width: int, bottleneck: float, group_width: int) -> str:
    try:
        fitting = fit(block, width, bottleneck, group_width)
    except (NetworkError, OverflowError):  # no width nearby; or too large for the floats of rounding
        return "give another width or group width"
    return f"width {shown(fitting[0])} with group width {shown(fitting[1])} would fit"


def check_blocks(who: str, network: Network) -> None:
    """Refuse a network of more blocks than can be listed or built one by one."""
    blocks = sum(network.depths)
    if blocks > MOST_BLOCKS:
        raise NetworkError(
            f"{who}: {network.name[:60]} has {shown(blocks)} blocks, and {MOST_BLOCKS:,} are the most that are listed "
            "or built one by one; fs.complexity counts any number of them"
        )


def _check_known(part: str, value: Any, known: Iterable[str]) -> None:
    if not isinstance(value, str) or value not in known:
        raise NetworkError(f"{part}: {shown(value)} is not one of {', '.join(known)}")


def _is_line(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and value.isprintable()


def _set_whole(owner: Any, part: str, name: str, least: int = 1) -> None:
    """Make the field a Python int, or refuse it."""
    number = check_whole(f"{part}: {name}", getattr(owner, name), NetworkError, least)
    object.__setattr__(owner, name, number)


def _set_real(owner: Any, part: str, name: str, *bounds: float, above: bool = False) -> None:
    """Make the field a float, or refuse it."""
    number = check_real(f"{part}: {name}", getattr(owner, name), NetworkError, *bounds, above=above)
    object.__setattr__(owner, name, number)


def _one_a_stage(name: str, values: Any) -> list:
    """The values as a list, however they come; no more than a network may have stages."""
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise NetworkError(f"network: {name} is {shown(values)}, but must have one entry a stage, as in [1, 2, 6, 2]")
    values = list(islice(values, MOST_STAGES + 1))
    if len(values) > MOST_STAGES:
        raise NetworkError(f"network: {name} has over {MOST_STAGES:,} entries, and no network so many stages")
    return values


def _per_stage(name: str, values: Any, stages: int) -> list:
    """One value a stage; a single number serves all."""
    if not isinstance(values, Iterable) or getattr(values, "ndim", 1) == 0:  # an array without dimensions is a number
        return [values] * stages
    values = _one_a_stage(name, values)
    if len(values) != stages:
        raise NetworkError(f"network: {name} has {len(values)} entries, but there are {stages} stages (as in depths)")
    return values


def _mapping(part: str, plain: Any) -> Mapping:
    if not isinstance(plain, Mapping):
        raise NetworkError(f"{part}: expected names with values, got {shown(plain)}")
    return plain


def _make(cls: type, part: str, plain: Any):
    """A dataclass from a mapping whose keys are its fields, no more and no fewer than it needs."""
    plain = _mapping(part, plain)
    _check_keys(cls, part, plain)
    try:
        return cls(**plain)
    except NetworkError as error:
        raise NetworkError(re.sub(r"^stage:", f"{part}:", str(error))) from None


def _check_keys(cls: type, part: str, plain: Mapping) -> None:
    """Refuse keys that are no fields of the dataclass, and that one lacks which it needs."""
    names = {f.name: f.default is MISSING and f.default_factory is MISSING for f in fields(cls)}
    if unknown := [
        key if isinstance(key, str) and key.isidentifier() else shown(key) for key in plain if key not in names
    ]:
        more = "" if len(unknown) <= 5 else f" and {len(unknown) - 5:,} more"
        said = ", ".join(name[:60] for name in unknown[:5]) + more
        raise NetworkError(f"{part}: {said} is not known here; known are {', '.join(names)}")
    if missing := [name for name, needed in names.items() if needed and name not in plain]:
        raise NetworkError(f"{part}: {', '.join(missing)} is missing")


# Sections of the configuration files of pycls (https://github.com/facebookresearch/pycls), by the kind of network.
_PYCLS_KINDS = {
    "REGNET": "fs.regnet takes its numbers (depth, w0, wa, wm, group_width, bottleneck, se_ratio)",
    "ANYNET": "fs.anynet takes its numbers (depths, widths, strides, bottlenecks, group_widths, se_ratio)",
    "EN": "fs.anynet takes its numbers (block='mbconv', depths, widths, strides, bottlenecks, kernels, head_width)",
    "RESNET": "fs.anynet takes its stages (depths, widths, strides, bottlenecks, group_widths)",
}
_PYCLS = {"MODEL", *_PYCLS_KINDS}


def _pycls_sentence(plain: Mapping) -> str:
    kind = next((how for key, how in _PYCLS_KINDS.items() if key in plain), _PYCLS_KINDS["ANYNET"])
    return (
        "network: this is a configuration file of pycls, which is not read here; its published networks have names, "
        f"as fs.network('RegNetY-4.0GF'), and for any other {kind}"
    )


def _flow(value: Any) -> str:
    text = write_yaml(value, default_flow_style=True, width=math.inf)
    return text.removesuffix("\n").removesuffix("\n...")


def _stem_kernel(network: Network) -> str:
    shape = STEMS[network.stem.kind]
    return f"{shape.kernel}×{shape.kernel}" + (" + pool" if shape.pool else "")
