"""Texts out of files: which columns, how many, and what is said where there are none."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wenmo import InputError
from wenmo.ui.throughput import upload
from wenmo.ui.throughput.upload import columns_of, texts_of


def test_the_likeliest_column_stands_first() -> None:
    data = "编号,评论\n1,很好\n2,\n3,太差了\n".encode("gb18030")
    assert columns_of("评论.CSV", data) == ("评论", "编号")
    assert texts_of("评论.CSV", data, "评论") == ["很好", "太差了"]  # a blank one is no text


def test_jsonl_and_parquet() -> None:
    lines = '{"text": "好", "stars": 5}\n{"text": 3}\n{"text": null}\n{"text": "坏"}\n'.encode()
    assert texts_of("a.jsonl", lines, "text") == ["好", "坏"]
    buffer = io.BytesIO()
    pq.write_table(pa.table({"text": ["甲", "乙"]}), buffer)
    assert texts_of("a.parquet", buffer.getvalue(), "text") == ["甲", "乙"]


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    data = ("text\n" + "\n".join("墨" * 10 for _ in range(50))).encode()
    monkeypatch.setattr(upload, "MAX_FILE_TEXTS", 7)
    assert len(texts_of("a.csv", data, "text")) == 7
    monkeypatch.setattr(upload, "_MAX_CHARACTERS", 25)
    assert len(texts_of("a.csv", data, "text")) == 3
    monkeypatch.setattr(upload, "_MAX_TEXT", 4)
    assert texts_of("a.csv", data, "text")[0] == "墨墨墨墨"


@pytest.mark.parametrize(
    ("name", "data", "what"),
    [("a.csv", b"", "empty"), ("a.parquet", b"PAR1", "could not be read"), ("a.txt", b"x", "suffix")],
)
def test_files_that_cannot_be(name: str, data: bytes, what: str) -> None:
    with pytest.raises(InputError, match=what):
        columns_of(name, data)


def test_a_column_without_texts() -> None:
    with pytest.raises(InputError, match="holds no text"):
        texts_of("a.jsonl", b'{"stars": 5}\n', "stars")
