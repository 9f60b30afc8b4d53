"""Jobs that visitors begin: who may see them, what is left of them, whose turn it is."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from tests.conftest import ROOT
from tests.length_engine import LengthEngine
from tests.waiting import WAIT_S, until
from wenmo.engine import Engine, ModelInfo
from wenmo.errors import BusyError, InputError, WenmoError
from wenmo.jobs import job_queue
from wenmo.jobs.file_job import FileJob
from wenmo.jobs.job_queue import FileJobs
from wenmo.jobs.options import RunOptions
from wenmo.jobs.sources import partial_folder
from wenmo.tables.readers import open_reader
from wenmo.types import SentimentResult, TaskName

ROWS = "text\n好\n很好\n太差了，不会再来\n"


class HeldEngine(LengthEngine):
    """Stands still within a call until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.go_on = threading.Event(), threading.Event()

    def sentiment(self, texts: Any, *, progress: Any = None) -> list[SentimentResult]:
        self.reached.set()
        assert self.go_on.wait(WAIT_S)
        return super().sentiment(texts, progress=progress)


Make = Callable[..., FileJobs]


@pytest.fixture
def places(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder without the jobs of others."""
    folder = tmp_path_factory.mktemp("places")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def make(places: Path) -> Iterator[Make]:
    made: list[FileJobs] = []

    def make_(**options: Any) -> FileJobs:
        made.append(FileJobs(**options))
        return made[-1]

    yield make_
    for jobs in made:
        jobs.close()


def _receive(jobs: FileJobs, content: str = ROWS, name: str = "a.csv") -> FileJob:
    return jobs.receive(name, io.BytesIO(content.encode()))


def _begin(jobs: FileJobs, job: FileJob, engine: LengthEngine, options: RunOptions | None = None) -> None:
    jobs.begin(job, cast("Engine", engine), "sentiment", options or RunOptions())


def _begin_three(jobs: FileJobs, engine: HeldEngine) -> list[FileJob]:
    """The first of them runs, and is held; the others wait."""
    three = [_receive(jobs) for _ in range(3)]
    for job in three:
        _begin(jobs, job, engine)
    assert engine.reached.wait(WAIT_S)
    return three


def _files(job: FileJob) -> set[str]:
    """The names in the folder of a job, without its record."""
    return {path.name for path in job.folder.iterdir() if "job.json" not in path.name}


def _wait(job: FileJob, *states: str) -> None:
    until(lambda: job.status().state in states, told=job.status)


def test_a_file_becomes_a_table_of_answers(make: Make) -> None:
    jobs = make()
    job = _receive(jobs)
    _begin(jobs, job, LengthEngine())
    _wait(job, "done")
    status = job.status()
    assert status.summary is not None and status.summary.rows == 3 and status.labels == ("短", "长")
    (chunk,) = open_reader(job.target).chunks()
    assert chunk.values("label") == ["短", "长", "长"]


def test_names_of_files_are_shown_and_never_paths(make: Make, tmp_path: Path) -> None:
    jobs = make()
    for name in ("../../etc/passwd.csv", f"{tmp_path}/x.csv", "\0.csv", "a" * 5_000 + ".csv", ".CSV.tsv"):
        job = _receive(jobs, name=name)
        assert job.name == name
        assert job.source.parent == job.folder and job.source.name in ("input.csv", "input.tsv")
        jobs.discard(job.id)
    with pytest.raises(InputError):
        _receive(jobs, name="a.exe")
    assert list(tmp_path.iterdir()) == []


def test_ids_cannot_be_guessed_and_folders_not_be_read_by_others(make: Make) -> None:
    jobs = make()
    first, second = _receive(jobs), _receive(jobs)
    assert len({first.id, second.id}) == 2 and min(map(len, (first.id, second.id))) >= 20  # 128 bits
    assert jobs.get(first.id) is first and jobs.get(first.id[:-1]) is None and jobs.get("") is None
    assert first.folder.stat().st_mode & 0o077 == 0
    assert first.id not in str(first.folder)


def test_one_runs_and_others_wait_for_their_turn(make: Make) -> None:
    engine = HeldEngine()
    jobs = make()
    first, second, third = _begin_three(jobs, engine)
    assert [jobs.status(job).state for job in (first, second, third)] == ["running", "waiting", "waiting"]
    assert [jobs.status(job).ahead for job in (first, second, third)] == [0, 1, 2]
    _begin(jobs, first, engine)  # pressed twice
    jobs.discard(second.id)
    assert not second.folder.exists() and jobs.status(third).ahead == 1
    engine.go_on.set()
    for job in (first, third):
        _wait(job, "done")
    assert second.status().state == "waiting"  # never begun


def test_stopping_leaves_the_received_file_alone(make: Make) -> None:
    engine = HeldEngine()
    jobs = make()
    job = _receive(jobs)
    _begin(jobs, job, engine)
    assert engine.reached.wait(WAIT_S)
    jobs.stop(job)
    engine.go_on.set()
    _wait(job, "stopped")
    assert _files(job) == {"input.csv"}
    with pytest.raises(InputError):
        job.export(".csv")
    _begin(jobs, job, engine)
    _wait(job, "done")


def test_who_waits_stops_at_once(make: Make) -> None:
    engine = HeldEngine()
    jobs = make()
    running, waiting, last = _begin_three(jobs, engine)
    partial_folder(waiting.target).mkdir()  # of an earlier try that failed half-way
    jobs.stop(waiting)
    assert (jobs.status(waiting).state, jobs.status(last).ahead) == ("stopped", 1)
    assert _files(waiting) == {"input.csv"}
    _begin(jobs, waiting, engine)
    assert (jobs.status(waiting).state, jobs.status(waiting).ahead) == ("waiting", 2)
    engine.go_on.set()
    for job in (running, last, waiting):
        _wait(job, "done")


def test_discarding_a_running_job_leaves_no_file(make: Make) -> None:
    engine = HeldEngine()
    jobs = make()
    job = _receive(jobs)
    _begin(jobs, job, engine)
    assert engine.reached.wait(WAIT_S)
    jobs.discard(job.id)
    assert jobs.get(job.id) is None
    engine.go_on.set()
    until(lambda: not job.folder.exists())


def test_closing_stops_what_runs_and_deletes_everything(make: Make) -> None:
    engine = HeldEngine()
    jobs = make()
    running, done = _receive(jobs), _receive(jobs)
    _begin(jobs, running, engine)
    assert engine.reached.wait(WAIT_S)
    engine.go_on.set()
    jobs.close()
    assert not running.folder.exists() and not done.folder.exists() and not running.folder.parent.exists()
    with pytest.raises(BusyError):
        _receive(jobs)


def test_what_nobody_looks_at_expires_even_if_it_runs(make: Make) -> None:
    engine = HeldEngine()
    jobs = make(kept_s=60.0)
    running, left = _receive(jobs), _receive(jobs)
    _begin(jobs, running, engine)
    assert engine.reached.wait(WAIT_S)
    running.viewed_s -= 100.0
    left.viewed_s -= 100.0
    jobs.sweep()
    assert jobs.get(left.id) is None and not left.folder.exists()
    assert jobs.get(running.id) is None
    engine.go_on.set()
    until(lambda: not running.folder.exists())


_KILLED = """
import io, os, signal
from wenmo.jobs.job_queue import FileJobs
job = FileJobs().receive("a.csv", io.BytesIO(b"text"))
print(job.folder, job.id, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_taken_over_for_an_hour(make: Make, places: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(places)}
    killed = [
        subprocess.run([sys.executable, "-c", _KILLED], capture_output=True, text=True, cwd=ROOT, env=environment)
        for _ in range(2)
    ]
    (old, old_id), (new, new_id) = (each.stdout.split() for each in killed)
    os.utime(Path(old) / "job.json", (0, 0))  # nobody has looked for long
    here = make()
    assert not Path(old).parent.exists() and here.get(old_id) is None
    found = here.get(new_id)
    assert found is not None and found.folder == Path(new) and found.name == "a.csv"
    assert make().get(new_id) is None  # another one beside it, while this one is alive
    here.discard(new_id)
    assert not Path(new).exists()


def test_a_restart_goes_on_with_what_was_finished(make: Make, places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One row a shard, and the process ends within the second of three; the next computes the rest alone."""
    monkeypatch.setattr("wenmo.jobs.job._rows_per_shard", lambda *_: 1)

    class SlowEngine(HeldEngine):
        def sentiment(self, texts: Any, *, progress: Any = None) -> list[SentimentResult]:
            if len(self.calls) == 1:
                return super().sentiment(texts, progress=progress)
            return LengthEngine.sentiment(self, texts, progress=progress)

    first, engine = make(), SlowEngine()
    running, waiting, done = _receive(first), _receive(first), _receive(first)
    _begin(first, done, LengthEngine())
    _wait(done, "done")
    _begin(first, running, engine)
    _begin(first, waiting, engine)
    assert engine.reached.wait(WAIT_S)
    threading.Timer(0.2, engine.go_on.set).start()
    first.close(keep=True)
    again, fresh = make(), LengthEngine()
    states = {}
    for job in (running, waiting, done):
        found = again.get(job.id)
        assert found is not None
        states[job.id] = found.status()
        if found.status().state == "interrupted":
            status = found.status()
            assert status.task is not None and status.options is not None
            again.begin(found, cast("Engine", fresh), status.task, status.options)
            _wait(found, "done")
            assert found.target.is_file()
    assert [status.state for status in states.values()] == ["interrupted", "interrupted", "done"]
    assert states[done.id].summary == done.status().summary and again.get(done.id) is not None
    assert sum(fresh.calls) < 6  # of the first job not every row again


def test_what_is_no_record_is_deleted(make: Make, places: Path) -> None:
    for number, content in enumerate(("{", "[]", '{"id": "x"}', '{"id": "x", "name": "../a.exe", "task": null}')):
        place = places / f"wenmo-jobs-{number}" / "job"
        place.mkdir(parents=True)
        (place.parent / ".lock").touch()
        (place / "job.json").write_text(content, encoding="utf-8")
    jobs = make()
    assert not jobs.get("x") and len(list(places.glob("wenmo-jobs-*"))) == 1  # its own


def test_the_sweeper_comes_by_itself(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_queue, "_SWEEP_S", 0.01)
    jobs = make(kept_s=0.0)
    job = _receive(jobs)
    until(lambda: not job.folder.exists())


def test_few_are_kept_and_only_the_idle_make_room(make: Make) -> None:
    jobs = make(kept=2, idle_s=1_000.0)
    first, second = _receive(jobs), _receive(jobs)
    with pytest.raises(BusyError):
        _receive(jobs)
    first.viewed_s -= 2_000.0
    second.viewed_s -= 3_000.0
    third = _receive(jobs)
    assert jobs.get(second.id) is None and not second.folder.exists()
    assert jobs.get(first.id) is first and jobs.get(third.id) is third


def test_a_bug_ends_the_job_and_what_was_finished_is_gone_on_with(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One row a shard; the second call breaks. The second time, only what is missing is computed."""
    monkeypatch.setattr("wenmo.jobs.job._rows_per_shard", lambda *_: 1)

    class BreakingEngine(LengthEngine):
        broken = False

        def sentiment(self, texts: Any, *, progress: Any = None) -> list[SentimentResult]:
            if self.broken and "太差了，不会再来" in texts:
                raise KeyError("bug")
            return super().sentiment(texts, progress=progress)

    engine = BreakingEngine()
    engine.broken = True
    jobs = make()
    job = _receive(jobs)
    _begin(jobs, job, engine)
    _wait(job, "failed")
    assert isinstance(job.status().error, KeyError) and "KeyError" in caplog.text
    engine.broken = False
    finished = sum(engine.calls)
    _begin(jobs, job, engine)
    _wait(job, "done")
    assert sum(engine.calls) == 3 and finished >= 1
    _begin(jobs, job, engine, RunOptions(language="zh"))  # other options: from the beginning
    _wait(job, "done", "failed")
    assert job.status().state == "done"


def test_a_model_that_cannot_be_loaded_fails_the_job(make: Make) -> None:
    class NoEngine(LengthEngine):
        def model_info(self, task: TaskName) -> ModelInfo:
            raise WenmoError("no", "没有")

    jobs = make()
    job = _receive(jobs)
    _begin(jobs, job, NoEngine())
    _wait(job, "failed")
    assert isinstance(job.status().error, WenmoError)


def _gives_way(jobs: FileJobs, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """A turn is over as soon as somebody waits; returns what is set when a job has learnt that its own is."""
    monkeypatch.setattr(job_queue, "TURN_S", 0.0)
    over, turn = threading.Event(), jobs._turn

    def watched() -> Callable[[], bool]:
        ends = turn()
        return lambda: ends() and (over.set() or True)  # type: ignore[func-returns-value]

    monkeypatch.setattr(jobs, "_turn", watched)
    return over


def test_a_long_job_gives_way_and_loses_nothing(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The long one is held within its first chunks; the short one that came later is done first."""
    rows = "text\n" + "".join(f"{'好' * (number % 9 + 1)}\n" for number in range(20_000))
    alone = make()
    expected = _receive(alone, rows)
    _begin(alone, expected, LengthEngine())
    _wait(expected, "done")
    jobs, engine = make(), HeldEngine()
    over = _gives_way(jobs, monkeypatch)
    long, short = _receive(jobs, rows), _receive(jobs)
    order: list[FileJob] = []
    for job in (long, short):
        monkeypatch.setattr(job, "end", lambda *given, job=job, end=job.end: (order.append(job), end(*given)))
    _begin(jobs, long, engine)
    assert engine.reached.wait(WAIT_S)
    _begin(jobs, short, engine)
    assert over.wait(WAIT_S)
    engine.go_on.set()
    _wait(long, "done")
    assert order == [short, long]
    assert sum(engine.calls) == 20_003 and len(engine.calls) > 4  # nothing was computed twice
    assert long.target.read_bytes() == expected.target.read_bytes()


def test_a_job_that_has_given_way_can_be_stopped(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs, engine, other = make(), HeldEngine(), HeldEngine()
    over = _gives_way(jobs, monkeypatch)
    long, short = _receive(jobs, "text\n" + "好\n" * 20_000), _receive(jobs)
    _begin(jobs, long, engine)
    assert engine.reached.wait(WAIT_S)
    _begin(jobs, short, other)
    assert over.wait(WAIT_S)
    engine.go_on.set()
    assert other.reached.wait(WAIT_S)
    assert jobs.status(long).state == "waiting" and jobs.status(long).ahead == 1
    jobs.stop(long)
    other.go_on.set()
    _wait(short, "done")
    assert long.status().state == "stopped" and not partial_folder(long.target).exists()


def test_the_work_of_a_job_is_bounded(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_queue, "MAX_INPUTS", 8)
    jobs = make()
    job = _receive(jobs)  # three rows
    with pytest.raises(InputError, match="9 inputs"):
        jobs.begin(job, cast("Engine", LengthEngine()), "zero_shot", RunOptions(labels="甲，乙，丙"))
    assert job.status().state == "received"
    _begin(jobs, job, LengthEngine())
    _wait(job, "done")


def test_one_visitor_does_not_take_all_places(make: Make) -> None:
    jobs = make()
    content = ROWS.encode()
    mine = [jobs.receive("a.csv", io.BytesIO(content), "192.0.2.1") for _ in range(job_queue.KEPT_EACH)]
    with pytest.raises(BusyError, match="yours"):
        jobs.receive("a.csv", io.BytesIO(content), "192.0.2.1")
    jobs.receive("a.csv", io.BytesIO(content), "192.0.2.2")
    jobs.discard(mine[0].id)
    jobs.receive("a.csv", io.BytesIO(content), "192.0.2.1")
