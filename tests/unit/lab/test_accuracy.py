from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from tests.fakes import LengthRuntime
from wenmo import Engine
from wenmo.__main__ import main
from wenmo.errors import InputError
from wenmo.evaluation.labelled import LabelledRows, labelled_rows
from wenmo.evaluation.metrics import wilson_interval
from wenmo.inference.runtime import OnBatch
from wenmo.lab.accuracy import AccuracyByPrecision, accuracy, read_labelled, sample_of
from wenmo.lab.configuration import Configuration
from wenmo.lab.findings import Findings
from wenmo.lab.presets import path, run_preset
from wenmo.lab.report import as_csv, as_html
from wenmo.models.checkpoint import Checkpoint
from wenmo.tokenizer import Encoding
from wenmo.types import Precision

FROM = {"fp32": 8, "fp16": 10, "int8": 11}  # tokens from which each fake says positive


class From(LengthRuntime):
    """Answers with the text's length, less what its precision starts from."""

    def __init__(self, checkpoint: Checkpoint, length: int) -> None:
        super().__init__(checkpoint)
        self.length = length

    def logits(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
        lengths = super().logits(encodings, on_batch=on_batch)[:, 0]
        return np.stack([np.zeros_like(lengths), lengths - 2 - self.length + 0.5], axis=1)  # [CLS] and [SEP]


def engine_in(precision: Precision) -> Engine:
    return Engine(
        device="cpu",
        precision=precision,
        cache_mib=0,
        make_runtime=lambda checkpoint: From(checkpoint, FROM[precision]),
    )


@pytest.fixture
def rows() -> LabelledRows:
    """Texts of 1 to 20 tokens; from 8 on they are positive, as the fake in fp32 says."""
    return labelled_rows([("好" * length, str(int(length >= 8))) for length in range(1, 21)], "sentiment")


@pytest.fixture
def found(rows: LabelledRows) -> AccuracyByPrecision:
    return accuracy(rows, ("fp32", "fp16", "int8"), engine_in)


def test_accuracy_and_changes_by_hand(found: AccuracyByPrecision) -> None:
    """fp16 begins two tokens later and so has two of 20 wrong, int8 three; nobody else's answers change."""
    exact, half, int8 = found.precisions
    assert exact.figures.accuracy == 1 and exact.changed is None and exact.native
    assert half.changed is not None and int8.changed is not None
    assert (half.changed.decisions, int8.changed.decisions) == (2, 3)
    assert half.figures.interval == wilson_interval(18, 20) and half.changed.share_interval == wilson_interval(2, 20)
    assert half.changed.difference.change == pytest.approx(-0.1)
    low, high = half.changed.difference.interval
    assert low < -0.1 < high
    assert found.majority == pytest.approx(13 / 20) and found.of("bf16") is None


def test_a_sample_that_is_all_right_still_has_an_interval(found: AccuracyByPrecision) -> None:
    """20 right of 20 prove no perfection, as a bootstrap would have it."""
    low, high = found.precisions[0].figures.interval
    assert low < 0.9 and high == 1


def test_every_row_is_told_of_and_who_leaves_stops(rows: LabelledRows) -> None:
    told: list[tuple[str, int, int]] = []
    accuracy(rows, ("fp32", "fp16"), engine_in, progress=lambda *now: told.append(now))
    assert told[-1] == ("fp16", 20, 20) and {name for name, _, _ in told} == {"fp32", "fp16"}

    def leave(precision: Precision, done: int, of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        accuracy(rows, ("fp32",), engine_in, progress=leave)


def test_a_file_is_of_pairs_where_its_columns_say_so(tmp_path: Path) -> None:
    pairs, texts = tmp_path / "pairs.csv", tmp_path / "texts.csv"
    words = [f"第{number}句" for number in range(20)]
    pairs.write_text("\n".join(["text_a,text_b,label", *(f"{w},{w}吗,{i % 2}" for i, w in enumerate(words))]), "utf-8")
    texts.write_text("\n".join(["id,评论,情绪", *(f"{i},{w},{i % 2}" for i, w in enumerate(words))]), "utf-8")
    assert read_labelled(pairs).task == "similarity"
    found = read_labelled(texts)
    assert (found.task, len(found), found.inputs[0]) == ("sentiment", 20, "第0句")
    (tmp_path / "neither.csv").write_text("x\n" + "1\n" * 20, "utf-8")
    with pytest.raises(InputError, match="lacks the columns"):
        read_labelled(tmp_path / "neither.csv")


def test_a_sample_of_many_rows_is_drawn_once_for_all(rows: LabelledRows) -> None:
    drawn = sample_of(rows, 10)
    assert len(drawn) == 10 and drawn.inputs == sample_of(rows, 10).inputs
    assert [len(text) for text in drawn.inputs] == sorted(len(text) for text in drawn.inputs)
    assert sample_of(rows, 20) is rows


def test_report_and_csv_tell_of_it(found: AccuracyByPrecision) -> None:
    small = Configuration(model="tiny", lengths=(32,))
    steps = tuple(run_preset(path(small, dataclasses.replace(small, precision="int8")), measured=False))
    told = Findings(steps=steps, accuracy=found, machine="m", day=date(2026, 1, 2))
    first, last = csv.DictReader(io.StringIO(as_csv(told)))
    assert (first["labelled_accuracy"], first["labelled_decisions_changed"]) == ("1.000000", "")
    assert (last["labelled_accuracy"], last["labelled_decisions_changed"]) == ("0.850000", "3")
    assert next(csv.DictReader(io.StringIO(as_csv(dataclasses.replace(told, accuracy=None)))))["labelled_rows"] == ""
    html = as_html(told, language="en")
    assert "18 / 20" in html and "2 (10.00%)" in html and "90.00% (69.90% – 97.21%)" in html


def test_the_command_answers_a_csv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The bundled similarity model on pairs that are the same, or of other things altogether."""
    lines = [f"怎么取消第{i}单,如何取消第{i}单,1\n怎么取消第{i}单,猫在窗台上睡觉{i},0" for i in range(10)]
    (tmp_path / "pairs.csv").write_text("\n".join(["text_a,text_b,label", *lines]), "utf-8")
    given = ["--configurations", '[{"model": "tiny"}]', "--predict-only", "--labelled", str(tmp_path / "pairs.csv")]
    assert main(["bench", "memory", *given]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])["accuracy"]
    assert (told["task"], told["n"]) == ("similarity", 20)
    assert [each["precision"] for each in told["precisions"]] == ["fp32", "fp16", "int8"]
    assert told["precisions"][0]["figures"]["accuracy"] > 0.9
