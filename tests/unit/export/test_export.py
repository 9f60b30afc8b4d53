"""Exported models give our own answers: by ONNX Runtime without torch, transformers and sentence-transformers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer, models
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from tests.conftest import GOLDEN, ROOT
from tests.transformers_models import TEXTS, classifier, edit, encoder, save
from wenmo import CheckpointError, DeviceError, Engine, InputError, ModelNotFoundError
from wenmo.__main__ import main
from wenmo.export import export as exporting
from wenmo.export.export import export
from wenmo.models.checkpoint import load_checkpoint
from wenmo.tasks.encode import encode_texts
from wenmo.tasks.table import TASKS

EMOTIONS = ["恐惧", "愤怒", "厌恶", "喜好", "悲伤", "高兴", "惊讶"]
BUNDLED = {spec.name: spec.bundled for spec in TASKS.values() if spec.bundled}
# From 2 to 512 tokens and repeated ones, so that there are batches of one and of many, with and without padding.
MANY = [*TEXTS, *("笔锋挺括，写小楷很顺手" * times for times in (1, 2, 3, 5, 8, 13, 60)), "好", "好"]
PAIRS = list(zip(MANY, reversed(MANY), strict=True))


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A model for each task: the bundled ones, and a small classifier with seven labels."""
    model = classifier(EMOTIONS)
    with torch.no_grad():
        model.classifier.weight.mul_(20)  # random weights give nearly the same answer to all texts
    return {**BUNDLED, "classify": str(save(model, tmp_path_factory.mktemp("emotions") / "model"))}


class Exports(dict[str, str]):
    """The folder of each task's ONNX file, written when it is first asked for."""

    def __init__(self, sources: Mapping[str, str], folder: Path) -> None:
        super().__init__()
        self._sources, self._folder = sources, folder

    def __missing__(self, task: str) -> str:
        done = export(self._sources[task], self._folder / task, to="onnx")
        assert done.largest_difference < 1e-4
        assert (done.task, done.precision, done.folder) == (task, "fp32", self._folder / task)
        self[task] = str(done.folder)
        return self[task]

    def all(self) -> dict[str, str]:
        return {task: self[task] for task in self._sources}


