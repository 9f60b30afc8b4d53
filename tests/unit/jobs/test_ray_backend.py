"""Jobs on a real Ray with two workers of one core: the same bytes as here, whatever dies."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import GOLDEN, GOLDEN_MODELS
from tests.ray_cluster import local_ray, processes
from tests.unit.jobs.files import reviews
from wenmo.engine.build import build_engine
from wenmo.errors import InputError, ModelNotFoundError, WenmoError
from wenmo.jobs.backend import Backend, EngineBackend
from wenmo.jobs.executor import JobProgress
from wenmo.jobs.job import run_job
from wenmo.jobs.options import RunOptions
from wenmo.jobs.ray_backend import RayBackend
from wenmo.jobs.summary import JobSummary
from wenmo.settings import Settings
from wenmo.types import TaskName

ROOT = Path(__file__).parents[3]
ROWS, SHARD_ROWS = 1_000, 50
WAIT_S = 120.0  # generous: it ends a wait that would be endless


class Stop(Exception):  # noqa: N818
    """Raised in `progress` to stop a job."""


@pytest.fixture(scope="module")
def ray() -> Iterator[None]:
    with local_ray():
        yield


@pytest.fixture(autouse=True)
def asked_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job of a second is to be stopped, or its workers killed, while it runs: `progress` is called often enough."""
    monkeypatch.setattr("wenmo.jobs.executor._REPORT_S", 0.002)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return reviews(tmp_path_factory.mktemp("in") / "in.jsonl", ROWS)


def settings(**given: Any) -> Settings:
    golden = {f"{task}_model": folder for task, folder in GOLDEN_MODELS.items()}
    return Settings.read(**{"device": "cpu", "precision": "fp32", **golden, **given})


def here(chosen: Settings | None = None) -> EngineBackend:
    return EngineBackend(build_engine(chosen or settings(), repeatable=True))


def run(
    backend: Backend,
    source: Path,
    target: Path,
    *,
    task: TaskName = "sentiment",
    progress: Callable[[JobProgress], None] | None = None,
    **options: Any,
) -> JobSummary:
    asked = RunOptions(logits=True, **options)
    return run_job(backend, task, source, target, asked, resume=True, shard_rows=SHARD_ROWS, progress=progress)


def stop_after(rows: int) -> Callable[[JobProgress], None]:
    def progress(done: JobProgress) -> None:
        if done.rows >= rows:
            raise Stop

    return progress


def assert_same(target: Path, whole: Path) -> None:
    assert target.read_bytes() == whole.read_bytes()
    errors = [path.with_name(f"{path.name}.errors.jsonl") for path in (target, whole)]
    assert errors[0].read_bytes() == errors[1].read_bytes() and errors[0].read_bytes().count(b"\n") > 5


def finished(target: Path) -> int:
    return len(list(Path(f"{target}.partial").glob("*/*.note")))


@pytest.fixture(scope="module")
def whole(source: Path) -> Path:
    """What a job makes that nothing disturbed, on an engine here, over all cores."""
    target = source.with_name("whole.csv")
    run(here(), source, target)
    return target


@pytest.mark.parametrize("how", [{"multi_label": True}, {"method": "embedding"}, {"method": "two_stage"}])
def test_rows_and_bytes_are_those_of_an_engine_here(
    ray: None, tmp_path: Path, source: Path, how: dict[str, Any]
) -> None:
    """Of zero-shot, in Parquet; sentiment in CSV is below."""
    target, whole = tmp_path / "out.parquet", tmp_path / "whole.parquet"
    options = {"labels": "物流，味道，价钱，包装，客服，分量，颜色，做工，环境，卫生，位置，天气", **how}
    with RayBackend(settings(), actors=2) as backend:
        summary = run(backend, source, target, task="zero_shot", **options)
    expected = run(here(), source, whole, task="zero_shot", **options)
    assert_same(target, whole)
    for name in ("rows", "failed_rows", "label_counts", "mean_confidence"):
        assert getattr(summary, name) == getattr(expected, name)


def test_all_workers_killed_in_mid_job(ray: None, tmp_path: Path) -> None:
    """Others compute what was with them; nothing is lost or done twice."""
    bundled = Settings.read(device="cpu", precision="fp32")  # some seconds of work
    source, target, whole = reviews(tmp_path / "in.jsonl", 1_500), tmp_path / "out.csv", tmp_path / "whole.csv"
    killed: set[int] = set()

    def progress(done: JobProgress) -> None:
        if not killed and done.rows >= 2 * SHARD_ROWS:
            assert done.rows < done.total_rows
            for process in processes("EngineActor"):
                process.kill()
                killed.add(process.pid)

    with RayBackend(bundled, actors=2) as backend:
        summary = run(backend, source, target, progress=progress)
        assert len(killed) == 2 and killed.isdisjoint(process.pid for process in processes("EngineActor"))
    assert (summary.rows, summary.resumed_rows) == (1_500, 0)
    run(here(bundled), source, whole)
    assert_same(target, whole)


