"""Built networks go to ONNX and through torch.export: a network of each block type, and one of each family."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import fastscale_lib as fs
from fastscale_lib.architectures.blocks import BLOCKS

BATCHES = ({0: torch.export.Dim("batch", min=1, max=64)},)
# A small network of each family, and a scaled one; the first two stand for the rest where exporting takes long.
FAMILIES = ["RegNetY-200MF dWr x2", "ViT-Ti/16", "EfficientNetV2-B0", "ConvNeXtV2-Atto", "RegNetZ-500MF", "ResNet-18"]
FAMILIES += ["EfficientNet-Lite0", "MobileNetV2-0.35", "MobileNetV3-Small-0.5", "MnasNet-A1-0.5", "DeiT-Ti"]


def small(block: str) -> fs.Network:
    """A network of any block type that is exported in a second or two."""
    settings: dict[str, Any] = {"depths": [1, 2], "widths": [16, 24], "bottlenecks": 4 if "mbconv" in block else 1}
    settings |= {"stem": "res_stem_cifar", "stem_width": 16, "se_ratio": 0.25 if BLOCKS[block].has_gate else 0}
    if BLOCKS[block].takes_tokens:
        settings |= {"depths": [2], "widths": [16], "strides": 1, "stem": "tokens_8_class", "group_widths": 8}
        settings |= {"kernels": 1, "head": "norm_pool"}
    return fs.anynet(block=block, **settings, resolution=32, classes=10)


def of_family(name: str) -> fs.Network:
    """The network with two blocks in a stage: those that follow repeat the second, and exporting takes longer."""
    base, _, scaled = name.partition(" dWr x")
    network = fs.scale(base, "dWr", float(scaled or 1))
    shallow = network.with_dimensions(
        network.dimensions._replace(depths=tuple(min(each, 2) for each in network.depths))
    )
    return fs.scale(shallow, resolution=32)


def in_onnx(model: torch.nn.Module, file: Path) -> Callable[[torch.Tensor], torch.Tensor]:
    """Write the module as ONNX and return a function that runs the file: by onnxruntime where it is installed."""
    x = torch.randn(2, 3, 32, 32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own exporter
        torch.onnx.export(model, (x,), file, dynamic_shapes=BATCHES, dynamo=True, verbose=False)
    if importlib.util.find_spec("onnxruntime"):
        runtime = importlib.import_module("onnxruntime")
        session: Any = runtime.InferenceSession(file, providers=["CPUExecutionProvider"])
    else:
        session = importlib.import_module("onnx.reference").ReferenceEvaluator(str(file))
    (name,) = (each if isinstance(each, str) else each.name for each in _inputs(session))
    return lambda images: torch.from_numpy(session.run(None, {name: images.numpy()})[0])


def _inputs(session: Any) -> list[Any]:
    return session.get_inputs() if hasattr(session, "get_inputs") else session.input_names


def assert_same_logits(model: torch.nn.Module, run: Callable, batches: tuple[int, ...]) -> None:
    for batch in batches:
        x = torch.randn(batch, 3, 32, 32)
        with torch.no_grad():
            expected = model(x)
            assert (run(x) - expected).abs().max() < 1e-5 * max(1, float(expected.abs().max()))


@pytest.mark.parametrize("block", BLOCKS)
def test_onnx_gives_the_same_logits(block: str, tmp_path: Path):
    pytest.importorskip("onnxruntime", reason="needs fastscale[onnx]")
    model = fs.build(small(block)).eval()
    assert_same_logits(model, in_onnx(model, tmp_path / "network.onnx"), (1, 3))


@pytest.mark.parametrize("name", FAMILIES)
def test_torch_export_gives_a_familys_logits(name: str):
    model = fs.build(of_family(name)).eval()
    exported = torch.export.export(model, (torch.randn(2, 3, 32, 32),), dynamic_shapes=BATCHES)
    assert_same_logits(model, exported.module(), (1, 3))


@pytest.mark.parametrize("name", FAMILIES[:2])
def test_onnx_gives_a_familys_logits(name: str, tmp_path: Path):
    model = fs.build(of_family(name)).eval()
    assert_same_logits(model, in_onnx(model, tmp_path / "network.onnx"), (1,))
