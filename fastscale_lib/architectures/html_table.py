"""A network as an HTML table."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from .parts import STEMS
from .resolutions import size_text
from .traversal import describe, place

if TYPE_CHECKING:
    from .definition import Network
    from .parts import Stage


def table(network: Network) -> str:
    """Describe the network stage by stage in an HTML table: a fragment, with all text escaped."""
    sides = {name: size_text(side) for name, side in _sides(network).items()}
    stem = STEMS[network.stem.kind]
    rows: list[tuple] = [("stem", "", network.stem.width, "", "", f"{stem}, {stem.total_stride}", sides["stem"])]
    for number, s in enumerate(network.stages, 1):
        sizes = s.depth, s.width, s.group_width, f"{s.bottleneck:g}", f"{s.kernel}×{s.kernel}, {s.stride}"
        rows.append((f"stage {number}{_own(s)}", *sizes, sides[f"stage{number}"]))
    if network.head.width:
        rows.append(("head", "", network.head.width, "", "", "1×1, 1", sides["head"]))
    rows.append(("classes", "", network.classes, *[""] * 4))
    titles = ("", "depth", "width", "group width", "bottleneck", "kernel, stride", "output")
    head = "".join(f"<th>{title}</th>" for title in titles)
    body = "".join(f"<tr><th>{name}</th>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for name, *row in rows)
    se = f", SE {network.se_ratio:g}" if network.se_ratio else ""
    caption = html.escape(
        f"{network.name}: {network.block}{se}, {network.activation}, {size_text(network.resolution)} px"
    )
    if network.note:
        caption += f"<br><small>{html.escape(network.note)}</small>"
    if network.scaling is not None:
        caption += f"<br><small>{html.escape(str(network.scaling))}</small>"
    return f"<table class='fastscale-network'><caption>{caption}</caption><tr>{head}</tr>{body}</table>"


def _own(stage: Stage) -> str:
    """Say what the stage has instead of the network's block, SE and activation."""
    se = [] if stage.se_ratio is None else [f"SE {stage.se_ratio:g}" if stage.se_ratio else "no SE"]
    said = [each for each in (stage.block, *se, stage.activation) if each]
    return f": {', '.join(said)}" if said else ""


def _sides(network: Network) -> dict[str, Any]:
    """Return the output sides, or (height, width), of stem, stages and the head's convolution."""
    sides, side = {}, network.resolution
    for run in describe(network):
        if run.times:
            sides.setdefault(run.name, place(run.parts, side)[-1].side_out)
            side = sides[run.name]
    return sides | {"head": sides[f"stage{len(network.stages)}"]}
