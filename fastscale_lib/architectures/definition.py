"""Networks: their parts, checked together, and their sizes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from .._common.checks import shown
from .._common.yaml_text import YamlError, read_yaml
from .blocks import BlockType, block_type
from .fitting_parts import check_sides, check_stages
from .html_table import table
from .parts import (
    ACTIVATIONS,
    MOST_BLOCKS,
    OF_STAGE,
    STEMS,
    Dimensions,
    Head,
    NetworkError,
    Patches,
    Stage,
    Stem,
    check_known,
    is_line,
    one_per_stage,
    set_real,
    set_whole,
)
from .plain_networks import make_network, network_as_python, network_as_yaml, plain_network
from .provenance import Scaling
from .resolutions import Resolution, check_resolution, size_text


@dataclass(frozen=True)
class Network:
    """A network for images of `channels` channels.

    `resolution` is the side of an image in pixels, or (height, width). The order is that of torch; (n, n) is n, so that
    square images have one way to be said.

    Equality and hash are by name and by what the network is; `scaling`, where it comes from, and `note`, what is to be
    known of its figures, do not count. A scaled network keeps the note.
    """

    name: str
    resolution: Resolution
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
        if not is_line(self.name):
            raise NetworkError(f"network: name is {shown(self.name)}, but must be a line of text")
        if self.note and not is_line(self.note):
            raise NetworkError(f"network: note is {shown(self.note)}, but must be a line of text, or nothing")
        resolution = check_resolution("network: resolution", self.resolution, NetworkError)
        object.__setattr__(self, "resolution", resolution)
        for name in ("classes", "channels"):
            set_whole(self, "network", name)
        set_real(self, "network", "se_ratio", 0, 1)
        block_type(self.block)
        check_known("activation", self.activation, ACTIVATIONS)
        for name, kind in (("stem", Stem), ("head", Head)):
            if not isinstance(getattr(self, name), kind):
                raise NetworkError(f"network: {name} is {shown(getattr(self, name))}, but must be a {kind.__name__}")
        if self.scaling is not None and not isinstance(self.scaling, Scaling):
            raise NetworkError(f"network: scaling is {shown(self.scaling)}, but must be a Scaling, or None")
        object.__setattr__(self, "stages", tuple(one_per_stage("stages", self.stages)))
        if not self.stages:
            raise NetworkError("network: it has no stages; give at least one")
        if not all(isinstance(stage, Stage) for stage in self.stages):
            raise NetworkError(f"network: stages are {shown(self.stages)}, but each must be a Stage")
        object.__setattr__(self, "stages", tuple(map(self._without_repetition, self.stages)))
        for number, (name, stage) in enumerate(zip(self._of_stages("block"), self.stages, strict=True), 1):
            block_type(name, f"stage {number}: block").check(number, stage)
        check_stages(self)
        check_sides(self)

    def _without_repetition(self, stage: Stage) -> Stage:
        """Set what the stage repeats of the network to None: equal networks have one description."""
        said = {name: None for name in OF_STAGE if getattr(stage, name) == getattr(self, name)}
        return dataclasses.replace(stage, **said) if said else stage

    def _of_stages(self, name: str) -> tuple:
        """Return the field of each stage; the network's where a stage has None."""
        given = (getattr(stage, name) for stage in self.stages)
        return tuple(getattr(self, name) if value is None else value for value in given)

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits that depend on what the network computes, not on its name."""
        described = {key: value for key, value in self.to_dict().items() if key not in ("name", "scaling", "note")}
        return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def block_types(self) -> tuple[BlockType, ...]:
        """The block type of each stage."""
        return tuple(map(block_type, self._of_stages("block")))

    @property
    def se_ratios(self) -> tuple[float, ...]:
        """The squeeze-and-excitation ratio of each stage."""
        return self._of_stages("se_ratio")

    @property
    def activations(self) -> tuple[str, ...]:
        """The activation function of each stage."""
        return self._of_stages("activation")

    @property
    def ends_grow(self) -> bool:
        """Whether stem and head grow with the stages' widths; else scaling leaves them as they are."""
        return all(block.ends_grow for block in self.block_types)

    @property
    def depths(self) -> tuple[int, ...]:
        """The number of blocks of each stage."""
        return tuple(stage.depth for stage in self.stages)

    @property
    def widths(self) -> tuple[int, ...]:
        """The output channels of each stage."""
        return tuple(stage.width for stage in self.stages)

    @property
    def group_widths(self) -> tuple[int, ...]:
        """The channels per group, or per head, of each stage."""
        return tuple(stage.group_width for stage in self.stages)

    @property
    def total_stride(self) -> int:
        """The product of all strides: pixels of the image, to a side, per pixel of the last stage."""
        return STEMS[self.stem.kind].total_stride * math.prod(stage.stride for stage in self.stages)

    @property
    def patches(self) -> Patches | None:
        """What the stem makes of the image; None where it is made of other convolutions."""
        shape = STEMS[self.stem.kind]
        return shape if isinstance(shape, Patches) else None

    @property
    def extra_tokens(self) -> int | None:
        """Tokens beside those of patches: 1 with a class token; None if there are no tokens."""
        return self.patches.extra if self.patches else None

    @property
    def has_tokens(self) -> bool:
        """Whether the stem makes tokens of patches."""
        return self.extra_tokens is not None

    @property
    def resolution_unit(self) -> int:
        """The number of pixels that sides are multiples of: the side of a token's patch, or 1."""
        return self.patches.side if self.patches and self.has_tokens else 1

    @property
    def stem_follows(self) -> bool:
        """Whether a stem of patches is as wide as the first stage, and stays so when that grows."""
        return self.patches is not None and self.stem.width == self.stages[0].width

    @property
    def least_resolution(self) -> int:
        """The smallest side of an image, in pixels, of which something is left after all strides."""
        cuts_off = self.patches is not None or any(block.cuts_off for block in self.block_types)
        return self.total_stride if cuts_off else 1

    @property
    def dimensions(self) -> Dimensions:
        """The sizes that scaling changes: resolution, stem, depths, widths, group widths, head."""
        return Dimensions(
            self.resolution, self.stem.width, self.depths, self.widths, self.group_widths, self.head.width
        )

    def replace(self, **changes: Any) -> Network:
        """Return a copy with other values of some fields, checked as those of a new network.

        `scaling` tells of the sizes and counts that were reached: it is dropped, unless only `name` or `note` change.
        Name and note are kept, unless they are given.

        Arguments:
            changes: fields of a Network and their new values, as in `replace(resolution=192, classes=10)`.

        Raises:
            NetworkError: a network has no such field, or the value is wrong.
        """
        known = [each.name for each in fields(self)]
        if unknown := [name for name in changes if name not in known]:
            raise NetworkError(f"replace: a network has no field {unknown[0][:60]}; its fields are {', '.join(known)}")
        changed = dataclasses.replace(self, **changes)
        same = dataclasses.replace(changed, name=self.name) == self
        return changed if same or "scaling" in changes else dataclasses.replace(changed, scaling=None)

    def with_dimensions(self, dims: Dimensions, **changes) -> Network:
        """Return the same network with other sizes, and other fields where named.

        Arguments:
            dims: the new sizes, of as many stages.
            changes: fields of a Network and their new values.

        Raises:
            NetworkError: dims is something else than `Dimensions`, of as many stages, or no network has such sizes.
        """
        if not isinstance(dims, Dimensions):
            raise NetworkError(f"{self.name}: dims is {shown(dims)}, but must be Dimensions, as network.dimensions")
        try:
            stages = tuple(
                dataclasses.replace(stage, depth=depth, width=width, group_width=group_width)
                for stage, depth, width, group_width in zip(
                    self.stages, dims.depths, dims.widths, dims.group_widths, strict=True
                )
            )
            return dataclasses.replace(
                self,
                resolution=dims.resolution,
                stem=dataclasses.replace(self.stem, width=dims.stem_width),
                stages=stages,
                head=dataclasses.replace(self.head, width=dims.head_width),
                **changes,
            )
        except NetworkError as error:
            raise NetworkError(f"{self.name}: {error}") from None

    def to_dict(self) -> dict[str, Any]:
        """Return the network as plain dicts, lists and numbers, which `Network.from_dict` reads."""
        return plain_network(self)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Network:
        """Make the network that `to_dict` described.

        Arguments:
            plain: a mapping of field names to plain values.

        Raises:
            NetworkError: a key is missing or unknown, or the network cannot be built.
        """
        return make_network(cls, plain)

    def to_yaml(self) -> str:
        """Return the network as YAML text, in the order of the fields, with one line per stage."""
        return network_as_yaml(self.to_dict())

    @classmethod
    def from_yaml(cls, text: str) -> Network:
        """Read a network from YAML text; nothing that the text holds is executed.

        Arguments:
            text: as `to_yaml` writes it.

        Raises:
            NetworkError: the text is not YAML, or is not a network that can be built.
        """
        try:
            plain = read_yaml(text)
        except YamlError as error:
            raise NetworkError(f"network: this is {error}") from None
        return cls.from_dict(plain)

    @classmethod
    def from_pycls(cls, text: str, *, name: str = "AnyNet") -> Network:
        """Read a network from a configuration file of pycls (anynet, regnet, effnet, resnet).

        Arguments:
            text: the file's text; its sections on training are ignored.
            name: the network's name; default: "AnyNet".

        Raises:
            NetworkError: the text is no such file, has a key that is not read, or describes no network that can be
                built.
        """
        from .pycls_files import read_pycls

        return cls(name=name, **read_pycls(text))

    def to_pycls(self) -> str:
        """Return the text of a configuration file of pycls, which `from_pycls` reads.

        The type of its model is anynet, or effnet for the block "mbconv".

        Raises:
            NetworkError: pycls cannot build the network; the message says why.
        """
        from .pycls_files import write_pycls

        return write_pycls(self)

    def to_python(self) -> str:
        """Return a Python expression, with `fs` for fastscale_lib, that makes this network again."""
        return network_as_python(self)

    def __str__(self) -> str:
        sizes = {"depths": self.depths, "widths": self.widths, "group widths": self.group_widths}
        text = ", ".join(f"{name} {'-'.join(map(str, values))}" for name, values in sizes.items())
        return f"{self.name} ({size_text(self.resolution)} px, {text})"

    def _repr_html_(self) -> str:
        return table(self)

    def may_become(self, other: Network) -> bool:
        """Tell whether scaling could make the other network: all that it leaves alone is equal.

        Arguments:
            other: any Network.
        """
        mine, theirs = ((each.stem, each.head) for each in (self, other))
        if self.ends_grow:
            mine, theirs = bool(self.head.width), bool(other.head.width)
        if len(self.stages) != len(other.stages) or mine != theirs or self.patches != other.patches:
            return False
        return other.with_dimensions(self.dimensions, name=self.name) == self


def check_blocks(who: str, network: Network) -> None:
    """Refuse a network of more blocks than can be listed or built one by one."""
    blocks = sum(network.depths)
    if blocks > MOST_BLOCKS:
        raise NetworkError(
            f"{who}: {network.name[:60]} has {shown(blocks)} blocks, and {MOST_BLOCKS:,} are the most that are listed "
            "or built one by one; fs.complexity counts any number of them"
        )
