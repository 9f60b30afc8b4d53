"""A task that is described once is answered everywhere: by the engine, the command line, a file and REST.

docs/adding-a-task.md says what else a task of the project's own gets.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from fastapi.testclient import TestClient
from safetensors.torch import save_file

from tests.conftest import GOLDEN
from wenmo import Engine, InputError
from wenmo.__main__ import main
from wenmo.api.routes import create_api
from wenmo.evaluation.compare import distribution
from wenmo.models.shape import BertShape
from wenmo.models.weights import random_weights
from wenmo.tasks.spec import LabelRole, TaskSpec
from wenmo.tasks.table import TASKS, registered, row_tasks
from wenmo.types import Result

TEXTS = ["字迹工整", "纸太薄", "墨色温润"]
LABELS = ("请求", "陈述", "感叹")


@dataclass(frozen=True, kw_only=True)
class SpeechActResult(Result):
    """What a sentence does."""


SPEECH_ACT = TaskSpec(
    name="speech_act",
    title="Speech act",
    title_zh="言语行为",
    summary="What each sentence does: request, state, exclaim.",
    inputs="text",
    result=SpeechActResult,
    roles=tuple(
        LabelRole(key=key, name=name) for key, name in zip(("request", "state", "exclaim"), LABELS, strict=True)
    ),
    calibrations=("speech_act",),
    bundled="wenmo-speech-act",
    hub_task="speech-act",
)


@pytest.fixture
def model(tmp_path: Path) -> Iterator[Path]:
    """A small model of that task in ModelScope's layout, with random weights."""
    folder = tmp_path / "model"
    folder.mkdir()
    vocabulary = (GOLDEN / "sentiment" / "vocab.txt").read_text(encoding="utf-8")
    (folder / "vocab.txt").write_text(vocabulary, encoding="utf-8")
    sizes = {
        "vocab_size": len(vocabulary.splitlines()),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 64,
        "type_vocab_size": 2,
    }
    config = {"model_type": "structbert", "id2label": dict(enumerate(LABELS)), **sizes}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "configuration.json").write_text(json.dumps({"task": "speech-act"}), encoding="utf-8")
    weights = random_weights(BertShape(**sizes), labels=len(LABELS))
    weights["classifier.weight"] = torch.randn(3, 32, generator=torch.Generator().manual_seed(1))  # no ties
    save_file(weights, folder / "model.safetensors")
    with registered(SPEECH_ACT):
        yield folder


def test_a_described_task_is_answered_everywhere(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Engine(precision="fp32", models={"speech_act": model}) as engine:
        answers = engine.ask("speech_act", TEXTS)
        assert all(isinstance(answer, SpeechActResult) for answer in answers)
        assert set(answers[0].scores) == set(LABELS) and sum(answers[0].scores.values()) == pytest.approx(1)
        assert distribution(answers[0]) == answers[0].scores

        # REST, by the slug
        client = TestClient(create_api(lambda: engine))
        reply = client.post("/v1/speech-act", json={"texts": TEXTS}).json()
        assert [item["label"] for item in reply["results"]] == [answer.label for answer in answers]
        assert client.get("/openapi.json").json()["components"]["schemas"]["SpeechActItem"]["required"] == [
            "label",
            "score",
            "scores",
            "truncated",
        ]

    # a file, from the command line
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS), encoding="utf-8")
    assert main(["run", "speech-act", str(source), str(target), "--model", str(model), "--precision", "fp32"]) == 0
    rows = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert [row["label"] for row in rows] == [answer.label for answer in answers]
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["rows"] == len(TEXTS)


def test_outside_of_the_block_there_is_no_such_task(model: Path) -> None:
    assert SPEECH_ACT in row_tasks()
    with pytest.raises(InputError, match="already"), registered(SPEECH_ACT):
        pass
    assert TASKS["speech_act"] is SPEECH_ACT


def test_a_task_that_answers_no_rows_or_takes_no_options_says_so() -> None:
    engine = Engine(precision="fp32")
    for task, options, said in (("embedding", {}, "no answer"), ("sentiment", {"labels": ["好"]}, "takes no labels")):
        with pytest.raises(InputError, match=said):
            engine.ask(task, ["好"], **options)
    with pytest.raises(InputError, match="No such task"):
        engine.ask("mood", ["好"])
