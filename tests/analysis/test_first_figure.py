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
            "doubt": None,
        }
    )
    text = fs.analysis.figure_one_text("EfficientNet-B0", activations, times)
    first, table = text.split("\n\n")
    assert first == (
        "At 16 times the flops of EfficientNet-B0, compound scaling (*dwr*) makes 2.0 times the activations of width "
        "scaling (*w*); fast scaling (*dWr*) makes 1.2 times."
    )
    assert table.splitlines()[2:] == ["| measured on GPUs (1 setting), 4× the base's flops | 1.49× | 1.06× |"]
    without = fs.analysis.figure_one_text("EfficientNet-B0", activations, times.iloc[:0])
    assert without.endswith("No device has times of all these strategies.")


def test_the_table_of_times_has_a_line_for_each_kind_and_evidence():
    one = pd.DataFrame({"strategy": ["w", "dWr", "dwr"], "ratio": [1.0, 1.06, 1.49], "scale": 4.0, "doubt": None})
    cases = [("a CPU", "CPU", "predicted"), ("a GPU", "GPU", "predicted"), ("a GPU", "GPU", "measured")]
    rows = [one.assign(device=device, kind=kind, evidence=evidence) for device, kind, evidence in cases]
    other = one.assign(device="another GPU", kind="GPU", evidence="measured", scale=2.0, ratio=[1.0, 1.1, 1.3])
    other["doubt"] = "it waited for its host"
    measured = "measured on GPUs (2 settings, of which 1 decides nothing)"
    assert fs.analysis.devices_text(pd.concat([*rows, other])).splitlines()[2:] == [
        f"| {measured}, 2 to 4× the base's flops | 1.30 to 1.49× | 1.06 to 1.10× |",
        "| predicted on GPUs (1 setting), 4× the base's flops | 1.49× | 1.06× |",
        "| predicted on CPUs (1 setting), 4× the base's flops | 1.49× | 1.06× |",
    ]


def test_activations_are_told_at_flops_that_both_strategies_reach():
    """Activations that grow as a power of flops are the same between two networks."""
    rows = pd.DataFrame({"strategy": ["dwr"] * 3 + ["dWr"] * 2, "times": [1.0, 40.0, 64.0, 1.0, 50.0]})
    exponents = rows["strategy"].map({"dwr": 1 / 3, "dWr": 0.1})
    text = fs.analysis.figure_one_text("EfficientNet-B0", rows.assign(relative=rows["times"] ** exponents), NO_TIMES)
    assert text.startswith(
        f"At 50 times the flops of EfficientNet-B0, compound scaling (*dwr*) makes {50 ** (1 / 3):.1f} times the "
        f"activations of width scaling (*w*); fast scaling (*dWr*) makes {50**0.1:.1f} times."
    )
