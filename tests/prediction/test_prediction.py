"""Predicted times: from measurements of a made-up device, so that the truth is known."""

from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from helpers.fake_device import BASES, HERE, RATES, by_layers, made_up_device, rows

import fastscale_lib as fs
from fastscale_lib.prediction.forms import BY
from fastscale_lib.prediction.timed_rows import LEAST_ROWS, families_of


def by_activations(network: fs.Network, batch: int) -> float:
    return batch * fs.complexity(network).activations / 2e9 + 0.003


@pytest.fixture(scope="module")
def measured() -> pd.DataFrame:
    return rows(by_layers)


@pytest.fixture(scope="module")
def model(measured) -> fs.RuntimeModel:
    return fs.RuntimeModel.fit(measured)


@pytest.fixture(scope="module")
def at_two_batches() -> fs.RuntimeModel:
    return fs.RuntimeModel.fit(pd.concat([rows(by_layers, batch=batch) for batch in (1, 16)]))


def test_it_predicts_what_it_was_not_fitted_to(at_two_batches):
    unseen = ["RegNetY-1.6GF", "EfficientNet-B2", "ResNet-101", fs.scale("RegNetX-1.6GF", "dWr", 3)]
    for batch in (1, 7, 16):
        truth = made_up_device().predict(unseen, batch)["predicted_ms"]
        assert at_two_batches.predict(unseen, batch)["predicted_ms"].to_numpy() == pytest.approx(
            truth.to_numpy(), rel=0.03
        )


def test_images_need_not_be_square(at_two_batches):
    """As many pixels take about as long; twice as many, twice."""
    net = fs.network("RegNetY-1.6GF")
    sizes = [224, (448, 112), (112, 448), (448, 224)]
    times = at_two_batches.predict([net.replace(resolution=size) for size in sizes], 4)["predicted_ms"]
    assert (times / times[0]).tolist() == pytest.approx([1, 1, 1, 2], rel=0.05)


def test_its_rates_are_those_of_the_device(model):
    rates = model.rates().iloc[0]
    assert rates["rows"] == len(BASES) * 7
    assert rates["families"] == 6
    for name in ("conv 1×1", "conv depthwise", "memory"):
        assert rates[name] == pytest.approx(RATES[name], rel=0.3), name


def test_a_few_bad_measurements_do_not_spoil_it(measured):
    disturbed = measured.copy()
    disturbed.loc[disturbed.index[::9], "median_ms"] *= 3
    truth = measured["median_ms"].to_numpy()
    fitted = fs.RuntimeModel.fit(disturbed)
    predicted = [fitted.predict(fs.Network.from_dict(each), 4)["predicted_ms"][0] for each in measured["description"]]
    assert np.median(np.abs(predicted / truth - 1)) < 0.03


def test_the_error_is_that_on_families_left_out(measured):
    found = fs.prediction.prediction_errors(measured).set_index("by")
    assert list(found.index) == list(BY)
    assert found["error"]["layers"] < min(found["error"].drop("layers")) / 2
    assert (found["error"] <= found["error_90"]).all()
    fitted = fs.RuntimeModel.fit(measured, by="flops").rates()
    assert fitted["error"][0] == pytest.approx(found["error"]["flops"])

    regnets = measured["base"].str.startswith("RegNetX")
    others = fs.RuntimeModel.fit(measured[~regnets], by="flops")
    networks = [fs.Network.from_dict(each) for each in measured.loc[regnets, "description"]]
    off = others.predict(networks, 4)["predicted_ms"].to_numpy() / measured.loc[regnets, "median_ms"].to_numpy() - 1
    only = measured.copy()
    only.loc[~regnets, "base"] = "Others-1"
    error = fs.prediction.prediction_errors(only[regnets], extra=only[~regnets]).set_index("by")["error"]["flops"]
    assert error == pytest.approx(np.median(np.abs(off)), rel=1e-3)


