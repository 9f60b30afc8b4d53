"""Charts show what was typed, literally, and no more than there is room for."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest

from tests.conftest import ROOT
from wenmo.telemetry.statistics import HistogramCounts
from wenmo.ui import charts
from wenmo.ui.charts.figure import DIVERGED, text_on


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("<b>粗</b><br>", "&lt;b&gt;粗&lt;/b&gt;&lt;br&gt;"),
        ("a&amp;b", "a&amp;amp;b"),
        ("#000001", "&#35;000001"),  # would turn into a colour of the theme
        ("一\n二\x00\u200b三", "一 二三"),
        ("\x07", "␣"),
    ],
)
def test_a_label_is_literal(text: str, label: str) -> None:
    assert charts.escape(text) == label


def test_a_label_is_cut_by_columns_of_which_a_chinese_character_takes_two() -> None:
    assert charts.escape("墨" * 12) == "墨" * 12
    assert charts.escape("墨" * 13) == "墨" * 12 + "…"
    assert charts.escape("m" * 100_000, width=10) == "m" * 10 + "…"


def test_bars_keep_the_order_and_stop_where_the_table_takes_over() -> None:
    scores = {f"标签{number}": 1 / (number + 2) for number in range(200)}
    (bar,) = charts.bars(scores).data
    assert list(bar.x) == list(scores.values())[: charts.BARS_SHOWN]


@pytest.mark.parametrize("side", [charts.VALUES_SHOWN, charts.VALUES_SHOWN + 1])
def test_cells_carry_numbers_while_there_is_room_and_a_scale_after_that(side: int) -> None:
    names = [str(number) for number in range(side)]
    values = np.linspace(0, 1, side * side).reshape(side, side)
    figure = charts.ink_map(values, rows=names, columns=names, names=names)
    has_numbers = len(figure.data) == 2
    assert has_numbers == (side == charts.VALUES_SHOWN)
    assert figure.data[0].showscale is not has_numbers
    if has_numbers:
        assert figure.data[1].text[side] == f"{values[1, 0]:.2f}"  # first cell of the second row
        assert (figure.data[1].x[side], figure.data[1].y[side]) == ("1 0", "2 1")


def test_a_large_map_keeps_its_labels_and_what_is_hovered_over() -> None:
    """Every row has its text in small type; of the columns every fifth has its name, because one is narrower than that.

    Twice the same long text are two rows, not one; the squares lie around their cells.
    """
    side = charts.LABELS_SHOWN + 1
    texts = ["长" * 100] * side
    figure = charts.ink_map(np.eye(side), rows=texts, columns=texts, names=texts, outlined=[(2, 5)])
    (trace,) = figure.data
    assert len(set(trace.x)) == len(set(trace.y)) == side
    assert len(figure.layout.yaxis.ticktext) == side and len(figure.layout.xaxis.ticktext) == side // 5 + 1
    assert figure.layout.yaxis.tickfont.size < 12
    assert (figure.layout.shapes[0].x0, figure.layout.shapes[0].y1) == (1.5, 4.5)
    assert figure.layout.height > 9 * side  # a row is as high as its text


def test_a_histogram_names_its_buckets_up_to_the_last_that_counts() -> None:
    """1, 2, 3 to 4, more than 4; what is above the highest count is left out."""
    counts = HistogramCounts(bounds=(1, 2, 4), counts=(2, 0, 1, 3), total=30)
    whole = charts.histogram(counts)
    assert list(whole.layout.xaxis.ticktext) == ["1", "2", "3–4", ">4"]
    assert list(whole.data[0].y) == [2, 0, 1, 3]
    shorter = charts.histogram(HistogramCounts(bounds=(1, 2, 4), counts=(2, 5, 0, 0), total=12))
    assert list(shorter.layout.xaxis.ticktext) == ["1", "2"]


def test_counts_are_drawn_as_shares_with_their_numbers() -> None:
    figure = charts.count_bars({"<b>好</b>": 3, "坏": 1})
    (bar,) = figure.data
    assert list(bar.x) == [0.75, 0.25] and list(bar.text) == ["3 · 75.0%", "1 · 25.0%"]
    assert figure.layout.yaxis.ticktext[0] == "&lt;b&gt;好&lt;/b&gt;"


def test_confidence_begins_where_there_is_any() -> None:
    figure = charts.confidence_histogram([0, 0, 3, 0, 1])
    assert list(figure.data[0].y) == [3, 0, 1]
    assert list(figure.layout.xaxis.range) == [0.4, 1]
    assert list(charts.confidence_histogram([0, 0]).data[0].y) == [0, 0]


def test_a_confusion_matrix_has_counts_in_cells_as_dense_as_their_share() -> None:
    figure = charts.confusion(np.array([[3, 1], [0, 0]]), rows=["正", "<负>"], columns=["正", "负"])
    cells, numbers = figure.data
    assert np.asarray(cells.z).tolist() == [[0.75, 0.25], [0.0, 0.0]]
    assert list(numbers.text) == ["3", "1", "0", "0"]
    assert figure.layout.yaxis.ticktext[1] == "&lt;负&gt;"


def test_shares_add_up_and_keep_their_order() -> None:
    counts = {f"2026-{month:02}": (month, 1, 0) for month in range(1, 13)}
    columns = charts.shares(counts, ["好", "中", "差"], over_time=True)
    for place, each in enumerate(counts.values()):
        assert [trace.y[place] for trace in columns.data] == [part / sum(each) for part in each]
    assert len(columns.layout.xaxis.ticktext) == 6 and columns.layout.xaxis.ticktext[0] == "2026-01 (2)"
    rows = charts.shares({"<b>甲</b>": (0, 0, 0)}, ["好", "中", "差"], over_time=False)
    assert [trace.x for trace in rows.data] == [(0,)] * 3 and "&lt;b&gt;" in rows.layout.yaxis.ticktext[0]


def _luminance(colour: np.ndarray) -> float:
    linear = np.where(colour <= 0.03928, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def _rgb(written: str) -> np.ndarray:
    return np.array([int(written[place : place + 2], 16) for place in (1, 3, 5)]) / 255


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("scale", ["chartSequentialColors", "chartDivergingColors"])
def test_text_on_a_cell_of_any_density_can_be_read(scheme: str, scale: str) -> None:
    """At least 4.5 to 1, by WCAG, also between the stops of the theme's colours."""
    theme = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"][scheme]
    stops = np.array([_rgb(colour) for colour in theme[scale]])
    for place in np.linspace(0, 1, 201):
        cell = np.array([np.interp(place, np.linspace(0, 1, len(stops)), stops[:, channel]) for channel in range(3)])
        diverging = scale == "chartDivergingColors"
        placeholder = text_on(abs(2 * place - 1), dense=DIVERGED) if diverging else text_on(place)
        text = theme["chartCategoricalColors"][int(placeholder[1:]) - 1]
        low, high = sorted((_luminance(cell), _luminance(_rgb(text))))
        assert (high + 0.05) / (low + 0.05) >= 4.5, (scheme, place)
