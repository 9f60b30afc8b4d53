"""Tables come in as they are, or are refused with the place that is wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.tables import copy, parquet_table, read, write_csv
from wenmo.errors import InputError
from wenmo.tables import table as tables
from wenmo.tables.readers import open_reader


def test_csv_keeps_every_cell_as_text(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", "id,text,n\n001,好,1.50\n1e5, 空格 ,NA\n,NaN,true\n")
    assert read(path) == [
        {"id": "001", "text": "好", "n": "1.50"},
        {"id": "1e5", "text": " 空格 ", "n": "NA"},
        {"id": "", "text": "NaN", "n": "true"},
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
def test_csv_encodings(tmp_path: Path, encoding: str) -> None:
    path = write_csv(tmp_path / "a.csv", "text,备注\n这家店的服务很好。,满意\n包装破损，不会再买,“差”\n", encoding)
    assert open_reader(path).columns == ("text", "备注")
    assert [row["text"] for row in read(path)] == ["这家店的服务很好。", "包装破损，不会再买"]


def test_gb18030_four_byte_characters(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", "text\n很好😀𠮷\n", "gb18030")
    assert read(path) == [{"text": "很好😀𠮷"}]


@pytest.mark.parametrize("word", [b"\xc4\xa3\xca\xbd", b"\xd2\xbb\xd6\xb1", b"\xc8\xb7\xca\xb5", b"\xe4\xb8\xb8" * 2])
def test_gbk_that_is_valid_utf8_by_accident_is_no_mixture(tmp_path: Path, word: bytes) -> None:
    """Each of these GBK words decodes as UTF-8 too; the other lines prove GBK."""
    assert word.decode("utf-8") != word.decode("gb18030")
    path = write_csv(tmp_path / "a.csv", b"text\n" + word + b"\n" + "质量不错，下次还来".encode("gbk") + b"\n")
    assert [row["text"] for row in read(path)] == [word.decode("gb18030"), "质量不错，下次还来"]


@pytest.mark.parametrize(
    ("encodings", "line"),
    [
        (("utf-8", "utf-8", "gbk"), 4),
        (("gbk", "gbk", "utf-8"), 4),
        (("utf-8", "gbk", "utf-8"), 3),
        (("gbk", "utf-8", "gbk"), 3),
    ],
)
def test_mixed_encodings_are_refused_with_the_line(tmp_path: Path, encodings: Sequence[str], line: int) -> None:
    texts = ["今天的天气真好", "物流太慢了，等了一周", "价格便宜，味道也好"]
    lines = [text.encode(encoding) for text, encoding in zip(texts, encodings, strict=True)]
    path = write_csv(tmp_path / "a.csv", b"text\n" + b"\n".join(lines) + b"\n")
    with pytest.raises(InputError, match=rf"mixes encodings: line {line} is") as caught:
        open_reader(path)
    assert f"第 {line} 行" in caught.value.zh


def test_encodings_mixed_within_a_line_are_refused(tmp_path: Path) -> None:
    line = "天气真好啊".encode() + b"," + "物流太慢".encode("gbk")
    with pytest.raises(InputError, match="mixes encodings: line 2"):
        open_reader(write_csv(tmp_path / "a.csv", b"a,b\n" + line + b"\n"))


def test_bom_of_utf8_before_gbk_is_refused(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbftext\n" + "物流太慢".encode("gbk")
    with pytest.raises(InputError, match="line 2 is GB18030, but line 1 is UTF-8"):
        open_reader(write_csv(tmp_path / "a.csv", content))


def test_bytes_in_no_encoding_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Line 3 of .* is neither"):
        open_reader(write_csv(tmp_path / "a.csv", b"text\nabc\n\xff\xff\n"))


def test_quoted_newlines_commas_quotes_and_nul(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", 'text,n\r\n"一\r\n二,三""四""",1\r\nA\0B,2')
    assert read(path) == [{"text": '一\r\n二,三"四"', "n": "1"}, {"text": "A\0B", "n": "2"}]


def test_cell_longer_than_the_csv_module_allows(tmp_path: Path) -> None:
    text = "长" * 300_000
    assert read(write_csv(tmp_path / "a.csv", f"text,n\n{text},1\n")) == [{"text": text, "n": "1"}]


