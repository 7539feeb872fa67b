"""Which rows of timm's files are described exactly, held by their published counts, and why the others are not."""

from pathlib import Path

import pandas as pd
import pytest

import fastscale_lib as fs
from fastscale_lib._common.frames import rows
from fastscale_lib.architectures.layer_types import KIND_INDEX
from fastscale_lib.architectures.operation_lists import operations
from fastscale_lib.records.timm_tables import read_timm

# Of timm's benchmark-infer-amp-nchw-pt291-cu128-4090.csv: name, resolution, batch, images/s, GMACs, params in M.
PUBLISHED = """
resnet50 224 1024 4302.84 4.11 25.56
resnext101_32x4d 224 1024 2254.16 8.01 44.18
seresnet50 224 1024 3719.34 4.11 28.09
regnety_040 224 1024 3910.51 4.0 20.65
regnetx_002 224 1024 27300.12 0.2 2.68
efficientnet_b0 224 1024 8794.71 0.4 5.29
efficientnet_b4 320 768 1728.31 3.13 19.34
mnasnet_100 224 1024 12523.79 0.33 4.38
mobilenetv2_100 224 1024 10807.07 0.31 3.5
mobilenetv3_large_100 224 1024 14586.41 0.23 5.48
wide_resnet50_2 224 1024 2805.63 11.43 68.88
resnet50d 224 1024 4063.89 4.35 25.58
"""


def benchmark(folder: Path, *lines: str, name: str = "benchmark-infer-amp-nchw-pt291-cu128-4090.csv") -> Path:
    head = "model,infer_img_size,infer_batch_size,infer_samples_per_sec,infer_gmacs,param_count"
    path = folder / name
    path.write_text("\n".join([head, *(",".join(line.split()) for line in lines)]) + "\n")
    return path


@pytest.fixture
def published(tmp_path) -> pd.DataFrame:
    return read_timm(benchmark(tmp_path, *PUBLISHED.strip().splitlines()))


def test_names_of_timm_are_our_networks_by_their_published_counts(published):
    """timm's multiply-adds are ours and two for each output of a batch norm; pools add a little more."""
    assert published["description"].notna().all()
    assert published["remark"].isna().all()
    for row in rows(published):
        network = fs.Network.from_dict(row.description)
        counted, ops = fs.complexity(network), operations(network)
        assert network.resolution == row.resolution
        assert round(counted.params / 1e6, 2) * 1e6 == pytest.approx(row.params), row.network
        norms = (ops.moved * ops.times)[ops.kind == KIND_INDEX["norm"]].sum()
        assert (counted.flops + norms) / 1e9 == pytest.approx(row.flops / 1e9, rel=0.003, abs=0.0051), row.network
        assert counted.flops < row.flops + 5e6


@pytest.mark.parametrize(
    ("line", "remark"),
    [
        ("tf_efficientnet_b0 224 1024 8000 0.4 5.29", "padded as TensorFlow does"),
        ("repvgg_a0 224 1024 8000 1.36 8.31", "timed reparametrised"),
        (
            "regnety_2560 224 128 40 257.36 826.14",
            "another network: 826.14 M params here, and 1282.60 M in RegNetY-256GF",
        ),
        ("vit_huge_patch14_224 224 128 130 167.4 630.76", "another network: 630.76 M params here"),  # no classifier
        ("densenet121 224 1024 2000 2.87 7.98", "no network of fs.networks()"),
    ],
)
def test_other_rows_say_why_they_are_not_described(line, remark, tmp_path):
    [row] = rows(read_timm(benchmark(tmp_path, line)))
    assert row.description is None
    assert row.remark.startswith(remark)


def test_files_of_torch_2_1_count_no_attention(tmp_path):
    lines = ["vit_base_patch16_224 224 512 1000 16.87 86.57", "resnet50 224 1024 3404 4.11 25.56"]
    older = read_timm(benchmark(tmp_path, *lines, name="benchmark-infer-amp-nchw-pt210-cu121-rtx3090.csv"))
    assert older["description"].notna().all()
    assert older["remark"].tolist() == ["the flops of this file are without attention's products", None]
    newer = read_timm(benchmark(tmp_path, *lines, name="benchmark-infer-amp-nchw-pt240-cu124-rtx3090.csv"))
    assert newer["remark"].isna().all()


def test_one_device_has_one_name_and_is_eager_unless_its_file_says_more(tmp_path):
    for name, told in {
        "benchmark-infer-amp-nchw-pt240-cu124-rtx4090.csv": ("RTX 4090", False, False, "2.4.0"),
        "benchmark-infer-amp-nchw-pt291-cu128-4090-dynamo.csv": ("RTX 4090", False, True, "2.9.1"),
        "benchmark-infer-amp-nhwc-pt240-cu124-rtx4090.csv": ("RTX 4090", True, False, "2.4.0"),
        "benchmark-infer-fp32-nchw-pt240-cpu-i7_12700h-dynamo.csv": ("Core i7-12700H", False, True, "2.4.0"),
    }.items():
        row = read_timm(benchmark(tmp_path, "resnet50 224 64 3000 4.11 25.56", name=name)).iloc[0]
        assert tuple(row[["device_name", "channels_last", "compile", "torch"]]) == told


def test_a_model_is_fitted_to_a_published_file(published):
    model = fs.RuntimeModel.fit(published, by="flops and activations")
    [rates] = model.rates().to_dict("records")
    assert (rates["device_name"], rates["rows"], rates["compile"]) == ("RTX 4090", len(published), False)
    assert model.predict("RegNetY-4.0GF", 1024)["predicted_ms"][0] > 0


def test_rows_without_a_description_alone_are_refused(tmp_path):
    frame = read_timm(benchmark(tmp_path, "densenet121 224 1024 2000 2.87 7.98"))
    with pytest.raises(
        fs.prediction.PredictionError, match="none of the frame's 1 rows has a time and the description"
    ):
        fs.RuntimeModel.fit(frame)


def test_versions_of_torch_are_settings_of_their_own(published):
    slower = published.assign(torch="2.10.0", median_ms=published["median_ms"] * 2)
    model = fs.RuntimeModel.fit(pd.concat([published, slower]), by="flops and activations")
    old, new = (model.predict("ResNet-50", 1024, torch=each)["predicted_ms"][0] for each in ("2.9.1", "2.10.0"))
    assert new == pytest.approx(2 * old, rel=1e-3)
    assert model.predict("ResNet-50", 1024)["predicted_ms"][0] == new
    with pytest.raises(fs.prediction.PredictionError, match=r"no setting with torch='2\.8'"):
        model.predict("ResNet-50", 1024, torch="2.8")
