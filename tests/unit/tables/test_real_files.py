"""Files as databases, spreadsheets and labelling tools write them: each is read right, or refused with a way on."""

from __future__ import annotations

import codecs
import io
import json
import zipfile
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.length_engine import run
from tests.tables import read, write_csv
from wenmo.errors import InputError
from wenmo.evaluation.labelled import read_rows
from wenmo.tables.encoding import find_encoding
from wenmo.tables.readers import open_reader
from wenmo.tables.table import ReadOptions

TRADITIONAL = ["這家餐廳的菜非常好吃，服務也很親切", "房間很髒，冷氣壞了也沒人來修", "送貨速度快，包裝完整，值得推薦"]
SIMPLIFIED = ["这家餐厅的菜非常好吃，服务也很亲切", "房间很脏，冷气坏了也没人来修", "送货速度快，包装完整，值得推荐"]


def texts(path: Path, options: ReadOptions | None = None) -> list[Any]:
    return [value for chunk in open_reader(path, options).chunks() for value in chunk.values("text")]


def table(texts: list[str], *, header: str = "id,text") -> str:
    return "\n".join([header, *(f"{number},{text}" for number, text in enumerate(texts))]) + "\n"


def told(path: Path, options: ReadOptions | None = None) -> str:
    notices = open_reader(path, options).notices
    assert all(notice.zh and path.name in notice.zh and path.name in notice.en for notice in notices)
    return "\n".join(notice.en for notice in notices)


# ---------------------------------------------------------------------------------------------------------- encodings


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        ("big5", TRADITIONAL),
        ("cp950", TRADITIONAL),
        ("gbk", SIMPLIFIED),
        ("gbk", TRADITIONAL),
        ("gb18030", [*SIMPLIFIED, "😀"]),
        ("utf-8", TRADITIONAL),
        ("utf-8-sig", SIMPLIFIED),
        ("utf-16", SIMPLIFIED),
        ("utf-16-le", SIMPLIFIED),
        ("utf-16-be", TRADITIONAL),
        ("utf-32", SIMPLIFIED),
    ],
)
def test_encodings_are_found(tmp_path: Path, encoding: str, written: list[str], suffix: str, count: int) -> None:
    written = written[:count]
    if suffix == ".jsonl":
        content = "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in written)
    else:
        content = table(written).replace(",", "\t" if suffix == ".tsv" else ",")
    assert texts(write_csv(tmp_path / f"a{suffix}", content, encoding)) == written


def test_the_guess_of_big5_and_of_unmarked_utf16_is_told(tmp_path: Path) -> None:
    assert "Big5" in told(write_csv(tmp_path / "a.csv", table(TRADITIONAL), "big5"))
    assert "UTF-16" in told(write_csv(tmp_path / "b.csv", table(TRADITIONAL), "utf-16-le"))
    assert told(write_csv(tmp_path / "c.csv", table(SIMPLIFIED), "gbk")) == ""


@pytest.mark.parametrize("character", ["碁", "恒", "裏"])
def test_big5_of_windows_has_some_more_characters(tmp_path: Path, character: str) -> None:
    content = table([*TRADITIONAL, f"這是{character}的"])
    assert texts(write_csv(tmp_path / "a.csv", content, "cp950"))[-1] == f"這是{character}的"
    named = write_csv(tmp_path / "b.csv", content, "cp950")
    assert texts(named, ReadOptions(encoding="big5"))[-1] == f"這是{character}的"