@pytest.fixture(scope="module")
def exported(sources: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Exports:
    return Exports(sources, tmp_path_factory.mktemp("onnx"))


@pytest.fixture(scope="module")
def engines(sources: Mapping[str, str], exported: Exports) -> Iterator[tuple[Engine, Engine]]:
    """The same models by ONNX Runtime and by torch."""
    with (
        Engine(runtime="onnx", models=exported.all(), cache_mib=0) as ours,
        Engine(device="cpu", precision="fp32", models=sources, cache_mib=0) as reference,
    ):
        yield ours, reference


@pytest.mark.parametrize("task", ["similarity", "sentiment", "classify", "zero_shot"])
def test_onnx_runtime_answers_as_torch_does(task: str, engines: tuple[Engine, Engine]) -> None:
    inputs: list[Any] = PAIRS if TASKS[task].inputs == "pair" else MANY
    # By name: auto asks the vectors, too, where the models are the bundled ones, and an exported one has another name.
    options = {"labels": "文化，体育，财经", "method": "ensemble"} if TASKS[task].takes_labels else {}
    answers = [engine.ask(task, inputs, **options) for engine in engines]
    for ours, reference in zip(*answers, strict=True):
        assert dict(ours.scores) == pytest.approx(dict(reference.scores), abs=1e-4)
        assert (ours.truncated, ours.unknown) == (reference.truncated, reference.unknown)
    assert len({round(answer.score, 3) for answer in answers[0]}) > 5  # they are no constants
    alone = [engine_answer for item in inputs[:3] for engine_answer in engines[0].ask(task, [item], **options)]
    for single, together in zip(alone, answers[0], strict=False):
        assert dict(single.scores) == pytest.approx(dict(together.scores), abs=1e-5)


def test_vectors_and_states_are_the_same(engines: tuple[Engine, Engine]) -> None:
    ours, reference = engines
    assert np.abs(ours.embed(MANY) - reference.embed(MANY)).max() < 1e-4
    pair = ("毛笔用完怎么清洗", "用过的毛笔要怎么洗")
    assert np.abs(np.array(ours.align(pair).cosines) - np.array(reference.align(pair).cosines)).max() < 1e-4
    assert ours.explain_sentiment("笔锋挺括").score == pytest.approx(
        reference.explain_sentiment("笔锋挺括").score, abs=1e-4
    )


def test_what_is_known_of_a_model_comes_along(engines: tuple[Engine, Engine]) -> None:
    ours, reference = engines
    for task in TASKS:
        own, original = ours.model_info(task), reference.model_info(task)
        for name in ("labels", "temperatures", "max_length", "parameters", "layers", "vector_size", "prompts"):
            assert getattr(own, name) == getattr(original, name), (task, name)
    assert (ours.device.value, ours.precision.value) == ("cpu", "fp32")


def test_a_job_by_onnx_runtime_is_repeatable(exported: Exports) -> None:
    """The same bits, whatever else is computed."""
    with Engine(runtime="onnx", models={"sentiment": exported["sentiment"]}, repeatable=True) as engine:
        first = engine.sentiment(MANY * 20)
        assert [result.logits for result in engine.sentiment(MANY * 20)] == [result.logits for result in first]


SERVED = """
import json, sys
from starlette.testclient import TestClient
from wenmo.__main__ import main
from wenmo.api.standalone import create_worker
from wenmo.settings import Settings

with TestClient(create_worker(Settings.read()), base_url="http://127.0.0.1") as client:
    def post(path, **body):
        answer = client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()
    label = post("/v1/sentiment", texts=["笔锋挺括，写小楷很顺手"])["results"][0]["label"]
    post("/v1/similarity", pairs=[["毛笔", "墨汁"]])
    post("/v1/classify", texts=["好"])
    post("/v1/zero-shot", texts=["展览延期"], labels=["文化", "体育"])
    post("/v1/embed", texts=["好"])
assert main(["run", "sentiment", sys.argv[1], sys.argv[2], "--text", "评论"]) == 0
print(json.dumps([label, sorted({"torch", "numba", "transformers"} & set(sys.modules))]))
"""


def test_a_server_and_a_job_load_no_torch(exported: Exports, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("评论\n笔锋挺括，写小楷很顺手\n墨汁一股怪味\n", encoding="utf-8")
    environment = {f"WENMO_{task.upper()}_MODEL": folder for task, folder in exported.all().items()}
    process = subprocess.run(
        [sys.executable, "-c", SERVED, str(tmp_path / "in.csv"), str(tmp_path / "out.csv")],
        cwd=tmp_path,
        env={**ENVIRONMENT, **environment, "WENMO_RUNTIME": "onnx"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout.splitlines()[-1]) == ["正面", []]
    assert len((tmp_path / "out.csv").read_text(encoding="utf-8-sig").splitlines()) == 3


def test_precisions_are_named_and_asked_for(sources: Mapping[str, str], exported: Exports, tmp_path: Path) -> None:
    for precision, tolerance in (("fp16", 5e-3), ("int8", 0.1)):
        done = export(sources["classify"], tmp_path / precision, to="onnx", precision=precision)
        assert 0 < done.largest_difference < tolerance
        model = {"classify": str(tmp_path / precision)}
        with Engine(runtime="onnx", models=model) as engine, pytest.raises(CheckpointError, match=f"is in {precision}"):
            engine.classify(["好"])
        with Engine(runtime="onnx", precision=precision, models=model) as engine:
            assert engine.classify(["好"])[0].label in EMOTIONS
    sizes = {path.parent.name: path.stat().st_size for path in tmp_path.glob("*/model.onnx")}
    assert sizes["fp16"] < 0.75 * (Path(exported["classify"]) / "model.onnx").stat().st_size


def test_all_of_a_vector_head_is_in_the_graph(tmp_path: Path) -> None:
    """Pooling of several kinds over the tokens that the mask leaves, a dense layer, normalisation; and back again."""
    torch.manual_seed(0)
    body = save(encoder(), tmp_path / "body")
    modules = [
        models.Transformer(str(body), max_seq_length=64),
        models.Pooling(32, pooling_mode=("mean", "cls", "max", "mean_sqrt_len_tokens")),
        models.Dense(128, 16, activation_function=torch.nn.Tanh()),
        models.Normalize(),
    ]
    SentenceTransformer(modules=modules, prompts={"query": "天气"}).save(str(tmp_path / "model"))
    for to in ("onnx", "sentence-transformers"):
        export(str(tmp_path / "model"), tmp_path / to, to=to)
    texts = [*TEXTS, "天气" * 100]
    expected = SentenceTransformer(str(tmp_path / "model"), device="cpu").encode(texts, prompt_name="query")
    again = SentenceTransformer(str(tmp_path / "sentence-transformers"), device="cpu").encode(
        texts, prompt_name="query"
    )
    assert np.abs(again - expected).max() < 1e-5
    with Engine(runtime="onnx", models={"embedding": str(tmp_path / "onnx")}) as engine:
        assert np.abs(engine.embed(texts, prompt_name="query") - expected).max() < 1e-4
    with pytest.raises(InputError, match="sentence-transformers"):
        export(str(tmp_path / "model"), tmp_path / "no", to="transformers")


def test_lower_case_before_all_else_and_vectors_of_a_classifier(tmp_path: Path) -> None:
    """That the tokens are the same is checked by the export itself."""
    folder = save(encoder(), tmp_path / "model", tokenizer_options={"do_lower_case": False})
    SentenceTransformer(modules=[models.Transformer(str(folder)), models.Pooling(32)]).save(str(tmp_path / "lower"))
    edit(tmp_path / "lower", "sentence_bert_config.json", do_lower_case=True)
    for source, to, task in (
        (tmp_path / "lower", "sentence-transformers", None),
        (tmp_path / "lower", "transformers", None),
        (GOLDEN / "sentiment", "sentence-transformers", "embedding"),
        (GOLDEN / "sentiment", "transformers", "embedding"),
    ):
        done = export(str(source), tmp_path / f"{source.name}-{to}", to=to, task=task)
        assert (done.task, done.largest_difference) == ("embedding", 0)


@pytest.mark.parametrize("task", ["similarity", "sentiment", "classify", "zero_shot"])
def test_transformers_opens_it(task: str, sources: Mapping[str, str], tmp_path: Path) -> None:
    done = export(sources[task], tmp_path / "out", to="transformers")
    assert done.largest_difference < 1e-6
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "out").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    pairs = TASKS[task].inputs == "pair" or TASKS[task].takes_labels
    inputs = tokenizer(
        *(zip(*PAIRS, strict=True) if pairs else [MANY]),
        padding=True,
        truncation=True,
        max_length=500,
        return_tensors="pt",
    )
    with torch.inference_mode():
        logits = model(**inputs).logits.numpy()
    with Engine(device="cpu", precision="fp32", models={task: sources[task]}) as engine:
        if TASKS[task].takes_labels:
            found = engine.nli(PAIRS)
        else:
            found = np.array([result.logits[0] for result in engine.ask(task, PAIRS if pairs else MANY)])
        assert list(model.config.id2label.values()) == list(engine.model_info(task).labels)
    short = [index for index, (first, second) in enumerate(PAIRS) if len(first) + (len(second) if pairs else 0) < 400]
    assert len(short) > 8
    assert np.abs(logits - found)[short].max() < 1e-5


def test_sentence_transformers_opens_it(sources: Mapping[str, str], tmp_path: Path) -> None:
    export(sources["embedding"], tmp_path / "out", to="sentence-transformers")
    with Engine(device="cpu", precision="fp32", models={"embedding": sources["embedding"]}) as engine:
        expected = engine.embed(MANY)
    assert np.abs(SentenceTransformer(str(tmp_path / "out"), device="cpu").encode(MANY) - expected).max() < 1e-5


def test_swapped_labels_given_names_and_a_tokenizer_json_alone(tmp_path: Path) -> None:
    """The exported order is that of the task, and names that somebody gave are its labels."""
    source = save(classifier(None, type_vocab_size=1), tmp_path / "model")
    edit(source, "tokenizer_config.json", model_input_names=["input_ids", "attention_mask"])
    (source / "vocab.txt").unlink(missing_ok=True)
    assert (source / "tokenizer.json").is_file()
    with Engine(device="cpu", models={"sentiment": source}, label_names={"sentiment": "正面,负面"}) as engine:
        expected = engine.sentiment(TEXTS)
    for to in ("onnx", "transformers"):
        done = export(str(source), tmp_path / to, to=to, label_names="正面,负面")
        assert done.task == "sentiment"
    assert json.loads((tmp_path / "onnx" / "config.json").read_text(encoding="utf-8"))["id2label"] == {
        "0": "负面",
        "1": "正面",
    }
    for options in (
        {"runtime": "onnx", "models": {"sentiment": tmp_path / "onnx"}},
        {"models": {"sentiment": tmp_path / "transformers"}},
    ):
        with Engine(device="cpu", **options) as engine:
            for ours, reference in zip(engine.sentiment(TEXTS), expected, strict=True):
                assert ours.scores == pytest.approx(dict(reference.scores), abs=1e-4)
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "transformers").eval()
    encoded = AutoTokenizer.from_pretrained(tmp_path / "transformers")(TEXTS[0], return_tensors="pt")
    with torch.inference_mode():
        assert model(**encoded).logits[0].tolist() == pytest.approx(expected[0].logits[0], abs=1e-5)


def test_what_differs_is_refused_and_leaves_nothing(
    sources: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = exporting._write

    def damaged(checkpoint: Any, folder: Path, **options: Any) -> None:
        whole(checkpoint, folder, **options)
        weights = load_file(folder / "model.safetensors")
        weights["classifier.bias"] += torch.arange(7) * 0.01
        save_file(weights, folder / "model.safetensors")

    monkeypatch.setattr(exporting, "_write", damaged)
    with pytest.raises(CheckpointError, match=r"differ from ours by 0\.0"):
        export(sources["classify"], tmp_path / "out", to="transformers")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"to": "tflite"}, "Unknown form 'tflite'"),
        ({"to": "transformers", "precision": "int8"}, "fp32, fp16, not in int8"),
        ({"to": "onnx", "precision": "bf16"}, "not in bf16"),
        ({"to": "sentence-transformers"}, "--task embedding"),
    ],
)
def test_what_cannot_be_written(options: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        export(str(GOLDEN / "sentiment"), tmp_path / "out", **options)  # type: ignore[arg-type]
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError, match="exists already"):
        export(str(GOLDEN / "sentiment"), tmp_path / "there", to="transformers")


