"""Strategies at equal flops on every device: predicted by its profile, or measured."""

import re
from itertools import product

import numpy as np
import pytest
from helpers.figures import traces

import fastscale_lib as fs

WAYS = ["w", "dWr", "dw", "dwr"]


@pytest.fixture(scope="module")
def everywhere():
    folder = fs.records.data_folder() / "measured"
    return fs.analysis.on_every_device(fs.records.read_rows(sorted(folder.glob("*.jsonl"))), "EfficientNet-B0")


def test_every_profile_and_every_measured_device_has_all_four(everywhere):
    """The two CPUs that have a profile of their own measured rows are not predicted beside these."""
    predicted = everywhere[everywhere["evidence"] == "predicted"]
    titles = [each.title for each in fs.analysis.device_settings()]
    assert list(dict.fromkeys(predicted["device"])) == [each for each in titles if not re.search("EPYC|Xeon", each)]
    measured = everywhere[everywhere["evidence"] == "measured"]
    assert measured["device"].str.contains("H200").sum() == 2 * len(WAYS)
    for _, rows in everywhere.groupby(["evidence", "device"]):
        assert list(rows["strategy"]) == WAYS
        assert rows["ratio"].iloc[0] == 1


def test_the_order_of_the_paper_on_every_gpu(everywhere):
    table = fs.analysis.devices_table(everywhere)
    gpus = table[table.index.get_level_values("device").str.contains("RTX|H200")]
    assert len(gpus) == 9
    assert (np.diff(gpus[WAYS], axis=1) > 0).all()
    assert gpus["error"].isna().sum() == 2  # the measured ones


def test_a_predicted_ratio_is_that_of_the_networks_at_equal_flops(everywhere):
    device = fs.analysis.device_settings(["RTX 4090"])[0]
    networks = fs.equal_flops("EfficientNet-B0", WAYS, 4)["scaled"]
    ms = device.model.predict(networks, device.batch, **device.setting)["predicted_ms"]
    own = everywhere[everywhere["device"] == device.title]
    assert own["ratio"].tolist() == (ms / ms[0]).tolist()
    assert (own["high"] / own["ratio"]).tolist() == pytest.approx([1 + device.error] * 4)


def test_measured_bf16_on_the_h200_has_intervals_and_no_doubt(everywhere):
    own = everywhere[everywhere["device"].str.contains("H200.*bf16")].iloc[1:]
    assert own["doubt"].isna().all()
    assert (own["low"] < own["ratio"]).all()
    assert (own["ratio"] < own["high"]).all()


def test_the_figure_draws_each_strategy_measured_and_predicted(everywhere):
    drawn = {
        (trace.name, trace.marker.symbol.endswith("-open")): trace
        for trace in traces(fs.figures.on_every_device(everywhere))
    }
    assert set(drawn) == set(product(WAYS, (False, True)))
    of_dwr = everywhere[everywhere["strategy"] == "dwr"]
    decides = of_dwr["evidence"].eq("measured") & of_dwr["doubt"].isna()
    assert list(drawn["dwr", False].x) == of_dwr.loc[decides, "ratio"].tolist()
    assert list(drawn["dwr", True].x) == of_dwr.loc[~decides, "ratio"].tolist()
    assert [trace.name for trace in drawn.values() if trace.showlegend] == list(WAYS)


def test_without_measured_rows_devices_are_predicted():
    none = fs.records.read_rows([])
    alone = fs.analysis.on_every_device(none, "EfficientNet-B0", strategies=["w", "dwr"])
    assert set(alone["evidence"]) == {"predicted"}


def test_gpus_and_cpus_are_told_apart(everywhere):
    kinds = everywhere.drop_duplicates("device").set_index("device")["kind"]
    for device, kind in kinds.items():
        assert kind == ("GPU" if str(device).startswith(("RTX", "NVIDIA")) else "CPU")
    assert set(kinds) == {"GPU", "CPU"}
