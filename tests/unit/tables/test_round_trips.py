"""What is read is what is written, whatever the text and the format."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from datetime import date
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.cell import WriteOnlyCell

from tests.tables import SUFFIXES, copy, read, write_csv, write_jsonl
from wenmo.errors import InputError
from wenmo.tables import cells, writers
from wenmo.tables.readers import open_reader
from wenmo.tables.table import ReadOptions, Row

any_text = st.text(st.characters(exclude_categories=[]))  # with lone surrogates
valid_text = st.text(st.characters(exclude_categories=["Cs"]))


def guarded(text: str) -> str:
    """A text as a spreadsheet file holds it."""
    text = "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text)
    return "'" + text if cells.runs_as_formula(text) else text


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=60, deadline=None)
@given(texts=st.lists(any_text, max_size=8))
def test_any_texts_survive_in_order(suffix: str, texts: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        source = write_jsonl(Path(name) / "in.jsonl", [{"text": text} for text in texts])
        target = Path(name) / f"out{suffix}"
        copy(source, target)
        got = read(target)
    if not texts:  # a JSONL file without rows has no columns
        assert got == []
        return
    expected = {
        ".jsonl": texts,
        ".parquet": ["".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text) for text in texts],
    }.get(suffix, [guarded(text) for text in texts])
    assert [row["text"] for row in got] == expected
    assert [int(row["number"]) for row in got] == list(range(len(texts)))


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(valid_text, valid_text), min_size=1, max_size=6))
def test_csv_written_by_others_is_read_cell_for_cell(rows: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "in.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("text", "other"), *rows])
        assert [(row["text"], row["other"]) for row in read(path)] == rows


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(
        st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5) | st.sampled_from("，。！aB1 ")), min_size=1
    )
)
def test_gb18030_is_never_read_as_something_else_without_a_word(texts: list[str]) -> None:
    """Uniformly random characters are the hardest case: then a refusal is allowed, wrong text is not."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "in.csv"
        with path.open("w", encoding="gb18030", newline="") as file:
            csv.writer(file).writerows([("text", "more"), *((text, "评论") for text in texts)])
        try:
            got = [row["text"] for row in read(path)]
        except InputError:
            return
        assert got == texts


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_many_rows_come_in_chunks_and_go_out_once(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writers, "_GROUP_ROWS", 3_000)  # more than one Parquet row group
    source = write_jsonl(tmp_path / "in.jsonl", [{"text": str(i)} for i in range(4_500)])
    first = tmp_path / f"a{suffix}"
    copy(source, first, rows=2_000)
    reader = open_reader(first)
    assert [len(chunk) for chunk in reader.chunks(1_100)] == [1_100] * 4 + [100]
    assert reader.row_count == 4_500
    assert [(row["text"], int(row["number"])) for row in read(first)] == [(str(i), i) for i in range(4_500)]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_header_without_rows(tmp_path: Path, suffix: str) -> None:
    source = write_csv(tmp_path / "in.csv", "text,n\n")
    target = tmp_path / f"out{suffix}"
    copy(source, target)
    reader = open_reader(target)
    assert reader.row_count == 0 and list(reader.chunks()) == []
    assert reader.columns == (() if suffix == ".jsonl" else ("text", "n", "number"))


# ------------------------------------------------------------------------- tables written by others, in any dialect

ENCODABLE = {
    "gb18030": "你好，。的了",
    "big5": "你這好，。的了",
    "utf-8": "你好😀ｱ",
    "utf-8-sig": "你好é",
    "utf-16": "你好😀",
}


def tables_of(alphabet: str) -> st.SearchStrategy[list[list[str]]]:
    """Some rows of two to four columns; every row has a cell that is not empty."""
    cell = st.text(alphabet, max_size=8)
    return st.integers(2, 4).flatmap(
        lambda width: st.lists(
            st.tuples(st.text(alphabet, min_size=1, max_size=8), *[cell] * (width - 1)).map(list),
            min_size=1,
            max_size=6,
        )
    )


def header_of(rows: list[list[str]]) -> list[str]:
    return [f"c{number}" for number in range(len(rows[0]))]


def read_cells(path: Path, options: ReadOptions | None = None) -> list[list[object]]:
    reader = open_reader(path, options)
    rows = [list(row.values()) for chunk in reader.chunks() for row in chunk.rows()]
    assert len(rows) == reader.row_count
    assert not [chunk.bad_rows for chunk in reader.chunks() if chunk.bad_rows]
    return rows


