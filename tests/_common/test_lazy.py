"""Public names that are loaded on first use."""

import pytest

import fastscale_lib as fs


def test_a_name_of_a_package_within_is_named_where_it_is():
    with pytest.raises(AttributeError, match=r"no attribute 'costs'; there is fastscale_lib\.prediction\.costs$"):
        getattr(fs, "costs")  # noqa: B009 - it is no attribute


@pytest.mark.parametrize("name", ["no_such_name", "_ipython_display_", "__path_of_nothing__"])
def test_a_name_that_is_nowhere_is_refused_plainly(name):
    with pytest.raises(AttributeError, match=f"^module 'fastscale_lib' has no attribute '{name}'$"):
        getattr(fs, name)


def test_a_package_within_looks_no_further():
    with pytest.raises(AttributeError, match=r"^module 'fastscale_lib\.prediction' has no attribute 'measure'$"):
        getattr(fs.prediction, "measure")  # noqa: B009
