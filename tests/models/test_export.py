"""Built networks go to ONNX by torch.onnx.export, and onnxruntime gives their logits; torch.export: test_models.py."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

import fastscale_lib as fs
from fastscale_lib.architectures.blocks import BLOCKS


def small(block: str) -> fs.Network:
    """A network of any block type that is exported in a second or two."""
    settings: dict[str, Any] = {"depths": [1, 2], "widths": [16, 24], "bottlenecks": 4 if "mbconv" in block else 1}
    settings |= {"stem": "res_stem_cifar", "stem_width": 16, "se_ratio": 0.25 if BLOCKS[block].has_gate else 0}
    if BLOCKS[block].takes_tokens:
        settings |= {"depths": [2], "widths": [16], "strides": 1, "stem": "tokens_8_class", "group_widths": 8}
        settings |= {"kernels": 1, "head": "norm_pool"}
    return fs.anynet(block=block, **settings, resolution=32, classes=10)


@pytest.mark.parametrize("block", BLOCKS)
def test_onnxruntime_gives_the_same_logits(block: str, tmp_path: Path):
    pytest.importorskip("onnxscript", reason="needs fastscale[onnx]")
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs fastscale[onnx]")
    model, file = fs.build(small(block)).eval(), tmp_path / "network.onnx"
    batches = ({0: torch.export.Dim("batch", min=1, max=64)},)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own exporter
        torch.onnx.export(model, (torch.randn(2, 3, 32, 32),), file, dynamic_shapes=batches, dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    for batch in (1, 3):
        x = torch.randn(batch, 3, 32, 32)
        (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
        with torch.no_grad():
            expected = model(x)
        assert (torch.from_numpy(found) - expected).abs().max() < 1e-5 * max(1, float(expected.abs().max()))
