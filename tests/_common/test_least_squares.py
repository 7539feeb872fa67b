"""Fitting logarithms: exact where the data are, unmoved by a few bad ones, near the start where they say nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastscale_lib._common.least_squares import fit_logs

X = np.linspace(0.5, 20, 40)


def line(at: np.ndarray) -> np.ndarray:
    slope, offset = np.exp(at[:2])
    return np.log(slope * X + offset)


def slopes(at: np.ndarray) -> np.ndarray:
    slope, offset = np.exp(at[:2])
    parts = np.stack([slope * X, np.full(len(X), offset), *np.zeros((len(at) - 2, len(X)))], axis=1)
    return parts / (slope * X + offset)[:, None]


def fitted(logs: np.ndarray, start=(0.0, 0.0), spread=(10.0, 10.0)) -> np.ndarray:
    return fit_logs(line, slopes, logs, np.full(len(X), 0.05), np.array(start), np.array(spread))


@given(st.floats(0.01, 100), st.floats(0.01, 100))
def test_what_made_the_data_is_found(slope, offset):
    truth = np.log([slope, offset])
    assert line(fitted(line(truth))) == pytest.approx(line(truth), abs=0.02)


def test_a_few_bad_observations_do_not_bend_it():
    logs = line(np.log([3.0, 2.0]))
    logs[[5, 20, 33]] += np.log(4)
    assert np.exp(fitted(logs)) == pytest.approx([3, 2], rel=0.05)


def test_what_the_data_do_not_speak_of_stays_where_it_began():
    at = fitted(line(np.log([3.0, 2.0])), start=(0.0, 0.0, 1.7), spread=(10.0, 10.0, 1.0))
    assert at[2] == pytest.approx(1.7)
