"""Tables come in as they are, go out whole, in order, and in formats that spreadsheets and programs can open."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wenmo.errors import InputError
from wenmo.jobs import tables
from wenmo.jobs.tables import Row, open_reader, open_writer

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
any_text = st.text(st.characters(exclude_categories=[]))  # with lone surrogates
valid_text = st.text(st.characters(exclude_categories=["Cs"]))


def read(path: Path) -> list[Row]:
    return [row for chunk in open_reader(path) for row in chunk.rows()]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def copy(source: Path, target: Path) -> None:
    """Through reader and writer, with one result column: the row's number."""
    reader = open_reader(source)
    with open_writer(target, reader, {"number": "integer"}) as writer:
        done = 0
        for chunk in reader:
            writer.write(chunk, [{"number": done + index} for index in range(len(chunk))])
            done += len(chunk)


def write_jsonl(path: Path, rows: Sequence[Row]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="ascii")
    return path


def write_csv(path: Path, content: str | bytes, encoding: str = "utf-8") -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


# ------------------------------------------------------------------------------------------------------ round trips


def guarded(text: str) -> str:
    """A text as a spreadsheet file holds it."""
    text = "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text)
    harmless = tables._NUMBER.fullmatch(text) or not text.startswith(tuple("=+-@\t\r\n\0＝＋－＠"))
    return text if harmless else "'" + text


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


# ------------------------------------------------------------------------------------------------------------- CSV


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
    (chunk,) = reader
    assert reader.columns == ("text", "n", "column_3")
    assert [tuple(row.values()) for row in chunk.rows()] == [("好", None, None), ("一", "二", "三"), ("四", "4", None)]
    assert list(chunk.faults) == [1]
    assert "3 cells, the header has 2" in str(chunk.faults[1])


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


def test_written_csv_opens_in_a_spreadsheet_and_runs_nothing(tmp_path: Path) -> None:
    texts = ["=1+1", "+A1", "-A1", "@x", "\t=1", "\r=1", "-", "-0.5", "+86", "-1e-3", "-1-1", "a=1", "'", "１"]
    target = tmp_path / "out.csv"
    copy(write_jsonl(tmp_path / "in.jsonl", [{"text": text, "=key": -0.5} for text in texts]), target)
    assert target.read_bytes().startswith(b"\xef\xbb\xbf")
    with target.open(encoding="utf-8-sig", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["text", "'=key", "number"]
    assert [row[0] for row in rows] == [
        "'=1+1", "'+A1", "'-A1", "'@x", "'\t=1", "'\r=1", "'-", "-0.5", "+86", "-1e-3", "'-1-1", "a=1", "'", "１",
    ]  # fmt: skip
    assert {row[1] for row in rows} == {"-0.5"}


# ----------------------------------------------------------------------------------------------------------- JSONL


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
        ('{"text": "很好"}'.encode("gbk"), "utf-8"),
        (b"[" * 100_000, ""),
        (b'{"n": ' + b"9" * 5_000 + b"}", "digits"),
    ],
)
def test_bad_jsonl_lines_are_named(tmp_path: Path, line: bytes, reason: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "a"}\n\n' + line + b"\n")
    with pytest.raises(InputError, match=f"Line 3 of a.jsonl .*{reason}"):
        open_reader(path)


def test_jsonl_written_is_strict_json(tmp_path: Path) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text('{"a": NaN, "b": [1e999, 2.5], "c": "中"}\n', encoding="utf-8")
    copy(source, target)
    assert target.read_text(encoding="utf-8") == '{"a": null, "b": [null, 2.5], "c": "中", "number": 0}\n'


def test_no_text_breaks_a_line_of_jsonl(tmp_path: Path) -> None:
    text = "一\u2028二\u2029三\x85四\x1e五\n六"
    target = tmp_path / "out.jsonl"
    copy(write_jsonl(tmp_path / "in.jsonl", [{"text": text}]), target)
    (line,) = target.read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["text"] == text
    assert "一" in line


