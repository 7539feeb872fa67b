"""timm's published times as `data/published` keeps them: facts of networks that are described exactly."""

from pathlib import Path

import pytest

import fastscale_lib as fs
from fastscale_lib.records.published_rows import COLUMNS

PUBLISHED = fs.records.data_folder() / "published"


@pytest.fixture(scope="module")
def times():
    return fs.records.timm_times()


def test_the_rows_are_in_the_form_of_all_timings(times):
    assert list(times) == [*COLUMNS, "base", "description"]
    assert len(times) == 4355
    assert times.groupby(["device_name", "mode", "channels_last", "compile", "torch"]).ngroups == 18
    known = [
        "ms_per_image",
        "batch",
        "resolution",
        "flops",
        "params",
        "activations",
        "channels_last",
        "compile",
        "torch",
    ]
    assert times[known].notna().all(axis=None)
    assert set(times["device"]) == {"cuda", "cpu"}
    assert times.attrs["conventions"] == fs.records.published().attrs["conventions"]


def test_a_row_is_what_timm_published(times):
    """resnet50 at 224 pixels on an RTX 4090, channels last, torch 2.4: its step time follows from images a second."""
    own = times[(times["base"] == "ResNet-50") & (times["resolution"] == 224) & (times["device_name"] == "RTX 4090")]
    [row] = own[own["channels_last"]].to_dict("records")
    assert row["torch"] == "2.4.0"
    assert row["median_ms"] == pytest.approx(1000 * row["batch"] / row["images_per_s"])
    assert row["flops"] == fs.complexity("ResNet-50").flops


def test_each_row_describes_its_network_at_its_resolution(times):
    assert len(times)
    for row in times.drop_duplicates(["base", "resolution"]).to_dict("records"):
        network = fs.Network.from_dict(row["description"])
        assert (network.name, network.resolution) == (row["base"], row["resolution"])


def test_no_network_is_twice_in_a_setting(times):
    setting = ["device_name", "mode", "channels_last", "compile", "torch"]
    assert not times.duplicated([*setting, "base", "resolution"]).any()


def test_the_tables_are_small():
    assert sum(path.stat().st_size for path in PUBLISHED.glob("timm_*.csv")) < 300_000


def test_a_model_is_fitted_to_the_rows_as_they_are(times):
    rows = times[(times["device_name"] == "Core i7-12700H") & (times["resolution"] == 224)]
    model = fs.RuntimeModel.fit(rows, by="flops")
    assert model.predict("ResNet-50", 1)["predicted_ms"][0] > 0


def test_a_setting_that_no_table_names_is_refused(tmp_path: Path):
    for name in ("timm_settings", "timm_times"):
        (tmp_path / f"{name}.csv").write_text((PUBLISHED / f"{name}.csv").read_text("utf-8"), "utf-8")
    with (tmp_path / "timm_times.csv").open("a", encoding="utf-8") as file:
        file.write("99,ResNet-50,224,1,10\n")
    with pytest.raises(fs.records.PublishedError, match="has setting 99, which timm_settings"):
        fs.records.timm_times(tmp_path)
