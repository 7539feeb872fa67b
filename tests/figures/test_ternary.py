"""The ternary map: what is drawn is what the frames say."""

import pandas as pd
import pytest
from helpers.figures import annotations, traces

import fastscale_lib as fs

POINTS = pd.DataFrame(
    {
        "rule": [None, None, "w", "dw"],
        "strategy": ["d1", "w1_g1", "w", "dw"],
        **{"d": [1.0, 0, 0, 0.5], "w": [0, 1.0, 1.0, 0.5], "r": 0.0},
        **{"ms": [3.0, 2.0, 2.0, float("nan")], "flops": [4.0, 8.0, 8.0, 5.0]},
    }
)


@pytest.mark.parametrize(
    ("value", "relative", "rules"), [("ms", [1.5, 1], {"w": 1}), ("flops", [0.5, 1], {"w": 1, "dw": 0.625})]
)
def test_points_and_rules_stand_at_their_shares(value, relative, rules):
    figure = fs.figures.exponent_maps({"a GPU": POINTS, "a CPU": POINTS}, value)
    assert annotations(figure)[:2] == ["a GPU", "a CPU"]
    points, *marked = traces(figure)[: 1 + len(rules)]
    assert list(points.x) == [0, 0.5]  # all depth at the left, all width above
    assert list(points.y) == pytest.approx([0, 3**0.5 / 2])
    assert [each[3] for each in points.customdata] == relative
    assert points.marker.color[0] != points.marker.color[1]
    assert {each.name: each.customdata[0][3] for each in marked} == rules
    assert [each.showlegend for each in traces(figure)].count(True) == len(rules)
    assert len({each.marker.symbol for each in marked}) == len(rules)
