"""Timings of others in one form: published tables, timm's files, and stores of measured rows."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from helpers.reference import PUBLISHED

import fastscale_lib as fs
from fastscale_lib._common import shipped
from fastscale_lib.records.published_rows import (
    COLUMNS,
    ERROR_COLUMNS,
    IMAGENET_IMAGES,
    PublishedError,
    data_folder,
    family,
    published,
    published_errors,
    published_form,
)
from fastscale_lib.records.rows import read_rows

NAMES = ["pycls_zoo_v100", "early_convolutions_table2"]


def one(frame: pd.DataFrame, **what) -> pd.Series:
    """The only row with these values."""
    for column, value in what.items():
        frame = frame[frame[column] == value]
    [(_, row)] = frame.iterrows()
    return row


def test_every_frame_has_the_same_columns_of_the_same_kinds():
    for name in NAMES:
        frame = published(name)
        assert list(frame) == list(COLUMNS)
        assert {column: str(kind) for column, kind in frame.dtypes.items()} == COLUMNS


def test_both_tables_together_are_the_default():
    pd.testing.assert_frame_equal(published(), pd.concat(map(published, NAMES), ignore_index=True))


def test_the_zoo_of_pycls_has_times_of_inference_and_of_training():
    """RegNetX-200MF: 11 ms for 64 images on one V100, and 3 hours for 100 epochs on eight."""
    inference = one(published("pycls_zoo_v100"), network="RegNetX-200MF", mode="inference")
    assert (inference.batch, inference.devices, inference.median_ms) == (64, 1, 11.0)
    assert inference.ms_per_image == 11 / 64
    assert inference.images_per_s == pytest.approx(64 / 0.011)

    training = one(published("pycls_zoo_v100"), network="RegNetX-200MF", mode="training")
    assert (training.batch, training.devices) == (128, 8)  # 1024 images on 8 devices
    epoch_minutes = IMAGENET_IMAGES / (training.images_per_s * 8) / 60
    assert epoch_minutes == pytest.approx(3.0 * 60 / 100)
    assert training.median_ms == pytest.approx(training.ms_per_image * 128)


def test_an_epoch_of_early_convolutions_is_as_long_as_published():
    """EfficientNet-B4: 19.4 minutes an epoch on 8 GPUs."""
    row = one(published("early_convolutions_table2"), network="EfficientNet-B4")
    assert (row["mode"], row.device_name, row.batch) == ("training", "V100-32GB", 64)
    assert row.ms_per_image / 8 * IMAGENET_IMAGES / 60_000 == pytest.approx(19.4)


def test_counts_are_whole_and_as_published():
    row = one(published("early_convolutions_table2"), network="RegNetY-4GF")
    assert (row.flops, row.params, row.activations) == (4_100_000_000, 22_400_000, 14_500_000)


def test_what_a_source_does_not_say_is_missing():
    assert published()[["precision", "channels_last", "resolution", "compile"]].isna().all(axis=None)
    assert published("early_convolutions_table2")["torch"].isna().all()


def test_an_unknown_table_is_answered_with_the_names():
    with pytest.raises(PublishedError, match=r"name is 'timm', but must be one of pycls_zoo_v100, early"):
        published("timm")


def test_another_folder_can_be_given(tmp_path):
    (tmp_path / "pycls_zoo_v100.csv").write_bytes((PUBLISHED / "pycls_zoo_v100.csv").read_bytes())
    assert len(published("pycls_zoo_v100", tmp_path)) == 72
    with pytest.raises(PublishedError, match=r"there is no .*early_convolutions_table2\.csv; give the folder"):
        published("early_convolutions_table2", tmp_path)


def test_data_is_that_of_a_checkout_else_what_is_installed(tmp_path, monkeypatch):
    installed = tmp_path / "site-packages" / "fastscale_lib"
    monkeypatch.setattr(shipped, "LIBRARY", installed)
    monkeypatch.chdir(PUBLISHED.parents[1] / "notebooks")
    assert data_folder() == PUBLISHED.parent
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PublishedError, match=r"; install fastscale again, or give folder= ") as said:
        data_folder()
    assert str(tmp_path / "site-packages") in str(said.value)
    shutil.copytree(PUBLISHED, installed / "data" / "published")
    assert data_folder() == installed / "data"
    (tmp_path / "data" / "published").mkdir(parents=True)  # another's, without the tables
    assert data_folder() == installed / "data"


def test_a_variable_names_the_data(tmp_path, monkeypatch):
    shutil.copytree(PUBLISHED, tmp_path / "mine" / "published")
    monkeypatch.setenv("FASTSCALE_DATA", str(tmp_path / "mine"))
    assert data_folder() == tmp_path / "mine"
    assert len(published()) == len(published(folder=PUBLISHED))
    monkeypatch.setenv("FASTSCALE_DATA", str(tmp_path))
    with pytest.raises(PublishedError, match=r"FASTSCALE_DATA names .*, where there is no published/"):
        published()


def test_data_is_found_where_the_working_folder_was_removed(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert data_folder() == PUBLISHED.parent


@pytest.mark.parametrize(
    ("network", "guess"),
    [
        *[("RegNetY-4.0GF", "RegNetY"), ("ViT_P-18GF", "ViT_P"), ("ResNet-50", "ResNet")],
        *[("resnet50", "resnet"), ("tv_resnet50", "resnet"), ("resnet32ts", "resnet"), ("resnetv2_50", "resnetv2")],
        *[("regnety_040", "regnety"), ("tf_efficientnetv2_b0", "efficientnetv2"), ("efficientnet_b0", "efficientnet")],
        *[("convnextv2_atto", "convnextv2"), ("mobilenetv3_small_050", "mobilenetv3"), ("vgg16", "vgg")],
        *[("vit_base_patch16_224", "vit"), ("densenetblur121d", "densenetblur"), ("res2net50_26w_4s", "res2net")],
        *[("dpn68b", "dpn"), ("inception_v3", "inception"), ("tf", "tf")],
    ],
)
def test_families_are_guessed_from_names(network, guess):
    assert family(network) == guess


# Stores of measured rows


def measured(**more) -> dict:
    """A row as sweeps write it, of a scaled network on a CPU."""
    counts = fs.complexity("ResNet-50")._asdict()
    return {
        **{"network": "ResNet-50 dWr ×1", "base": "ResNet-50", "strategy": "dWr", "scale": 1.0, "mode": "inference"},
        **{"batch": 4, "resolution": 224, "precision": "fp32", "channels_last": True, "compile": False},
        **{"device": "cpu", "device_name": "Some CPU", "median_ms": 200.0, "images_per_s": 20.0, "reason": None},
        **{"torch": "2.13.0", "cuda": None, "low_ms": 199.0, "high_ms": 202.0, **counts, **more},
    }


def store(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def in_form(path, *rows):
    return published_form(read_rows(store(path, *rows)))


def test_measured_rows_take_the_form_of_published_ones(tmp_path):
    frame = in_form(tmp_path / "mine.jsonl", measured(), measured(device="cuda:1", cuda="12.6"))
    assert {column: str(kind) for column, kind in frame.dtypes.items()} == COLUMNS
    row = frame.iloc[0]
    assert (row.source, row.family, row.device, row.devices) == ("mine.jsonl", "ResNet", "cpu", 1)
    assert (row.median_ms, row.ms_per_image, row.images_per_s) == (200.0, 50.0, 20.0)
    assert tuple(row[["flops", "params", "activations"]]) == fs.complexity("ResNet-50")
    assert frame["device"].tolist() == ["cpu", "cuda"]


def test_rows_that_say_why_they_have_no_time_are_left_out(tmp_path):
    failed = measured(reason="out of memory", median_ms=None, images_per_s=None)
    assert len(in_form(tmp_path / "mine.jsonl", measured(), failed)) == 1
    nothing = in_form(tmp_path / "none.jsonl", failed)
    assert (len(nothing), list(nothing)) == (0, list(COLUMNS))


def test_a_network_that_is_not_scaled_is_of_its_own_family(tmp_path):
    plain = measured(network="RegNetY-400MF", base=None)
    scaled = measured(network="anything", base="EfficientNet-B0")
    bare = {name: value for name, value in plain.items() if name != "base"}
    assert in_form(tmp_path / "a.jsonl", plain, scaled)["family"].tolist() == [
        "RegNetY",
        "EfficientNet",
    ]
    assert in_form(tmp_path / "b.jsonl", bare)["family"].tolist() == ["RegNetY"]


def test_a_store_without_counts_is_refused_with_what_it_lacks(tmp_path):
    bare = {name: value for name, value in measured().items() if name not in ("flops", "activations")}
    with pytest.raises(PublishedError, match=r"mine\.jsonl lacks flops, activations; "):
        in_form(tmp_path / "mine.jsonl", bare)
    with pytest.raises(PublishedError, match=r"there is no .*none\.jsonl; give the path of a store"):
        read_rows(tmp_path / "none.jsonl")


def test_published_and_measured_rows_go_into_one_frame(tmp_path):
    frame = pd.concat([published(), in_form(tmp_path / "mine.jsonl", measured())], ignore_index=True)
    assert {column: str(kind) for column, kind in frame.dtypes.items()} == COLUMNS
    assert np.allclose(frame["images_per_s"] * frame["ms_per_image"], 1000)


# Errors


def test_errors_have_the_same_columns_whatever_the_source():
    for name in [*NAMES, "efficientnet_scaled", "mvit_table17"]:
        frame = published_errors(name)
        assert {column: str(kind) for column, kind in frame.dtypes.items()} == ERROR_COLUMNS
    assert set(published_errors()["source"]) == {*NAMES, "efficientnet_scaled", "mvit_table17"}


def test_a_network_has_a_row_for_each_length_of_training():
    """RegNetZ-4GF: 17.4, 16.9 and 16.6 % after 100, 200 and 400 epochs."""
    rows = published_errors("early_convolutions_table2").query("network == 'RegNetZ-4GF'")
    assert rows["epochs"].tolist() == [100, 200, 400]
    assert rows["top1_error_pct"].tolist() == [17.4, 16.9, 16.6]
    assert set(rows["strategy"]) == {"dWr"}


def test_errors_carry_the_times_of_their_source():
    for source, modes in {
        "pycls_zoo_v100": ["inference", "training"],
        "early_convolutions_table2": ["training"],
    }.items():
        errors = published_errors(source).query("epochs == 100").set_index("network")
        times = published(source)
        assert len(errors)
        for mode in modes:
            of_mode = times[times["mode"] == mode].set_index("network")
            pd.testing.assert_series_equal(errors[f"{mode}_ms_per_image"], of_mode["ms_per_image"], check_names=False)
            pd.testing.assert_series_equal(errors["activations"], of_mode["activations"])


def test_designed_networks_have_no_strategy_and_scaled_ones_have_theirs():
    zoo = published_errors("pycls_zoo_v100").groupby("family")["strategy"].first()
    assert zoo[["EfficientNet", "ResNet"]].tolist() == ["dwr", "d"]
    assert zoo[["RegNetX", "RegNetY"]].isna().all()


def test_an_accuracy_is_published_as_the_error_that_it_leaves():
    """Tan and Le, Table 7: EfficientNet-B0 reaches 77.3 %, and scaled by compound scaling 81.1 %."""
    rows = published_errors("efficientnet_scaled").query("base == 'EfficientNet-B0'").set_index("network")
    assert rows["top1_error_pct"][["EfficientNet-B0", "EfficientNet-B0 dwr"]].tolist() == [22.7, 18.9]
    assert rows["flops"].tolist() == [400_000_000, *[1_800_000_000] * 2, 1_900_000_000, 1_800_000_000]
    assert rows[["params", "activations", "epochs", "training_ms_per_image"]].isna().all(axis=None)


def test_an_unknown_table_of_errors_is_answered_with_the_names():
    with pytest.raises(PublishedError, match=r"name is 'timm', but must be one of pycls_zoo_v100, early"):
        published_errors("timm")
