"""Figure 1: published accuracy at the same flops, activations beside width scaling, and the sentences."""

import pandas as pd
import pytest

import fastscale_lib as fs

NO_TIMES = pd.DataFrame(columns=["device", "kind", "evidence", "scale", "strategy", "ratio"])


def test_published_accuracy_compares_networks_of_about_the_same_flops():
    rows = fs.analysis.published_accuracy()
    for _, own in rows.groupby("case"):
        assert own["flops"].max() / own["flops"].min() <= 1.15
        assert own["strategy"].nunique() == len(own) >= 2
    transformer = rows[rows["base"] == "DeiT-Ti"].set_index("strategy")["top1_accuracy_pct"]
    assert transformer.round(1).to_dict() == {"w": 79.9, "dWr": 80.4, "dwr": 80.5}
    convnet = rows[rows["base"] == "EfficientNet-B0"].set_index("strategy")["top1_accuracy_pct"]
    assert convnet.round(1).to_dict() == {"w": 78.9, "dwr": 81.1}


def test_activations_of_width_scaling_are_those_of_itself():
    rows = fs.analysis.activations_beside_width("RegNetX-400MF", ("w", "dwr"), largest=16)
    width, compound = (rows[rows["strategy"] == way] for way in ("w", "dwr"))
    assert width["relative"].to_numpy() == pytest.approx(1)
    assert compound["relative"].iloc[-1] > 1.5
    assert rows["times"].max() <= 20


def test_between_two_networks_activations_are_near_those_at_the_same_flops():
    rows = fs.analysis.activations_beside_width("EfficientNet-B0", ("dwr",), largest=16)
    last = rows.iloc[-1]
    flops = last["times"] * fs.complexity(fs.network("EfficientNet-B0")).flops
    other = fs.complexity(fs.scale_to("EfficientNet-B0", "w", flops=flops)).activations
    own = fs.complexity(fs.scale_to("EfficientNet-B0", "dwr", flops=flops)).activations
    assert last["relative"] == pytest.approx(own / other, rel=0.03)


def test_the_sentences_say_what_the_frames_hold():
    activations = pd.DataFrame({"strategy": ["w", "dWr", "dwr"], "times": 16.0, "relative": [1.0, 1.25, 2.0]})
    times = pd.DataFrame(
        {
            "device": "a GPU",
            "kind": "GPU",
            "evidence": "measured",
            "scale": 4.0,
            "strategy": ["w", "dWr", "dwr"],
            "ratio": [1.0, 1.06, 1.49],
        }
    )
    text = fs.analysis.figure_one_text("EfficientNet-B0", activations, times)
    assert text.startswith("Scaled to 16 times its flops, EfficientNet-B0 has 2.0 times the activations by dwr")
    assert text.endswith(
        "On GPUs, at 4 times the flops of the base network, dwr takes 1.49 times as long as w, and dWr 1.06 (measured, "
        "1 setting)."
    )
    without = fs.analysis.figure_one_text("EfficientNet-B0", activations, times.iloc[:0])
    assert without.endswith("No device has times of all these strategies.")
    other = times.assign(device="another GPU", scale=2.0)
    assert "On GPUs, at 2 to 4 times the flops of the base network, " in fs.analysis.devices_text(
        pd.concat([times, other])
    )


def test_activations_are_told_at_flops_that_both_strategies_reach():
    """Activations that grow as a power of flops are the same between two networks."""
    rows = pd.DataFrame({"strategy": ["dwr"] * 3 + ["dWr"] * 2, "times": [1.0, 40.0, 64.0, 1.0, 50.0]})
    exponents = rows["strategy"].map({"dwr": 1 / 3, "dWr": 0.1})
    text = fs.analysis.figure_one_text("EfficientNet-B0", rows.assign(relative=rows["times"] ** exponents), NO_TIMES)
    assert text.startswith(
        f"Scaled to 50 times its flops, EfficientNet-B0 has {50 ** (1 / 3):.1f} times the activations by dwr that it "
        f"has by width scaling (w), and {50**0.1:.1f} times by fast scaling (dWr)."
    )
