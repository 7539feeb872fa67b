"""Errors at equal cost, growth of families, and regimes."""

import numpy as np
import pandas as pd
import pytest

import fastscale_lib as fs
from fastscale_lib._common.frames import rows as rows_of


def family(name: str, flops: list[float], error: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"family": name, "flops": flops, "top1_error_pct": error})


def test_errors_are_compared_where_both_families_have_networks():
    """A line over log flops: at 2 G, halfway from 1 to 4 G, the error is halfway, too."""
    both = pd.concat([family("A", [1e9, 4e9, 16e9], [24, 20, 18]), family("B", [2e9, 8e9], [23, 19])])
    gaps = fs.analysis.error_gaps(both, "A", "B")
    assert gaps["flops"].tolist() == [2e9, 4e9, 8e9]
    assert gaps["family"].tolist() == pytest.approx([22, 20, 19])
    assert gaps["other"].tolist() == pytest.approx([23, 21, 19])
    assert gaps["gap"].tolist() == pytest.approx([-1, -1, 0])


def test_the_gap_to_another_family_is_that_of_the_other_reversed():
    table = fs.records.published_errors("pycls_zoo_v100")
    one, other = (
        fs.analysis.error_gaps(table, *pair) for pair in (("RegNetY", "EfficientNet"), ("EfficientNet", "RegNetY"))
    )
    assert one["gap"].to_numpy() == pytest.approx(-other["gap"].to_numpy())


@pytest.mark.parametrize("other", ["C", "nothing of this name"])
def test_families_without_a_common_range_are_not_compared(other):
    apart = pd.concat([family("A", [1e9, 2e9], [24, 22]), family("C", [4e9, 8e9], [20, 18])])
    assert fs.analysis.error_gaps(apart, "A", other).empty


def test_growth_is_the_exponent_of_a_power_of_flops():
    flops = np.array([1e9, 3e9, 2e10])
    assert fs.analysis.growth(pd.DataFrame({"flops": flops, "activations": 5 * flops**0.6})) == pytest.approx(0.6)
    assert np.isnan(fs.analysis.growth(pd.DataFrame({"flops": [1e9], "activations": [1e6]})))


def test_a_regime_has_the_designed_network_and_scaled_ones_of_its_flops():
    frame = fs.scaling.regimes(["RegNetY-4.0GF"], ["w", "dWr"])
    sizes = ("6.4GF", "8.0GF", "12GF", "16GF", "32GF", "64GF", "128GF", "256GF")
    assert set(frame["regime"]) == {f"RegNetY-{size}" for size in sizes}
    for row in rows_of(frame):
        assert fs.complexity(row.scaled) == (row.flops, row.params, row.activations)
        assert row.flops == pytest.approx(fs.complexity(row.regime).flops, rel=0.01)
        assert row.strategy != "designed" or row.scaled == fs.network(row.regime)


def test_the_largest_of_a_family_has_no_regime_above_it():
    wrong = "RegNetY-256GF has no larger network of its family in the zoo; give a smaller base"
    with pytest.raises(fs.architectures.NetworkError, match=wrong):
        fs.scaling.regimes(["RegNetY-256GF"], ["w"])
