"""The benchmark files of the timm project: every form of them, what their names tell, and what is none."""

from pathlib import Path

import pandas as pd
import pytest

import fastscale_lib as fs
from fastscale_lib.records.published_rows import COLUMNS, PublishedError, published
from fastscale_lib.records.timm_tables import PublishedWarning, read_timm

FILES = Path(__file__).parent / "timm_files"
GPU = FILES / "timm_benchmark_rtx3090_amp_nhwc.csv"
CPU = FILES / "benchmark-infer-fp32-nchw-pt240-cpu-i9_10940x-dynamo.csv"
TRAINING = FILES / "benchmark-train-amp-nhwc-pt110-cu113-rtx3090.csv"
OLDER = FILES / "model_benchmark_amp_nchw_rtx3090.csv"
SETTINGS = ["device", "device_name", "precision", "channels_last", "compile", "torch", "cuda"]


def row(frame: pd.DataFrame, network: str) -> pd.Series:
    return frame[frame["network"] == network].iloc[0]


def settings(frame: pd.DataFrame) -> dict:
    """What all rows have in common, without what is missing."""
    [values] = frame[SETTINGS].drop_duplicates().astype(object).to_dict("records")
    return {name: value for name, value in values.items() if not pd.isna(value)}


@pytest.mark.parametrize("path", [GPU, CPU, OLDER], ids=lambda path: path.stem)
def test_a_file_of_inference_is_read_as_published(path):
    frame = read_timm(path)
    described = dict.fromkeys(("base", "description", "remark"), "object")
    assert {column: str(kind) for column, kind in frame.dtypes.items()} == COLUMNS | described
    assert set(frame["mode"]) == {"inference"}
    assert set(frame["source"]) == {path.name}
    raw = pd.read_csv(path)
    assert frame["network"].tolist() == raw["model"].tolist()
    assert frame["batch"].tolist() == raw["infer_batch_size"].tolist()
    assert frame["resolution"].tolist() == raw["infer_img_size"].tolist()
    assert frame["median_ms"].tolist() == raw["infer_step_time"].tolist()
    assert frame["images_per_s"].tolist() == raw["infer_samples_per_sec"].tolist()
    assert (frame["ms_per_image"] * raw["infer_samples_per_sec"]).to_numpy() == pytest.approx(1000)


def test_counts_are_whole_multiply_adds_weights_and_elements():
    found = row(read_timm(OLDER), "resnet50")
    assert (found.flops, found.params, found.activations) == (4_110_000_000, 25_560_000, 11_110_000)


def test_what_is_in_each_count_is_told_where_it_is_another_than_pycls_s():
    """Batch norm is two multiply-adds an element there, and the stem's max-pool no activation."""
    told, ours = read_timm(OLDER).attrs["conventions"], published().attrs["conventions"]
    assert list(told) == list(ours) == ["flops", "params", "activations"]
    assert "include batch norm and pooling" in told["flops"]
    assert "not of max-pools" in told["activations"]
    assert told["params"] == ours["params"]
    doc = " ".join((read_timm.__doc__ or "").split())
    frame = read_timm(OLDER)
    for name, timm, theirs, here in (
        ("ResNet-50", "resnet50", "4.11 G", "4.09 G"),
        ("EfficientNet-B0", "efficientnet_b0", "0.40 G", "0.386 G"),
    ):
        assert f"{theirs} for {name} ({here}" in doc
        assert row(frame, timm).flops == pytest.approx(float(theirs[:-2]) * 1e9)
        counted = fs.complexity(name)
        assert f"{counted.flops / 1e9:.3g}" == here[:-2]
        assert round(counted.params / 1e6, 2) * 1e6 == pytest.approx(row(frame, timm).params)
        norms = 2 * (counted.activations - 200_704 * (name == "ResNet-50"))  # of all convolutions' outputs, about
        assert (counted.flops + norms) / 1e9 == pytest.approx(row(frame, timm).flops / 1e9, abs=0.005)


@pytest.mark.parametrize("path", [GPU, CPU], ids=lambda path: path.stem)
def test_missing_figures_stay_missing(path):
    found = row(read_timm(path), "mobilenetv3_large_150d")
    assert found[["flops", "activations"]].isna().all()
    assert found.params == 14_620_000
    assert found.ms_per_image > 0


