"""That the benchmark compares like with like. Its times are never asserted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wenmo import InputError
from wenmo.__main__ import main
from wenmo.lab import throughput as bench
from wenmo.models.shape import BertShape
from wenmo.tokenizer import Encoding


def test_operations_by_hand() -> None:
    """One layer of H = 2, I = 3: 4*4 + 2*2*3 = 28 weights; three tokens: 84 products, and 9 pairs of tokens * 2 * 2."""
    shape = BertShape(
        vocab_size=5,
        hidden_size=2,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=3,
        max_position_embeddings=8,
        type_vocab_size=2,
    )
    encoding = Encoding(input_ids=(1, 2, 3), segment_b=0, truncated=False)
    assert bench.operations([encoding], shape) == 2 * (84 + 36)
    assert bench.operations([encoding, encoding], shape) == 4 * (84 + 36)


def test_a_peer_is_held_against_ours() -> None:
    """A contestant that answers something else shows in the report; one that cannot answer is left out."""
    texts = bench.invented_reviews(6)

    def pairs_alone(items: bench.Items) -> np.ndarray:
        raise NotImplementedError("reads pairs")

    report = bench.throughput(
        shape="bundled",
        items=texts,
        device="cpu",
        precision="fp32",
        rounds=1,
        peers={
            "zeros": lambda folder: lambda items: np.zeros((len(items), 2), dtype=np.float32),
            "pairs": lambda folder: pairs_alone,
        },
        export=lambda checkpoint, folder: None,
    )
    ours, zeros = report.figures
    assert (ours.name, ours.largest_difference) == ("wenmo fp32", 0.0)
    assert zeros.largest_difference > 0.01
    assert ours.decisions_changed == 0 and zeros.decisions_changed > 0
    assert bench.headline(report) == ""  # no peer decides as ours does
    same = replace(report, figures=(ours, replace(zeros, decisions_changed=0.0, items_per_s=ours.items_per_s / 2)))
    assert "2.00 times zeros" in bench.headline(same) and bench.headline(same) in bench.table(same)
    assert set(report.ratios) == {"zeros"} and report.weights == "bundled"
    assert report.tokens > 6 * 50


def test_invented_reviews_are_always_the_same() -> None:
    texts = bench.invented_reviews(30)
    assert texts == bench.invented_reviews(30)
    assert all(50 <= len(text) <= 500 for text in texts) and len(set(texts)) == 30


def test_other_sizes_have_random_weights() -> None:
    checkpoint = bench.checkpoint_of("base")
    assert checkpoint.shape.num_hidden_layers == 12
    assert 95e6 < checkpoint.parameters < 110e6  # BERT base in Chinese: 102 million


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pq.write_table(pa.table({"text_a": ["今天下雨", "好"], "text_b": ["今天有雨", "坏"]}), tmp_path / "pairs.parquet")
    options = ["--texts", str(tmp_path / "pairs.parquet"), "--device", "cpu", "--precision", "fp32"]
    assert main(["bench", "throughput", *options, "--rounds", "1", "--out", str(tmp_path / "out.json")]) == 0
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert report == json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert (report["items"], report["shape"], report["weights"]) == (2, "bundled", "bundled")
    assert main(["bench", "latency", *options]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["figures"][0]["p50_ms"] > 0
    assert main(["bench", "throughput", *options, "--against", "abacus"]) == 2
    assert "abacus" in capsys.readouterr().err


def test_files_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Cannot read"):
        bench.read_items(tmp_path / "none.parquet", 5)
    pq.write_table(pa.table({"other": ["x"]}), tmp_path / "other.parquet")
    with pytest.raises(InputError, match="text_a"):
        bench.read_items(tmp_path / "other.parquet", 5)
