"""Figures of errors over cost: of families, of scaled networks, and of seeds."""

import pandas as pd
import pytest
from helpers.figures import annotations, traces

import fastscale_lib as fs
from fastscale_lib.figures.accuracy import errors, scaled_errors, seed_panels


def test_a_family_has_its_line_in_each_panel_and_one_entry_in_the_legend():
    table = fs.records.published_errors("early_convolutions_table2").query("epochs == 200")
    figure = errors(table)
    assert len(traces(figure)) == 2 * table["family"].nunique()
    named = [trace.name for trace in traces(figure) if trace.showlegend]
    assert named == ["ResNet (d)", "RegNetY (dWr)", "RegNetZ (dWr)", "EfficientNet (dwr)", "ViT_P", "ViT_C"]
    line = next(trace for trace in traces(figure) if trace.name == "EfficientNet (dwr)")
    assert list(line.y) == [20.5, 17.8, 17.0]
    assert {trace.line.dash for trace in traces(figure) if trace.name.startswith("ViT")} == {"dot"}


def test_a_family_looks_the_same_in_every_figure():
    looks = [
        {trace.name.split(" ")[0]: trace.line.color for trace in traces(errors(fs.records.published_errors(source)))}
        for source in ("pycls_zoo_v100", "early_convolutions_table2")
    ]
    common = set(looks[0]) & set(looks[1])
    assert common == {"EfficientNet", "RegNetY", "ResNet"}
    assert all(looks[0][name] == looks[1][name] for name in common)
    assert [len(set(each.values())) for each in looks] == [len(each) for each in looks]


def test_costs_that_no_network_has_get_no_panel():
    table = fs.records.published_errors("early_convolutions_table2").query("epochs == 100")
    assert "xaxis2" not in errors(table, ["flops", "inference_ms_per_image"]).layout


def test_scaled_networks_start_at_their_base():
    figure = scaled_errors(fs.records.published_errors("efficientnet_scaled"))
    assert annotations(figure) == [*["MobileNetV1", "MobileNetV2", "ResNet-50", "EfficientNet-B0"]]
    width = [trace for trace in traces(figure) if trace.name == "w"]
    assert [list(trace.y) for trace in width] == [[29.4, 25.8], [28.0, 23.6], [24.0, 22.3], [22.7, 21.1]]
    assert sum(bool(trace.showlegend) for trace in traces(figure)) == 4  # d, w, r and dwr, once each


def test_seeds_have_the_intervals_of_the_frame():
    """They are not symmetric where an interval was cut at 0 or 100 %."""
    base = {"base": "Tiny", "network": "Tiny", "strategy": None, "flops": 1e6, "error": 3.0, "low": 0.0, "high": 6.4}
    scaled = base | {"network": "Tiny w", "strategy": "w", "flops": 4e6, "error": 97.0, "low": 93.6, "high": 100.0}
    [trace] = traces(seed_panels(pd.DataFrame([base, scaled]), ["flops"]))
    assert list(trace.x) == [1e6, 4e6]
    assert list(trace.y - trace.error_y.arrayminus) == pytest.approx([0.0, 93.6])
    assert list(trace.y + trace.error_y.array) == pytest.approx([6.4, 100.0])
