"""Whatever ends a job, the next one goes on, and the output is that of a job that nothing ended, byte for byte.

Real processes of `python -m wenmo run` on a golden model, killed with SIGKILL. WENMO_KILLS and WENMO_KILL_ROWS make it
longer: 20 and 100000 are the figures of the acceptance test.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import GOLDEN_MODELS

if sys.platform == "win32":
    pytest.skip("needs fork and SIGKILL", allow_module_level=True)

from tests.forkserver import ForkServer
from tests.tables import reviews
from tests.waiting import until

KILLS = int(os.environ.get("WENMO_KILLS", "5"))
ROWS = int(os.environ.get("WENMO_KILL_ROWS", "2000"))
SHARD_ROWS = max(80, ROWS // 60)
MODEL = ("--model", GOLDEN_MODELS["sentiment"], "--device", "cpu", "--precision", "fp32")
EACH = (*MODEL, "--shard-rows", str(SHARD_ROWS), "--logits")


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    with ForkServer() as server:
        yield server


def finished(target: Path) -> int:
    return len(list(Path(f"{target}.partial").glob("*/*.note")))


@pytest.mark.parametrize(("suffix", "kills"), [(".csv", KILLS), (".parquet", KILLS // 2)])
def test_killed_at_random_moments_and_resumed(tmp_path: Path, server: ForkServer, suffix: str, kills: int) -> None:
    source, log = reviews(tmp_path / "in.jsonl", ROWS), tmp_path / "log"
    whole, target = tmp_path / f"whole{suffix}", tmp_path / f"out{suffix}"
    server.start("run", "sentiment", str(source), str(whole), *EACH, output=log)
    assert server.wait() == 0, log.read_text()
    undisturbed = json.loads(log.read_text().splitlines()[-1])

    draw = random.Random(suffix)
    shards = -(-ROWS // SHARD_ROWS)
    moments = sorted(draw.sample(range(shards - 2), kills))
    for moment in moments:
        process = server.start("run", "sentiment", str(source), str(target), *EACH, "--resume", output=log)
        until(lambda moment=moment: finished(target) >= moment, every_s=0.005)
        time.sleep(draw.uniform(0, 0.02))
        os.kill(process, signal.SIGKILL)
        assert server.wait() == -signal.SIGKILL, log.read_text()
        assert not target.exists()
    kept = finished(target)
    assert moments[-1] <= kept < shards  # it went on each time, and was not done

    server.start("run", "sentiment", str(source), str(target), *EACH, "--resume", output=log)
    assert server.wait() == 0, log.read_text()
    summary = json.loads(log.read_text().splitlines()[-1])
    assert summary["resumed_rows"] == min(kept * SHARD_ROWS, ROWS)
    for name in ("rows", "failed_rows", "label_counts", "mean_confidence"):
        assert summary[name] == undisturbed[name]
    assert target.read_bytes() == whole.read_bytes()
    errors = [Path(f"{path}.errors.jsonl").read_bytes() for path in (target, whole)]
    assert errors[0] == errors[1] and errors[0].count(b"\n") == summary["failed_rows"]
    assert {path.name for path in tmp_path.iterdir()} == {
        "in.jsonl", "log", *(f"{kind}{suffix}{more}" for kind in ("out", "whole") for more in ("", ".errors.jsonl")),
    }  # fmt: skip


def test_interrupted_says_how_to_go_on(tmp_path: Path, server: ForkServer) -> None:
    # Long enough not to be done before a busy machine lets the signal be sent.
    source, target, log = reviews(tmp_path / "in.jsonl", 5 * ROWS), tmp_path / "out.csv", tmp_path / "log"
    process = server.start("run", "sentiment", str(source), str(target), *EACH, output=log)
    until(lambda: finished(target) >= 3, every_s=0.005)
    os.kill(process, signal.SIGINT)
    assert server.wait() == 130
    assert "--resume" in log.read_text() and "Traceback" not in log.read_text()
    kept = finished(target)
    server.start("run", "sentiment", str(source), str(target), *EACH, output=log)
    assert server.wait() == 2
    assert "--resume" in log.read_text() and "--restart" in log.read_text()
    assert finished(target) == kept
    server.start("run", "sentiment", str(source), str(target), *EACH, "--resume", output=log)
    assert server.wait() == 0
    assert json.loads(log.read_text().splitlines()[-1])["resumed_rows"] == kept * SHARD_ROWS


def test_a_second_process_is_turned_away_and_a_dead_one_is_not_in_the_way(tmp_path: Path, server: ForkServer) -> None:
    source, target, log = reviews(tmp_path / "in.jsonl", ROWS), tmp_path / "out.csv", tmp_path / "log"
    first = server.start("run", "sentiment", str(source), str(target), *EACH, output=log)
    until(lambda: finished(target) >= 1, every_s=0.005)
    os.kill(first, signal.SIGSTOP)  # alive, and never done
    with ForkServer() as other:
        other.start("run", "sentiment", str(source), str(target), *EACH, "--resume", output=tmp_path / "second")
        assert other.wait() == 2
        assert "Another process" in (tmp_path / "second").read_text()
        os.kill(first, signal.SIGKILL)
        assert server.wait() == -signal.SIGKILL
        other.start("run", "sentiment", str(source), str(target), *EACH, "--resume", output=tmp_path / "second")
        assert other.wait() == 0, (tmp_path / "second").read_text()
    assert json.loads((tmp_path / "second").read_text().splitlines()[-1])["rows"] == ROWS


@pytest.mark.parametrize(("suffix", "limit_bytes"), [(".csv", 2_000), (".csv", 100_000), (".parquet", 100_000)])
def test_a_full_disk_is_told_and_the_job_resumed(
    tmp_path: Path, server: ForkServer, suffix: str, limit_bytes: int
) -> None:
    """2,000 bytes: the manifest fits, a shard does not. 100,000: shards fit, the output does not."""
    source, target, log = reviews(tmp_path / "in.jsonl", 2_000), tmp_path / f"out{suffix}", tmp_path / "log"
    options = (*MODEL, "--shard-rows", "200", "--logits")
    server.start("run", "sentiment", str(source), str(target), *options, output=log, limit_bytes=limit_bytes)
    assert server.wait() == 2
    assert "File too large" in log.read_text() and "--resume" in log.read_text() and "Traceback" not in log.read_text()
    assert not target.exists()
    assert finished(target) == (0 if limit_bytes == 2_000 else 10)
    server.start("run", "sentiment", str(source), str(target), *options, "--resume", output=log)
    assert server.wait() == 0, log.read_text()
    server.start("run", "sentiment", str(source), str(tmp_path / f"whole{suffix}"), *options, output=log)
    assert server.wait() == 0
    assert target.read_bytes() == (tmp_path / f"whole{suffix}").read_bytes()
