"""The share of tokens that the model does not know: in the result, over REST, in a file and in its summary."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

import wenmo
from tests.length_engine import run
from tests.tables import read, write_csv
from wenmo.api.routes import create_api

KNOWN, HALF, UNKNOWN = "很好", "好\U0001f9ff", "\U0001f9ff\U0001f9ff"  # the golden vocabulary has no amulet


@pytest.mark.parametrize(("text", "share"), [(KNOWN, 0), (HALF, 0.5), (UNKNOWN, 1), ("", 0), (HALF * 400, 0.5)])
def test_the_result_tells_the_share(golden_engine: wenmo.Engine, text: str, share: float) -> None:
    unknown = golden_engine.sentiment([text])[0].unknown
    tokens = golden_engine._models.get("sentiment").tokenizer.tokenize([text], limit=512)[0]
    unk = golden_engine._models.get("sentiment").tokenizer.unk_id
    assert unknown == pytest.approx(tokens.count(unk) / len(tokens) if tokens else 0, abs=0.01)
    assert (unknown > 0) is (share > 0)


def test_of_a_pair_both_texts_count_and_of_zero_shot_the_text_alone(golden_engine: wenmo.Engine) -> None:
    (pair,) = golden_engine.similarity([(UNKNOWN, KNOWN)])
    assert 0 < pair.unknown < 1
    for method in ("nli", "two_stage"):
        (same,) = golden_engine.zero_shot([KNOWN], labels=["甲", UNKNOWN], method=method)
        assert same.unknown == 0
        (other,) = golden_engine.zero_shot([UNKNOWN], labels=["甲", KNOWN], method=method)
        assert other.unknown == 1


def test_rest_tells_it_where_there_are_some(golden_engine: wenmo.Engine) -> None:
    with TestClient(create_api(lambda: golden_engine)) as client:
        known, unknown = client.post("/v1/sentiment", json={"texts": [KNOWN, UNKNOWN]}).json()["results"]
    assert "unknown" not in known and unknown["unknown"] == 1


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_a_job_counts_such_rows(golden_engine: wenmo.Engine, tmp_path: Path, suffix: str) -> None:
    source = write_csv(tmp_path / "in.csv", f"text\n{KNOWN}\n{UNKNOWN}\n")
    summary = run("sentiment", source, tmp_path / f"out{suffix}", engine=golden_engine)
    assert summary.files[0].unknown_rows == 1
    assert summary.files[0].notices[0].startswith("1 rows of in.csv have characters that the model does not know")
    rows = read(tmp_path / f"out{suffix}")
    assert [row.get("unknown") for row in rows] == ([None, 1.0] if suffix == ".jsonl" else [None, None])
