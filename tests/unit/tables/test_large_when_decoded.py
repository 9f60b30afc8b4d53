"""Small files that become large when they are decoded: pieces of them are bounded, or they are refused.

What a file says of itself may be a lie; so a visitor's is read in a process of its own, with limits.
"""

from __future__ import annotations

import itertools
import os
import pickle
import signal
import threading
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.length_engine import LengthEngine
from tests.tables import read
from wenmo.errors import BusyError, InputError
from wenmo.jobs.backend import EngineBackend
from wenmo.jobs.job import run_job
from wenmo.jobs.options import RunOptions
from wenmo.tables import isolated
from wenmo.tables.column_roles import guess_text_columns
from wenmo.tables.isolated import call, open_isolated
from wenmo.tables.read_parquet import ArrowChunk
from wenmo.tables.readers import open_reader
from wenmo.tables.table import CHUNK_CELLS, ReadOptions

MIB = 2**20
HUGE = "好" * (5 * MIB // 3)  # a cell of 5 MiB
OF_DICTIONARY = pa.dictionary(pa.int32(), pa.string())


def _parquet(path: Path, values: pa.Array, **options: object) -> Path:
    pq.write_table(pa.table({"id": range(len(values)), "text": values}), path, compression="zstd", **options)
    assert path.stat().st_size < 100_000
    return path


def _repeated(count: int, of_type: pa.DataType) -> pa.Array:
    """A text that is repeated by a dictionary, so that it is small here, too; or `count` texts."""
    encoded = pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array([HUGE]))
    return encoded if pa.types.is_dictionary(of_type) else encoded.cast(pa.string()).cast(of_type)


@pytest.mark.parametrize(
    ("of_type", "encoding"),
    [
        (pa.string(), None),
        (pa.large_string(), None),
        (pa.string_view(), None),
        (pa.binary(), None),
        (OF_DICTIONARY, None),
        (pa.string(), "DELTA_BYTE_ARRAY"),
    ],
    ids=str,
)
def test_a_huge_cell_that_is_repeated_comes_in_bounded_pieces(
    tmp_path: Path, of_type: pa.DataType, encoding: str | None
) -> None:
    options = {"use_dictionary": False, "column_encoding": {"text": encoding}} if encoding else {}
    path = _parquet(tmp_path / "a.parquet", _repeated(20, of_type), **options)
    rows = 0
    for chunk in open_isolated(path).chunks():
        assert isinstance(chunk, ArrowChunk)
        texts = chunk.values("text")
        assert texts[0] == HUGE and sum(map(len, texts)) * 3 <= 80 * MIB
        rows += len(texts)
    assert rows == 20


def test_columns_that_are_not_needed_are_not_decoded(tmp_path: Path) -> None:
    path = _parquet(tmp_path / "a.parquet", _repeated(20, pa.string()))
    (chunk,) = open_isolated(path).chunks(columns=["id"])
    assert chunk.values("id") == list(range(20)) and isinstance(chunk, ArrowChunk) and chunk.batch.nbytes < 1_000


@pytest.mark.parametrize(
    "values",
    [
        pa.array([HUGE * 8]),
        pa.ListArray.from_arrays([0, 10_000_000], pa.array([1]).take(pa.nulls(10_000_000, pa.int64()).fill_null(0))),
        pa.ListArray.from_arrays(
            [*[0] * 1_000, 10_000_000], pa.array([1]).take(pa.nulls(10_000_000, pa.int64()).fill_null(0))
        ),
    ],
    ids=["text", "list", "one list among short ones"],
)
def test_a_row_that_is_too_large_is_refused(tmp_path: Path, values: pa.Array) -> None:
    path = _parquet(tmp_path / "a.parquet", values)
    for opened in (open_reader, open_isolated):  # the latter may run out of memory first
        with pytest.raises(InputError, match=r"more than 32 MiB|too large"):
            for _ in opened(path).chunks():
                pass


def test_a_wide_table_has_short_chunks(tmp_path: Path) -> None:
    names = [f"c{number}" for number in range(4_000)]
    pq.write_table(pa.table({name: pa.nulls(2_000) for name in names}), tmp_path / "a.parquet")
    assert [len(chunk) for chunk in open_reader(tmp_path / "a.parquet").chunks()] == [524, 524, 524, 428]
    assert CHUNK_CELLS >= 524 * 4_000