def test_jsonl_to_parquet_has_the_types_of_its_values(tmp_path: Path) -> None:
    rows: list[Row] = [
        {"i": 1, "wide": 2**60, "huge": 2**70, "f": 1, "b": True, "mixed": 1, "list": [1, "中"], "none": None},
        {"i": None, "wide": 1, "huge": 1, "f": 0.5, "b": False, "mixed": "a", "list": None},
    ]
    target = tmp_path / "out.parquet"
    copy(write_jsonl(tmp_path / "in.jsonl", rows), target)
    table = pq.read_table(target)
    assert {field.name: str(field.type) for field in table.schema} == {
        "i": "int64", "wide": "int64", "huge": "string", "f": "double", "b": "bool", "mixed": "string",
        "list": "string", "none": "string", "number": "int64",
    }  # fmt: skip
    assert table.to_pylist() == [
        {"i": 1, "wide": 2**60, "huge": str(2**70), "f": 1.0, "b": True, "mixed": "1", "list": '[1, "中"]',
         "none": None, "number": 0},
        {"i": None, "wide": 1, "huge": "1", "f": 0.5, "b": False, "mixed": "a", "list": None, "none": None,
         "number": 1},
    ]  # fmt: skip


def test_jsonl_key_with_a_lone_surrogate_loses_no_value(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"k\\ud800": "v"}\n', encoding="ascii")
    for suffix, key in ((".csv", "k\ufffd"), (".tsv", "k\ufffd"), (".jsonl", "k\ud800"), (".parquet", "k\ufffd")):
        copy(source, tmp_path / f"out{suffix}")
        assert read(tmp_path / f"out{suffix}")[0][key] == "v"


# --------------------------------------------------------------------------------------------------------- Parquet


def parquet_table() -> pa.Table:
    return pa.table(
        {
            "text": pa.array(["好", None, ""], pa.large_string()),
            "small": pa.array([1, None, 3], pa.int8()),
            "price": pa.array([Decimal("1.50"), None, Decimal("-2.25")], pa.decimal128(9, 2)),
            "when": pa.array([datetime(2024, 5, 1, 8, tzinfo=UTC), None, None], pa.timestamp("ms", "UTC")),
            "kind": pa.array(["a", "b", "a"]).dictionary_encode(),
            "raw": pa.array([b"\x00\xff", None, b""]),
            "tags": pa.array([["x"], [], None], pa.list_(pa.string())),
            "early": pa.array([-(10**17), 0, None], pa.timestamp("ms")),  # before year 1: Python has no value for it
        }
    )


def test_parquet_to_parquet_keeps_columns_and_types(tmp_path: Path) -> None:
    table = parquet_table()
    pq.write_table(table, tmp_path / "in.parquet")
    copy(tmp_path / "in.parquet", tmp_path / "out.parquet")
    got = pq.read_table(tmp_path / "out.parquet")
    assert got.drop(["number"]).equals(table)
    assert got.schema.remove(got.schema.get_field_index("number")).equals(table.schema)
    assert got["number"].to_pylist() == [0, 1, 2]


def test_parquet_to_jsonl_and_csv(tmp_path: Path) -> None:
    pq.write_table(parquet_table(), tmp_path / "in.parquet")
    copy(tmp_path / "in.parquet", tmp_path / "out.jsonl")
    first, second, _ = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    assert first == {
        "text": "好", "small": 1, "price": "1.50", "when": "2024-05-01T08:00:00+00:00", "kind": "a", "raw": "AP8=",
        "tags": ["x"], "early": "<value out of range: -100000000000000000>", "number": 0,
    }  # fmt: skip
    assert (second["text"], second["early"]) == (None, "1970-01-01T00:00:00")
    copy(tmp_path / "in.parquet", tmp_path / "out.csv")
    row = read(tmp_path / "out.csv")[2]
    assert (row["text"], row["price"], row["tags"]) == ("", "-2.25", "")


def test_parquet_written_by_pandas_reads_back_in_pandas(tmp_path: Path) -> None:
    import pandas as pd

    frame = pd.DataFrame({"text": ["好", "坏"], "n": [1, 2]}, index=pd.Index([10, 20], name="id"))
    frame.to_parquet(tmp_path / "in.parquet")
    copy(tmp_path / "in.parquet", tmp_path / "out.parquet")
    got = pd.read_parquet(tmp_path / "out.parquet")
    assert got.drop(columns="number").equals(frame)
    assert got["number"].tolist() == [0, 1]


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


