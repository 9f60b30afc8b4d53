"""Bad files of more than 200 kinds: each is refused with a message that names it, or comes out with all of its rows,
those that cannot be worked on told in the `error` column and in the file beside the output. None ends in a traceback.

How many rows a good file has is counted here by hand (`rows`); None is for files that must be refused.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.length_engine import run
from tests.tables import read
from wenmo.errors import InputError
from wenmo.tables.readers import open_reader

GOOD = ["这家店的服务很好", "物流太慢了，等了一周", "价格便宜，味道也不错", "包装破损，不会再买"]
TEXT = "text\n" + "".join(f'"{text}"\n' for text in GOOD)
LINES = [json.dumps({"text": text}, ensure_ascii=False).encode() for text in GOOD]


@dataclass(frozen=True, kw_only=True)
class Case:
    """`rows` None: must be refused; -1: either, as long as no row is lost. `failed` None: as it comes."""

    name: str
    suffix: str
    content: bytes
    rows: int | None
    failed: int | None = 0


def csv_cases() -> Iterator[Case]:
    def case(name: str, content: bytes | str, rows: int | None, failed: int | None = 0, suffix: str = ".csv") -> Case:
        raw = content if isinstance(content, bytes) else content.encode()
        return Case(name=f"csv {name}", suffix=suffix, content=raw, rows=rows, failed=failed)

    for encoding in ("utf-8", "utf-8-sig", "gbk", "gb2312", "gb18030", "utf-16"):
        yield case(f"in {encoding}", TEXT.encode(encoding), 4)
        yield case(f"in {encoding}, CR LF", TEXT.replace("\n", "\r\n").encode(encoding), 4)
        yield case(f"in {encoding}, CR", TEXT.replace("\n", "\r").encode(encoding), 4)
        yield case(f"in {encoding}, no last line end", TEXT.rstrip("\n").encode(encoding), 4)
        yield case(f"in {encoding}, cut", TEXT.encode(encoding)[:-4], -1, None)
    for encoding in ("utf-16-le", "utf-16-be", "utf-32", "big5", "shift_jis", "euc_kr", "latin-1"):
        text = {
            "big5": "text\n這間店\n",
            "shift_jis": "text\nこの店\n",
            "euc_kr": "text\n가게\n",
            "latin-1": "text\ncafé\n",
        }
        yield case(f"in {encoding}", text.get(encoding, TEXT).encode(encoding), -1, None)
    for first, second in (("utf-8", "gbk"), ("gbk", "utf-8"), ("utf-8-sig", "gbk"), ("utf-8", "utf-16")):
        mixed = TEXT.encode(first) + "".join(f'"{text}"\n' for text in GOOD).encode(second)
        yield case(f"{first} and then {second}", mixed, None)
    yield case("two BOMs", b"\xef\xbb\xbf" * 2 + TEXT.encode(), 4)
    yield case("BOM alone", b"\xef\xbb\xbf", None)
    yield case("BOM of UTF-16 alone", b"\xff\xfe", None)
    yield case("half a BOM", b"\xef\xbb" + TEXT.encode(), None)
    yield case("empty", b"", None)
    yield case("blank lines alone", b"\n\r\n\n", None)
    yield case("spaces alone", b"   ", None)
    yield case("header alone", b"text", 0)
    yield case("header and blank lines", b"text\n\n\n", 0)
    yield case("NUL bytes alone", bytes(100), None)
    yield case("NUL bytes among the text", TEXT.replace("服务", "服\0务"), 4)
    yield case("control characters", "text\n" + "".join(map(chr, range(1, 9))) + "\n", 1, 1)
    yield case("no such column", "title\n好\n", None)
    yield case("column in capitals", "TEXT\n好\n", None)
    yield case("column with a space", " text\n好\n", None)
    yield case("another delimiter", "id;text\n1;好\n", 1)
    yield case("a delimiter of no use", "id text\n1 好\n", None)
    yield case("two columns text", "text,text\n好,坏\n", None)
    yield case("three columns a", "a,text,a,a\n1,好,2,3\n", None)
    yield case("blank headers", ",text,,\n1,好,2,3\n", 1)
    yield case("blank headers and column_1", ",text,column_1\n1,好,2\n", 1)
    yield case("a column like a result's", "text,label,error\n好,x,y\n", 1)
    yield case("quote never closed", 'text\n"好\n坏\n', None)
    yield case("quote never closed in the header", '"text\n好\n坏\n', None)
    yield case("quote closed at the very end", 'text\n"好\n坏"', 1)
    yield case("quotes not doubled", 'text\n"他说"很好"的"\n', 1)
    yield case("quotes within a bare cell", 'text\n他说"很好"\n', 1)
    yield case("quotes alone", 'text\n""\n""""\n', 2, 1)
    yield case("text behind a closed quote", 'text,n\n"好"的,1\n', 1)
    yield case("lines within a cell", 'text\n"一\n二\r\n三\r四"\n', 1)
    yield case("full-width quotes", "text\n“好，的”\n", 1)
    yield case("backslashes before quotes", 'text,n\n"a\\"b",1\n', -1, None)
    for width in range(1, 7):
        cells = ",".join(["好"] * width)
        yield case(f"{width} of 3 cells", f"id,text,n\n{cells}\n", 1, int(width != 3))
        yield case(
            f"{width} of 3 cells between good rows",
            f"id,text,n\n1,好,2\n{cells}\n3,坏,4\n",
            3,
            int(width != 3),
        )
    yield case("only commas", "id,text\n,\n,,,\n", 2, 2)
    yield case("tabs in CSV", "id\ttext\n1\t好\n", 1)
    yield case("TSV", "id\ttext\n1\t好\n", 1, suffix=".tsv")
    yield case("commas in TSV", "id,text\n1,好\n", 1, suffix=".tsv")
    for size in (10_000, 131_073, 1_000_000):
        yield case(f"a cell of {size:,} characters", "text\n" + "x" * size + "\n", 1)
    yield case("a cell of 11,000,000 characters", "text\n" + "x" * 11_000_000 + "\n", None)
    yield case("a header of 11,000,000 characters", "x" * 11_000_000 + "\n好\n", None)
    yield case("40,000,000 characters without a line end", b"text\n" + b'"' + b"x" * 40_000_000, None)
    yield case("16,000 columns", "text," + ",".join(map(str, range(15_999))) + "\n好\n", 1, 1)
    yield case("16,385 columns", "text," + ",".join(map(str, range(16_384))) + "\n好\n", None)
    yield case("a row of 20,000 cells", "text\n" + "," * 20_000 + "x\n", None)
    yield case("20,000 empty cells beyond the header", "text\n好" + "," * 20_000 + "\n", 1)
    for start in ("=", "+", "-", "@", "\t", "＝", "=cmd|' /C calc'!A0", '=HYPERLINK("http://x","y")', "@SUM(1)"):
        quoted = '"' + start.replace('"', '""') + '1+1"'
        yield case(f"a formula {start!r}", f"text\n{quoted}\n", 1)
    for value in ("NaN", "NULL", "None", "N/A", "#N/A", "inf", "true", "0", "1e999", "-0", "1,5", " "):
        yield case(f"the cell {value!r}", f'text\n"{value}"\n', 1, int(value in ("#N/A", " ")))
    for character in "\ufeff\u200b\u2028\u2029\x85\x1a\x1b\x7f\u202e\U0001f600\U0002a6a5\uffff\ue000":
        yield case(f"a cell with U+{ord(character):04X}", f'text\n"一{character}二"\n', 1)
    for seed in range(12):
        yield case(f"garbage {seed}", Random(seed).randbytes(5_000), None)
        damaged = bytearray(TEXT.encode())
        damaged[Random(seed).randrange(5, len(damaged))] = Random(seed + 100).randrange(256)
        yield case(f"one byte changed {seed}", bytes(damaged), -1, None)
    for name, magic in (
        ("gzip", b"\x1f\x8b\x08"),
        ("zip", b"PK\x03\x04"),
        ("PDF", b"%PDF-1.7\n%\xe2\xe3"),
        ("PNG", b"\x89PNG"),
    ):
        yield case(f"{name} with the suffix of CSV", magic + Random(1).randbytes(2_000), None)


