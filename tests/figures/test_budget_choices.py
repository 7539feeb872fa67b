"""The figure of the networks that a budget chooses among."""

from helpers.figures import traces

import fastscale_lib as fs


def test_the_front_rises_and_each_network_is_drawn_once():
    frame = fs.which("rtx-4090", ms=20, rows=None, scaled=False)
    figure = fs.figures.choices(frame)
    front, *marks = traces(figure)
    assert [each.name for each in marks] == ["fits", "likely fits", "perhaps fits", "does not fit"]
    assert sum(len(each.x) for each in marks) == frame["top1_accuracy_pct"].notna().sum()
    assert list(front.y) == sorted(front.y)
    assert max(front.y) == frame["top1_accuracy_pct"].max()
    assert "Within 20 ms, batch 64, RTX 4090" in str(figure.to_json())
    assert "one's own" in str(fs.figures.choices(frame, title="one's own").to_json())
