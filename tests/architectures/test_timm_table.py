"""The page on timm's networks says what the table of results has."""

from __future__ import annotations

import pytest
from helpers.timm_table import PAGE, rows, summary, table, why


def test_the_page_has_what_was_measured():
    page = PAGE.read_text("utf-8")
    assert summary(rows()) in " ".join(page.split())
    assert table(rows()) in page


def test_every_network_of_timm_is_counted_and_most_are_scaled():
    found = rows()
    assert len({row["network"] for row in found}) == len(found) == 1371
    assert sum(row["counted"] == "True" for row in found) >= 0.99 * len(found)
    tried = [row for row in found if row["scaled"]]
    assert sum(row["scaled"] == "True" for row in tried) >= 0.8 * len(tried)


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("depth: no keyword is found; width: flops grow 1.09×", "depth: no keyword found, width: flops hardly grow"),
        ("NetworkError: family: no keyword of vgg is found that adds", "no keyword found"),
        (
            "resolution: trace: Net does not take 1 × 3 (a: b); another",
            "resolution: a larger one does not take its images",
        ),
    ],
)
def test_reasons_are_told_in_a_few_words(reason, said):
    assert why(reason) == said
