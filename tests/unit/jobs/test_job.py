"""Jobs: what goes on, what is refused, which files are read and written. (Deaths of processes are in test_kill.py.)"""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import shutil
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import GOLDEN
from tests.fakes import LengthRuntime
from tests.length_engine import LengthEngine, run
from tests.tables import read, write_csv, write_jsonl
from wenmo import Engine
from wenmo.engine import ModelInfo
from wenmo.errors import InputError
from wenmo.jobs import manifest
from wenmo.jobs.executor import JobProgress
from wenmo.tables.table import Chunk
from wenmo.types import TaskName


class Stop(Exception):  # noqa: N818
    """What a page raises in `progress` when its user stops the job."""


def after(rows: int) -> Callable[[JobProgress], None]:
    """Stops a job that has done as many rows."""

    def progress(done: JobProgress) -> None:
        if done.rows >= rows:
            raise Stop

    return progress


class TwoModels(LengthEngine):
    """A model for vectors and one that judges, each with a folder of its own; one of them may have been `retrained`."""

    def __init__(self, retrained: TaskName | None = None) -> None:
        super().__init__()
        self._retrained = retrained

    def model_info(self, task: TaskName) -> ModelInfo:
        folder = GOLDEN / ("sentiment" if task == self._retrained else {"embedding": "similarity"}.get(task, task))
        return dataclasses.replace(super().model_info(task), folder=folder, digest=folder.name)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class Slow(LengthEngine):
    """Waits before each call from the third on, so that a job is stopped in its middle for sure."""

    def __init__(self) -> None:
        super().__init__()
        self._gate = threading.Event()

    def sentiment(self, texts: Any, *, progress: Any = None) -> Any:
        if len(self.calls) >= 2:
            while not self._gate.wait(0.01):
                progress(0, len(texts))  # raises when the job is stopped
        return super().sentiment(texts, progress=progress)


@pytest.fixture
def begun(tmp_path: Path) -> tuple[Path, Path]:
    """A job of ten shards that was stopped after two."""
    source, target = (
        write_csv(tmp_path / "in.csv", "text\n" + "".join(f"第{n}条\n" for n in range(100))),
        tmp_path / "out.csv",
    )
    with pytest.raises(Stop):
        run("sentiment", source, target, engine=Slow(), shard_rows=10, progress=after(20))
    assert names(tmp_path) == ["in.csv", "out.csv.partial"]
    return source, target


# ---------------------------------------------------------------------------------------------------------- resuming


def test_what_is_finished_is_not_computed_again(begun: tuple[Path, Path]) -> None:
    source, target = begun
    engine = LengthEngine()
    summary = run("sentiment", source, target, engine=engine, shard_rows=10, resume=True)
    assert (summary.rows, summary.resumed_rows, sum(engine.calls)) == (100, 20, 80)
    assert [row["text"] for row in read(target)] == [f"第{n}条" for n in range(100)]
    assert names(target.parent) == ["in.csv", "out.csv"]
    undisturbed = run("sentiment", source, target.with_name("whole.csv"), shard_rows=10)
    assert target.read_bytes() == target.with_name("whole.csv").read_bytes()
    assert (summary.label_counts, summary.mean_confidence) == (undisturbed.label_counts, undisturbed.mean_confidence)


def test_a_leftover_is_neither_overwritten_nor_used_unasked(begun: tuple[Path, Path]) -> None:
    source, target = begun
    with pytest.raises(InputError, match=r"--resume .* --restart") as caught:
        run("sentiment", source, target, shard_rows=10)
    assert "--resume" in caught.value.zh
    engine = LengthEngine()
    summary = run("sentiment", source, target, engine=engine, shard_rows=10, restart=True)
    assert (summary.resumed_rows, sum(engine.calls)) == (0, 100)


