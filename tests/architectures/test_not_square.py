"""Images that are not square: a resolution of (height, width), as torch orders them."""

import pytest
from helpers.drawn_networks import anynets
from helpers.hooked_counts import counted_by_hooks
from hypothesis import given, settings
from hypothesis import strategies as st

import fastscale_lib as fs
from fastscale_lib.architectures import NetworkError
from fastscale_lib.architectures.operation_lists import Operations, operations
from fastscale_lib.architectures.resolutions import both_sides
from fastscale_lib.architectures.traced.modules import trace

FAMILIES = fs.architectures.families()


@st.composite
def sizes(draw, network: fs.Network, least: int = 1, most: int = 96) -> tuple[int, int]:
    """Height and width of images that the network takes, small ones."""
    unit, least = network.resolution_unit, max(least, network.least_resolution)
    side = st.integers(-(-least // unit), max(least, most) // unit).map(lambda units: units * unit)
    return draw(st.tuples(side, side))


@st.composite
def not_square(draw) -> fs.Network:
    """A network of any block type, for images of any height and width."""
    network = draw(anynets())
    return network.replace(resolution=draw(sizes(network)))


def sums(network: fs.Network) -> tuple[int, int, int]:
    rows = fs.layers(network)
    return int(rows["flops"].sum()), int(rows["params"].sum()), int(rows["activations"].sum())


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_counts_as_hooks_and_a_trace_of_its_module(family):
    base = fs.network(FAMILIES[family][0])
    built = None if base.has_tokens else fs.build(base, "meta")  # tokens have positions of one size

    # Of smaller images a pool leaves a single pixel, and a trace takes it for the global one.
    @given(sizes(base, least=33))
    @settings(max_examples=2, deadline=None)
    def check(size):
        network = base.replace(resolution=size)
        module = built or fs.build(network, "meta")
        assert fs.complexity(base, resolution=size) == fs.complexity(network) == counted_by_hooks(module, size)
        assert tuple(trace(module, resolution=size).complexity) == fs.complexity(network) == sums(network)

    check()


@given(not_square())
@settings(max_examples=30, deadline=None)
def test_a_drawn_network_counts_as_its_module(network):
    counts, module = fs.complexity(network), fs.build(network, "meta")
    assert counted_by_hooks(module, network.resolution, network.channels) == counts == sums(network)
    assert fs.complexity(module, resolution=network.resolution) == counts
    described = fs.layers(network)
    del module.network
    traced = fs.layers(module, resolution=network.resolution)
    assert (traced["flops"].sum(), traced["params"].sum()) == counts[:2]
    columns = ["name", "flops", "params", "activations", "resolution_in", "resolution_out"]
    convolutions = (rows.loc[rows["kind"] == "conv", columns].to_dict("list") for rows in (described, traced))
    assert next(convolutions) == next(convolutions)


def totals(ops: Operations) -> list[float]:
    return [(column * ops.times).sum() for column in (ops.flops, ops.moved, ops.weights)]


@given(not_square())
@settings(max_examples=60, deadline=None)
def test_an_image_on_its_side_counts_the_same(network):
    height, width = both_sides(network.resolution)
    turned = network.replace(resolution=(width, height))
    assert fs.complexity(turned) == fs.complexity(network)
    assert totals(operations(turned)) == totals(operations(network))
    assert totals(operations(network))[0] == fs.complexity(network).flops
    kept = ["name", "flops", "params", "activations", "attention_matrices"]
    assert fs.layers(turned)[kept].equals(fs.layers(network)[kept])
    assert (turned.id == network.id) == (height == width)


@given(anynets())
def test_two_equal_sides_are_one(network):
    side = network.resolution
    pair = network.replace(resolution=(side, side))
    assert pair == network
    assert (pair.id, pair.resolution, pair.to_yaml()) == (network.id, side, network.to_yaml())
    assert fs.Network.from_dict(network.to_dict() | {"resolution": [side, side]}) == network
    assert fs.complexity(network, resolution=(side, side)) == fs.complexity(network)
    assert fs.layers(network, resolution=(side, side)).equals(fs.layers(network))


@given(not_square())
def test_both_sides_survive_yaml_python_and_dicts(network):
    assert fs.Network.from_yaml(network.to_yaml()) == network
    assert fs.Network.from_dict(network.to_dict()).id == network.id
    assert eval(network.to_python(), {"fs": fs}) == network


def test_height_comes_first():
    network = fs.network("RegNetY-400MF", resolution=(1280, 800))
    assert network.resolution == (1280, 800)
    assert "1280×800 px" in str(network)
    assert "1280×800 px" in network._repr_html_()
    assert "<td>640×400</td>" in network._repr_html_()
    assert "resolution: [1280, 800]" in network.to_yaml()
    rows = fs.layers(network)
    assert rows["resolution_in"][0] == (1280, 800)
    assert rows["resolution_out"][0] == (640, 400)
    assert list(rows["resolution_out"])[-2:] == [1, 1]


def test_layers_say_one_side_where_both_became_equal():
    rows = fs.layers("ResNet-50", resolution=(33, 60))
    assert set(rows["resolution_out"]) == {(17, 30), (9, 15), (5, 8), (3, 4), 2, 1}


@pytest.mark.parametrize(
    ("name", "resolution", "said"),
    [
        ("ResNet-50", "1280x800", "'1280x800', but must be a whole number of at least 1, or a pair"),
        ("ResNet-50", (1280, 0), "resolution: width is 0, but must be a whole number of at least 1"),
        ("ResNet-50", (12.5, 800), "resolution: height is 12.5, but must be a whole number"),
        ("ResNet-50", (True, 800), "resolution: height is True, but must be a whole number"),
        ("ResNet-50", (3, 1280, 800), "is \\(3, 1280, 800\\), but must be a side in pixels, or a pair"),
        ("ResNet-50", [], "is \\[\\], but must be a side in pixels, or a pair"),
        ("ResNet-50", {"height": 2}, "but must be a whole number of at least 1, or a pair"),
        ("ConvNeXt-T", (1280, 31), "is \\(1280, 31\\), but must be of at least 32 pixels a side"),
        ("ViT-S/16", (225, 320), "sides must be multiples of the 16 pixels of a patch; the nearest are .224, 320. and"),
    ],
)
def test_a_wrong_resolution_is_refused_in_a_sentence(name, resolution, said):
    for count in (fs.complexity, fs.layers, fs.network):
        with pytest.raises(NetworkError, match=said) as caught:
            count(name, resolution=resolution)
        assert "\n" not in str(caught.value)


def test_pycls_cannot_say_it():
    with pytest.raises(NetworkError, match="has images of 1280×800 pixels, which are not square, which pycls has not"):
        fs.network("RegNetY-400MF", resolution=(1280, 800)).to_pycls()
