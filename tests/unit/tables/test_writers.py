"""Tables go out whole, in order, and in formats that spreadsheets and programs can open."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq

from tests.tables import copy, parquet_table, read, write_jsonl
from wenmo.tables.cells import csv_cell, runs_as_formula
from wenmo.tables.table import Row


def test_written_csv_opens_in_a_spreadsheet_and_runs_nothing(tmp_path: Path) -> None:
    texts = ["=1+1", "+A1", "-A1", "@x", "\t=1", "\r=1", "-", "-0.5", "+86", "-1e-3", "-1-1", "a=1", "'", "１"]
    target = tmp_path / "out.csv"
    copy(write_jsonl(tmp_path / "in.jsonl", [{"text": text, "=key": -0.5} for text in texts]), target)
    assert target.read_bytes().startswith(b"\xef\xbb\xbf")
    with target.open(encoding="utf-8-sig", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["text", "'=key", "number"]
    assert [row[0] for row in rows] == [
        "'=1+1", "'+A1", "'-A1", "'@x", "'\t=1", "'\r=1", "-", "-0.5", "+86", "-1e-3", "'-1-1", "a=1", "'", "１",
    ]  # fmt: skip
    assert {row[1] for row in rows} == {"-0.5"}


RUN = [
    "=1+1", "=A1", "=a", "==好", "=_= 无语了", '="x"', "=SUM(1)", "＝1+1", "\t=1+1", "\r\n=A1", "\0=A1", "={1}",
    "+A1", "-A1", "-A01", "@A1", "@SUM(1)", "-SUM (A1)", "+1-1", "-1/2", "-2024-01-05", "-12:30", "+86-138-0000",
    "- A1", "@ 各位", "--A1",
    "+-A1", "－A1", "＋1＋1", "＠all", "-服务差", "-a,b", '-"x"&"y"', "-$A$1", "-A1:B2", "-1>0", "+Sheet1!A1",
    "+cmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!A0", "@SUM(1+1)*cmd|' /C calc'!A0", "+cmd|' /C \n calc'!A0",
    '-看 HYPERLINK("http://x","y")', "－ＨＹＰＥＲＬＩＮＫ（1）", "-好 =Sheet1!A1",
]  # fmt: skip
STAY = [
    "-", "--", "---", "+", "++", "@", "@@", "=", "==", "=====", "=.=", "-_-!", "+_+ ?", "-5%", "+3%", "-0.5%",
    "-1,234.5", "+86", "-1e-3", "-.5", "-3.5℃", "-5元", "-10 分", "+1 支持", "+86 13800000000", "-服务差！",
    "- 一般，不推荐", "-服务差（真的）", "-慢。贵。", "@小明 这家店不错", "@小明：好", "@店家，退款", "—— 好", "a=1",
    "好=A1", "'=1", " 好", "\t好", "\n好", "", "１", "ー", "·A1",
]  # fmt: skip


def test_what_a_spreadsheet_runs_is_guarded_and_nothing_else() -> None:
    assert [text for text in RUN if csv_cell(text) != "'" + text] == []
    assert [text for text in STAY if csv_cell(text) != text] == []
    assert csv_cell(-0.5) == "-0.5"


def test_a_long_text_with_a_sign_takes_no_time_to_judge() -> None:
    for text in ("-" + "a " * 16_000, "-" + "1+" * 16_000, "-" * 32_000, "- " * 16_000 + "a。", "-" + "(" * 30_000):
        runs_as_formula(text)
    assert not runs_as_formula("-" + "a" * 40_000)


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