def test_quote_left_open_is_refused_and_swallows_nothing(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", 'text,n\n好,1\n"坏,2\n中,3\n')
    with pytest.raises(InputError, match=r"begins in line 3 .* never closed"):
        open_reader(path)


def test_short_rows_lack_values_and_long_rows_keep_theirs(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", "text,n\n好\n一,二,三\n四,4,,\n")
    reader = open_reader(path)
    (chunk,) = reader.chunks()
    assert reader.columns == ("text", "n", "column_3")
    assert [tuple(row.values()) for row in chunk.rows()] == [("好", None, None), ("一", "二", "三"), ("四", "4", None)]
    assert list(chunk.bad_rows) == [0, 1]
    assert "1 cells, the header has 2" in str(chunk.bad_rows[0].error)
    assert "3 cells, the header has 2" in str(chunk.bad_rows[1].error)
    assert ["line 2, 3" in notice.en for notice in reader.notices] == [True]


def test_blank_header_cells_get_names_of_their_own(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", ",text,column_1, \n0,好,x,y\n")
    assert read(path) == [{"column_1_": "0", "text": "好", "column_1": "x", "column_4": "y"}]


def test_blank_lines(tmp_path: Path) -> None:
    several = write_csv(tmp_path / "a.csv", "\ntext,n\n\n好,1\n\n坏,2\n\n\n")
    assert [row["text"] for row in read(several)] == ["好", "坏"]
    single = write_csv(tmp_path / "b.csv", 'text\n好\n\n坏\n""\n\n')
    assert [row["text"] for row in read(single)] == ["好", "", "坏", ""]
    assert open_reader(single).row_count == 4


@pytest.mark.parametrize("content", ["", "\ufeff", "\n\n"])
def test_empty_csv_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(InputError, match="is empty"):
        open_reader(write_csv(tmp_path / "a.csv", content))


def test_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="several columns named 'text'"):
        open_reader(write_csv(tmp_path / "a.csv", "text,n,text\n1,2,3\n"))


def test_jsonl_keeps_types_keys_and_absence(tmp_path: Path) -> None:
    lines = ['{"text": "好", "n": 1, "f": 1.0, "b": true}', "", '{"x": null, "l": [1, {"a": "中"}], "text": "坏"}']
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    assert open_reader(source).columns == ("text", "n", "f", "b", "x", "l")
    copy(source, target)
    assert target.read_text(encoding="utf-8").splitlines() == [
        '{"text": "好", "n": 1, "f": 1.0, "b": true, "number": 0}',
        '{"x": null, "l": [1, {"a": "中"}], "text": "坏", "number": 1}',
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"text": ', "at column"),
        (b"[1, 2]", "not an object"),
        (b"null", "not an object"),
        (b'{"text": "a", "text": "b"}', "'text' is given twice"),
        ('{"text": "caf\xe9"}'.encode("latin-1"), "utf-8"),
        (b"[" * 100_000, ""),
        (b'{"n": ' + b"9" * 5_000 + b"}", "digits"),
    ],
)
def test_bad_jsonl_lines_are_named(tmp_path: Path, line: bytes, reason: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "a"}\n\n' + line + b'\n{"text": "b"}\n')
    reader = open_reader(path)
    (chunk,) = reader.chunks()
    assert (reader.row_count, chunk.values("text")) == (3, ["a", None, "b"])
    assert re.match(f"Line 3 of a.jsonl .*{reason}", str(chunk.bad_rows[1].error))
    assert chunk.bad_rows[1].raw == line.decode("utf-8", "replace")
    path.write_bytes(b"\n\n" + line)
    with pytest.raises(InputError, match=f"Line 3 of a.jsonl .*{reason}"):  # no good line: no JSONL
        open_reader(path)


def test_parquet_text_that_is_no_utf8(tmp_path: Path) -> None:
    broken = pa.Array.from_buffers(pa.string(), 1, pa.array([b"a\xff"]).buffers())
    pq.write_table(pa.table({"text": broken}), tmp_path / "in.parquet")
    assert read(tmp_path / "in.parquet") == [{"text": "a\ufffd"}]


@pytest.mark.parametrize("keep", [0, 4, 100, -20])
def test_truncated_parquet_is_refused(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(parquet_table(), path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match="could not be read"):
        open_reader(path)


def test_parquet_damaged_in_the_middle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [f"第{i}条" for i in range(5000)]}), path)
    content = bytearray(path.read_bytes())
    content[4:2000] = bytes(1996)
    path.write_bytes(content)
    with pytest.raises(InputError, match="could not be read"):
        read(path)


def test_very_long_texts_make_smaller_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "CHUNK_CHARACTERS", 1_000)
    path = write_csv(tmp_path / "a.csv", "text\n" + ("x" * 350 + "\n") * 7)
    assert [len(chunk) for chunk in open_reader(path).chunks()] == [3, 3, 1]


@pytest.mark.parametrize("name", ["a.txt", "a.xls", "a", ".csv"])
def test_unknown_suffixes_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("text\n")
    with pytest.raises(InputError, match="suffix"):
        open_reader(tmp_path / name)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match="not a file"):
        open_reader(tmp_path / "folder.csv")
    with pytest.raises(InputError, match="no file") as caught:
        open_reader(tmp_path / "absent.csv")
    assert "不存在" in caught.value.zh


def test_suffix_in_capitals(tmp_path: Path) -> None:
    assert read(write_csv(tmp_path / "A.CSV", "text\n好\n")) == [{"text": "好"}]
