"""A finished table in other formats: the same rows as a job of that format writes, and nothing that runs in a sheet."""

from __future__ import annotations

import json
from pathlib import Path

import openpyxl
import pytest

from tests.length_engine import run
from wenmo.errors import InputError
from wenmo.jobs import export as module
from wenmo.jobs.export import EXCEL_CHARACTERS, export_results
from wenmo.jobs.options import RunOptions
from wenmo.jobs.result_columns import result_columns
from wenmo.tables.cells import runs_as_formula
from wenmo.tables.readers import open_reader

TEXTS = ["好", "=1+1", "+86", "@cmd", "-2", "\t=x", "1e5", "", "很" * 40_000, "a\x01b", "\ud800", "001", "＝1"]


def _export(source: Path, target: Path, task: str = "sentiment") -> Path:
    finished = source.with_name("finished.parquet")
    run(task, source, finished, labels="好，坏" if task == "zero_shot" else None)  # type: ignore[arg-type]
    reader = open_reader(source)
    _, extra = result_columns(RunOptions(), reader.columns)
    export_results(reader, finished, target, extra)
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
    assert [cell.value for cell in header][:5] == ["text", "tags", "n", "label", "wenmo_label"]
    assert not [cell.coordinate for row in rows for cell in row if cell.data_type == "f"]
    found = [row[0].value for row in rows]
    expected = [*TEXTS[:3], None, *TEXTS[3:]]
    expected[9] = "很" * EXCEL_CHARACTERS
    expected[10], expected[11] = "ab", "\ufffd"
    assert [value or "" for value in found] == [value or "" for value in expected]
    assert all(row[0].quotePrefix for row in rows if runs_as_formula(str(row[0].value)))
    assert rows[0][2].value == str(2**60) and rows[3][2].value == 0.5
    score = header[[cell.value for cell in header].index("wenmo_score")].column - 1
    assert isinstance(rows[0][score].value, float) and rows[3][score].value is None


def test_more_rows_than_excel_takes(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EXCEL_ROWS", 5)
    with pytest.raises(InputError, match="CSV"):
        _export(source, tmp_path / "out.xlsx")
    assert not (tmp_path / "out.xlsx").exists()