def test_a_file_of_training_has_params_but_neither_flops_nor_activations():
    with pytest.warns(PublishedWarning):
        frame = read_timm(TRAINING)
    assert set(frame["mode"]) == {"training"}
    assert frame["params"].notna().all()
    assert frame[["flops", "activations"]].isna().all(axis=None)
    assert row(frame, "tv_resnet50").family == "resnet"


def test_a_file_of_both_gives_two_rows_a_network(tmp_path):
    path = tmp_path / "both.csv"
    path.write_text(
        "model,infer_samples_per_sec,infer_step_time,infer_batch_size,infer_img_size,"
        "train_samples_per_sec,train_step_time,train_batch_size,train_img_size,param_count\n"
        "resnet18,1000,64.0,64,224,250,128.0,32,192,11.69\n"
    )
    frame = read_timm(path)
    columns = ["mode", "batch", "resolution", "ms_per_image", "params"]
    assert frame[columns].to_numpy().tolist() == [
        ["inference", 64, 224, 1.0, 11_690_000],
        ["training", 32, 192, 4.0, 11_690_000],
    ]


# Where the file contradicts itself


def test_step_times_that_disagree_with_the_throughput_are_told_of():
    """tinynet_e: 512 images at 9259.87 a second take 55.29 ms, but the step 53.163 ms."""
    with pytest.warns(PublishedWarning, match=r"in 2 of 6 rows .* by over 1%, most for tinynet_e \(3\.9%\)") as told:
        frame = read_timm(TRAINING)
    assert len(told) == 1
    assert told[0].filename == __file__
    assert row(frame, "tinynet_e").ms_per_image == pytest.approx(1000 / 9259.87)
    assert row(frame, "tinynet_e").median_ms == 53.163


def test_files_that_agree_are_read_without_a_word(recwarn):
    for path in (GPU, CPU, OLDER):
        read_timm(path)
    assert [str(each.message) for each in recwarn] == []


# What the name tells


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "benchmark-infer-amp-nhwc-pt240-cu124-rtx3090.csv",
            ("cuda", "RTX 3090", "amp", True, False, "2.4.0", "12.4"),
        ),
        (
            "benchmark-train-amp-nchw-pt112-cu113-rtx3090.csv",
            ("cuda", "RTX 3090", "amp", False, False, "1.12", "11.3"),
        ),
        (
            "benchmark-infer-amp_bf16-nchw-pt291-cu130-pro6000maxq-dynamo.csv",
            ("cuda", "RTX PRO 6000 Max-Q", "amp_bf16", False, True, "2.9.1", "13.0"),
        ),
        (
            "benchmark-infer-fp32-nchw-pt221-cpu-i9_10940x-dynamo.csv",
            ("cpu", "Core i9-10940X", "fp32", False, True, "2.2.1", None),
        ),
        ("model_benchmark_amp_nchw_rtx3090.csv", (None, "RTX 3090", "amp", False, False, None, None)),
        ("timm_benchmark_a100_sxm_bf16_nhwc.csv", (None, "a100_sxm", "bf16", True, False, None, None)),
        ("my_benchmark.csv", (None,) * 7),
        ("results.csv", (None,) * 7),
        ("notes-on-amp-nhwc.csv", (None,) * 7),
        ("benchmark-mine-amp-rtx3090.csv", (None, None, "amp", None, False, None, None)),  # is "mine" a device?
    ],
)
def test_the_name_of_a_file_tells_what_it_tells_and_nothing_is_guessed(name, told, tmp_path):
    (tmp_path / name).write_bytes(OLDER.read_bytes())
    expected = dict(zip(SETTINGS, told, strict=True))
    assert settings(read_timm(tmp_path / name)) == {key: value for key, value in expected.items() if value is not None}


def test_what_is_given_goes_before_what_the_name_tells():
    frame = read_timm(OLDER, device_name="RTX 3090", precision="fp16", channels_last=True, torch="1.9.0", cuda="11.1")
    told = {"device_name": "RTX 3090", "precision": "fp16", "channels_last": True, "torch": "1.9.0", "cuda": "11.1"}
    assert settings(frame) == told | {"compile": False}
    assert settings(read_timm(CPU, compile=False))["compile"] is False


