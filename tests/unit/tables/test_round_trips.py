"""What is read is what is written, whatever the text and the format."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tables import SUFFIXES, copy, read, write_csv, write_jsonl
from wenmo.errors import InputError
from wenmo.tables import cells, writers
from wenmo.tables.readers import open_reader

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
