"""A network as an HTML table: stages, the sides that are counted, names escaped."""

import html
import html.parser

import pytest
from helpers.small_networks import small

import fastscale_lib as fs
from fastscale_lib.architectures.html_table import table

NAMES = fs.networks()


class Cells(html.parser.HTMLParser):
    """The rows of cells in a table, and every tag that was met."""

    def __init__(self):
        super().__init__()
        self.rows, self.tags, self.text = [], set(), ""

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data):
        self.text += data
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def cells(net: fs.Network) -> Cells:
    parser = Cells()
    parser.feed(net._repr_html_())
    return parser


def test_a_network_shows_itself_as_a_table_of_stages():
    title, *rows = cells(fs.network("EfficientNet-B0")).rows
    assert title == ["", "depth", "width", "group width", "bottleneck", "kernel, stride", "output"]
    assert rows[0] == ["stem", "", "32", "", "", "3×3, 2", "112×112"]
    assert rows[3] == ["stage 3", "2", "40", "1", "6", "5×5, 2", "28×28"]
    assert rows[-2][:3] == ["head", "", "1280"]
    assert rows[-1][:3] == ["classes", "", "1000"]


@pytest.mark.parametrize("name", NAMES)
def test_the_table_tells_the_sides_that_are_counted(name):
    layers = fs.layers(name)
    shown = [row[-1] for row in cells(fs.network(name)).rows if row[0].startswith(("stem", "stage"))]
    layers = layers[~layers.name.str.contains(r"\.se\.")]
    last = [
        layers[layers.name.str.startswith(part)] for part in ["stem", *(f"stage{n}." for n in range(1, len(shown)))]
    ]
    assert shown == [f"{rows.resolution_out.iloc[-1]}×{rows.resolution_out.iloc[-1]}" for rows in last]


def test_the_table_tells_what_a_stage_has_of_its_own():
    shown = [row[0] for row in cells(small(blocks=["mbconv", None], se_ratios=[0.25, None], activations="silu")).rows]
    assert shown[2:4] == ["stage 1: mbconv, SE 0.25, silu", "stage 2: silu"]


def test_the_table_escapes_names():
    name = "<script>alert('&')</script>"
    shown = cells(small(name=name))
    assert "script" not in shown.tags
    assert name in shown.text
    assert table(small(name=name)) == small(name=name)._repr_html_()