# Tolerance, and its end


def test_neither_order_nor_number_of_columns_matters(tmp_path):
    raw = pd.read_csv(GPU)
    odd = raw[list(raw)[::-1]].rename(columns={"infer_gmacs": " infer_GMACs"}).assign(rank=1, top1="80.1")
    odd.drop(columns="infer_macts").to_csv(tmp_path / GPU.name, index=False)
    frame, usual = read_timm(tmp_path / GPU.name), read_timm(GPU)
    assert frame["activations"].isna().all()
    pd.testing.assert_frame_equal(frame.drop(columns="activations"), usual.drop(columns="activations"))


def test_of_throughput_and_step_time_one_will_do(tmp_path):
    for missing in ("infer_samples_per_sec", "infer_step_time"):
        pd.read_csv(GPU).drop(columns=missing).to_csv(tmp_path / GPU.name, index=False)
        for column in ("ms_per_image", "median_ms", "images_per_s"):
            ours, theirs = read_timm(tmp_path / GPU.name)[column], read_timm(GPU)[column]
            assert ours.to_numpy() == pytest.approx(theirs.to_numpy(), rel=2e-3)


def test_a_network_that_could_not_be_timed_has_no_time(tmp_path):
    path = tmp_path / "benchmark.csv"
    path.write_text(
        "model,infer_samples_per_sec,infer_step_time,infer_batch_size,infer_img_size,param_count\n"
        "resnet18,1000,64.0,64,224,11.69\nresnet50,,,,,25.56\n"
    )
    found = row(read_timm(path), "resnet50")
    assert found[["median_ms", "images_per_s", "ms_per_image", "batch", "resolution"]].isna().all()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("model,top1,param_count\nresnet50,80.4,25.56\n", r"lacks infer_samples_per_sec \(or train_samples_per_sec\);"),
        ("infer_samples_per_sec\n100\n", "lacks model;"),
        ("network,flops\nResNet-50,4\n", "lacks model, infer_samples_per_sec"),
        ("", "is no CSV file"),
        (
            "model,infer_samples_per_sec\nresnet18,fast\n",
            "infer_samples_per_sec of resnet18 is fast, but must be a num",
        ),
        (
            "model,infer_samples_per_sec\nresnet18,0\n",
            "infer_samples_per_sec of resnet18 is 0, but must be a number above",
        ),
        ("model,infer_samples_per_sec\nresnet18,-5\n", "is -5, but must be a number above 0, or empty"),
        (
            "model,infer_samples_per_sec,infer_batch_size\nresnet18,9,2.5\n",
            "infer_batch_size of resnet18 is 2.5, but must be a whole number above 0, or empty",
        ),
    ],
)
def test_what_is_no_such_file_is_refused_in_a_sentence(text, sentence, tmp_path):
    path = tmp_path / "benchmark-infer.csv"
    path.write_text(text)
    with pytest.raises(PublishedError, match=sentence) as error:
        read_timm(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_rows_without_a_model_are_left_out_with_a_word(tmp_path):
    path = tmp_path / "benchmark-infer.csv"
    path.write_text("model,infer_samples_per_sec\nresnet18,9\n,8\n,7\n")
    with pytest.warns(PublishedWarning, match=r"benchmark-infer\.csv: 2 of 3 rows name no model, and are left out"):
        assert read_timm(path)["network"].tolist() == ["resnet18"]


def test_a_file_whose_times_have_another_name_is_refused(tmp_path):
    path = tmp_path / "benchmark.csv"
    path.write_text("model,train_samples_per_sec,infer_sps,infer_batch_size\nresnet18,9,30,64\n")
    said = (
        r"has infer_sps, infer_batch_size, but lacks infer_samples_per_sec \(or infer_step_time\); give the column this"
    )
    with pytest.raises(PublishedError, match=said):
        read_timm(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(PublishedError, match=r"there is no .*nothing\.csv; give the path of a benchmark file of timm"):
        read_timm(tmp_path / "nothing.csv")