def jsonl_cases() -> Iterator[Case]:
    def case(name: str, *lines: bytes | str, rows: int | None, failed: int | None = 0) -> Case:
        raw = b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines)
        return Case(name=f"jsonl {name}", suffix=".jsonl", content=raw, rows=rows, failed=failed)

    yield case("good", *LINES, rows=4)
    yield case("empty", rows=0)
    yield case("blank lines", "", " ", "\t", rows=0)
    yield case("blank lines between", LINES[0], "", LINES[1], "   ", rows=2)
    yield case("BOM", b"\xef\xbb\xbf" + LINES[0], rows=1)
    yield case("CR LF", LINES[0] + b"\r", LINES[1] + b"\r", rows=2)
    yield case("CR alone", b"\r".join(LINES), rows=None)
    bad = {
        "an array": b'[{"text": "x"}]',
        "a text": b'"text"',
        "a number": b"12",
        "null": b"null",
        "true": b"true",
        "no JSON": b"text,label",
        "single quotes": b"{'text': 'x'}",
        "a comma at the end": b'{"text": "x",}',
        "a comma behind": b'{"text": "x"},',
        "two objects": b'{"text": "x"}{"text": "y"}',
        "a comment": b'// {"text": "x"}',
        "cut in a text": b'{"text": "x',
        "cut in a key": b'{"te',
        "cut behind a key": b'{"text":',
        "one brace": b"{",
        "a key twice": b'{"text": "x", "text": "y"}',
        "GBK": '{"text": "很好"}'.encode("gbk"),  # beside lines in UTF-8
        "Latin-1": '{"text": "café"}'.encode("latin-1"),
        "half a character": '{"text": "好'.encode()[:-1] + b'"}',
        "a NUL": b'{"text": "a\0b"}',
        "a raw tab": b'{"text": "a\tb"}',
        "a bad escape": b'{"text": "\\x"}',
        "a bad \\u": b'{"text": "\\u12"}',
        "nesting of 300": b'{"text": ' + b"[" * 300 + b"]" * 300 + b"}",
        "nesting of 100,000": b'{"text": ' + b"[" * 100_000,
        "objects nested 300": b'{"text": ' + b'{"a":' * 300 + b"1" + b"}" * 300 + b"}",
        "a number of 5,000 digits": b'{"text": ' + b"9" * 5_000 + b"}",
        "40 MB": b'{"text": "' + b"x" * 40_000_000 + b'"}',
        "garbage": Random(3).randbytes(500).replace(b"\n", b"x"),
    }
    alone = {"an array": 1, "GBK": 1, "half a character": -1}  # the last is valid GBK by accident
    for name, line in bad.items():
        yield case(f"{name}, alone", line, rows=alone.get(name))
        yield case(f"{name}, among good lines", LINES[0], line, LINES[1], rows=3, failed=1)
    values = {
        "null": 1, "true": 1, "[]": 1, '["好"]': 1, "{}": 1, '{"a": 1}': 1, "NaN": 1, "12": 0, "1.5": 0, "-0.0": 0,
        "1e999": 0, "Infinity": 0, '""': 1, '" "': 1, '"\\ud800"': 1, '"\\u0000"': 1, '"\\n"': 1,
        "9007199254740993": 0, '"=1+1"': 0, "1" * 400: 0,
    }  # fmt: skip
    for value, failed in values.items():
        yield case(f"the text {value:.20}", LINES[0], f'{{"text": {value}}}', rows=2, failed=failed)
    yield case("no text in one line", LINES[0], '{"id": 1}', "{}", rows=3, failed=2)
    yield case("no text anywhere", '{"id": 1}', "{}", rows=None)
    yield case("empty objects alone", "{}", "{}", rows=None)
    yield case("an array over lines", "[", '{"text": "x"},', '{"text": "y"}', "]", rows=2)
    yield case("an array that is cut", "[", '{"text": "x"},', '{"text": "y"', rows=None)
    yield case("an array with something behind", '[{"text": "x"}]', '{"text": "y"}', rows=None)
    yield case("an array without a comma", "[", '{"text": "x"}', '{"text": "y"}', "]", rows=None)
    yield case("an array of an object and a number", '[{"text": "x"}, 5, null]', rows=3, failed=2)
    yield case("an empty array", "[]", rows=0)
    yield case("an object over lines", "{", '"text": "x"', "}", rows=None)
    yield case("other keys in each line", *(f'{{"text": "x", "k{n}": {n}}}' for n in range(200)), rows=200)
    yield case("too many keys", *(f'{{"text": "x", "k{n}": 1}}' for n in range(16_400)), rows=None)
    yield case("keys that are blank", '{"text": "x", "": 1, " ": 2}', rows=1)
    yield case(
        "values of all kinds in a column",
        *(
            f'{{"text": "x", "v": {v}}}'
            for v in ("1", '"a"', "null", "[1]", "1.5", "true", "{}", "99999999999999999999", "NaN")
        ),
        rows=9,
    )
    yield case("UTF-16", "\n".join(line.decode() for line in LINES).encode("utf-16"), rows=4)
    yield case("UTF-16 without a mark", "\n".join(line.decode() for line in LINES).encode("utf-16-le"), rows=4)
    yield case("in GBK", *(line.decode().encode("gbk") for line in LINES), rows=4)
    yield case("in Big5", '{"text": "這間餐廳的服務很好"}'.encode("big5"), rows=1)