@pytest.mark.parametrize("named", [None, "gbk", "gb2312", "gb18030"])
def test_the_euro_of_windows_in_gbk(tmp_path: Path, named: str | None) -> None:
    content = table(["价格很便宜", "在德国只要@20，很划算", "不推荐"]).encode("gbk").replace(b"@", b"\x80")
    path = write_csv(tmp_path / "a.csv", content)
    options = ReadOptions(encoding=named)
    assert texts(path, options)[1] == "在德国只要€20，很划算"
    assert told(path, options) == ""


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "big5"])
@pytest.mark.parametrize("rows", [1, 5, 9])
def test_a_cut_character_costs_one_character_and_is_told(tmp_path: Path, encoding: str, named: bool, rows: int) -> None:
    """A database cuts by bytes: one text of ten, or nine of them."""
    codec = encoding.removesuffix("-sig")
    start = (TRADITIONAL if encoding == "big5" else SIMPLIFIED)[0]
    lines = [f"{number},{start}{number}".encode(codec) for number in range(10)]
    for number in range(rows):
        lines[number] += "好".encode(codec)[:-1]
    mark = codecs.BOM_UTF8 if encoding == "utf-8-sig" else b""
    path = write_csv(tmp_path / "a.csv", mark + b"\n".join([b"id,text", *lines, b""]))
    options = ReadOptions(encoding=encoding if named else None)
    assert texts(path, options) == [f"{start}{number}" + "\ufffd" * (number < rows) for number in range(10)]
    listed = ", ".join(str(number + 2) for number in range(rows))
    assert f"read as \ufffd: {rows}, in line {listed}" in told(path, options)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_file_of_utf16_that_ends_in_the_middle_of_a_character(tmp_path: Path, encoding: str) -> None:
    path = write_csv(tmp_path / "a.csv", table(SIMPLIFIED).rstrip("\n").encode(encoding)[:-1])
    assert texts(path) == [*SIMPLIFIED[:-1], SIMPLIFIED[-1][:-1] + "\ufffd"]


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (table(SIMPLIFIED).encode("gbk"), "utf-8"),
        (table(SIMPLIFIED).encode("utf-8"), "big5"),
        (table(["café"]).encode("latin-1"), "utf-8"),
        (table(["가게"] * 9).encode("euc_kr"), "utf-8"),
    ],
)
def test_a_wrong_name_of_an_encoding_is_refused_with_the_line(tmp_path: Path, content: bytes, named: str) -> None:
    with pytest.raises(InputError, match=f"not in the encoding {named}.*line 2"):
        open_reader(write_csv(tmp_path / "a.csv", content), ReadOptions(encoding=named))


def test_a_large_file_is_judged_by_all_of_it(tmp_path: Path) -> None:
    """The only text that is no ASCII stands behind three megabytes."""
    start = "".join(f"{number},plain text\n" for number in range(150_000))
    path = write_csv(tmp_path / "a.csv", f"id,text\n{start}0,{TRADITIONAL[0]}\n", "big5")
    assert find_encoding(path).codec == "cp950"


# ---------------------------------------------------------------------------------------- quotes, rows, delimiters

STRAY = ['"性价比高，推荐\t1', "一般般吧\t0", '没什么特别的"\t0', "物流很快\t1"]