def test_resuming_nothing_begins(tmp_path: Path) -> None:
    """So a night job may always say --resume."""
    source = write_csv(tmp_path / "in.csv", "text\n好\n")
    assert run("sentiment", source, tmp_path / "out.csv", resume=True).rows == 1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"logits": True}, "the option logits was False and is True"),
        ({"language": "zh"}, "the option language was 'en' and is 'zh'"),
        ({"shard_rows": 20}, "the option shard_rows was 10 and is 20"),
    ],
)
def test_changed_options_are_named(begun: tuple[Path, Path], options: dict[str, Any], told: str) -> None:
    source, target = begun
    before = {path: path.read_bytes() for path in target.with_name("out.csv.partial").rglob("*") if path.is_file()}
    with pytest.raises(InputError, match=f"{told}.*--restart") as caught:
        run("sentiment", source, target, resume=True, **{"shard_rows": 10, **options})
    assert "--restart" in caught.value.zh
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("task", ["zero_shot", "embedding"])
def test_another_method_and_another_model_of_vectors_are_named(tmp_path: Path, task: TaskName) -> None:
    """What is chosen by vectors and then judged depends on two models: neither may change half-way."""
    source, target = write_csv(tmp_path / "in.csv", "text\n" + "第一条\n" * 100), tmp_path / "out.csv"
    asked = {"shard_rows": 10, "labels": "甲,乙"}
    with pytest.raises(Stop):
        run("zero_shot", source, target, engine=TwoModels(), method="two_stage", progress=after(20), **asked)
    with pytest.raises(InputError, match="the option method was 'two_stage' and is 'nli'"):
        run("zero_shot", source, target, engine=TwoModels(), method="nli", resume=True, **asked)
    told = {"zero_shot": "the model's digest", "embedding": "the model's embedding_digest"}[task]
    with pytest.raises(InputError, match=told):
        run("zero_shot", source, target, engine=TwoModels(task), method="two_stage", resume=True, **asked)
    done = run("zero_shot", source, target, engine=TwoModels(), method="two_stage", resume=True, **asked)
    assert done.rows == 100 and done.resumed_rows >= 20


