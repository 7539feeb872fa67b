"""Networks to dicts, YAML and Python, and back; what is no network is refused in a sentence."""

import dataclasses
import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.drawn_networks import any_networks
from helpers.small_networks import small
from helpers.waiting import stopped_where_it_hangs
from hypothesis import example, given
from hypothesis import strategies as st

import fastscale_lib as fs
from fastscale_lib.architectures.provenance import Neighbour, Scaling

NAMES = fs.networks()


@given(any_networks())
def test_a_network_comes_back_from_a_dict(net):
    back = fs.Network.from_dict(net.to_dict())
    assert (back, back.scaling) == (net, net.scaling)


@given(any_networks())
def test_a_network_comes_back_from_yaml(net):
    back = fs.Network.from_yaml(net.to_yaml())
    assert (back, back.scaling) == (net, net.scaling)


@given(any_networks())
def test_a_network_comes_back_from_python(net):
    assert eval(net.to_python(), {"fs": fs}) == net


@pytest.mark.parametrize("name", NAMES)
def test_every_base_network_comes_back_from_each(name):
    net = fs.network(name)
    assert fs.Network.from_dict(net.to_dict()) == net
    assert fs.Network.from_yaml(net.to_yaml()) == net
    assert eval(net.to_python(), {"fs": fs}) == net


printable = st.characters(categories=("L", "M", "N", "P", "S"), include_characters=" ")


@given(st.text(printable, min_size=1).filter(str.strip))
@example("...")
@example("--- b")
@example("null")
@example("'\"\\ – № #")
def test_any_name_of_one_line_comes_back(name):
    net = small(name=name)
    assert fs.Network.from_yaml(net.to_yaml()) == net
    assert eval(net.to_python(), {"fs": fs}) == net


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\tb", "a\u2028b", "a\x00b", None, 7])
def test_a_name_is_a_line_of_text(name):
    """A name stands in comments, tables and file names, where a second line would be taken for something else."""
    with pytest.raises(fs.architectures.NetworkError, match=r"network: name is .*, but must be a line of text"):
        small(name=name)


def test_where_a_network_comes_from_is_kept():
    scaling = Scaling(
        "Base", "dWr", 2.5, "flops", 16e9, 15_999_000_000, ("stage 2: width 64 → 72",), (Neighbour(2.0, 9),)
    )
    net = dataclasses.replace(small(), scaling=scaling)
    assert fs.Network.from_dict(net.to_dict()).scaling == scaling
    assert fs.Network.from_yaml(net.to_yaml()).scaling == scaling
    assert fs.scale("ResNet-50", "dWr", 4).scaling == Scaling("ResNet-50", "dWr", 4.0)


def test_a_dict_is_plain_and_yaml_is_short():
    net = fs.network("RegNetY-4.0GF")
    plain = net.to_dict()
    assert plain["stages"][1] == {
        "depth": 6,
        "width": 192,
        "stride": 2,
        "bottleneck": 1.0,
        "group_width": 64,
        "kernel": 3,
    }
    assert "scaling" not in plain
    lines = net.to_yaml().splitlines()
    assert lines[:4] == [
        "name: RegNetY-4.0GF",
        "resolution: 224",
        "stem: {kind: simple_stem_in, width: 32}",
        "block: res_bottleneck_block",
    ]
    assert "- {depth: 6, width: 192, stride: 2, bottleneck: 1.0, group_width: 64, kernel: 3}" in lines


def test_yaml_runs_nothing(tmp_path):
    made = tmp_path / "made"
    with pytest.raises(fs.architectures.NetworkError, match="this is not plain YAML"):
        fs.Network.from_yaml(
            f"!!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path ['{made}']]"
        )
    with pytest.raises(fs.architectures.NetworkError, match="this is not plain YAML"):
        fs.Network.from_yaml(
            small().to_yaml().replace("name: AnyNet", f"name: !!python/object/apply:os.mkdir ['{made}']")
        )
    assert not Path(made).exists()


@pytest.mark.parametrize("text", ["", "3", "[1, 2]", "a: [", "just text", "\x00"])
def test_yaml_that_is_no_network_is_refused_in_a_sentence(text):
    with pytest.raises(fs.architectures.NetworkError, match="network: "):
        fs.Network.from_yaml(text)


