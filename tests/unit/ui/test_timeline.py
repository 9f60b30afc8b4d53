"""The live chart: what is drawn where, and texts that stay texts."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import unquote

import pytest

from wenmo.ui.memory.timeline import Line, Mark, path, picture, scale_top

TICKS = {-60.0: "−1", -30.0: "−0.5", 0.0: "now"}


def test_values_stand_at_their_time_and_height_and_a_gap_lifts_the_pen() -> None:
    line = Line(name="used", seconds=[-60.0, -45.0, -30.0, 0.0], values=[0.0, None, 200.0, 400.0])
    html = picture([line], [], unit="MiB", ticks=TICKS, alt="a")
    assert path(line, 60.0, 400.0) == "M0 1000M500 500L1000 0"
    assert f"d='{path(line, 60.0, 400.0)}'" in unquote(unescape(html))
    assert [text for text in ("400 MiB", "200 MiB", "0 MiB") if f"<span>{text}</span>" in html] == [
        "400 MiB",
        "200 MiB",
        "0 MiB",
    ]


def test_a_mark_stands_where_it_happened_and_is_as_long_as_it_took() -> None:
    html = picture([], [Mark(begin=-45.0, end=-15.0, text="x")], unit="%", ticks=TICKS, alt="a")
    assert "left:25.00%;width:50.00%" in html


def test_pointing_at_a_time_tells_the_highest_value_of_every_line() -> None:
    lines = [
        Line(name="one", seconds=[-30.0, -29.5, -29.2], values=[5.0, 9.0, None]),
        Line(name="two", seconds=[-30.0], values=[1.0]),
    ]
    html = picture(lines, [], unit="MiB", ticks=TICKS, alt="a")
    assert re.findall('wm-strip[^>]*data-text="([^"]*)"', html) == ["one 9.0 MiB · two 1.0 MiB"]


def test_no_text_is_read_as_html() -> None:
    text = "<img src=x onerror=alert(1)>\" style='"
    line = Line(name=text, seconds=[0.0], values=[1.0])
    html = picture([line], [Mark(begin=0, end=0, text=text)], unit="MiB", ticks={-60.0: text, 0.0: text}, alt=text)
    assert "<img" not in html
    assert "\" style='" not in html


@pytest.mark.parametrize(
    ("highest", "top"), [(1.0, 1.0), (1.01, 2.0), (99.0, 100.0), (100.0, 100.0), (530.0, 600.0), (141_120.0, 200_000.0)]
)
def test_a_scale_ends_at_a_plain_number_that_holds_all(highest: float, top: float) -> None:
    assert scale_top(highest) == pytest.approx(top)