def test_begun_here_and_gone_on_with_there_and_the_other_way_round(
    ray: None, tmp_path: Path, source: Path, whole: Path
) -> None:
    target = tmp_path / "out.csv"
    with pytest.raises(Stop):
        run(here(), source, target, progress=stop_after(SHARD_ROWS))
    kept = finished(target)
    assert 1 <= kept < ROWS // SHARD_ROWS
    with RayBackend(settings(), actors=2) as backend, pytest.raises(Stop):
        run(backend, source, target, progress=stop_after((kept + 2) * SHARD_ROWS))
    assert kept + 2 <= finished(target) < ROWS // SHARD_ROWS
    kept = finished(target)
    assert run(here(), source, target).resumed_rows == kept * SHARD_ROWS
    assert_same(target, whole)


def test_a_worker_that_would_answer_differently_is_refused(ray: None, tmp_path: Path, source: Path) -> None:
    """A model that was replaced in mid-job, or another machine's precision, must not be mixed in."""
    model = tmp_path / "model"
    shutil.copytree(GOLDEN / "sentiment", model)

    def progress(done: JobProgress) -> None:
        extra = model / "tokenizer_config.json"
        if done.rows >= SHARD_ROWS and not extra.exists():
            extra.write_text("{}")  # changes no answer, but who is to know?
            for process in processes("EngineActor"):
                process.kill()

    chosen = settings(sentiment_model=str(model))
    with RayBackend(chosen, actors=1) as backend, pytest.raises(InputError, match="would answer differently"):
        run(backend, source, tmp_path / "out.csv", progress=progress)
    assert finished(tmp_path / "out.csv") >= 1


def test_rows_over_which_workers_die_again_and_again_end_the_job(
    ray: None, tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wenmo.jobs.ray_backend._MOST_DEATHS", 1)

    def progress(done: JobProgress) -> None:
        for process in processes("EngineActor") if done.rows else ():
            process.kill()

    with RayBackend(settings(), actors=1) as backend, pytest.raises(WenmoError, match="workers died over the same"):
        run(backend, source, tmp_path / "out.csv", progress=progress)


def test_what_a_worker_cannot_load_is_told_as_here(ray: None, tmp_path: Path, source: Path) -> None:
    with (
        RayBackend(settings(sentiment_model="no-such-model"), actors=1) as backend,
        pytest.raises(ModelNotFoundError, match="no-such-model"),
    ):
        run(backend, source, tmp_path / "out.csv")
    assert not list(tmp_path.iterdir())


def test_without_ray_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"requirements-cluster\.txt") as caught:
        RayBackend(settings())
    assert "requirements-cluster.txt" in caught.value.zh


def command(source: Path, target: Path, *more: str) -> list[str]:
    given = ("--model", GOLDEN_MODELS["sentiment"], "--device", "cpu", "--precision", "fp32", "--logits", "--resume")
    job = ("run", "sentiment", str(source), str(target), "--shard-rows", str(SHARD_ROWS))
    return [sys.executable, "-m", "wenmo", *job, *given, *more]


ENVIRONMENT = {**os.environ, "LC_ALL": "C.UTF-8"}


def test_a_driver_killed_in_mid_job_leaves_no_process_and_its_job_goes_on(tmp_path: Path, ray: None) -> None:
    """By the command, which starts a Ray of its own. (`ray` only says whether there is one.)"""
    source, target, whole = reviews(tmp_path / "in.jsonl", 2_500), tmp_path / "out.csv", tmp_path / "whole.csv"
    driver = subprocess.Popen(
        command(source, target, "--engine", "ray", "--actors", "2"),
        cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    end = time.monotonic() + WAIT_S
    while finished(target) < 3:
        assert driver.poll() is None and time.monotonic() < end, driver.communicate()
        time.sleep(0.01)
    # Ray's two agents notice a minute later, and compute nothing.
    below = [each for each in psutil.Process(driver.pid).children(recursive=True) if "Agent" not in each.name()]
    assert len([each for each in below if "EngineActor" in each.name()]) == 2
    driver.send_signal(signal.SIGKILL)
    driver.communicate()
    kept = finished(target)
    assert 3 <= kept < 2_500 // SHARD_ROWS and not target.exists()
    _, alive = psutil.wait_procs(below, WAIT_S)
    assert not alive
    ended = subprocess.run(
        command(source, target), cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    assert json.loads(ended.stdout.splitlines()[-1])["resumed_rows"] == kept * SHARD_ROWS
    run(here(), source, whole)
    assert_same(target, whole)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--actors", "2"), "Add --engine ray"),
        (("--engine", "ray", "--address", "no-such-scheme://"), "Ray cannot be reached"),
    ],
)
def test_what_cannot_be_is_said(ray: None, tmp_path: Path, source: Path, more: tuple[str, ...], says: str) -> None:
    ended = subprocess.run(
        command(source, tmp_path / "out.csv", *more), cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True
    )
    assert ended.returncode == 2 and says in ended.stderr and "Traceback" not in ended.stderr, ended.stderr
