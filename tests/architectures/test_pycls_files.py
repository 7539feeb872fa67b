"""Networks from configuration files of pycls, and to them. The numbers are those of its published files."""

import pytest

import fastscale_lib as fs

REGNETY = """
MODEL: {TYPE: regnet, NUM_CLASSES: 1000}
REGNET: {SE_ON: True, DEPTH: 27, W0: 48, WA: 20.71, WM: 2.65, GROUP_W: 24}
OPTIM: {BASE_LR: 0.8, WEIGHT_DECAY: 5e-5}
TRAIN: {DATASET: imagenet, IM_SIZE: 224}
"""
EFFICIENTNET = """
MODEL: {TYPE: effnet, NUM_CLASSES: 1000, ACTIVATION_FUN: silu}
EN:
  STEM_W: 32
  STRIDES: [1, 2, 2, 2, 1, 2, 1]
  DEPTHS: [2, 3, 3, 4, 4, 5, 2]
  WIDTHS: [16, 24, 40, 80, 112, 192, 320]
  EXP_RATIOS: [1, 6, 6, 6, 6, 6, 6]
  KERNELS: [3, 3, 5, 3, 5, 5, 3]
  HEAD_W: 1280
TRAIN: {IM_SIZE: 240}
"""
RESNET = """
MODEL: {TYPE: anynet, NUM_CLASSES: 1000}
ANYNET:
  STEM_TYPE: res_stem_in
  STEM_W: 64
  BLOCK_TYPE: res_bottleneck_block
  STRIDES: [1, 2, 2, 2]
  DEPTHS: [3, 4, 6, 3]
  WIDTHS: [256, 512, 1024, 2048]
  BOT_MULS: [0.25, 0.25, 0.25, 0.25]
  GROUP_WS: [64, 128, 256, 512]
"""
RESNEXT = """
MODEL: {TYPE: resnet, DEPTH: 50, NUM_CLASSES: 1000}
RESNET: {TRANS_FUN: bottleneck_transform, NUM_GROUPS: 32, WIDTH_PER_GROUP: 4, STRIDE_1X1: False}
"""
CIFAR = """
MODEL: {TYPE: resnet, DEPTH: 56, NUM_CLASSES: 10}
RESNET: {TRANS_FUN: basic_transform}
TRAIN: {DATASET: cifar10, IM_SIZE: 32}
"""
ALSO_CIFAR = """
MODEL: {TYPE: anynet, NUM_CLASSES: 10}
ANYNET:
  STEM_TYPE: res_stem_cifar
  STEM_W: 16
  BLOCK_TYPE: res_basic_block
  DEPTHS: [9, 9, 9]
  WIDTHS: [16, 32, 64]
  STRIDES: [1, 2, 2]
TRAIN: {IM_SIZE: 32}
"""


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (REGNETY, "RegNetY-1.6GF"),
        (EFFICIENTNET, "EfficientNet-B1"),
        (RESNET, "ResNet-50"),
        (RESNEXT, "ResNeXt-50"),
    ],
)
def test_a_published_file_is_the_base_network(text, name):
    assert fs.Network.from_pycls(text, name=name) == fs.network(name)


def test_a_resnet_of_cifar_is_said_in_two_ways():
    """He et al., Deep Residual Learning, 2016, table 6: ResNet-56 has 0.85 M params."""
    net = fs.Network.from_pycls(CIFAR)
    assert net == fs.Network.from_pycls(ALSO_CIFAR)
    assert (net.name, net.resolution, net.classes) == ("AnyNet", 32, 10)
    assert round(fs.complexity(net).params / 1e6, 1) == 0.9  # our shortcuts are projected: they have params


