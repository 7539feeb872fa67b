"""What `to_timm` returns is what timm makes: params, multiply-adds and outputs are those that are counted here."""

import pytest
from helpers.hooked_counts import counted_by_hooks, timm_module
from helpers.other_libraries import import_library

import fastscale_lib as fs
from fastscale_lib.architectures.zoo import aliases

NAMES = list(aliases("timm"))
SCALED = [
    *(("ResNet-18", "w", 2), ("ResNet-50", "dWr", 4), ("ResNet-50D", "d", 2), ("ResNet-RS-50", "dwr", 2)),
    *(("SE-ResNet-50", "w", 2), ("ResNeXt-50", "d", 2), ("ConvNeXt-T", "dWr", 4), ("ConvNeXtV2-Atto", "dwr", 3)),
    *(("RegNetY-4.0GF", "dWr", 4), ("RegNetX-600MF", "w1", 2), ("RegNetY-400MF", "d", 2), ("RegNetZ-500MF", "wr", 4)),
    *(("EfficientNetV2-S", "dWr", 4), ("EfficientNetV2-RW-S", "d", 4), ("EfficientNetV2-B0", "dwr", 4)),
    *(("MobileNetV2-1.0", "d", 4), ("MobileNetV3-Small-1.0", "dr", 2), ("MobileNetV3-Large-1.0", "r", 4)),
    *(("ViT-Ti/16", "dWr", 4), ("ViT-B/16-GAP", "w", 2), ("DeiT-III-S", "dwr", 2), ("DeiT-Ti", "r", 3)),
]


def assert_timm_makes(net: fs.Network) -> None:
    found = fs.architectures.to_timm(net)
    module = timm_module(import_library("timm"), found.name, **found.kwargs)
    assert counted_by_hooks(module, net.resolution) == tuple(fs.complexity(net))


@pytest.mark.parametrize("name", NAMES)
def test_a_published_network_has_timms_name(name: str):
    found = fs.architectures.to_timm(name)
    assert found.name == aliases("timm")[name]
    assert not {"layers", "channels", "depths", "dims", "depth", "embed_dim"} & found.kwargs.keys()


@pytest.mark.parametrize(("name", "strategy", "s"), SCALED)
def test_timm_makes_a_scaled_network(name: str, strategy: str, s: float):
    assert_timm_makes(fs.scale(name, strategy, s))


@pytest.mark.parametrize("name", ["EfficientNetV2-B0", "RegNetZ-500MF", "ViT-B/32", "DeiT-III-H/14"])
def test_timm_makes_a_published_network(name: str):
    assert_timm_makes(fs.network(name))


def test_classes_and_channels_are_keywords():
    net = fs.network("ResNet-18", classes=10).replace(channels=1)
    assert str(fs.architectures.to_timm(net)) == "timm.create_model('resnet18', in_chans=1, num_classes=10)"


@pytest.mark.parametrize(
    ("net", "reason"),
    [
        (fs.scale("EfficientNet-B0", "dWr", 4), "its widths are not those of efficientnet_b0"),
        (fs.scale("EfficientNet-B0", "d", 4), "its depths are not those of efficientnet_b0"),
        (fs.scale("MobileNetV2-1.0", "w", 2), "its widths are not those of mobilenetv2_100"),
        (fs.scale("EfficientNetV2-S", "dwr", 2), "no one channel_multiplier gives the widths"),
        (fs.scale("MobileNetV3-Large-1.0", "dr", 2), r"\(1, 1, 3\) of one width are \(1, 2, 2\) in timm"),
        (fs.scale("RegNetY-4.0GF", "d", 4), "no w0, wa and wm give its widths and depths"),
        (fs.scale("ResNeXt-50", "dWr", 4), "timm|groups|multiple"),
        (fs.anynet(depths=[1], widths=[16], block="vanilla_block", stem_width=16), "its stem simple_stem_in with"),
        (fs.network("ResNet-50").replace(activation="silu"), "its activation silu, where resnet50 has relu"),
    ],
    ids=lambda each: str(each)[:20],
)
def test_what_timm_cannot_make_is_said(net: fs.Network, reason: str):
    with pytest.raises(fs.architectures.NetworkError, match=f"to_timm: timm cannot make .*: .*({reason}).*; export "):
        fs.architectures.to_timm(net)
