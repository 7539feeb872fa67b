"""The reach of predictions: at the batches of the rows, and for networks like theirs."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.fake_device import BASES, by_layers, made_up_device, rows
from hypothesis import given, settings
from hypothesis import strategies as st

import fastscale_lib as fs
from fastscale_lib.architectures.operation_lists import operations
from fastscale_lib.prediction import unseen
from fastscale_lib.prediction.fitted import Fitted, widening_of_others
from fastscale_lib.prediction.forms import runs_of
from fastscale_lib.prediction.layer_forms import Layers
from fastscale_lib.prediction.reach import Bands, Extent, Reach, Trial, judge
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


def reach_of(fitted: Fitted) -> Reach:
    assert fitted.reach is not None
    return fitted.reach


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


def test_a_network_like_the_fitted_ones_has_the_stated_bands(epyc):
    found = epyc.predict(["EfficientNet-B0", "RegNetY-4.0GF", "ResNet-50"])
    assert found["note"].isna().all()
    [fitted] = epyc.fitted.values()
    for end, band in zip(("", "_90"), reach_of(fitted).bands, strict=True):
        assert (found[f"high{end}_ms"] / found["predicted_ms"]).tolist() == pytest.approx([1 + band] * 3)
        assert (found["predicted_ms"] / found[f"low{end}_ms"]).tolist() == pytest.approx([1 + band] * 3)


def test_the_bands_are_quantiles_of_the_errors_on_rows_held_out():
    frame = rows(by_layers)
    shaken = frame.assign(median_ms=frame["median_ms"] * np.exp(np.random.default_rng(1).normal(0, 0.2, len(frame))))
    [fitted] = fs.RuntimeModel.fit(shaken).fitted.values()
    half, ninety = reach_of(fitted).bands
    assert half == pytest.approx(fitted.error)
    assert ninety == pytest.approx(np.expm1(1.64 * 0.2), rel=0.4)  # of a normal deviate, nine in ten are that near


def test_a_larger_network_has_bands_as_wide_as_trials_say(epyc):
    [(setting, fitted)] = epyc.fitted.items()
    reach = reach_of(fitted)._replace(up=Trial(200.0, Bands(0.05, 0.1)))
    model = fs.RuntimeModel("layers", {setting: fitted._replace(reach=reach)})
    found = model.predict([fs.scale("RegNetY-32GF", "dWr", s) for s in (1, 2, 4)])
    said = (
        r"it has \d+\.\d+ times the .* of the largest fitted network: half of such are within ± \d+% and nine in "
        r"ten within ± \d+%, instead of ± \d+% and ± \d+%, going by trials"
    )
    assert found["note"].str.match(said).all()
    flops = [fs.complexity(fs.scale("RegNetY-32GF", "dWr", s)).flops for s in (1, 4)]
    for end, grows in (("", 0.05), ("_90", 0.1)):
        widths = np.log((found[f"high{end}_ms"] / found["predicted_ms"]).to_numpy())
        assert (np.diff(widths) > 0).all(), end
        assert widths[2] - widths[0] == pytest.approx(grows * np.log(flops[1] / flops[0]), rel=0.1)
    small = epyc.predict(fs.scale("EfficientNet-B0", "w", 0.25)).iloc[0]
    assert small["note"].startswith("it has 1/1.73 of the multiply-adds of the smallest fitted network: half of such")


def test_the_bands_hold_on_the_trial_that_they_are_widened_by(monkeypatch):
    monkeypatch.setattr(unseen, "forms_of", lambda by, rows: [Layers()])
    frame = fs.Store(SHIPPED / "amd-epyc-2-threads.jsonl").frame()
    frame = frame[(frame["mode"] == "inference") & frame["median_ms"].notna()].reset_index(drop=True)
    [fitted] = fs.RuntimeModel.fit(frame).fitted.values()
    assert 109 == len(frame) == fitted.rows
    small = frame["flops"] <= frame["flops"].quantile(60 / 109)
    model = fs.RuntimeModel.fit(frame[small])
    each = [operations(fs.Network.from_dict(description)) for description in frame["description"]]
    totals = [[float((getattr(ops, size) * ops.times).sum()) for size in ("flops", "weights", "moved")] for ops in each]
    sizes = pd.DataFrame(totals, index=frame.index)
    times = (sizes / sizes[small].max()).max(axis=1)
    beyond = times > 1 + 1e-9
    assert 5 < times.max() < reach_of(fitted).up.times == 200  # the rows are 60 and more
    networks = [fs.Network.from_dict(each) for each in frame.loc[beyond, "description"]]
    key = model.setting()
    runs = runs_of(networks, np.full(len(networks), 4.0), key)
    seconds = np.exp(model._form(key).log_seconds(runs, model.fitted[key].parameters))
    off = np.abs(np.log(1e3 * seconds / frame.loc[beyond, "median_ms"]))
    reach = reach_of(fitted)
    leasts = widening_of_others(key)  # however well a trial went
    for share, band, grows, least in zip((0.5, 0.9), reach.bands, reach.up.widening, leasts, strict=True):
        assert grows >= least
        within = off <= (np.log1p(band) + grows * np.log(times[beyond])) * 1.01
        assert share <= within.mean() + 1e-9
        assert within.mean() <= share + 0.1 or grows == least


def test_a_network_far_beyond_all_fitted_is_refused(epyc):
    network = fs.scale("RegNetY-4.0GF", "dWr", 4000)
    said = (
        r"RegNetY-4.0GF dWr ×4,?000 is not predicted: it has [\d,.]+ times the .* of the largest fitted network, and "
        "the fit predicts up to 200 times that; measure rows of larger"
    )
    for ask in (epyc.predict, epyc.layers):
        with pytest.raises(fs.prediction.PredictionError, match=said):
            ask(network)
    found = epyc.predict(["ResNet-50", network], strict=False)
    assert found["predicted_ms"].isna().tolist() == [False, True]
    assert found.loc[1, ["low_ms", "high_ms", "low_90_ms", "high_90_ms"]].isna().all()
    assert found["note"][1].startswith("not predicted: it has ")
    cost = fs.prediction.costs("RegNetY-4.0GF", "dWr", [1, 4000], model=epyc, batch=4, memory=False)
    assert cost["note"].tolist() == found["note"].tolist()
    assert cost["predicted_ms"].isna().tolist() == [False, True]


def test_a_fit_to_few_rows_predicts_as_far_as_it_was_tried():
    [fitted] = fs.RuntimeModel.fit(rows(by_layers)).fitted.values()
    reach = reach_of(fitted)
    assert fitted.rows < 60
    assert 1 < reach.up.times < 200
    beyond = Extent(reach.least[None] - 1.01 * np.log(reach.down.times), reach.shares[None])
    bands, [note] = judge(reach, beyond)
    assert np.isnan(bands.ninety[0])
    assert "of the smallest fitted network, and the fit predicts down to 1/" in str(note)
    bands, [note] = judge(reach, beyond._replace(sizes=beyond.sizes + 0.02 * np.log(reach.down.times)))
    assert bands.ninety[0] >= reach.bands.ninety
    assert str(note).startswith("it has 1/")


def test_what_a_time_buys_is_not_told_where_its_time_cannot_be(epyc):
    how = {"time_ms": 1e6, "model": epyc, "batch": 4, "memory": False}
    with pytest.raises(
        fs.prediction.BudgetError, match=r"largest RegNetY-4.0GF scaled by w within .* is not predicted: it has"
    ):
        fs.within("RegNetY-4.0GF", "w", **how)
    row = fs.within("RegNetY-4.0GF", "w", **how, strict=False).iloc[0]
    assert np.isnan(row["predicted_ms"])
    assert "predicts up to 200 times that" in row["reason"]
    counted = fs.within("RegNetY-4.0GF", "w", params=5e10, model=epyc, batch=4, memory=False).iloc[0]
    assert counted["params"] > 4.9e10  # a count needs no time
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
def test_no_band_is_narrower_than_the_stated_one(epyc, base, way, s):
    row = epyc.predict(fs.scale(base, way, s), strict=False).iloc[0]
    [fitted] = epyc.fitted.values()
    bands = dict(zip(("", "_90"), reach_of(fitted).bands, strict=True))
    if np.isnan(row["predicted_ms"]):
        assert row["note"].startswith("not predicted: ")
        assert np.isnan([row[f"high{end}_ms"] for end in bands]).all()
    else:
        wider = {end: row[f"high{end}_ms"] / row["predicted_ms"] / (1 + band) - 1 for end, band in bands.items()}
        assert min(wider.values()) > -1e-12
        assert row["low_90_ms"] < row["low_ms"] < row["predicted_ms"] < row["high_ms"] < row["high_90_ms"]
        assert row["note"] is not None or max(wider.values()) < 1e-12


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
