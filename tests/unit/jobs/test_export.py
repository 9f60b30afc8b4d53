"""A finished table in other formats: the same rows as a job of that format writes, and nothing that runs in a sheet."""

from __future__ import annotations

import json
from pathlib import Path

import openpyxl
import pytest

from tests.length_engine import run
from wenmo.errors import InputError, Language
from wenmo.jobs import excel as module
from wenmo.jobs.excel import EXCEL_CHARACTERS, Words
from wenmo.jobs.export import export_results
from wenmo.jobs.options import RunOptions
from wenmo.jobs.result_columns import result_columns
from wenmo.tables.cells import runs_as_formula
from wenmo.tables.readers import open_reader

TEXTS = ["好", "=1+1", "+86", "@cmd", "-2", "\t=x", "1e5", "", "很" * 40_000, "a\x01b", "\ud800", "001", "＝1"]


def _export(source: Path, target: Path, task: str = "sentiment", *, language: Language = "zh") -> Path:
    finished = source.with_name("finished.parquet")
    run(task, source, finished, labels="好，坏" if task == "zero_shot" else None)  # type: ignore[arg-type]
    reader = open_reader(source)
    _, extra = result_columns(RunOptions(), reader.columns)
    export_results(reader, finished, target, extra, task=task, language=language)
    return target


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    rows = [{"text": text, "tags": ["x", {"y": 1}], "n": 2**60, "label": None} for text in TEXTS]
    rows.insert(3, {"text": None, "n": 0.5})  # type: ignore[dict-item]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".tsv"])
@pytest.mark.parametrize("task", ["sentiment", "zero_shot"])
def test_the_same_as_a_job_of_that_format(source: Path, tmp_path: Path, suffix: str, task: str) -> None:
    """Lists and objects of the input too, which are text in the Parquet file that is exported."""
    direct = tmp_path / f"direct{suffix}"
    run(task, source, direct, labels="好，坏" if task == "zero_shot" else None)  # type: ignore[arg-type]
    exported = _export(source, tmp_path / f"out{suffix}", task)
    assert exported.read_bytes() == direct.read_bytes()
    assert not list(tmp_path.glob("*.rows"))


def test_excel_has_every_row_and_no_formula(source: Path, tmp_path: Path) -> None:
    path = _export(source, tmp_path / "out.xlsx")
    sheet = openpyxl.load_workbook(path).worksheets[0]
    header, *rows = [list(row) for row in sheet.iter_rows()]
    assert [cell.value for cell in header] == [
        *("text", "tags", "n", "label"),
        *("标签", "把握", "短的概率", "长的概率", "已截断", "错误"),
    ]
    assert not [cell.coordinate for row in rows for cell in row if cell.data_type == "f"]
    found = [row[0].value for row in rows]
    expected = [*TEXTS[:3], None, *TEXTS[3:]]
    expected[9] = "很" * EXCEL_CHARACTERS
    expected[10], expected[11] = "ab", "\ufffd"
    assert [value or "" for value in found] == [value or "" for value in expected]
    assert all(row[0].quotePrefix for row in rows if runs_as_formula(str(row[0].value)))
    assert rows[0][2].value == str(2**60) and rows[3][2].value == 0.5
    for name in ("把握", "短的概率"):
        score = header[[cell.value for cell in header].index(name)].column - 1
        assert isinstance(rows[0][score].value, float) and rows[3][score].value is None
        assert rows[0][score].number_format == "0.0%"
    assert sheet.column_dimensions["A"].width >= 9


def test_the_summary_of_an_excel_file_adds_up_and_has_its_charts(source: Path, tmp_path: Path) -> None:
    path = _export(source, tmp_path / "out.xlsx", "zero_shot", language="en")
    rows, summary = openpyxl.load_workbook(path).worksheets
    assert (rows.title, summary.title) == ("Results", "Summary")
    assert {"Probability of 好", "Probability of 坏"} <= {cell.value for cell in rows[1]}
    lines = [[cell.value for cell in row] for row in summary.iter_rows()]
    figures = {line[0]: line[1] for line in lines if line[0]}
    answered = sum(1 for row in rows.iter_rows(min_row=2) if row[4].value)
    assert figures["All rows"] == rows.max_row - 1 == figures["Rows without a result"] + answered
    assert sum(figures.get(label, 0) for label in ("好", "坏")) == answered
    assert sum(count for name, count in figures.items() if "–" in name) == answered
    assert len(summary._charts) == 2


def test_an_excel_file_in_english_names_the_labels_of_a_task_in_english_and_no_others() -> None:
    english = Words(task="sentiment", language="en")
    assert [english.label(label) for label in ("正面", "负面", "宣纸")] == ["positive", "negative", "宣纸"]
    assert Words(task="sentiment", language="zh").label("正面") == "正面"
    assert (
        Words(task="zero_shot", language="en").label("蕴含") == "蕴含"
    )  # a visitor's own, whatever roles the task has


def test_more_rows_than_excel_takes(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EXCEL_ROWS", 5)
    with pytest.raises(InputError, match="CSV"):
        _export(source, tmp_path / "out.xlsx")
    assert not (tmp_path / "out.xlsx").exists()
