"""DeiT-Ti scaled by others: published sizes and counts are those of the strategies and the counter."""

import dataclasses

import pytest

import fastscale_lib as fs
from fastscale_lib.analysis import BEYOND, FAILS, HOLDS

PUBLISHED = fs.records.published_scaling()


def test_published_sizes_are_the_strategies_within_rounding():
    """Under dWr a width of 192·4^0.4 = 334 and a side of 224·4^0.05 = 240 pixels, before rounding."""
    sizes = fs.analysis.published_sizes(PUBLISHED)
    dwr = sizes.loc["dwr"]
    assert dwr["depth"].tolist() == pytest.approx([19, 12 * 4 ** (1 / 3), 19])
    assert dwr["width"].tolist() == pytest.approx([240, 192 * 4 ** (1 / 6), 256])
    assert dwr["resolution"].tolist() == pytest.approx([272, 224 * 4 ** (1 / 6), 288])
    assert sizes.loc["dWr"]["width"].tolist() == pytest.approx([330, 192 * 4**0.4, 320])
    off = [0, (224 * 4 ** (1 / 6) - 272) / 16, (192 * 4**0.4 - 330) / 8]
    assert sizes["off", "steps"].tolist() == pytest.approx(off)


def test_sizes_here_are_those_of_scale():
    sizes = fs.analysis.published_sizes(PUBLISHED)
    for name in ("w", "dwr", "dWr"):
        made = fs.scale("DeiT-Ti", name, 4)
        here = [sizes.loc[name, (size, "here")] for size in ("depth", "width", "resolution")]
        assert here == [*made.depths, *made.widths, made.resolution]


def test_sizes_are_shown_with_the_law_s_and_ours():
    shown = fs.analysis.published_sizes_shown(fs.analysis.published_sizes(PUBLISHED))
    assert shown.loc["dWr"].tolist() == ["14 (13.78; 14)", "330 (334.29; 320)", "240 (240.08; 240)", "0.54"]
    assert list(shown) == ["depth", "width", "resolution", "steps"]


def test_counts_of_the_published_sizes_are_the_published_ones():
    counts = fs.analysis.published_counts(PUBLISHED)
    assert counts["flops cut, G"].tolist() == pytest.approx(counts["flops published, G"].tolist())
    scaled = counts.dropna(subset="params published, M")
    assert len(scaled) == 3
    assert scaled["params counted, M"].round(1).tolist() == scaled["params published, M"].tolist()
    assert counts["params counted, M"]["DeiT-Ti w"] * 1e6 == fs.complexity("DeiT-S").params


def test_how_wide_a_head_is_changes_no_count_but_the_matrices():
    base = fs.network("DeiT-Ti")
    [stage] = base.stages
    narrow = base.replace(stages=(dataclasses.replace(stage, group_width=32),))
    assert fs.complexity(narrow) == fs.complexity(base)


def test_claims_hold_and_fail_where_a_figure_is_changed():
    sizes, counts = fs.analysis.published_sizes(PUBLISHED), fs.analysis.published_counts(PUBLISHED)
    claims = fs.analysis.published_size_claims(sizes, counts)
    assert [each.verdict for each in claims] == [HOLDS] * 3
    assert {(each.scope, each.evidence) for each in claims} == {(BEYOND, "published")}
    other = PUBLISHED.assign(resolution=[224, 224, 256, 240], params=PUBLISHED["params"] + 100_000)
    changed = fs.analysis.published_size_claims(fs.analysis.published_sizes(other), fs.analysis.published_counts(other))
    assert [each.verdict for each in changed] == [FAILS] * 3


def test_errors_and_speeds_are_judged_as_the_paper_s_are():
    counts = fs.analysis.published_counts(PUBLISHED)
    claims = fs.analysis.published_outcome_claims(PUBLISHED, counts, 0.25)
    assert [each.found for each in claims] == pytest.approx([-0.6, -0.5, 0.1, 511 / 386, 0])
    assert [each.verdict for each in claims] == [HOLDS] * 5
    slow = PUBLISHED.assign(images_per_s=[1315, 300, 386, 511])  # w slowest, with the fewest activations
    *_, faster, order = fs.analysis.published_outcome_claims(slow, counts, 0.25)
    assert (faster.verdict, order.found, order.verdict) == (HOLDS, 1, FAILS)
