"""The published table of one base scaled by several strategies."""

import pytest

from fastscale_lib.records import PublishedError, published_scaling
from fastscale_lib.records.scaled_tables import SCALING_COLUMNS


def test_sizes_counts_errors_and_speeds_are_as_published():
    """Fang et al., Table 4: DeiT-Ti by dWr has 14 layers of 330 channels at 240 px, 19.0 M and 4.6 G; 80.4 %."""
    rows = published_scaling()
    assert {column: str(kind) for column, kind in rows.dtypes.items()} == SCALING_COLUMNS
    assert rows["network"].tolist() == ["DeiT-Ti", "DeiT-Ti w", "DeiT-Ti dwr", "DeiT-Ti dWr"]
    assert rows["strategy"].isna().tolist() == [True, False, False, False]
    row = rows.iloc[-1]
    assert row[["depth", "width", "resolution", "flops", "params"]].tolist() == [14, 330, 240, 4.6e9, 19.0e6]
    assert row[["top1_error_pct", "images_per_s"]].tolist() == [19.6, 511]


def test_a_folder_without_the_table_is_named(tmp_path):
    with pytest.raises(PublishedError, match=r"there is no .*yolos_deit_tiny\.csv"):
        published_scaling(tmp_path)