def test_what_becomes_large_in_python_alone_ends_its_process(tmp_path: Path) -> None:
    """A list of texts, each of them the same huge one: nothing in the file tells how large that will be."""
    lists = pa.ListArray.from_arrays([0, 400], _repeated(400, OF_DICTIONARY))
    path = _parquet(tmp_path / "a.parquet", lists)
    with pytest.raises(InputError, match="too large when it is decoded"):
        list(open_isolated(path).chunks())


def test_a_huge_cell_is_looked_at_in_part() -> None:
    """Each @ was once a place to begin anew, which took time by the square of their number: hours for this cell."""
    rows = [{"a": "@" * 3_000_000 + " x", "b": "好"}] * 20
    assert guess_text_columns(("a", "b"), rows).text == "b"
    assert guess_text_columns(("a", "b"), [{"a": "me@example.org", "b": "好"}]).text == "b"


# --- workbooks ---


def _workbook(path: Path, *replaced: tuple[str, bytes], rows: int = 3) -> Path:
    """A workbook, some parts of which are other ones."""
    workbook = openpyxl.Workbook()
    workbook.active.append(["text"])
    for number in range(rows):
        workbook.active.append([f"好{number}"])
    workbook.save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()} | dict(replaced)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def _part(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(name)


def test_a_workbook_with_huge_styles_is_refused(tmp_path: Path) -> None:
    styles = _part(_workbook(tmp_path / "a.xlsx"), "xl/styles.xml").replace(
        b"</cellXfs>", b'<xf numFmtId="0" fontId="0"/>' * 500_000 + b"</cellXfs>"
    )
    path = _workbook(tmp_path / "b.xlsx", ("xl/styles.xml", styles))
    assert path.stat().st_size < 200_000
    with pytest.raises(InputError, match=r"13 MiB \(xl/styles.xml"):
        open_reader(path)


@pytest.mark.parametrize("part", ["xl/workbook.xml", "xl/theme/theme1.xml", "docProps/core.xml", "[Content_Types].xml"])
def test_other_parts_that_are_read_as_a_whole_are_refused(tmp_path: Path, part: str) -> None:
    content = _part(_workbook(tmp_path / "a.xlsx"), part) + b"<!--" + b" " * (9 * MIB) + b"-->"
    with pytest.raises(InputError, match=r"9 MiB"):
        open_reader(_workbook(tmp_path / "b.xlsx", (part, content)))


def _with_shared_strings(path: Path, part: str, strings: bytes, cells: bytes = b"") -> Path:
    """A workbook with a table of texts called `part`, and `cells` at the end of its first row."""
    kind = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    override = b'<Override PartName="/' + part.encode() + b'" ContentType="' + kind + b'"/></Types>'
    types, sheet = (_part(_workbook(path), name) for name in ("[Content_Types].xml", "xl/worksheets/sheet1.xml"))
    return _workbook(
        path,
        ("[Content_Types].xml", types.replace(b"</Types>", override)),
        ("xl/worksheets/sheet1.xml", sheet.replace(b"</row>", cells + b"</row>", 1)),
        (part, b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">' + strings + b"</sst>"),
    )


def test_shared_strings_are_bounded_by_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wenmo.tables.workbook.SHARED_MIB", 1)
    path = _with_shared_strings(tmp_path / "a.xlsx", "xl/worksheets/sheet9.xml", b"<si><t>x</t></si>" * 100_000)
    with pytest.raises(InputError, match=r"1 MiB \(xl/worksheets/sheet9.xml"):
        open_reader(path)


def test_cells_that_share_a_huge_text_are_refused(tmp_path: Path) -> None:
    text, cells = b"<si><t>" + b"x" * 10_000 + b"</t></si>", b'<c t="s"><v>0</v></c>'
    few = _with_shared_strings(tmp_path / "a.xlsx", "xl/strings.xml", text, cells * 3)
    with pytest.raises(InputError, match="several columns"):
        open_reader(few)
    many = _with_shared_strings(tmp_path / "b.xlsx", "xl/strings.xml", text, cells * 8_000)
    with pytest.raises(InputError, match="more than 32 MiB"):
        open_reader(many)


# --- the process ---


def _takes_memory(_: Path) -> int:
    return len(bytearray(2 << 30))


def _takes_time(_: Path) -> None:
    for _ in itertools.count():
        pass


def _crashes(_: Path) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def _environment(_: Path) -> dict[str, str]:
    return dict(os.environ)


def _long(_: Path) -> str:
    return "x" * (200 * MIB)


def _raises(_: Path) -> None:
    raise KeyError("x")


def test_a_process_has_its_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path("a.csv")
    for surprise in (_takes_memory, _crashes, _long):
        with pytest.raises(InputError, match="too large when it is decoded"):
            call(surprise, path)
    with pytest.raises(RuntimeError, match="KeyError: 'x'"):
        call(_raises, path)
    monkeypatch.setenv("WENMO_API_TOKEN", "secret" * 4)
    monkeypatch.setenv("TZ", "UTC")
    assert "secret" not in str(told := call(_environment, path)) and told["TZ"] == "UTC"


def _briefly(_: Path) -> None:
    isolated._lower(__import__("resource").RLIMIT_CPU, 1)
    _takes_time(_)


def test_a_process_that_takes_too_long_is_ended() -> None:
    with pytest.raises(InputError, match="longer to read than"):
        call(_briefly, Path("a.csv"))


class _Runs:
    """What touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self._path,)


def _sends_code(path: Path, kind: int) -> str:
    content = pickle.dumps(_Runs(path.with_suffix(".ran")))
    os.write(1, bytes([kind]) + len(content).to_bytes(8, "big") + content)
    os._exit(0)


@pytest.mark.parametrize("kind", range(8))
def test_nothing_that_a_process_sends_is_run(tmp_path: Path, kind: int) -> None:
    """A parser that a file has taken over can send whatever it likes, as a message of any kind."""
    with pytest.raises((InputError, RuntimeError), match=r"something else than its rows|of its own failed"):
        call(_sends_code, tmp_path / "a.csv", kind)
    assert not (tmp_path / "a.ran").exists()


def test_few_files_are_read_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_text("text\n好\n")
    reader = open_isolated(tmp_path / "a.csv")
    monkeypatch.setattr(isolated, "_places", cache(lambda: threading.BoundedSemaphore(1)))
    monkeypatch.setattr(isolated, "WAIT_S", 0.01)
    held = reader.chunks()
    next(held)
    with pytest.raises(BusyError):
        next(reader.chunks())
    held.close()  # type: ignore[attr-defined]
    assert [len(chunk) for chunk in reader.chunks()] == [1]


def test_errors_of_a_file_are_told_as_here(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b'text\n"x\n')
    told = []
    for opened in (open_reader, open_isolated):
        with pytest.raises(InputError) as error:
            opened(tmp_path / "a.csv")
        told.append((error.value.en, error.value.zh))
    assert told[0] == told[1]


def _files(folder: Path) -> Iterator[Path]:
    rows = [{"id": number, "text": "好" * (number % 9), "more": [number]} for number in range(50)]
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, folder / "a.parquet")
    yield folder / "a.parquet"
    (folder / "a.csv").write_text("id,text\n" + "".join(f"{row['id']},{row['text']}\n" for row in rows) + "x\n")
    yield folder / "a.csv"
    (folder / "a.jsonl").write_text('{"text": "好", "n": [1, {"a": null}]}\nbroken\n{"text": null}\n')
    yield folder / "a.jsonl"
    yield _workbook(folder / "a.xlsx", rows=20)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_outputs_are_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    for source in _files(tmp_path):
        outputs = []
        for name, opened in (("here", open_reader), ("isolated", open_isolated)):
            target = tmp_path / f"{name}{source.suffix}{suffix}"
            backend = EngineBackend(LengthEngine())  # type: ignore[arg-type]
            run_job(backend, "sentiment", source, target, RunOptions(text="text"), shard_rows=7, open_reader=opened)
            errors = Path(f"{target}.errors.jsonl")
            outputs.append((target.read_bytes(), errors.read_bytes() if errors.exists() else None))
        assert outputs[0] == outputs[1] and len(outputs[0][0]) > 100


def test_a_reader_in_a_process_knows_what_one_here_does(tmp_path: Path) -> None:
    for source in _files(tmp_path):
        one, other = open_reader(source, ReadOptions()), open_isolated(source, ReadOptions())
        assert (one.columns, one.types, one.row_count) == (other.columns, other.types, other.row_count)
        assert one.notices == other.notices and one.arrow_schema() == other.arrow_schema()
        assert one.missing_column_hint(["x"]) == other.missing_column_hint(["x"])
        assert read(source) == [row for chunk in other.chunks() for row in chunk.rows()]