def test_a_stray_quote_in_tsv_swallows_no_row(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.tsv", "text\tlabel\n" + "\n".join(STRAY) + "\n")
    assert texts(path) == ['"性价比高，推荐', "一般般吧", '没什么特别的"', "物流很快"]
    assert "--quoting none" in told(path)
    assert len(texts(path, ReadOptions(quoting="csv"))) == 2


def test_a_quote_in_tsv_that_is_never_closed(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.tsv", 'text\tlabel\n屏幕15"很清晰\t1\n"开头有引号\t0\n物流很快\t1\n')
    assert texts(path) == ['屏幕15"很清晰', '"开头有引号', "物流很快"]
    with pytest.raises(InputError, match=r"line 3 .* never closed.*--quoting none"):
        open_reader(path, ReadOptions(quoting="csv"))


def test_a_stray_quote_in_csv_is_refused_with_the_lines_and_a_way_on(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", "text,label\n" + "\n".join(STRAY).replace("\t", ",") + "\n")
    with pytest.raises(InputError, match=r"Lines 2-4 of a.csv.*--quoting none.*--quoting csv"):
        open_reader(path)
    assert len(texts(path, ReadOptions(quoting="none"))) == 4
    assert len(texts(path, ReadOptions(quoting="csv"))) == 2


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_cells_with_line_breaks_stay_whole(tmp_path: Path, suffix: str) -> None:
    """Where the delimiters in a cell make rows of its lines, other cells tell that they are none, or it is told."""
    mark = "," if suffix == ".csv" else "\t"
    content = f'id{mark}text\n1{mark}好\n2{mark}"一{mark}行\n又{mark}一行"\n3{mark}坏\n'
    path = write_csv(tmp_path / f"a{suffix}", content.replace(f"一{mark}行", "一行"))
    assert texts(path) == ["好", f"一行\n又{mark}一行", "坏"]
    assert told(path) != ""
    proper = write_csv(tmp_path / f"b{suffix}", content + f'4{mark}"又{mark}一个"\n')
    assert texts(proper)[-1] == f"又{mark}一个"
    assert told(proper) == ""


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (['1,"他说\\"很好\\"，不错"', '2,"一般"'], ['他说"很好"，不错', "一般"]),  # Spark
        (['1,"他说\\"很好,不错\\"的"', "2,一般"], ['他说"很好,不错"的', "一般"]),
        (['1,"路径 C:\\\\好 \\"x\\""', '2,"又\\\n一行"', "3,\\N"], ['路径 C:\\好 "x"', "又\n一行", None]),  # MySQL
    ],
)
def test_quotes_that_backslashes_escape(tmp_path: Path, lines: list[str], expected: list[str | None]) -> None:
    path = write_csv(tmp_path / "a.csv", "id,text\n" + "\n".join(lines) + "\n")
    assert texts(path) == texts(path, ReadOptions(escape="\\")) == expected
    assert "--escape" in told(path)


def test_backslashes_that_escape_nothing_stay(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", 'id,text\n1,"C:\\",\n2,C:\\"x\n3,"a\\\\b"\n')
    assert texts(path) == ["C:\\", 'C:\\"x', "a\\\\b"]


def test_a_text_behind_a_closed_quote_is_told(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", 'id,text\n1,好\n2,"很好"真的\n')
    assert texts(path) == ["好", "很好真的"]
    assert "Line 3" in told(path)


def test_rows_that_are_torn_or_short_are_told_apart_and_none_is_lost(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "a.csv", "id,text,日期\n1,很好,2024-01-01\n2,太差\n了,2024-01-02\n3\n4,行,2024-01-04,x\n"
    )
    summary = run("sentiment", path, tmp_path / "out.jsonl")
    rows = read(tmp_path / "out.jsonl")
    assert [row["label"] is not None for row in rows] == [True, False, False, False, False]
    assert [row["text"] for row in rows] == ["很好", "太差", "2024-01-02", None, "行"]
    assert (summary.rows, summary.failed_rows) == (5, 4)
    assert "line 3, 4, 5, 6" in summary.files[0].notices[0]


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;", "\ufeffsep=;", "sep=;;"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_line_that_names_the_delimiter(tmp_path: Path, first: str, end: str) -> None:
    path = write_csv(tmp_path / "a.csv", end.join([first, "id;text", '1;"好;坏"', "2;a,b", ""]))
    assert open_reader(path).columns == ("id", "text")
    assert texts(path) == ["好;坏", "a,b"]
    short = write_csv(tmp_path / "b.csv", end.join([first, "id;text", "1;好", "2", ""]))
    assert "line 4" in told(short)


def test_any_delimiter_is_read_by_all_who_read_files(tmp_path: Path) -> None:
    rows = [f"{number};这家店第{number}次来;{number % 2}" for number in range(24)]
    path = write_csv(tmp_path / "a.csv", "\n".join(["id;text;label", *rows]))
    assert run("sentiment", path, tmp_path / "out.jsonl").failed_rows == 0
    assert len(read_rows(path, "sentiment")) == 24
    odd = write_csv(tmp_path / "b.csv", "\n".join(["id;text;label", *rows]).replace(";", "^"))
    assert len(read_rows(odd, "sentiment", options=ReadOptions(delimiter="^"))) == 24


# -------------------------------------------------------------------------------------------------------------- Excel


def workbook(path: Path, sheets: dict[str, list[list[Any]]], *, hidden: tuple[str, ...] = ()) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, records in sheets.items():
        sheet = book.create_sheet(name)
        for record in records:
            sheet.append(record)
        if name in hidden:
            sheet.sheet_state = "hidden"
    book.save(path)
    return path


DATA = [["id", "text"], [1, "好"], [2, "坏"]]


def test_the_first_sheet_that_is_not_hidden_is_read_and_the_others_are_told(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", {"码表": [["x"]], "1月": DATA, "2月": [*DATA, [3, "行"]]}, hidden=("码表",))
    assert texts(path) == ["好", "坏"]
    assert "sheet 1月" in told(path) and "码表 (hidden), 2月" in told(path)
    for name in ("2月", "3"):
        assert texts(path, ReadOptions(sheet=name)) == ["好", "坏", "行"]
        assert told(path, ReadOptions(sheet=name)) == ""
    with pytest.raises(InputError, match=r"no sheet '4月'. It has '码表', '1月', '2月'"):
        open_reader(path, ReadOptions(sheet="4月"))
    single = workbook(tmp_path / "b.xlsx", {"表": DATA})
    assert told(single) == ""


def test_a_cover_sheet_is_explained(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", {"说明": [["2024年评论汇总"], ["运营部"]], "数据": DATA})
    with pytest.raises(InputError, match=r"sheet '说明'; the sheet '数据' has it: --sheet 数据"):
        run("sentiment", path, tmp_path / "out.csv")
    empty = workbook(tmp_path / "b.xlsx", {"空": [], "数据": DATA})
    with pytest.raises(InputError, match=r"sheet '空' of b.xlsx is empty.*--sheet: '数据'"):
        open_reader(empty)


def test_escaped_characters_are_decoded(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", {"表": [["text"], ["一_x000D_\n二"], ["a_x0009_b"], ["_x4e2d_文"], ["_x00_"]]})
    assert texts(path) == ["一\r\n二", "a\tb", "中文", "_x00_"]


def test_errors_are_missing_values_with_a_reason(tmp_path: Path) -> None:
    records = [["id", "text", "单价"], [1, "好", 12], [2, "#N/A", "#DIV/0!"], [3, "#NAME?", 5], [4, "#好", 6]]
    path = workbook(tmp_path / "a.xlsx", {"表": records})
    assert "#N/A 1" in told(path) and "#DIV/0! 1" in told(path)
    summary = run("sentiment", path, tmp_path / "out.jsonl")
    rows = read(tmp_path / "out.jsonl")
    assert [row["单价"] for row in rows] == [12, None, 5, 6]
    assert [row["label"] is None for row in rows] == [False, True, True, False]
    assert "#N/A" in rows[1]["error"] and "#NAME?" in rows[2]["error"]
    assert summary.failed_rows == 2


def test_dates_and_whole_numbers_are_as_they_look(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["日期", "时刻", "时间", "手机", "分"])
    book.active.append([date(2024, 1, 5), datetime(2024, 1, 5, 8, 30), time(8, 30), 13900000000.0, 4.5])
    book.active.append([datetime(2024, 1, 6), datetime(2024, 1, 6), time(0, 0), 2.0, 5.0])
    for cell, shown in (
        ("A2", "yyyy-mm-dd"),
        ("A3", 'yyyy"年"m"月"d"日"'),
        ("B2", "yyyy-mm-dd hh:mm"),
        ("B3", "yyyy/m/d h:mm"),
    ):
        book.active[cell].number_format = shown
    book.save(tmp_path / "a.xlsx")
    first, second = read(tmp_path / "a.xlsx")
    assert list(first.values()) == ["2024-01-05", "2024-01-05T08:30:00", "08:30:00", 13900000000, 4.5]
    assert list(second.values()) == ["2024-01-06", "2024-01-06T00:00:00", "00:00:00", 2, 5]
    assert [type(row["手机"]) for row in (first, second)] == [int, int]


def test_strict_open_xml_is_named(tmp_path: Path) -> None:
    source = workbook(tmp_path / "in.xlsx", {"表": DATA})
    ours, strict = (
        b"http://schemas.openxmlformats.org/spreadsheetml/2006/main",
        b"http://purl.oclc.org/ooxml/spreadsheetml/main",
    )
    sink = io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(sink, "w") as new:
        for info in old.infolist():
            new.writestr(info.filename, old.read(info).replace(ours, strict))
    (tmp_path / "strict.xlsx").write_bytes(sink.getvalue())
    with pytest.raises(InputError, match=r"Strict Open XML.*save it as"):
        open_reader(tmp_path / "strict.xlsx")


# ---------------------------------------------------------------------------------------- a file that is something else


def test_a_json_array_is_read_whatever_its_layout(tmp_path: Path) -> None:
    rows = [{"id": number, "text": f'第{number}条，"好"[]{{}}'} for number in range(4)]
    for name, layout in {
        "compact": json.dumps(rows, ensure_ascii=False),
        "pretty": json.dumps(rows, ensure_ascii=False, indent=2),
        "one a line": "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n",
        "spaces": " \n[ " + " , ".join(json.dumps(row) for row in rows) + " ] \n ",
    }.items():
        for encoding in ("utf-8", "utf-8-sig", "gbk", "utf-16"):
            path = write_csv(tmp_path / f"{name} {encoding}.jsonl", layout, encoding)
            assert read(path) == rows
            assert "JSON array" in told(path)


def test_a_json_array_of_many_blocks_loses_nothing(tmp_path: Path) -> None:
    rows = [{"id": number, "text": "很" * (number % 700)} for number in range(9_000)]
    path = write_csv(tmp_path / "a.jsonl", json.dumps(rows, ensure_ascii=False))
    assert path.stat().st_size > 5 << 20
    assert read(path) == rows


def test_bytes_in_parquet_that_are_texts_are_texts(tmp_path: Path) -> None:
    words = ["菜很好吃", None, ""]
    raw = [word if word is None else word.encode() for word in words]
    for name, column in {
        "binary": pa.array(raw),
        "large": pa.array(raw, pa.large_binary()),
        "view": pa.array(raw, pa.binary_view()),
        "dictionary": pa.array(raw).dictionary_encode(),
    }.items():
        path = tmp_path / f"{name}.parquet"
        pq.write_table(pa.table({"text": column, "id": [1, 2, 3]}), path)
        assert texts(path) == words
        summary = run("sentiment", path, tmp_path / "out.csv")
        assert (summary.rows, summary.failed_rows) == (3, 2)
        assert read(tmp_path / "out.csv")[0]["text"] == "菜很好吃"


def test_bytes_in_parquet_that_are_no_texts_are_refused_by_name(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": [b"\xff\xd8\xff\xe0"], "title": ["好"]}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"'text' of a\.parquet holds bytes"):
        run("sentiment", tmp_path / "a.parquet", tmp_path / "out.csv")
    assert run("sentiment", tmp_path / "a.parquet", tmp_path / "out.csv", text="title").failed_rows == 0


@pytest.mark.parametrize(
    ("content", "suffix", "named"),
    [
        (b"PK\x03\x04" + bytes(50), ".csv", "Excel workbook"),
        (b"PAR1" + bytes(50), ".jsonl", "Parquet"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(50), ".xlsx", "old Excel workbook"),
        (b"\x1f\x8b\x08" + bytes(50), ".csv", "gzip"),
    ],
)
def test_what_a_file_is_is_named(tmp_path: Path, content: bytes, suffix: str, named: str) -> None:
    with pytest.raises(InputError, match=named):
        open_reader(write_csv(tmp_path / f"a{suffix}", content))


def test_files_of_other_programs_are_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "__MACOSX").mkdir(parents=True)
    workbook(folder / "评论.xlsx", {"表": DATA})
    for name in (
        "~$评论.xlsx",
        ".~lock.评论.xlsx#",
        "._评论.xlsx",
        ".DS_Store",
        "Thumbs.db",
        "__MACOSX/._评论.xlsx",
        ".a.csv",
    ):
        (folder / name).write_bytes(b"\x05user" + bytes(50))
    assert run("sentiment", folder, tmp_path / "out").rows == 2
    assert run("sentiment", folder / "*.xlsx", tmp_path / "out").rows == 2
    with pytest.raises(InputError, match=r"评论\.xlsx is open"):
        run("sentiment", folder / "~$评论.xlsx", tmp_path / "out.csv")


def test_guarded_cells_are_counted(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", 'id,text,=x\n-1,=1+1,-\n-5%,"@小明 这家店不错","+cmd|\' /C calc\'!A0"\n')
    summary = run("sentiment", path, tmp_path / "out.csv")
    assert summary.files[0].guarded_cells == 3
    assert summary.files[0].notices[-1].startswith("3 cells of out.csv begin with '")
    assert run("sentiment", path, tmp_path / "out.jsonl").files[0].guarded_cells == 0
