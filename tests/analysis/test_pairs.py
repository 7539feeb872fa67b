"""Pairs of networks: published beside published, measured beside measured, and only in one and the same setting."""

import math

import pytest
from helpers.measured_pair import BIG, RIVAL, measured

import fastscale_lib as fs
from fastscale_lib._common.frames import rows as rows_of
from fastscale_lib.analysis.pairs import fast_scaled, measured_pairs, published_pairs
from fastscale_lib.records.published_rows import data_folder


@pytest.fixture
def store(tmp_path):
    return fs.Store(tmp_path / "gpu.jsonl")


def test_the_published_pair_is_that_of_the_tables():
    pairs = published_pairs(data_folder() / "published", "RegNetY-16GF", "EfficientNet-B4").set_index(
        ["source", "mode"]
    )
    assert pairs["ratio"].to_dict() == pytest.approx(
        {
            ("pycls_zoo_v100", "inference"): 208 / 201,
            ("pycls_zoo_v100", "training"): 50.8 / 57.1,
            ("early_convolutions_table2", "training"): 17.9 / 19.4,
        }
    )


def test_one_table_has_the_network_scaled_and_the_other_designed():
    pairs = published_pairs(data_folder() / "published", "RegNetY-16GF", "EfficientNet-B4")
    scaled = {source for source in pairs["source"] if fast_scaled(source, "RegNetY-16GF")}
    assert scaled == {"early_convolutions_table2"}
    assert not fast_scaled("early_convolutions_table2", "EfficientNet-B4")


def test_rows_of_one_setting_make_a_pair(store):
    planned = fs.scale("RegNetY-4.0GF", "dWr", 4)  # 2 % from the flops asked
    store.add(measured(planned, 30.0))
    store.add(measured(RIVAL, 40.0))
    store.add(measured(RIVAL, 99.0, precision="fp32"))  # of which there is no other
    store.add(measured(fs.scale("RegNetY-4.0GF", "dWr", 2), 10.0))  # another size
    store.add(measured(fs.scale("RegNetY-4.0GF", "dwr", 4), 10.0))  # another strategy
    [pair] = rows_of(measured_pairs([store.path], BIG, RIVAL))
    assert (pair.device, pair.device_name, pair.batch) == ("cuda", "Some GPU", 64)
    assert pair.ratio == pytest.approx(0.75)
    assert (pair.low, pair.high) == pytest.approx((0.75 * 0.9 / 1.1, 0.75 * 1.1 / 0.9))
    assert pair.memory_ratio == pytest.approx(0.75)


def test_a_ratio_without_an_interval_is_in_doubt_and_of_host_time_none(store):
    """Rows hold the range of too few blocks, as older files do."""
    store.add(measured(BIG, 30.0, blocks=6))
    store.add(measured(RIVAL, 40.0, blocks=1, low_ms=40.0, high_ms=40.0))
    store.add(measured(BIG, 30.0, blocks=9, precision="fp32", launch_ms=5.0))
    store.add(measured(RIVAL, 40.0, blocks=9, precision="fp32", launch_ms=37.0))
    few, waits = rows_of(measured_pairs([store.path], BIG, RIVAL))
    assert few.ratio == 0.75
    assert (waits.one_ms, waits.other_ms, waits.memory_ratio) == (30.0, 40.0, 0.75)
    assert few.doubt == f"{RIVAL.name}: a single block of runs gives no interval"
    assert [math.isnan(end) for end in (few.low, few.high)] == [True, True]
    assert waits.left_out == f"{RIVAL.name}: launch-bound, as the GPU waited for its host"
    assert [math.isnan(each) for each in (waits.ratio, waits.low, waits.high)] == [True] * 3
    assert (math.isnan(few.least_ratio), waits.least_ratio) == (True, 0.75)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"launch_ms": 29.0}, {"launch_ms": 39.0}),  # both wait, and either may be shorter without
        ({"launch_ms": 29.0}, {}),
        ({}, {"launch_ms": 39.0, "load": 0.5}),  # the time may be longer than on a quiet machine
        ({"load": 0.5}, {"launch_ms": 39.0}),
    ],
)
def test_a_least_ratio_needs_times_whose_only_fault_is_the_other_s_wait(store, one, other):
    store.add(measured(BIG, 30.0, **one))
    store.add(measured(RIVAL, 40.0, **other))
    [pair] = rows_of(measured_pairs([store.path], BIG, RIVAL))
    assert math.isnan(pair.least_ratio)


def test_rows_of_a_machine_in_use_make_no_ratio_where_others_do(store):
    """Of several rows of a network the last that was measured alone counts."""
    store.add(measured(BIG, 30.0, load=0.04))
    store.add(measured(RIVAL, 60.0, load=0.06))
    [busy] = rows_of(measured_pairs([store.path], BIG, RIVAL))
    assert math.isnan(busy.ratio)
    assert busy.left_out == f"{RIVAL.name}: other processes used 6 % of the machine's cores"
    store.add(measured(RIVAL, 40.0, load=0.0))
    store.add(measured(RIVAL, 50.0, other_processes=1))
    [pair] = rows_of(measured_pairs([store.path], BIG, RIVAL))
    assert (pair.ratio, pair.left_out) == (0.75, None)


def test_the_flops_of_what_was_timed_stand_beside(store):
    planned = fs.scale("RegNetY-4.0GF", "dWr", 4)
    store.add(measured(planned, 30.0))
    store.add(measured(RIVAL, 40.0))
    [pair] = rows_of(measured_pairs([store.path], BIG, RIVAL))
    assert (pair.one_flops, pair.other_flops) == (fs.complexity(planned).flops, fs.complexity(RIVAL).flops)
    assert pair.doubt is None


def test_rows_that_say_why_they_have_no_time_make_none(store):
    store.add(measured(BIG, 30.0))
    store.add(measured(RIVAL, 40.0, median_ms=None, reason="out of memory"))
    assert measured_pairs([store.path], BIG, RIVAL).empty
    assert measured_pairs([], BIG, RIVAL).empty


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(fs.records.PublishedError, match="give the path of a store"):
        measured_pairs([tmp_path / "none.jsonl"], BIG, RIVAL)
