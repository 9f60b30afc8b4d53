"""A finished table looked at, on tables small enough to count by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import GOLDEN_MODELS
from wenmo import Engine
from wenmo.errors import InputError
from wenmo.jobs import results as module
from wenmo.jobs.estimate import estimate
from wenmo.jobs.options import RunOptions
from wenmo.jobs.results import Period, Results, reasons
from wenmo.tables.column_roles import guess_text_columns
from wenmo.tables.delimiter import guess_delimiter
from wenmo.tables.readers import open_reader


def _results(tmp_path: Path, **columns: list[object]) -> Results:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table(columns), path, row_group_size=2)  # several row groups: places run on over them
    return Results(path)


@pytest.fixture
def table(tmp_path: Path) -> Results:
    return _results(
        tmp_path,
        text=["好A", "坏", None, "好a.*", "中"],
        label=["正", "负", None, "正", "负"],
        score=[0.9, 0.8, None, 1.0, 0.5],
        day=["2026-1-3", "2026/02/01", "2026-02-02", "2026-02-28 10:00", "2025-12-31"],
        group=["x", "y", "x", "y", "y"],
        gold=["1", "0", "1", " ", "1"],
    )


def test_scores_and_the_surest(table: Results) -> None:
    scores = table.scores()
    assert scores.histogram.sum() == 4 and scores.histogram[-1] == 1 and scores.histogram[10] == 1
    assert scores.surest(2) == [3, 0] and scores.least_sure(9) == [4, 1, 0, 3]
    assert [row["text"] for row in table.rows([3, 0, 3], ["text"])] == ["好a.*", "好A", "好a.*"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["好A", "坏", "好a.*", "中"]),
        ({"labels": ["负"]}, ["坏", "中"]),
        ({"low": 0.8, "high": 0.9}, ["好A", "坏"]),
        ({"contains": "a"}, ["好A", "好a.*"]),
        ({"contains": ".*"}, ["好a.*"]),
        ({"contains": "无"}, []),
    ],
)
def test_rows_that_match(table: Results, asked: dict[str, object], found: list[str]) -> None:
    """Text is looked for as it is, not as a pattern; a row without a result never matches."""
    given = {"labels": [], "low": 0.0, "high": 1.0, "contains": "", **asked}
    total, rows = table.find(["text"], texts=["text"], limit=3, **given)  # type: ignore[arg-type]
    assert total == len(found) and [row["text"] for row in rows] == found[:3]


def test_means_by_a_column(table: Results) -> None:
    groups = table.mean_by("group", "正", limit=30)
    assert [(group.value, group.count) for group in groups.groups] == [("y", 3), ("x", 1)]
    assert groups.groups[0].mean == pytest.approx((0.2 + 1.0 + 0.5) / 3)
    assert not groups.over_time and groups.total == 2
    assert [group.value for group in table.mean_by("group", "正", limit=1).groups] == ["y"]


def test_shares_of_good_and_bad(tmp_path: Path) -> None:
    """Above 0.6 and below 0.4 of positive; between, and at the edges, it is neither."""
    table = _results(
        tmp_path,
        label=["正", "正", "负", "负", "正"],
        score=[0.7, 0.6, 0.6, 0.61, 0.5],
        product=["a", "a", "a", "a", "b"],
    )
    a, b = table.mean_by("product", "正", limit=30).groups
    assert (a.good, a.neutral, a.bad) == (1, 2, 1) and (b.good, b.neutral, b.bad) == (0, 1, 0)


def test_a_period_leaves_the_other_months_out(tmp_path: Path, table: Results) -> None:
    assert table.months("day") == ["2025-12", "2026-01", "2026-02"] and table.months("group") is None
    of = Results(tmp_path / "t.parquet", period=Period(column="day", first="2026-01", last="2026-02"))
    total, rows = of.find(["text"], texts=["text"], limit=9, labels=[], low=0.0, high=1.0, contains="")
    assert total == 3 and [row["text"] for row in rows] == ["好A", "坏", "好a.*"]
    assert [group.value for group in of.mean_by("day", "正", limit=30, by_month=True).groups] == ["2026-01", "2026-02"]
    assert list(of.texts("text", "正", good=True)) == ["好A", "好a.*"]
    assert list(of.texts("text", "正", good=False)) == ["坏"]


def test_means_over_time(table: Results) -> None:
    days = table.mean_by("day", "正", limit=30)
    assert [group.value for group in days.groups] == ["2025-12-31", "2026-01-03", "2026-02-01", "2026-02-28"]
    months = table.mean_by("day", "正", limit=3)
    assert months.over_time and [group.value for group in months.groups] == ["2025-12", "2026-01", "2026-02"]
    assert [group.count for group in months.groups] == [1, 1, 2]


def test_too_many_values_are_refused(table: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_VALUES", 2)
    with pytest.raises(InputError):
        table.mean_by("text", "正", limit=30)
    monkeypatch.setattr(module, "MOST_LABELS", 1)
    with pytest.raises(InputError):
        table.compare("gold")


def test_agreement_with_labels(table: Results) -> None:
    assert dict(table.compare("gold")) == {("1", "正"): 1, ("0", "负"): 1, ("1", "负"): 1}


def test_reasons_that_differ_in_numbers_are_one(tmp_path: Path) -> None:
    lines = [{"error": f"Line {number} is no object"} for number in (1, 22, 1_000)] + [{"error": "No value"}]
    path = tmp_path / "e.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert reasons(path) == {"Line … is no object": 3, "No value": 1}


@pytest.mark.parametrize(
    ("content", "delimiter"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\n好,坏,中;2\n很,好;3\n", ";"),
        ("a\tb\n1,2\t3\n", "\t"),
        ("a|b|c\n1|2|3\n", "|"),
        ("text\n好，坏\n", ","),
        ('a;b\n"x;y\nz";2\n', ";"),
        ("", ","),
    ],
)
def test_the_separator_is_guessed(tmp_path: Path, content: str, delimiter: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content, encoding="utf-8")
    assert guess_delimiter(path) == delimiter


def test_the_columns_are_guessed() -> None:
    by_name = guess_text_columns(["id", "评论", "note"], [{"id": "1" * 99, "评论": "好", "note": "x"}])
    assert by_name.text == "评论"
    pair = guess_text_columns(["n", "sentence1", "sentence2"], [{}])
    assert (pair.text_a, pair.text_b) == ("sentence1", "sentence2")
    longest = guess_text_columns(["b", "a", "n"], [{"b": "长长的一句话", "a": "短的话", "n": 123456789}])
    assert (longest.text, longest.text_a, longest.text_b) == ("b", "b", "a")
    reviews = [
        {"日期": "2026-01-02 10:00:00", "评论内容": "好", "评分": "5", "链接": "https://example.org/" + "a" * 99}
    ]
    assert guess_text_columns(["日期", "评论内容", "评分", "链接"], reviews).text == "评论内容"
    plain = [{"a": "订单-2026-000001", "b": "A-1029-XYZ-88888888", "c": "不错", "d": "2026年1月2日"}]
    assert guess_text_columns(["b", "c", "d"], plain).text == "c"  # by content: no id, no date
    assert guess_text_columns(["评论时间", "用户评论", "评论id"], [{"用户评论": "好"}]).text == "用户评论"
    alone = guess_text_columns(["x"], [{"x": None}])
    assert (alone.text, alone.text_a, alone.text_b) == ("x", "x", "x")


def test_an_estimate_is_of_the_first_rows_and_tells_of_the_cache(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text\n" + "".join(f"第{number}条\n" for number in range(300)), encoding="utf-8")
    reader = open_reader(path)
    with Engine(device="cpu", precision="fp32", models=GOLDEN_MODELS) as engine:
        first = estimate(engine, "sentiment", reader, ["text"], RunOptions())
        again = estimate(engine, "sentiment", reader, ["text"], RunOptions())
    assert first is not None and again is not None
    assert (first.rows, first.total_rows, first.cached, again.cached) == (200, 300, False, True)
    assert first.total_s == pytest.approx(1.5 * first.seconds)
    assert first.texts[0] == ("第0条",) and len(first.results.rows) == 200
