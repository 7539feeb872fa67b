"""The explorer as one HTML file that needs neither a kernel nor a network."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .._common.checks import shown as quoted
from .._common.files import write_whole
from .._common.json_text import embedded
from .._common.version import __version__
from ..architectures.definition import Network
from ..architectures.zoo import network as named_network
from ..figures import explorer_code
from ..figures.theme import label, style
from ..scaling.strategies import as_list
from .app_data import LEAST, MOST, STRATEGIES, ExplorerPageError, Timing, network_data, rows_between, shipped_timings
from .app_measured import Measured, points, rows_of

START: dict[str, Any] = {
    "alpha": 0.5,
    "scale": 16.0,
    "strategies": ["w", "dWr", "dw", "dwr"],
    "timing": 0,
    "count": "activations",
    "absolute": False,
    "shown": "α",
}

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
body {{ margin: 0 auto; padding: 12px 20px 24px; max-width: 1880px; background: #fff; }}
/* Of charts side by side: what the screen has left, also beside a scrollbar: one that came for a moment would stay. */
#explorer {{ --tall: clamp(260px, 100vh - 402px, 560px); }}
footer {{ margin-top: 12px; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #14181d; }} }}
{style}
</style>
</head>
<body>
<header class="fastscale-title"><h1>{title}</h1></header>
<main id="explorer"></main>
<noscript><p>This page draws with JavaScript, which is switched off.</p></noscript>
<footer class="fastscale-app"><small>{source}</small></footer>
<script type="module">
{script}
const data = {data};
const address = {{
  get: () => location.hash,
  set: (fragment) => history.replaceState(null, "", fragment),
}};
globalThis.explorer = await mount(document.getElementById("explorer"), data, address);
</script>
</body>
</html>
"""


def write_page(
    path: str | Path,
    networks: Network | str | Sequence[Network | str],
    timings: Sequence[Timing] | None = None,
    measured: Measured | None = None,
) -> Path:
    """Write the explorer of base networks as one HTML file, which needs no kernel.

    Nor does it need a network connection. Both sliders, the strategies, the device and the axes work in it; what it
    shows stands in its address, so that a link says it. Every count is what `sweep` counts; predicted times are those
    of the models.

    Arguments:
        path: where to write; a file that is there is replaced.
        networks: base networks to choose among, or their names; the first is shown at first.
        timings: predicted times to choose among, as `fs.explorer.Timing`; default: those of the shipped profiles, see
            `fs.prediction.profiles`. Of a network those are left out that do not predict it.
        measured: measured times to show as points: a store, its path, or rows as `fs.records.read_rows` gives them;
            default: the shipped rows; () for none. Rows of other networks, or without a time, are passed over.

    Returns:
        The path.

    Raises:
        ExplorerPageError: (a ValueError) there is no network, two have one name, or one is no `Network` or too large.
        NetworkError: there is no network of a name.
        StoreError: the path of the measured times is not that of a store.
        OSError: the file cannot be written; no part of it is left.
    """
    bases = [_described(each) for each in as_list(networks)]
    names = [each.name for each in bases]
    if not names or len(set(names)) < len(names):
        raise ExplorerPageError(f"write_page: the base networks are {names}; give at least one, each once")
    data = page_data(bases, shipped_timings() if timings is None else timings, measured=rows_of(measured))
    write_whole(Path(path), page_text(data))
    return Path(path)


def page_text(data: Mapping[str, Any]) -> str:
    """Return the text of the file that `write_page` writes, of what `page_data` returns."""
    return _PAGE.format(
        title=html.escape(f"{data['start']['network']}, scaled"),
        style=explorer_code.style(),
        script=explorer_code.script(),
        data=embedded(data),
        source=f"fastscale {html.escape(__version__)}, after Dollár, Singh, Girshick: Fast and Accurate Model Scaling, "
        "CVPR 2021.",
    )


def page_data(
    bases: Sequence[Network],
    timings: Sequence[Timing],
    start: Mapping[str, Any] = START,
    more: tuple[str, ...] = (),
    measured: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return what the page draws.

    Arguments:
        bases: base networks, of different names.
        timings: predicted times to choose among.
        start: the state that is shown at first.
        more: strategies beyond those of `STRATEGIES`.
        measured: rows with a time and the description of a network.
    """
    counted = (*more, *rows_between(start["alpha"]))
    looks = {**STRATEGIES, **{name: label(name) for name in more}}
    return {
        "networks": [
            with_points(network_data(each, timings, counted), points(each, measured, timings)) for each in bases
        ],
        "strategies": [{"name": name, "says": says, "colour": style(name).colour} for name, says in looks.items()],
        "start": {**start, "network": bases[0].name},
        "least": LEAST,
        "most": MOST,
    }


def with_points(header: dict[str, Any], found: list[dict[str, Any]]) -> dict[str, Any]:
    """Add measured times to a network's data, with labels for devices without predictions."""
    known = {each["label"] for each in header["timings"]}
    others = dict.fromkeys(each["label"] for each in found if each["label"] not in known)
    timings = [*header["timings"], *({"label": label, "note": "measured"} for label in others)]
    return {**header, "timings": timings, "measured": found}


def _described(network: Network | str) -> Network:
    found = named_network(network) if isinstance(network, str) else network
    if not isinstance(found, Network):
        raise ExplorerPageError(f"write_page: {quoted(network)} is no Network; a page is made of described networks")
    return found