@cache
def good_parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(
        pa.table({"text": [f"{GOOD[n % 4]}{n}" for n in range(300)], "n": range(300)}), sink, row_group_size=100
    )
    return sink.getvalue()


def parquet(table: pa.Table, **options: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def parquet_cases() -> Iterator[Case]:
    def case(name: str, content: bytes, rows: int | None, failed: int | None = 0) -> Case:
        return Case(name=f"parquet {name}", suffix=".parquet", content=content, rows=rows, failed=failed)

    good = good_parquet()
    yield case("good", good, 300)
    for part in range(20):
        yield case(f"cut at {part} of 20", good[: len(good) * part // 20], None)
    for keep in (-1, -2, -4, -8, -9, -100):
        yield case(f"without its last {-keep} bytes", good[:keep], None)
    for seed in range(20):
        damaged = bytearray(good)
        at = Random(seed).randrange(4, len(good) - 8)
        damaged[at : at + 8] = Random(seed + 50).randbytes(8)
        yield case(f"eight bytes changed {seed}", bytes(damaged), -1, None)
    yield case("zeros in the middle", good[:200] + bytes(2_000) + good[2_200:], -1, None)
    yield case("a length of the end beyond the file", good[:-8] + b"\xff\xff\xff\x7fPAR1", None)
    yield case("a length of the end of 0", good[:-8] + b"\0\0\0\0PAR1", None)
    yield case("encrypted, by its mark", good[:-4] + b"PARE", None)
    yield case("CSV with the suffix of Parquet", TEXT.encode(), None)
    yield case("no rows", parquet(pa.table({"text": pa.array([], pa.string())})), 0)
    yield case("no columns", parquet(pa.table({})), -1, None)
    yield case("no such column", parquet(pa.table({"title": ["好"]})), None)
    yield case(
        "two columns text",
        parquet(pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"])),
        None,
    )
    broken = pa.Array.from_buffers(pa.string(), 1, pa.array([b"a\xff"]).buffers())
    columns = {
        "nulls": (pa.array([None, "好", None]), 2),
        "nulls alone": (pa.array([None, None], pa.string()), 2),
        "the null type": (pa.nulls(2), 2),
        "integers": (pa.array([1, 2]), 0),
        "floats with NaN": (pa.array([1.5, float("nan")]), 1),
        "booleans": (pa.array([True, False]), 2),
        "bytes": (pa.array(["好".encode(), None]), 1),
        "lists": (pa.array([["a"], []]), 2),
        "structs": (pa.array([{"a": 1}]), 1),
        "maps": (pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())), 1),
        "dates": (pa.array([1], pa.date32()), 1),
        "times out of range": (pa.array([-(10**17)], pa.timestamp("ms")), 0),
        "a dictionary": (pa.array(["a", "b", "a"]).dictionary_encode(), 0),
        "large strings": (pa.array(["a"], pa.large_string()), 0),
        "string views": (pa.array(["a"], pa.string_view()), 0),
        "no UTF-8": (broken, 0),
        "decimals": (pa.array([1, 2]).cast(pa.decimal128(19, 0)), 2),
        "lone NULs": (pa.array(["\0", "a\0b"]), 1),
    }
    for name, (column, failed) in columns.items():
        yield case(f"text of {name}", parquet(pa.table({"text": column})), len(column), failed)
    yield case("bytes of no text", parquet(pa.table({"text": pa.array([b"a", b"\xff"])})), None)
    yield case("a huge cell", parquet(pa.table({"text": ["x" * 2_000_000, "好"]})), 2)
    yield case("a huge text 300 times", parquet(pa.table({"text": ["x" * 50_000] * 300})), 300)
    for compression in ("none", "gzip", "zstd", "lz4", "brotli"):
        yield case(f"packed with {compression}", parquet(pa.table({"text": GOOD}), compression=compression), 4)


def workbook(*records: list[object], sheets: int = 1) -> bytes:
    book = openpyxl.Workbook()
    for record in records:
        book.active.append(record)
    for _ in range(sheets - 1):
        book.create_sheet().append(["another sheet"])
    sink = io.BytesIO()
    book.save(sink)
    return sink.getvalue()


def repacked(content: bytes, name: str, data: bytes) -> bytes:
    """The workbook with another file at `name`."""
    sink = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            if info.filename != name:
                new.writestr(info.filename, old.read(info))
        new.writestr(name, data)
    return sink.getvalue()


def sheet(cells: str) -> bytes:
    start = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    return f"{start}{cells}</sheetData></worksheet>".encode()


def excel_cases() -> Iterator[Case]:
    def case(name: str, content: bytes, rows: int | None, failed: int | None = 0) -> Case:
        return Case(name=f"xlsx {name}", suffix=".xlsx", content=content, rows=rows, failed=failed)

    good = workbook(["text", "n"], *([text, n] for n, text in enumerate(GOOD)))
    at = "xl/worksheets/sheet1.xml"
    header = '<row r="1"><c r="A1" t="inlineStr"><is><t>text</t></is></c></row>'
    yield case("good", good, 4)
    for part in range(10):
        yield case(f"cut at {part} of 10", good[: len(good) * part // 10], None)
    yield case("empty sheet", workbook(), None)
    yield case("header alone", workbook(["text"]), 0)
    yield case("another sheet behind", workbook(["text"], ["好"], sheets=3), 1)
    yield case("blank rows between", workbook(["text"], ["好"], [], [None], ["坏"]), 2)
    yield case("blank texts", workbook(["text", "n"], [None, 1], ["好", 2], ["", 3]), 3, 2)
    yield case("numbers and booleans", workbook(["text"], [12], [1.5], [True]), 3, 1)
    yield case("a row beyond the header", workbook(["text"], ["好", "多"]), 1, 1)
    yield case("a blank header cell", workbook([None, "text"], [1, "好"]), 1)
    yield case("a header of numbers", workbook([1, 2.5, "text"], [1, 2, "好"]), 1)
    yield case("two columns text", workbook(["text", "text"], ["a", "b"]), None)
    yield case("no such column", workbook(["title"], ["好"]), None)
    yield case("a formula without its value", workbook(["text", "n"], ["=1+1", 1]), 1, 1)
    yield case(
        "a formula with its value",
        repacked(good, at, sheet(header + '<row r="2"><c r="A2" t="str"><f>1+1</f><v>二</v></c></row>')),
        1,
    )
    yield case(
        "an error as a value",
        repacked(good, at, sheet(header + '<row r="2"><c r="A2" t="e"><v>#N/A</v></c></row>')),
        1,
        1,
    )
    yield case(
        "a text that is not in the table",
        repacked(good, at, sheet(header + '<row r="2"><c r="A2" t="s"><v>999</v></c></row>')),
        None,
    )
    yield case(
        "a row number in the billions",
        repacked(good, at, sheet(header + '<row r="2000000000"><c t="n"><v>1</v></c></row>')),
        None,
    )
    yield case(
        "a column of no letters", repacked(good, at, sheet(header + '<row r="2"><c r="ZZZZ2"><v>1</v></c></row>')), None
    )
    yield case("XML that is cut", repacked(good, at, sheet(header)[:-30]), None)
    yield case(
        "XML with an entity of entities",
        repacked(
            good,
            at,
            b'<!DOCTYPE x [<!ENTITY a "'
            + b"x" * 10_000
            + b'"><!ENTITY b "'
            + b"&a;" * 10_000
            + b'"><!ENTITY c "'
            + b"&b;" * 1_000
            + b'">]>'
            + sheet(header.replace("text", "&c;")),
        ),
        None,
    )
    yield case(
        "XML that names a file",
        repacked(
            good,
            at,
            b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
            + sheet(header + '<row r="2"><c r="A2" t="inlineStr"><is><t>&a;</t></is></c></row>'),
        ),
        -1,
        None,
    )
    yield case("a bomb in the sheet", repacked(good, at, b" " * 60_000_000), None)
    yield case("a bomb in the texts", repacked(good, "xl/sharedStrings.xml", b" " * 60_000_000), None)
    yield case("a bomb elsewhere", repacked(good, "xl/media/image1.png", bytes(60_000_000)), None)
    yield case("a zip of something else", zipped("readme.txt", b"hello"), None)
    yield case("a zip of nothing", b"PK\x05\x06" + bytes(18), None)
    yield case("no zip", TEXT.encode(), None)
    yield case("the old format", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2_000), None)
    yield case("empty", b"", None)
    for name in ("xl/workbook.xml", "[Content_Types].xml", "xl/_rels/workbook.xml.rels", "xl/styles.xml"):
        yield case(f"garbage in {name}", repacked(good, name, b"\xff<garbage"), None)
    for seed in range(10):
        damaged = bytearray(good)
        damaged[Random(seed).randrange(30, len(good))] ^= 0xFF
        yield case(f"one byte changed {seed}", bytes(damaged), -1, None)


def zipped(name: str, data: bytes) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr(name, data)
    return sink.getvalue()


CASES = [*csv_cases(), *jsonl_cases(), *parquet_cases(), *excel_cases()]


def test_there_are_more_than_200_kinds() -> None:
    assert len({case.name for case in CASES}) == len(CASES) > 200
    assert len({case.content for case in CASES}) > 0.95 * len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_file(case: Case, tmp_path: Path) -> None:
    source, target = tmp_path / f"in{case.suffix}", tmp_path / "out.jsonl"
    source.write_bytes(case.content)
    try:
        summary = run("sentiment", source, target)
    except InputError as error:
        assert case.rows in (None, -1), error
        assert source.name in error.en and source.name in error.zh
        assert len(error.en) < 2_000
        assert [path.name for path in tmp_path.iterdir() if path != source] in ([], ["out.jsonl.partial"])
        return
    assert case.rows is not None, summary
    rows = read(target)
    errors = read(Path(summary.errors_file)) if summary.errors_file else []
    assert len(rows) == summary.rows == (open_reader(source).row_count if case.rows == -1 else case.rows)
    failed = [number for number, row in enumerate(rows, start=1) if row[f"{summary.column_prefix}error"]]
    assert [line["row"] for line in errors] == failed
    assert summary.failed_rows == len(failed) == (len(failed) if case.failed is None else case.failed)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet", ".xlsx"])
def test_a_folder_with_the_name_of_a_table(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"in{suffix}").mkdir()
    with pytest.raises(InputError, match="holds no table"):
        run("sentiment", tmp_path / f"in{suffix}", tmp_path / "out")