def test_a_baseline_is_right_where_the_device_is_that_simple():
    simple = rows(by_activations)
    baseline = fs.RuntimeModel.fit(simple, by="activations")
    truth = by_activations(fs.network("RegNetY-1.6GF"), 4) * 1e3
    assert baseline.predict("RegNetY-1.6GF", 4)["predicted_ms"][0] == pytest.approx(truth, rel=0.01)
    errors = fs.prediction.prediction_errors(simple).set_index("by")["error"]
    assert errors["activations"] < 0.01
    assert errors["flops and activations"] < 0.01
    assert errors["flops"] > 0.05


def test_a_curve_is_what_is_predicted_of_each_network(at_two_batches):
    base, strategies, scales = fs.network("RegNetY-400MF"), ["w", "dwr", 0.37], [0.01, 0.25, 1, 3, 64, 40960]
    together = at_two_batches.curve(base, [fs.strategy(each) for each in strategies], scales, batch=3)
    networks = [fs.scale(base, each, s) for each in strategies for s in scales]
    one_by_one = at_two_batches.predict(networks, 3, strict=False)
    for column, found in zip(("predicted_ms", "low_ms", "high_ms"), together[:3], strict=True):
        assert found == pytest.approx(one_by_one[column].to_numpy(), rel=1e-9, nan_ok=True)
    assert together.notes == one_by_one["note"].tolist()
    assert np.isnan(together.ms[5])
    assert np.isfinite(together.ms[:5]).all()


def test_layers_add_up_and_say_what_bounds_them(at_two_batches):
    model = at_two_batches
    layers = model.layers("EfficientNet-B0", batch=8)
    whole = model.predict("EfficientNet-B0", batch=8)["predicted_ms"][0]
    assert (layers["predicted_ms"] * layers["times"]).sum() == pytest.approx(whole)
    assert layers["flops"].dot(layers["times"]) == 8 * fs.complexity("EfficientNet-B0").flops
    assert set(layers["bound"]) == {"arithmetic", "data", "launch"}
    assert set(model.layers("EfficientNet-B0", batch=1)["bound"]) >= {"launch"}


def test_rates_given_by_hand_have_their_stated_errors():
    """They hold everywhere."""
    model = made_up_device()
    model = fs.RuntimeModel(
        "layers", {key: each._replace(error=0.1, error_90=0.4) for key, each in model.fitted.items()}
    )
    one = model.predict("ResNet-50", 4).iloc[0]
    assert (one.low_ms, one.high_ms) == pytest.approx((one.predicted_ms / 1.1, one.predicted_ms * 1.1))
    assert (one.low_90_ms, one.high_90_ms) == pytest.approx((one.predicted_ms / 1.4, one.predicted_ms * 1.4))


def test_settings_are_fitted_apart(measured):
    training = rows(lambda network, batch: 3.5 * by_layers(network, batch), mode="training")
    model = fs.RuntimeModel.fit(pd.concat([measured, training]))
    once, thrice = (model.predict("ResNet-50", mode=mode)["predicted_ms"][0] for mode in ("inference", "training"))
    assert thrice / once == pytest.approx(3.5, rel=0.05)
    which = r"to 2 settings, which differ in mode \('inference' or 'training'\); say which, as in mode='inference'"
    with pytest.raises(fs.prediction.PredictionError, match=which):
        model.predict("ResNet-50")
    with pytest.raises(fs.prediction.PredictionError, match="2 settings with threads=2, which differ in mode"):
        model.predict("ResNet-50", threads=2)
    with pytest.raises(
        fs.prediction.PredictionError,
        match="is fitted to no setting with mode='sleeping'; it is fitted to device_name=",
    ):
        model.predict("ResNet-50", mode="sleeping")
    with pytest.raises(fs.prediction.PredictionError, match="'moed' is no setting; try mode"):
        model.predict("ResNet-50", moed="training")


def test_rows_without_a_time_are_passed_over(measured):
    failed = measured.iloc[:3].assign(median_ms=None, half_width=None, reason="out of memory")
    both = fs.RuntimeModel.fit(pd.concat([measured, failed]))
    assert both.rates()["rows"][0] == len(measured)