@pytest.mark.parametrize("training", ["TRAIN: {DATASET: imagenet}", "TRAIN: {DATASET: my_images}", ""])
def test_a_resnet_of_bottlenecks_is_one_of_imagenet(training):
    """ResNet-50, though 50 is 6n + 2, too: of CIFAR it would have 8-8-8 basic blocks."""
    net = fs.Network.from_pycls(RESNEXT + training)
    assert (net.stem.kind, [stage.depth for stage in net.stages]) == ("res_stem_in", [3, 4, 6, 3])


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_a_resnet_of_a_cifar_has_basic_blocks_by_default(dataset):
    net = fs.Network.from_pycls(f"MODEL: {{TYPE: resnet, DEPTH: 50}}\nTRAIN: {{DATASET: {dataset}, IM_SIZE: 32}}")
    assert (net.stem.kind, [stage.depth for stage in net.stages]) == ("res_stem_cifar", [8, 8, 8])


def test_he_s_own_bottleneck_has_its_stride_in_the_first_convolution():
    net = fs.Network.from_pycls(RESNEXT.replace(", STRIDE_1X1: False", ""))
    assert net.block == "res_bottleneck_stride_1x1_block"


@pytest.mark.parametrize("family", ["EfficientNet", "RegNetX", "RegNetY", "ResNeXt"])
def test_what_is_written_is_read_again(family):
    names = fs.networks(family)
    assert len(names) > 1
    for name in names:
        net = fs.scale(name, "dWr", 2)
        assert fs.Network.from_pycls(net.to_pycls(), name=net.name) == net


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("MobileNetV3-Small-1.0", "the block mbconv_v3"),
        ("ResNet-50D", "the block res_bottleneck_d_block"),
        ("EfficientNetV2-S", "several block types"),
        ("MobileNetV2-1.0", "the activation relu6"),
        ("RegNetZ-040", "another head"),
    ],
)
def test_what_pycls_cannot_build_is_refused_with_the_reason(name, reason):
    with pytest.raises(fs.architectures.NetworkError, match=f"^to_pycls: {name} has {reason}, which pycls has not"):
        fs.network(name).to_pycls()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("just text", "the file is 'just text', but must have keys"),
        ("a: [", "this is not plain YAML"),
        ("REGNET: {DEPTH: 3}", "MODEL is None, but must have keys"),
        ("MODEL: {TYPE: vit}", "MODEL.TYPE is 'vit', but must be one of anynet, regnet, effnet, resnet"),
        (REGNETY.replace("W0", "W_0"), "REGNET has 'W_0', which is not read; it may have BLOCK_TYPE"),
        (REGNETY.replace("WM: 2.65, ", ""), "REGNET lacks WM"),
        (RESNEXT.replace("50", "51"), "a ResNet of MODEL.DEPTH 51 is not one of pycls's"),
        (RESNEXT.replace("32", "x"), "RESNET.NUM_GROUPS and WIDTH_PER_GROUP must be whole numbers"),
        (RESNEXT + "TRAIN: {DATASET: 3}", "TRAIN.DATASET is 3, but must be a name"),
        (CIFAR.replace("DATASET: cifar10, ", ""), "a ResNet is one of CIFAR or of ImageNet by TRAIN.DATASET, which is"),
        ("MODEL: {TYPE: resnet, DEPTH: 50}", "a ResNet is one of CIFAR or of ImageNet by TRAIN.DATASET, which is not"),
        (
            "MODEL: {TYPE: resnet, DEPTH: 50}\nTRAIN: {DATASET: imagenet, IM_SIZE: 224}",
            "RESNET.TRANS_FUN is 'basic_transform', pycls's default, of which .* 'imagenet'; give bottleneck_transform",
        ),
        (RESNEXT + "TRAIN: {DATASET: cifar10}", "RESNET.TRANS_FUN is 'bottleneck_transform' .* give basic_transform"),
        (CIFAR.replace("56", "57"), "a ResNet of MODEL.DEPTH 57 is not one of pycls's"),
        ("MODEL: {TYPE: anynet, SCALING_TYPE: d1_w8_g8_r1}", "MODEL.SCALING_TYPE is given; leave it out, and scale"),
    ],
)
def test_what_is_no_such_file_is_refused_in_a_sentence(text, sentence):
    with pytest.raises(fs.architectures.NetworkError, match=f"^from_pycls: {sentence}"):
        fs.Network.from_pycls(text)