# -------------------------------------------------------------------------------------------------- all the formats


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_many_rows_come_in_chunks_and_go_out_once(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_GROUP_ROWS", 3_000)  # more than one Parquet row group
    source = write_jsonl(tmp_path / "in.jsonl", [{"text": str(i)} for i in range(4_500)])
    first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    copy(source, first)
    reader = open_reader(first)
    assert [len(chunk) for chunk in reader] == [2_000, 2_000, 500]
    assert reader.row_count == 4_500
    with open_writer(second, reader, {"twice": "integer"}) as writer:
        for chunk in reader:
            writer.write(chunk, [{"twice": 2 * int(value)} for value in chunk.values("number")])
    assert [int(row["twice"]) for row in read(second)] == [2 * i for i in range(4_500)]


def test_very_long_texts_make_smaller_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "CHUNK_CHARACTERS", 1_000)
    path = write_csv(tmp_path / "a.csv", "text\n" + ("x" * 400 + "\n") * 7)
    assert [len(chunk) for chunk in open_reader(path)] == [3, 3, 1]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_header_without_rows(tmp_path: Path, suffix: str) -> None:
    source = write_csv(tmp_path / "in.csv", "text,n\n")
    target = tmp_path / f"out{suffix}"
    copy(source, target)
    reader = open_reader(target)
    assert reader.row_count == 0 and list(reader) == []
    assert reader.columns == (() if suffix == ".jsonl" else ("text", "n", "number"))


@pytest.mark.parametrize("name", ["a.txt", "a.xlsx", "a", ".csv"])
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


# --------------------------------------------------------------------------------------------------------- writing


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, suffix: str) -> None:
    reader = open_reader(write_csv(tmp_path / "in.csv", "text\n好\n"))
    target = tmp_path / f"out{suffix}"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt), open_writer(target, reader, {}) as writer:
        for chunk in reader:
            writer.write(chunk, [{}])
        raise KeyboardInterrupt
    assert target.read_text() == "old"
    assert names(tmp_path) == ["in.csv", target.name]


def test_target_appears_only_when_complete(tmp_path: Path) -> None:
    reader = open_reader(write_csv(tmp_path / "in.csv", "text\n好\n"))
    target = tmp_path / "out.csv"
    with open_writer(target, reader, {}) as writer:
        writer.write(next(iter(reader)), [{}])
        assert not target.exists()
    assert target.read_bytes() == b"\xef\xbb\xbftext\r\n\xe5\xa5\xbd\r\n"
    assert names(tmp_path) == ["in.csv", "out.csv"]


def test_symbolic_link_stays_a_link(tmp_path: Path) -> None:
    source = write_csv(tmp_path / "in.csv", "text\n好\n")
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    copy(source, tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert read(tmp_path / "real.csv") == [{"text": "好", "number": "0"}]


def test_targets_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    reader = open_reader(write_csv(tmp_path / "in.csv", "text\n好\n"))
    (tmp_path / "folder.csv").mkdir()
    cases: list[tuple[Path, str]] = [
        (tmp_path / "absent" / "out.csv", "no folder"),
        (tmp_path / "in.csv" / "out.csv", "no folder"),
        (tmp_path / "folder.csv", "is a folder"),
        (tmp_path / "out.txt", "suffix"),
    ]
    for target, reason in cases:
        with pytest.raises(InputError, match=reason), open_writer(target, reader, {}):
            pass
    assert names(tmp_path) == ["folder.csv", "in.csv"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_full_disk_is_an_input_error(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = open_reader(write_csv(tmp_path / "in.csv", "text\n好\n"))

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with (
        pytest.raises(InputError, match="No space left"),
        open_writer(tmp_path / f"out{suffix}", reader, {}) as writer,
    ):
        writer.write(next(iter(reader)), [{}])
    assert names(tmp_path) == ["in.csv"]