def test_what_cannot_be_fitted_is_said(measured):
    with pytest.raises(
        fs.prediction.PredictionError,
        match=r"lacks description; fs\.measure_plan\(plan, store\) gives rows that have all",
    ):
        fs.RuntimeModel.fit(measured.drop(columns="description"))
    with pytest.raises(fs.prediction.PredictionError, match=r"lacks description; fs\.measure_plan"):
        fs.RuntimeModel.fit(fs.records.published())
    with pytest.raises(fs.prediction.PredictionError, match=r"expected a data frame, got a list; give that of a store"):
        fs.RuntimeModel.fit(measured.to_dict("records")[:1])
    few = measured.iloc[: LEAST_ROWS - 1]
    with pytest.raises(
        fs.prediction.PredictionError, match=f"{len(few)} measured rows for Made-up.* takes {LEAST_ROWS}"
    ):
        fs.RuntimeModel.fit(few)
    with pytest.raises(fs.prediction.PredictionError, match="by is 'depth', but must be one of layers, flops"):
        fs.RuntimeModel.fit(measured, by=cast(Any, "depth"))
    with pytest.raises(fs.prediction.PredictionError, match="curves are drawn by layers alone"):
        fs.RuntimeModel.fit(measured, by="flops").curve(fs.network("ResNet-50"), [fs.strategy("w")], [1], 4)


def test_an_empty_frame_is_refused_at_once(measured):
    for empty in (measured.iloc[:0], measured.assign(median_ms=None)):
        with pytest.raises(
            fs.prediction.PredictionError, match=rf"none of the frame's {len(empty)} rows has a time .*calibrate"
        ):
            fs.RuntimeModel.fit(empty)


def test_a_setting_of_few_rows_hides_no_other(measured):
    """As while a sweep still runs."""
    few = rows(by_layers, mode="training").iloc[:3]
    both = pd.concat([measured, few])
    assert fs.RuntimeModel.fit(both).rates()["mode"].tolist() == ["inference"]
    found = fs.prediction.prediction_errors(both).set_index(["mode", "by"])
    assert found.loc["inference", "error"].notna().all()
    assert found.loc["inference", "reason"].isna().all()
    assert found.loc["training", "error"].isna().all()
    assert found.loc["training", "reason"].str.contains("3 measured rows for .*; a fit takes 10 of them").all()


def test_one_family_alone_is_not_judged_on_a_family_unseen(measured):
    """Nothing is left to fit to; the first guesses must not come from the rows that are to be predicted."""
    one = measured[measured["base"].str.startswith(("RegNetX", "RegNetY"))].assign(base="RegNetX-1")
    found = fs.prediction.prediction_errors(one)
    assert found["error"].isna().all()
    assert set(found["reason"]) == {"all rows are of RegNetX: without it there are none to fit to"}
    assert fs.prediction.prediction_errors(one, extra=measured.drop(one.index))["error"].notna().all()


def test_one_family_alone_is_judged_by_fifths(measured):
    one = measured[measured["base"].str.startswith(("RegNetX", "RegNetY"))].assign(base="probe-1")
    rates = fs.RuntimeModel.fit(one).rates()
    assert rates["families"][0] == 1
    assert 0 <= rates["error"][0] < 0.1


def test_a_row_without_a_base_is_of_its_own_family():
    frame = pd.DataFrame({"network": ["mine-1", "RegNetY-400MF w ×2"], "base": [None, "RegNetY-400MF"]})
    assert families_of(frame) == ["mine", "RegNetY"]
    assert set(fs.records.Conditions.FIT) == set(HERE)


def test_rows_of_a_csv_file_are_refused_with_the_remedy(tmp_path):
    rows(by_layers).to_csv(tmp_path / "rows.csv", index=False)
    with pytest.raises(fs.prediction.PredictionError, match=r"fit: the column description holds texts, as a CSV file"):
        fs.RuntimeModel.fit(pd.read_csv(tmp_path / "rows.csv"))