SCALING = {"base": "Base", "strategy": "dWr", "s": 4.0}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda d: d.pop("block"), "network: block is missing"),
        (lambda d: d.pop("stages"), "network: stages is missing"),
        (lambda d: d.update(stages=[]), "no stages"),
        (lambda d: d.pop("stem"), "network: stem is missing"),
        (lambda d: d["stem"].clear(), "stem: kind, width is missing"),
        (lambda d: d.clear(), "network: name, resolution, stem, block, stages is missing"),
        (lambda d: d["stages"][1].pop("width"), "stage 2: width is missing"),
        (lambda d: d["stages"][1].update(widht=8), "stage 2: widht is not known here; known are depth, width"),
        (lambda d: d.update(stem="simple_stem_in"), "stem: expected names with values, got 'simple_stem_in'"),
        (lambda d: d.update(stages={"depth": 1}), "stages must be a list with one entry per stage"),
        (lambda d: d.update(stages=[1]), "stage 1: expected names with values, got 1"),
        (lambda d: d.update(stages=None), "stages must be a list"),
        (lambda d: d["stages"][0].update(depth=0), "stage 1: depth is 0, but must be a whole number of at least 1"),
        (lambda d: d["stages"][1].update(width="64"), "stage 2: width is '64'"),
        (lambda d: d["stages"][1].update(group_width=5), "stage 2: inner width 64 .* multiple of group width 5"),
        (lambda d: d.update(colour="red", sound=1), "network: colour, sound is not known here"),
        (lambda d: d.update(head=None), "head: expected names with values, got None"),
        (lambda d: d.update(scaling={"base": "x"}), "scaling: strategy, s is missing"),
        (lambda d: d.update(scaling=3), "scaling: expected names with values, got 3"),
        (lambda d: d.update(scaling=SCALING | {"s": "4"}), "scaling: s is '4', but must be a number above 0"),
        (lambda d: d.update(scaling=SCALING | {"base": None}), "scaling: base is None, but must be a line of text"),
        (lambda d: d.update(scaling=SCALING | {"metric": "time"}), "metric: 'time' is not one of flops, params"),
        (lambda d: d.update(scaling=SCALING | {"metric": "flops"}), "scaling: target is None, but must be a number"),
        (lambda d: d.update(scaling=SCALING | {"changes": [1]}), r"changes are \(1,\), but must be lines of text"),
        (lambda d: d.update(scaling=SCALING | {"neighbours": [{"s": 0, "count": 1}]}), "neighbour: s is 0, but"),
    ],
)
def test_a_wrong_dict_is_refused_in_a_sentence(change, sentence):
    plain = small().to_dict()
    change(plain)
    with pytest.raises(fs.architectures.NetworkError, match=sentence):
        fs.Network.from_dict(plain)


def test_a_configuration_of_pycls_is_told_as_what_it_is():
    with pytest.raises(
        fs.architectures.NetworkError, match=r"a configuration file of pycls; fs\.Network\.from_pycls\(text\) reads it"
    ):
        fs.Network.from_yaml("MODEL: {TYPE: regnet}\nREGNET: {DEPTH: 22}")


@pytest.mark.parametrize(
    "text", ["1.0e+309", "1" * 400, "-1", "[1]", "yes"], ids=["1e309", "400 digits", "-1", "list", "yes"]
)
@pytest.mark.parametrize("field", ["resolution", "width", "depth", "bottleneck", "group_width", "se_ratio", "s"])
def test_any_number_in_yaml_is_read_or_refused_in_a_sentence(field, text):
    described = fs.scale(small(), "dWr", 2).to_yaml()
    described = re.sub(rf"\b{field}: [0-9.]+", f"{field}: {text}", described)
    assert text in described
    with pytest.raises(fs.architectures.NetworkError, match=rf"{field} is .*, but must be a ") as refused:
        fs.Network.from_yaml(described)
    assert len(str(refused.value)) < 200


def test_where_a_network_comes_from_can_always_be_printed():
    counted: list[Any] = [np.float32(2.5), "flops", 1e9, np.int64(7)]
    net = dataclasses.replace(small(), scaling=Scaling("Base", "dWr", *counted))
    assert str(net.scaling).startswith("Base scaled by dWr with s = 2.5: flops asked 1,000,000,000, achieved 7")
    assert net._repr_html_()
    with pytest.raises(fs.architectures.NetworkError, match=r"^network: scaling is \{.*, but must be a Scaling"):
        dataclasses.replace(small(), scaling=SCALING)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"depths": [1] * 1_001}, "depths has over 1,000 entries"),
        ({"depths": itertools.count(1)}, "depths has over 1,000 entries"),
        ({"kernels": 2 * 10**300}, "kernel a number of about 301 digits is even"),
        ({"depths": "x" * 10**6}, "depths is 'xxx"),
        ({"name": ["x"] * 10**6}, "name is "),
        ({"block": {"a": "x" * 10**6}}, "block: "),
        ({"widths": [10**300 + 1] * 2, "group_widths": 7}, "stage 1: inner width a number of about 301 digits"),
    ],
)
def test_a_hostile_network_is_refused_in_few_words(changes, sentence):
    with stopped_where_it_hangs(), pytest.raises(fs.architectures.NetworkError, match=sentence) as refused:
        small(**changes)
    assert len(str(refused.value)) < 600  # names of all block types


def test_what_a_dict_leaves_out_has_the_default():
    plain = {
        "name": "Short",
        "resolution": 32,
        "stem": {"kind": "res_stem_cifar", "width": 16},
        "block": "res_basic_block",
        "stages": [{"depth": 1, "width": 16, "group_width": 16}],
    }
    net = fs.Network.from_dict(plain)
    assert net == fs.anynet(
        name="Short",
        resolution=32,
        stem="res_stem_cifar",
        stem_width=16,
        block="res_basic_block",
        depths=[1],
        widths=[16],
    )


@pytest.mark.parametrize("text", [None, 3, b"name: x"])
def test_what_is_no_text_is_no_yaml(text):
    with pytest.raises(fs.architectures.NetworkError, match="is no YAML; give a string"):
        fs.Network.from_yaml(text)
