"""Figure 1 as a notebook: what it says is computed, and the index shows it."""

from helpers.notebooks import named, texts
from helpers.played_notebooks import played

import fastscale_lib as fs

FIGURE_ONE = named("11_figure_1")


def test_the_text_is_that_of_the_figure(executed):
    [text] = texts(executed(FIGURE_ONE))
    activations = fs.analysis.activations_beside_width("EfficientNet-B0")
    rows = fs.records.read_rows((fs.records.data_folder() / "measured").glob("*.jsonl"))
    times = fs.analysis.on_every_device(rows, "EfficientNet-B0")
    assert text == fs.analysis.figure_one_text("EfficientNet-B0", activations, times)


def test_on_a_gpu_fast_scaling_is_nearly_as_fast_as_width(executed):
    """What the paper's Figure 1 shows at the lower right, of the four networks measured on an H200."""
    rows = fs.records.read_rows([fs.records.data_folder() / "measured" / "nvidia-h200.jsonl"])
    times = fs.analysis.on_every_device(rows, "EfficientNet-B0")
    measured = times[times["evidence"] == "measured"]
    assert len(measured)
    for _, own in measured.groupby("device"):
        ratios = own.set_index("strategy")["ratio"]
        assert ratios["w"] < ratios["dWr"] < ratios["dw"] < ratios["dwr"]
        assert ratios["dWr"] < 1.07


def test_another_network_will_do():
    [text] = texts(played(FIGURE_ONE, {"network": "RegNetX-400MF", "largest": 8.0}))
    assert "RegNetX-400MF" in text
