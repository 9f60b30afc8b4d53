"""`run embed`, `run dedupe` and `run match`: what they write, what they refuse, and that a killed one goes on."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import GOLDEN_MODELS
from tests.tables import read, reviews, write_csv, write_jsonl
from tests.waiting import until
from wenmo import Engine, InputError
from wenmo.jobs.backend import EngineBackend
from wenmo.jobs.executor import JobProgress
from wenmo.jobs.job import Work, run_work
from wenmo.jobs.summary import JobSummary
from wenmo.jobs.vector_chunk import VectorOptions
from wenmo.jobs.vector_work import DedupeWork, EmbedWork, MatchWork

ANSWERS = "text,答案,n\n忘记密码怎么办,点找回,1\n怎么下载发票,点发票,2\n,空,3\n忘记密码怎么办,再点,4\n"


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(device="cpu", precision="fp32", models=GOLDEN_MODELS, repeatable=True)


def run(engine: Engine, work: Work, source: Path, target: Path, **how: Any) -> JobSummary:
    return run_work(EngineBackend(engine), work, source, target, **how)


def questions(folder: Path) -> Path:
    rows = [{"text": text, "id": index} for index, text in enumerate(["忘记密码怎么办", "", None, "今天吃什么", "a"])]
    return write_jsonl(folder / "questions.jsonl", rows)


@pytest.mark.parametrize("rerank", [0, 3])
def test_match_says_what_the_engine_says(tmp_path: Path, engine: Engine, rerank: int) -> None:
    answers = write_csv(tmp_path / "answers.csv", ANSWERS)
    options = VectorOptions(top_k=2, rerank=rerank, threshold=0.001)
    summary = run(engine, MatchWork(answers, options), questions(tmp_path), tmp_path / "out.jsonl", shard_rows=2)
    rows = read(tmp_path / "out.jsonl")
    assert [row["id"] for row in rows] == [0, 1, 2, 3, 4]
    assert [row["matched"] for row in rows] == [True, None, None, True, True]
    assert "blank" in rows[1]["error"] and "No value" in rows[2]["error"] and summary.failed_rows == 2
    corpus = [row["text"] for row in read(answers)]
    for row in (rows[0], rows[3], rows[4]):
        (hits,) = engine.search([row["text"]], corpus, top_k=2, rerank=rerank)
        assert (row["matched_row"], row["cosine"]) == (hits[0].index + 1, pytest.approx(hits[0].cosine, abs=2e-6))
        assert row["similarity"] == (pytest.approx(hits[0].similarity) if rerank else None)
        assert row["match_text"] == corpus[hits[0].index] and row["match_n"] in ("1", "2", "4")
        assert [each["row"] for each in row["alternatives"]] == [hits[1].index + 1]
    assert summary.label_counts == {"matched": 3}


def test_what_is_below_the_threshold_is_not_matched(tmp_path: Path, engine: Engine) -> None:
    answers = write_csv(tmp_path / "answers.csv", ANSWERS)
    options = VectorOptions(threshold=1.0, rerank=0, top_k=2)
    run(engine, MatchWork(answers, options), questions(tmp_path), tmp_path / "out.jsonl")
    rows = read(tmp_path / "out.jsonl")
    assert [row["matched"] for row in rows] == [True, None, None, False, False]
    assert rows[0]["match_答案"] == "点找回" and rows[0]["alternatives"][0]["row"] == 4
    assert rows[3]["match_答案"] is None and rows[3]["matched_row"] is None and rows[3]["cosine"] < 1
    assert len(rows[3]["alternatives"]) == 2  # the best one among them


def test_columns_of_the_same_names(tmp_path: Path, engine: Engine) -> None:
    source = write_csv(tmp_path / "in.csv", "text,match_text,matched\n甲,乙,丙\n")
    answers = write_csv(tmp_path / "answers.csv", "text,matched\n甲,丁\n")
    run(engine, MatchWork(answers, VectorOptions(rerank=0)), source, tmp_path / "out.csv")
    (row,) = read(tmp_path / "out.csv")
    assert (row["text"], row["match_text"], row["matched"]) == ("甲", "乙", "丙")
    assert row["wenmo_matched"] == "true" and row["wenmo_match_matched"] == "丁"


@pytest.mark.parametrize("content", ["text\n", "text\n \n\n"])
def test_nothing_to_match_with(tmp_path: Path, engine: Engine, content: str) -> None:
    answers = write_csv(tmp_path / "answers.csv", content)
    summary = run(engine, MatchWork(answers, VectorOptions()), questions(tmp_path), tmp_path / "out.csv")
    assert summary.label_counts == {"unmatched": 3} and {row["matched"] for row in read(tmp_path / "out.csv")} == {
        "false",
        "",
    }


def test_refused(tmp_path: Path, engine: Engine) -> None:
    answers, source = write_csv(tmp_path / "answers.csv", ANSWERS), questions(tmp_path)
    for work, says in (
        (MatchWork(answers, VectorOptions(answer_text="问题")), "--answer-text"),
        (MatchWork(answers, VectorOptions(text="问题")), "--text"),
        (MatchWork(tmp_path / "none.csv", VectorOptions()), "no file"),
        (MatchWork(answers, VectorOptions(threshold=1.5)), "--threshold"),
        (MatchWork(answers, VectorOptions(rerank=-1)), "--rerank"),
        (DedupeWork(VectorOptions(threshold=0.0)), "--threshold"),
        (EmbedWork(VectorOptions(text="问题")), "--text"),
    ):
        with pytest.raises(InputError, match=says):
            run(engine, work, source, tmp_path / "out.csv")
    with pytest.raises(InputError, match="suffix"):
        run(engine, DedupeWork(VectorOptions()), source, tmp_path / "out.npy")
    (tmp_path / "folder").mkdir()
    for name in ("a.csv", "b.csv"):
        write_csv(tmp_path / "folder" / name, ANSWERS)
    with pytest.raises(InputError, match="within one file"):
        run(engine, DedupeWork(VectorOptions()), tmp_path / "folder", tmp_path / "out")


def test_dedupe_says_what_the_engine_says(tmp_path: Path, engine: Engine) -> None:
    draw = random.Random(0)
    texts = ["".join(draw.choices("甲乙丙丁", k=draw.randint(1, 4))) for _ in range(300)]
    rows: list[dict[str, Any]] = [{"text": text} for text in texts]
    rows[7] = {"text": None}
    source = write_jsonl(tmp_path / "in.jsonl", rows)
    for suffix in (".jsonl", ".parquet"):
        target = tmp_path / f"out{suffix}"
        summary = run(engine, DedupeWork(VectorOptions(threshold=0.99)), source, target, shard_rows=64)
        found = read(target)
        assert "No value" in found.pop(7)["error"]
        others = [text for index, text in enumerate(texts) if index != 7]
        number = [index + 1 for index in range(300) if index != 7]
        expected = engine.deduplicate(others, 0.99)
        assert [row["group"] for row in found] == [
            number[index if of is None else of] for index, of in enumerate(expected.duplicate_of)
        ]
        assert [row["duplicate"] for row in found] == [of is not None for of in expected.duplicate_of]
        assert summary.label_counts == {"kept": len(expected.kept), "duplicate": 299 - len(expected.kept)}


def test_embed(tmp_path: Path, engine: Engine) -> None:
    source = questions(tmp_path)
    for name in ("out.parquet", "out.npy", "out.csv"):
        run(engine, EmbedWork(VectorOptions()), source, tmp_path / name, shard_rows=2)
    import pyarrow as pa
    import pyarrow.parquet as pq

    expected = engine.embed(["忘记密码怎么办", "今天吃什么", "a"])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.schema.field("embedding").type == pa.list_(pa.float32())
    vectors = table.column("embedding").to_pylist()
    assert vectors[1:3] == [None, None]
    del vectors[1:3]
    assert np.allclose(vectors, expected, atol=1e-6)
    block = np.load(tmp_path / "out.npy")
    assert block.dtype == np.float32 and np.isnan(block[1:3]).all()
    assert np.allclose(np.delete(block, [1, 2], 0), expected, atol=1e-6)
    assert np.allclose(json.loads(read(tmp_path / "out.csv")[0]["embedding"]), expected[0], atol=1e-6)
    empty = write_jsonl(tmp_path / "empty.jsonl", [{"text": None}])
    run(engine, EmbedWork(VectorOptions()), empty, tmp_path / "empty.npy")
    assert np.load(tmp_path / "empty.npy").shape == (1, 0)


def test_stopped_while_it_compares(tmp_path: Path, engine: Engine) -> None:
    source = reviews(tmp_path / "in.jsonl", 200)

    def stop(progress: JobProgress) -> None:
        if progress.rows == progress.total_rows and progress.rows_per_s is None:
            raise KeyboardInterrupt

    work = DedupeWork(VectorOptions())
    with pytest.raises(KeyboardInterrupt):
        run(engine, work, source, tmp_path / "out.csv", progress=stop)
    with pytest.raises(InputError, match="resumed"):
        run(engine, DedupeWork(VectorOptions(threshold=0.5)), source, tmp_path / "out.csv", resume=True)
    assert run(engine, DedupeWork(VectorOptions()), source, tmp_path / "out.csv", resume=True).resumed_rows == 200


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")
@pytest.mark.parametrize("task", ["match", "dedupe", "embed"])
def test_killed_and_resumed(tmp_path: Path, task: str) -> None:
    from tests.forkserver import ForkServer

    rows, shard_rows, log = 600, 25, tmp_path / "log"
    source, answers = reviews(tmp_path / "in.jsonl", rows), reviews(tmp_path / "answers.jsonl", 80, seed=1)
    suffix = ".npy" if task == "embed" else ".parquet"
    whole, target = tmp_path / f"whole{suffix}", tmp_path / f"out{suffix}"
    more = [str(answers)] if task == "match" else []
    options = ["--model", GOLDEN_MODELS["similarity"], "--device", "cpu", "--precision", "fp32"]
    options += ["--shard-rows", str(shard_rows), "--rerank", "1"]
    draw = random.Random(task)

    def shards() -> int:
        return len(list(Path(f"{target}.partial").glob("*/*.note")))

    os.environ["WENMO_EMBEDDING_MODEL"] = GOLDEN_MODELS["embedding"]
    try:
        with ForkServer() as server:
            server.start("run", task, str(source), *more, str(whole), *options, output=log)
            assert server.wait() == 0, log.read_text()
            for moment in (1, 9):
                process = server.start("run", task, str(source), *more, str(target), *options, "--resume", output=log)
                until(lambda moment=moment: shards() >= moment, every_s=0.005)  # type: ignore[misc]
                time.sleep(draw.uniform(0, 0.02))
                os.kill(process, signal.SIGKILL)
                assert server.wait() == -signal.SIGKILL, log.read_text()
                assert not target.exists()
            server.start("run", task, str(source), *more, str(target), *options, "--resume", output=log)
            assert server.wait() == 0, log.read_text()
    finally:
        del os.environ["WENMO_EMBEDDING_MODEL"]
    assert json.loads(log.read_text().splitlines()[-1])["resumed_rows"] > 0
    assert target.read_bytes() == whole.read_bytes()
    errors = [Path(f"{path}.errors.jsonl").read_bytes() for path in (target, whole)]
    assert errors[0] == errors[1] != b""
    assert not Path(f"{target}.partial").exists()