def test_the_runtimes_tell_each_others_files(exported: Exports, tmp_path: Path) -> None:
    with (
        Engine(device="cpu", models={"sentiment": exported["sentiment"]}) as engine,
        pytest.raises(CheckpointError, match="WENMO_RUNTIME=onnx"),
    ):
        engine.sentiment(["好"])
    with Engine(
        runtime="onnx", models={"sentiment": GOLDEN / "sentiment", "embedding": exported["sentiment"]}
    ) as engine:
        with pytest.raises(CheckpointError, match="wenmo export"):
            engine.sentiment(["好"])
        with pytest.raises(CheckpointError, match="--task embedding"):
            engine.embed(["好"])
        with pytest.raises(ModelNotFoundError, match="wenmo export wenmo-similarity"):
            engine.similarity([("好", "坏")])
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in Path(exported["sentiment"]).iterdir():
        (broken / path.name).write_bytes(path.read_bytes()[: 4000 if path.suffix == ".onnx" else None])
    with (
        Engine(runtime="onnx", models={"sentiment": broken}) as engine,
        pytest.raises(CheckpointError, match="Export the model"),
    ):
        engine.sentiment(["好"])


def test_what_an_engine_cannot_be() -> None:
    with pytest.raises(InputError, match="Unknown runtime"):
        Engine(runtime="tensorflow")  # type: ignore[arg-type]
    with pytest.raises(DeviceError, match="bf16"):
        Engine(runtime="onnx", precision="bf16")
    with pytest.raises(DeviceError, match="no provider for cuda:1"):
        Engine(runtime="onnx", device="cuda:1")
    with pytest.raises(DeviceError, match="Unknown device"):
        Engine(runtime="onnx", device="tpu")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "export",
        str(GOLDEN / "sentiment"),
        str(tmp_path / "out"),
        "--to",
        "transformers",
        "--precision",
        "fp16",
    ]
    assert main(arguments) == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (figures["task"], figures["to"], figures["precision"]) == ("sentiment", "transformers", "fp16")
    assert figures["largest_difference"] < 5e-3
    checkpoint = load_checkpoint(tmp_path / "out")
    assert {str(tensor.dtype) for tensor in checkpoint.weights.values()} == {"torch.float16"}
    assert encode_texts(checkpoint.tokenizer, TEXTS, max_length=64)
    assert main(arguments) == 2
    assert "exists already" in capsys.readouterr().err


ENVIRONMENT = {"PATH": "", "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