@pytest.mark.parametrize("encoding", ENCODABLE)
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_csv_of_any_dialect(encoding: str, quoting: int, data: st.DataObject) -> None:
    """Letters of no kind that columns are told by, so that no cell looks like a row."""
    rows = data.draw(tables_of("ab\\'\" ,;\t|\n\r=-@" + ENCODABLE[encoding]))
    end = data.draw(st.sampled_from(["\n", "\r\n", "\r"]))
    mark = data.draw(st.sampled_from([",", ";", "\t", "|"]))
    if quoting == csv.QUOTE_MINIMAL and len(end) == 1:  # Python would leave the other line end in a cell unquoted
        rows = [[cell.translate({10: end, 13: end}) for cell in cells] for cells in rows]
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=mark, quoting=quoting, lineterminator=end).writerows([header_of(rows), *rows])
    with tempfile.TemporaryDirectory() as name:
        path = write_csv(Path(name) / "in.csv", text.getvalue(), encoding)
        assert read_cells(path, ReadOptions(encoding=encoding, delimiter=mark)) == rows


@settings(max_examples=25, deadline=None)
@given(rows=tables_of("ab\\'\" ,;|=-@你好。"), end=st.sampled_from(["\n", "\r\n", "\r"]))
def test_tsv_without_quoting(rows: list[list[str]], end: str) -> None:
    """As databases write it. By itself it is told from quoted cells only where it matters."""
    content = "".join("\t".join(cells) + end for cells in [header_of(rows), *rows])
    with tempfile.TemporaryDirectory() as name:
        path = write_csv(Path(name) / "in.tsv", content)
        assert read_cells(path, ReadOptions(quoting="none")) == rows


@settings(max_examples=25, deadline=None)
@given(rows=tables_of('ab\\" ,\n你好。'))
def test_csv_with_escaped_quotes(rows: list[list[str]]) -> None:
    """As Spark writes it with all cells quoted."""

    def escaped(cell: str) -> str:
        return '"' + cell.replace("\\", "\\\\").replace('"', '\\"') + '"'

    with tempfile.TemporaryDirectory() as name:
        content = "".join(",".join(map(escaped, cells)) + "\n" for cells in [header_of(rows), *rows])
        path = write_csv(Path(name) / "in.csv", content)
        assert read_cells(path, ReadOptions(escape="\\")) == rows


JSON_VALUES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | any_text


@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(st.dictionaries(valid_text, JSON_VALUES | st.lists(JSON_VALUES, max_size=2), max_size=4), max_size=5),
    layout=st.sampled_from(["lines", "array", "pretty"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "gb18030", "utf-16"]),
)
def test_json_of_any_layout(rows: list[dict[str, object]], layout: str, encoding: str) -> None:
    dumped = [json.dumps(row, ensure_ascii="\\ud" in json.dumps(row)) for row in rows]
    content = {
        "lines": "".join(f"{line}\n" for line in dumped),
        "array": "[" + ",".join(dumped) + "]",
        "pretty": "[\n  " + ",\n  ".join(dumped) + "\n]\n",
    }[layout]
    with tempfile.TemporaryDirectory() as name:
        path = write_csv(Path(name) / "in.jsonl", content, encoding)
        got = read(path) if encoding != "gb18030" else read_named(path, encoding)
    assert got == rows


def read_named(path: Path, encoding: str) -> list[Row]:
    """Random characters are no text of which an encoding could be told."""
    return [row for chunk in open_reader(path, ReadOptions(encoding=encoding)).chunks() for row in chunk.rows()]


@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.text("ab你好，\n\t =-@\"'_😀", min_size=1, max_size=8).filter(str.strip),
            st.integers(-(2**53), 2**53),
            st.integers(-(10**6), 10**6).map(lambda number: number / 8),  # openpyxl writes 16 digits of a float
            st.booleans(),
            st.dates(min_value=date(1950, 1, 1), max_value=date(2100, 1, 1)),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_workbooks(rows: list[tuple[str, int, float, bool, date]]) -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("表")
    sheet.append(["text", "whole", "number", "flag", "day"])
    for text, *others in rows:
        cell = WriteOnlyCell(sheet, text)
        cell.data_type = "s"  # a text whatever it begins with
        sheet.append([cell, *others])
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "in.xlsx"
        book.save(path)
        got = read_cells(path)
    assert got == [[text, whole, number, flag, day.isoformat()] for text, whole, number, flag, day in rows]


@settings(max_examples=25, deadline=None)
@given(
    texts=st.lists(st.none() | valid_text, min_size=1, max_size=6),
    kind=st.sampled_from(["string", "large_string", "string_view", "binary", "large_binary", "binary_view"]),
)
def test_parquet_of_any_kind_of_text(texts: list[str | None], kind: str) -> None:
    values = [text.encode() if text is not None and "binary" in kind else text for text in texts]
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "in.parquet"
        pq.write_table(pa.table({"text": pa.array(values, getattr(pa, kind)()), "n": range(len(texts))}), path)
        assert read_cells(path) == [[text, number] for number, text in enumerate(texts)]
