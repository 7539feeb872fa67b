"""The reach of predictions: at the batches of the rows, and for networks like theirs."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.fake_device import BASES, by_layers, made_up_device, rows
from hypothesis import given, settings
from hypothesis import strategies as st

import fastscale_lib as fs
from fastscale_lib._common.frames import rows as rows_of
from fastscale_lib.architectures.operation_lists import operations
from fastscale_lib.prediction.forms import runs_of
from fastscale_lib.prediction.stored_models import fitted_model

SHIPPED = Path(__file__).parents[2] / "data" / "measured"
HOSTILE = [-1, 0, 1.5, True, False, "4", float("nan"), float("inf"), [4], np.float64(4), 10**400]


@pytest.fixture(scope="module")
def epyc() -> fs.RuntimeModel:
    """The rows of the AMD EPYC, all of batch 4, in inference."""
    model = fitted_model([SHIPPED / "amd-epyc-2-threads.jsonl"], "inference", "fp32")
    assert model is not None
    return model


@pytest.fixture(scope="module")
def h200() -> pd.DataFrame:
    """The rows of the NVIDIA H200 in bf16: eight of 256 images, and three of 64."""
    found = pd.concat([fs.Store(SHIPPED / each / "nvidia-h200.jsonl").frame() for each in ("", "16gf")])
    return found[(found["mode"] == "inference") & (found["precision"] == "bf16")]


# Batches


@pytest.mark.parametrize("batch", [1, 48, 1024, np.int64(48)])
def test_rows_of_one_batch_tell_nothing_of_another(epyc, batch):
    """EfficientNet-B0 took 23 times as long with 48 images as with 4; twelve times was predicted, within 6 %."""
    said = rf"batch {batch:,} is beyond the fitted rows, of batch 4, .* fs\.calibrate\(batch={batch}\) does, or ask"
    base, way = fs.network("EfficientNet-B0"), fs.strategy("dWr")
    for ask in (
        lambda: epyc.predict(base, batch),
        lambda: epyc.curve(base, [way], [1, 2], batch),
        lambda: epyc.layers(base, batch),
        lambda: fs.prediction.costs(base, way, 2, batch=batch, model=epyc, memory=False),
        lambda: fs.within(base, way, time_ms=100, batch=batch, model=epyc, memory=False),
        lambda: fs.within(base, way, params=1e7, batch=batch, model=epyc, memory=False, strict=False),
    ):
        with pytest.raises(fs.prediction.PredictionError, match=said):
            ask()


def test_the_batch_of_the_rows_may_be_left_out(epyc):
    assert epyc.predict("EfficientNet-B0").equals(epyc.predict("EfficientNet-B0", 4))
    assert epyc.layers("EfficientNet-B0").equals(epyc.layers("EfficientNet-B0", 4))
    assert epyc.batch() == 4
    several = fs.RuntimeModel.fit(pd.concat([rows(by_layers, batch=batch) for batch in (2, 32)]))
    with pytest.raises(fs.prediction.PredictionError, match="no batch is given; say which, from 2 to 32"):
        several.predict("ResNet-50")
    assert [several.batch(each) for each in (2, 8, np.int64(32))] == [2, 8, 32]
    for beyond, nearest in ((1, 2), (33, 32)):
        with pytest.raises(
            fs.prediction.PredictionError, match=f"batch {beyond} is .*, of batch 2 to 32, .* ask for batch {nearest}$"
        ):
            several.predict("ResNet-50", beyond)
    assert several.rates()["batches"].tolist() == ["2 to 32"]


@pytest.mark.parametrize("batch", HOSTILE, ids=lambda batch: repr(batch)[:10])
def test_what_is_no_batch_is_refused_in_a_sentence(epyc, batch):
    base, way = fs.network("EfficientNet-B0"), fs.strategy("dWr")
    for model in (epyc, made_up_device()):
        for ask in (
            lambda: model.predict(base, batch),  # noqa: B023
            lambda: model.curve(base, [way], [1, 2], batch),  # noqa: B023
            lambda: model.layers(base, batch),  # noqa: B023
            lambda: fs.prediction.costs(base, way, 2, batch=batch, model=model, memory=False),  # noqa: B023
            lambda: fs.within(base, way, time_ms=100, batch=batch, model=model, memory=False),  # noqa: B023
            lambda: fs.calibrate("cpu", batch=batch),  # before anything is measured
        ):
            with pytest.raises(
                ValueError, match=r"batch is .*, but must be a whole number|batch.*at most 308"
            ) as refused:
                ask()
            assert len(str(refused.value)) < 200


# Networks


def test_a_network_like_the_fitted_ones_has_the_stated_error(epyc):
    found = epyc.predict(["EfficientNet-B0", "RegNetY-4.0GF", "ResNet-50"])
    assert found["note"].isna().all()
    error = epyc.rates()["error"][0]
    assert (found["high_ms"] / found["predicted_ms"]).tolist() == pytest.approx([1 + error] * 3)


def test_a_larger_network_has_the_error_of_such_a_trial(epyc):
    found = epyc.predict(["RegNetY-32GF", fs.scale("EfficientNet-B0", "w", 0.25)])
    assert found["note"][0].startswith("it has 1.91 times the multiply-adds of the largest fitted network: ± ")
    assert found["note"][1].startswith("it has 1/1.73 of the multiply-adds of the smallest fitted network: ± ")
    [fitted] = epyc.fitted.values()
    assert fitted.reach is not None
    for trial, row in zip((fitted.reach.up, fitted.reach.down), rows_of(found), strict=True):
        off = max(trial.error_90, fitted.error_90)
        assert row.high_ms / row.predicted_ms == pytest.approx(1 + off) == pytest.approx(row.predicted_ms / row.low_ms)
        assert f"± {off:.0%}" in row.note
        assert off > 3 * fitted.error


def test_a_trial_is_a_fit_to_the_smallest_third_judged_on_the_larger():
    frame = fs.Store(SHIPPED / "amd-epyc-2-threads.jsonl").frame()
    frame = frame[(frame["mode"] == "inference") & frame["median_ms"].notna()].reset_index(drop=True)
    [fitted] = fs.RuntimeModel.fit(frame).fitted.values()
    assert fitted.reach is not None
    small = frame["flops"] <= frame["flops"].quantile(1 / 3)
    model = fs.RuntimeModel.fit(frame[small])
    each = [operations(fs.Network.from_dict(description)) for description in frame["description"]]
    totals = [[float((getattr(ops, size) * ops.times).sum()) for size in ("flops", "weights", "moved")] for ops in each]
    sizes = pd.DataFrame(totals, index=frame.index)
    times = (sizes / sizes[small].max()).max(axis=1)
    beyond = times > 1 + 1e-9
    assert fitted.reach.up.times == pytest.approx(times.max())
    networks = [fs.Network.from_dict(each) for each in frame.loc[beyond, "description"]]
    key = model.setting()
    runs = runs_of(networks, np.full(len(networks), 4.0), key)
    seconds = np.exp(model._form(key).log_seconds(runs, model.fitted[key].parameters))
    off = np.abs(1e3 * seconds / frame.loc[beyond, "median_ms"] - 1)
    assert fitted.reach.up.error_90 == pytest.approx(np.quantile(off, 0.9), rel=1e-3)


LARGER = (
    r"times the .* of the largest fitted network, and the fit was tried up to 22 times that; measure rows of larger"
)
SMALLER = (
    r"of the .* of the smallest fitted network, and the fit was tried down to 1/9\.62 of that; measure rows of smaller"
)


@pytest.mark.parametrize(
    ("s", "said"), [(400, rf"it has \d+\.?\d* {LARGER}"), (0.002, rf"it has 1/\d+\.?\d* {SMALLER}")]
)
def test_a_network_far_beyond_all_fitted_is_refused(epyc, s, said):
    network = fs.scale("RegNetY-4.0GF", "dWr", s)
    for ask in (epyc.predict, epyc.layers):
        with pytest.raises(fs.prediction.PredictionError, match=f"RegNetY-4.0GF dWr ×{s:g} is not predicted: {said}"):
            ask(network)
    found = epyc.predict(["ResNet-50", network], strict=False)
    assert found["predicted_ms"].isna().tolist() == [False, True]
    assert found.loc[1, ["low_ms", "high_ms"]].isna().all()
    assert found["note"][1].startswith("not predicted: it has ")
    cost = fs.prediction.costs("RegNetY-4.0GF", "dWr", [1, s], model=epyc, batch=4, memory=False)
    assert cost["note"].tolist() == found["note"].tolist()
    assert cost["predicted_ms"].isna().tolist() == [False, True]


def test_what_a_time_buys_is_not_told_where_its_time_cannot_be(epyc):
    how = {"time_ms": 1e6, "model": epyc, "batch": 4, "memory": False}
    with pytest.raises(
        fs.prediction.BudgetError, match=r"largest RegNetY-4.0GF scaled by w within .* is not predicted: it has"
    ):
        fs.within("RegNetY-4.0GF", "w", **how)
    row = fs.within("RegNetY-4.0GF", "w", **how, strict=False).iloc[0]
    assert np.isnan(row["predicted_ms"])
    assert "tried up to 22 times that" in row["reason"]
    counted = fs.within("RegNetY-4.0GF", "w", params=5e9, model=epyc, batch=4, memory=False).iloc[0]
    assert counted["params"] > 4.9e9  # a count needs no time
    assert np.isnan(counted["predicted_ms"])
    assert counted["note"].startswith("not predicted")


def test_an_operation_that_no_row_has_is_not_predicted():
    """A rate that nothing was fitted to is a guess."""
    resnets = fs.RuntimeModel.fit(rows(by_layers, bases=["ResNet-50", "ResNet-101", "ResNet-152"]))
    said = r"not predicted: \d+% of its arithmetic or data is of the kind (conv depthwise|smooth), which has 0.0%"
    with pytest.raises(fs.prediction.PredictionError, match=said):
        resnets.predict("EfficientNet-B0")
    assert resnets.predict(fs.anynet(block="res_basic_block", depths=[2, 2], widths=[64, 128]), strict=False)["note"][0]


@pytest.mark.parametrize("name", ["ConvNeXt-Atto", "ConvNeXtV2-Atto", "ViT-S/32", "ViT-Ti/16", "DeiT-III-S"])
def test_layers_that_no_convnet_has_are_not_predicted_from_convnets(epyc, name):
    """Even where they are a small share: layer norms move 7 % of the data of a ConvNeXt."""
    said = (
        r"not predicted: \d+% of its arithmetic or data is of the kind (layer norm|token linear|attention), which has"
    )
    with pytest.raises(fs.prediction.PredictionError, match=said):
        epyc.predict(name, 4)


@settings(max_examples=40, deadline=None)
@given(base=st.sampled_from(BASES), way=st.sampled_from(["w", "dw", "dwr", "dWr", "r", "d"]), s=st.floats(2**-9, 2**12))
def test_no_interval_is_narrower_than_the_stated_error(epyc, base, way, s):
    row = epyc.predict(fs.scale(base, way, s), strict=False).iloc[0]
    error = epyc.rates()["error"][0]
    if np.isnan(row["predicted_ms"]):
        assert row["note"].startswith("not predicted: ")
    else:
        assert row["high_ms"] / row["predicted_ms"] >= (1 + error) * (1 - 1e-12)
        assert (row["note"] is None) == (row["high_ms"] / row["predicted_ms"] == pytest.approx(1 + error))


# Hosts of GPUs


def test_a_run_on_a_gpu_takes_no_less_than_its_host_takes_to_launch_it(h200):
    """RegNetY-4.0GF at 64 images, left out of the fit: 10.5 ms were predicted, and 17.6 measured."""
    out = h200["network"] == "RegNetY-4.0GF"
    others = h200[~out]
    model = fs.RuntimeModel.fit(others)
    launches = np.array([operations(fs.Network.from_dict(each)).times.sum() for each in others["description"]])
    each = others["launch_ms"].to_numpy() / launches
    row = model.predict("RegNetY-4.0GF", 64).iloc[0]
    n = operations(fs.network("RegNetY-4.0GF")).times.sum()
    assert model.rates()["launch_us"][0] == pytest.approx(1e3 * np.median(each))
    assert row["predicted_ms"] > n * np.median(each) > 11
    assert row["high_ms"] > n * each.max()
    assert row["low_ms"] < h200.loc[out, "median_ms"].iloc[0] < row["high_ms"]
    without = fs.RuntimeModel.fit(others.drop(columns="launch_ms")).predict("RegNetY-4.0GF", 64).iloc[0]
    assert without["high_ms"] < h200.loc[out, "median_ms"].iloc[0]


def test_a_slow_host_is_known_by_its_launches_not_by_the_rates():
    """Rows that wait for their host tell of the host; the device's rates come from those that do not."""
    host = 4e-4  # seconds an operation

    def launched(network: fs.Network) -> float:
        return host * operations(network).times.sum()

    frame = pd.concat([
        rows(lambda network, batch: max(by_layers(network, batch), launched(network)), batch=batch) for batch in (1, 64)
    ])  # fmt: skip
    frame["launch_ms"] = [1e3 * launched(fs.Network.from_dict(each)) for each in frame["description"]]
    waits = frame["median_ms"] <= frame["launch_ms"] * 1.001
    assert 0.1 < waits.mean() < 0.9
    model = fs.RuntimeModel.fit(frame)
    assert model.rates()["launch_us"][0] == pytest.approx(1e6 * host)
    for network, batch in (("RegNetY-1.6GF", 1), ("RegNetY-1.6GF", 64), ("ResNet-101", 64)):
        truth = 1e3 * max(by_layers(fs.network(network), batch), launched(fs.network(network)))
        assert model.predict(network, batch)["predicted_ms"][0] == pytest.approx(truth, rel=0.2)
    assert np.isnan(fs.RuntimeModel.fit(frame.drop(columns="launch_ms")).rates()["launch_us"][0])