def test_a_changed_input_is_named_even_with_its_old_time_and_size(begun: tuple[Path, Path]) -> None:
    source, target = begun
    stat = source.stat()
    source.write_text(source.read_text(encoding="utf-8").replace("第7条", "第8条"), encoding="utf-8")
    os.utime(source, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(InputError, match=r"the input in\.csv has changed"):
        run("sentiment", source, target, shard_rows=10, resume=True)


def test_a_copied_or_touched_input_is_the_same(begun: tuple[Path, Path]) -> None:
    source, target = begun
    os.utime(source, (1, 1))
    assert run("sentiment", source, target, shard_rows=10, resume=True).resumed_rows == 20


def test_a_changed_model_task_or_version_is_named(
    begun: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = begun

    class Retrained(LengthEngine):
        def model_info(self, task: TaskName) -> ModelInfo:
            return dataclasses.replace(super().model_info(task), folder=GOLDEN / "similarity", digest="another")

    class Calibrated(LengthEngine):
        calibrated = True

    for engine, told in ((Retrained(), "the model's digest"), (Calibrated(), "the model's calibrated was False")):
        with pytest.raises(InputError, match=told):
            run("sentiment", source, target, engine=engine, shard_rows=10, resume=True)
    with pytest.raises(InputError, match="the task was sentiment and is zero_shot"):
        run("zero_shot", source, target, shard_rows=10, resume=True, labels="甲")
    monkeypatch.setattr(manifest, "__version__", "9")
    with pytest.raises(InputError, match=r"wenmo was .* and is 9"):
        run("sentiment", source, target, shard_rows=10, resume=True)


@pytest.mark.parametrize("harm", ["cut", "lost", "flipped", "note"])
def test_a_damaged_shard_is_computed_again(begun: tuple[Path, Path], harm: str) -> None:
    source, target = begun
    rows = target.with_name("out.csv.partial") / "0000" / "00000001.rows"
    content = rows.read_bytes()
    if harm == "lost":
        rows.unlink()
    elif harm == "note":
        rows.with_suffix(".note").write_bytes(b'{"rows": 10')
    else:
        rows.write_bytes(content[:-5] if harm == "cut" else content[:-5] + bytes([content[-5] ^ 1]) + content[-4:])
    assert run("sentiment", source, target, shard_rows=10, resume=True).resumed_rows == 10
    assert [row["text"] for row in read(target)] == [f"第{n}条" for n in range(100)]


def test_a_damaged_manifest_is_told(begun: tuple[Path, Path]) -> None:
    source, target = begun
    (target.with_name("out.csv.partial") / "manifest.json").write_text("{")
    with pytest.raises(InputError, match="--restart"):
        run("sentiment", source, target, shard_rows=10, resume=True)
    assert run("sentiment", source, target, shard_rows=10, restart=True).rows == 100


def test_death_while_tidying_up(begun: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The outputs are in their places, shards are half gone: nothing is computed again, and the summary is the same."""
    source, target = begun
    with monkeypatch.context() as patch:

        def die(folder: Path) -> None:
            shutil.rmtree(folder / "0000")
            raise Stop

        patch.setattr("wenmo.jobs.job.clear", die)
        with pytest.raises(Stop):
            run("sentiment", source, target, shard_rows=10, resume=True)
    engine = LengthEngine()
    summary = run("sentiment", source, target, engine=engine, shard_rows=10, resume=True)
    assert (summary.rows, engine.calls, names(target.parent)) == (100, [], ["in.csv", "out.csv"])
    assert summary.files[0].rows == 100


def test_an_input_that_changes_while_it_is_read_is_told(tmp_path: Path) -> None:
    source = write_csv(tmp_path / "in.csv", "text\n" + "好\n" * 50)

    class Writer(LengthEngine):
        def sentiment(self, texts: Any, *, progress: Any = None) -> Any:
            with source.open("a", encoding="utf-8") as file:
                file.write("更多\n")
            return super().sentiment(texts, progress=progress)

    with pytest.raises(InputError, match="changed while it was read"):
        run("sentiment", source, tmp_path / "out.csv", engine=Writer(), shard_rows=10)
    assert not (tmp_path / "out.csv").exists()


def test_an_engines_error_keeps_what_is_finished(tmp_path: Path) -> None:
    class Broken(LengthEngine):
        def sentiment(self, texts: Any, *, progress: Any = None) -> Any:
            if len(self.calls) == 3:
                raise InputError("broken", "坏了")
            return super().sentiment(texts, progress=progress)

    source = write_csv(tmp_path / "in.csv", "text\n" + "好\n" * 100)
    with pytest.raises(InputError, match="broken"):
        run("sentiment", source, tmp_path / "out.csv", engine=Broken(), shard_rows=10)
    assert run("sentiment", source, tmp_path / "out.csv", shard_rows=10, resume=True).resumed_rows in (20, 30)


def test_the_old_output_stays_until_the_new_one_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = write_csv(tmp_path / "in.csv", "text\n好\n"), tmp_path / "out.csv"
    target.write_text("old")
    rename = Path.replace

    def replace(path: Path, to: Path) -> Path:
        if to == target:
            raise OSError(errno.ENOSPC, "No space left on device")
        return rename(path, to)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        with pytest.raises(InputError, match=r"No space left.*--resume"):
            run("sentiment", source, target)
    assert target.read_text() == "old"
    assert names(tmp_path) == ["in.csv", "out.csv", "out.csv.partial"]
    assert run("sentiment", source, target, resume=True).resumed_rows == 1
    assert names(tmp_path) == ["in.csv", "out.csv"]


# ------------------------------------------------------------------------------------------------- the file of errors


def test_rows_without_result_are_told_aside(tmp_path: Path) -> None:
    lines = ['{"id": 1, "text": "好"}', '{"id": 2, "text": null}', '{"id": 3, "te', '{"id": 4, "text": [1]}']
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("\n".join(lines), encoding="utf-8")
    summary = run("sentiment", source, target)
    assert (summary.rows, summary.failed_rows, len(read(target))) == (4, 3, 4)
    assert summary.errors_file == str(tmp_path / "out.jsonl.errors.jsonl")
    assert read(Path(summary.errors_file)) == [
        {"file": "in.jsonl", "row": 2, "error": "No value in column 'text'.", "data": {"id": 2, "text": None}},
        {
            "file": "in.jsonl",
            "row": 3,
            "error": "Line 3 of in.jsonl cannot be read: Unterminated string starting at, at column 11. "
            "Each line must be one JSON object, or the file one JSON array of objects.",
            "raw": '{"id": 3, "te',
        },
        {
            "file": "in.jsonl",
            "row": 4,
            "error": "The value in column 'text' is no text but list.",
            "data": {"id": 4, "text": [1]},
        },
    ]
    assert read(target)[2]["error"].startswith("Line 3")
    source.write_text(lines[0], encoding="utf-8")
    assert run("sentiment", source, target).errors_file is None
    assert names(tmp_path) == ["in.jsonl", "out.jsonl"]  # the errors of the run before are gone with its output


def test_rows_of_parquet_are_told_with_their_values(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["好", None], "raw": [b"\xff", b"\x00"]}), tmp_path / "in.parquet")
    run("sentiment", tmp_path / "in.parquet", tmp_path / "out.parquet")
    (line,) = read(tmp_path / "out.parquet.errors.jsonl")
    assert (line["row"], line["data"]) == (2, {"text": None, "raw": "AA=="})


# --------------------------------------------------------------------------------------------------- several tables


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    (data / "day=1").mkdir(parents=True)
    (data / "_marks").mkdir()
    write_csv(data / "b.csv", "text,label\n好,x\n\n坏了,y\n")
    write_jsonl(data / "day=1" / "a.jsonl", [{"text": "一"}, {"text": None}])
    pq.write_table(pa.table({"text": ["二", "三"], "n": [1, 2]}), data / "day=1" / "c.parquet")
    workbook = openpyxl.Workbook()
    for record in (["text", "价格"], ["四", 1.5], ["五", None]):
        workbook.active.append(record)
    workbook.save(data / "d.xlsx")
    write_csv(data / "_marks" / "x.csv", "no table of ours")
    (data / ".hidden.csv").write_text("nor this")
    (data / "readme.txt").write_text("nor this")
    return data


def test_a_folder_becomes_a_folder(folder: Path, tmp_path: Path) -> None:
    summary = run("sentiment", folder, tmp_path / "out")
    out = tmp_path / "out"
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()) == [
        "b.csv", "d.xlsx.csv", "day=1/a.jsonl", "day=1/c.parquet",
    ]  # fmt: skip
    assert [(file.rows, file.failed_rows) for file in summary.files] == [(2, 0), (2, 0), (2, 1), (2, 0)]
    assert (summary.rows, summary.failed_rows, summary.column_prefix) == (8, 1, "wenmo_")
    assert [row["wenmo_label"] for row in read(out / "b.csv")] == ["短", "长"]
    assert [row["价格"] for row in read(out / "d.xlsx.csv")] == ["1.5", ""]
    assert pq.read_schema(out / "day=1" / "c.parquet").field("n").type == pa.int64()
    (error,) = read(tmp_path / "out.errors.jsonl")
    assert (error["file"], error["row"]) == ("day=1/a.jsonl", 2)
    assert names(tmp_path) == ["data", "out", "out.errors.jsonl"]
    json.dumps(summary.label_counts)


def test_a_pattern_takes_what_it_names(folder: Path, tmp_path: Path) -> None:
    summary = run("sentiment", folder / "**" / "*.jsonl", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").rglob("*.*")] == ["a.jsonl"]
    assert (tmp_path / "out" / "day=1" / "a.jsonl").is_file() and summary.rows == 2
    assert run("sentiment", folder / "*.csv", tmp_path / "flat").files[0].target == str(tmp_path / "flat" / "b.csv")


def test_a_folder_is_resumed_and_new_files_are_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(Stop):
        run("sentiment", folder, tmp_path / "out", engine=Slow(), shard_rows=1, progress=after(2))
    write_csv(folder / "new.csv", "text\n好\n")
    with pytest.raises(InputError, match=r"the input new\.csv is new"):
        run("sentiment", folder, tmp_path / "out", shard_rows=1, resume=True)
    (folder / "new.csv").unlink()
    assert run("sentiment", folder, tmp_path / "out", shard_rows=1, resume=True).resumed_rows == 2
    run("sentiment", folder, tmp_path / "whole", shard_rows=1)
    for path in (tmp_path / "whole").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "out" / path.relative_to(tmp_path / "whole")).read_bytes()


def test_a_bad_table_among_good_ones_is_named_before_the_engine_works(folder: Path, tmp_path: Path) -> None:
    write_csv(folder / "bad.csv", "title\n好\n")
    engine = LengthEngine()
    with pytest.raises(InputError, match=r"bad\.csv has no column 'text'"):
        run("sentiment", folder, tmp_path / "out", engine=engine)
    assert engine.calls == [] and names(tmp_path) == ["data"]


def test_places_that_cannot_be(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    odd = write_csv(tmp_path / "out.csv.errors.jsonl", '{"text": "好"}\n')
    twins = tmp_path / "twins"
    twins.mkdir()
    write_csv(twins / "a.xlsx.csv", "text\n")
    shutil.copy(folder / "d.xlsx", twins / "a.xlsx")
    for source, target, reason in (
        (tmp_path / "empty", tmp_path / "out", "holds no table"),
        (folder / "*.tsv", tmp_path / "out", "holds no table"),
        (folder, tmp_path / "file", "need a folder"),
        (folder, tmp_path / "out.csv", "need a folder"),
        (folder, folder / "out", "lies in the folder"),
        (odd, tmp_path / "out.csv", "is an input itself"),
        (twins, tmp_path / "out", "one file"),
        (folder / "b.csv", tmp_path / ("x" * 300 + ".csv"), "Cannot use these paths|could not be written"),
    ):
        with pytest.raises(InputError, match=reason):
            run("sentiment", source, target)
    assert names(tmp_path) == ["data", "empty", "file", "out.csv.errors.jsonl", "twins"]


def test_a_name_that_looks_like_a_pattern_is_the_file(tmp_path: Path) -> None:
    source = write_csv(tmp_path / "a[1].csv", "text\n好\n")
    assert run("sentiment", source, tmp_path / "out.csv").rows == 1


def test_symbolic_link_stays_a_link(tmp_path: Path) -> None:
    source = write_csv(tmp_path / "in.csv", "text\n好\n")
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    run("sentiment", source, tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink() and read(tmp_path / "real.csv")[0]["text"] == "好"


def test_encoding_and_delimiter_can_be_given(tmp_path: Path) -> None:
    source = write_csv(tmp_path / "in.csv", "標題;text\n一,二;這間店很好\n", "big5")
    run("sentiment", source, tmp_path / "out.jsonl", encoding="big5", delimiter=";")
    (row,) = read(tmp_path / "out.jsonl")
    assert (row["標題"], row["text"]) == ("一,二", "這間店很好")
    for options in ({"encoding": "klingon"}, {"delimiter": ";;"}, {"delimiter": '"'}, {"encoding": "utf-8"}):
        with pytest.raises(InputError):
            run("sentiment", source, tmp_path / "other.jsonl", **options)


# ------------------------------------------------------------------------------------------------------------ memory


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_no_more_than_two_chunks_are_in_memory(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real engine over a runtime that computes nothing: what a job holds does not grow with its rows."""
    alive: weakref.WeakSet[Chunk] = weakref.WeakSet()
    most: list[int] = []
    begin = Chunk.__init__

    def count(chunk: Chunk, *given: Any) -> None:
        begin(chunk, *given)
        alive.add(chunk)
        most.append(len(alive))

    monkeypatch.setattr(Chunk, "__init__", count)
    rows = [{"text": f"第{n}条评论"} for n in range(3_000)]
    source = write_jsonl(tmp_path / "in.jsonl", rows)
    if suffix != ".jsonl":
        run("sentiment", source, tmp_path / f"in{suffix}", engine=LengthEngine())
        source = tmp_path / f"in{suffix}"
    most.clear()
    engine = Engine(
        device="cpu",
        precision="fp32",
        cache_mib=0,
        make_runtime=LengthRuntime,
        models={"sentiment": GOLDEN / "sentiment"},
    )
    with engine:
        summary = run("sentiment", source, tmp_path / f"out{suffix}", engine=engine, shard_rows=50)
    assert (summary.rows, len(most)) == (3_000, 60)
    assert max(most) <= 3  # one each, and the one that is being read while the last one of a thread is let go of
