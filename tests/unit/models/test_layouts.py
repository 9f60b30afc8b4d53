"""Checkpoints in transformers' layout: the same answers as transformers, whatever the order of the labels' ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertForMaskedLM, BertForNextSentencePrediction, BertForPreTraining, BertForTokenClassification

from tests import transformers_models as tiny
from tests.transformers_models import PAIRS, TEXTS, classifier, config, edit, encoder, save
from wenmo import CheckpointError, Engine, InputError
from wenmo.models.description import describe
from wenmo.types import SentimentResult

CLOSE = {"abs": 1e-5}


def engine_on(task: str, folder: Path, tmp_path: Path, **options: Any) -> Engine:
    return Engine(
        device="cpu", precision="fp32", models={task: folder}, models_folder=tmp_path / "own", cache_mib=0, **options
    )


def assert_same(results: list[Any], expected: list[dict[str, float]]) -> None:
    for result, theirs in zip(results, expected, strict=True):
        assert result.scores == pytest.approx(theirs, **CLOSE)


@pytest.mark.parametrize("labels", [("消极", "积极"), ("积极", "消极"), ("Positive", "NEGATIVE"), ("差评", "好评")])
def test_sentiment_in_either_order(labels: tuple[str, str], tmp_path: Path) -> None:
    folder = save(classifier(labels), tmp_path / "model")
    expected = tiny.probabilities(folder, TEXTS)
    with engine_on("sentiment", folder, tmp_path) as engine:
        results = engine.sentiment(TEXTS)
    assert_same(results, expected)
    positive = next(label for label in labels if label in ("积极", "Positive", "好评"))
    assert [result.positive for result in results] == pytest.approx([each[positive] for each in expected], **CLOSE)


def test_similarity_in_either_order(tmp_path: Path) -> None:
    folder = save(classifier(("similar", "not similar")), tmp_path / "model")
    expected = tiny.probabilities(folder, PAIRS)
    with engine_on("similarity", folder, tmp_path) as engine:
        results = engine.similarity(PAIRS)
    assert_same(results, expected)
    assert [result.similarity for result in results] == pytest.approx([each["similar"] for each in expected], **CLOSE)


NLI_WORDS = {"en": ("entailment", "neutral", "contradiction"), "zh": ("蕴含", "中立", "矛盾")}


@pytest.mark.parametrize("words", NLI_WORDS.values(), ids=NLI_WORDS)
@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_zero_shot_by_nli_in_any_order(order: tuple[int, ...], words: tuple[str, ...], tmp_path: Path) -> None:
    _holds_for_nli(tuple(words[index] for index in order), entailment=words[0], against=words[2], tmp_path=tmp_path)


@pytest.mark.parametrize(
    "labels", [("entailment", "not_entailment"), ("not-entailment", "entailment"), ("不蕴含", "蕴含")]
)
def test_zero_shot_by_nli_of_two_classes(labels: tuple[str, str], tmp_path: Path) -> None:
    entailment = next(label for label in labels if label in ("entailment", "蕴含"))
    against = next(label for label in labels if label != entailment)
    _holds_for_nli(labels, entailment=entailment, against=against, tmp_path=tmp_path)


def _holds_for_nli(labels: tuple[str, ...], *, entailment: str, against: str, tmp_path: Path) -> None:
    folder = save(classifier(labels), tmp_path / "model")
    asked = ["美食", "天气", "体育"]
    theirs = {
        (text, label): dict(zip(labels, row, strict=True))
        for text in TEXTS
        for label, row in zip(asked, tiny.logits(folder, [(text, label) for label in asked]), strict=True)
    }
    with engine_on("zero_shot", folder, tmp_path) as engine:
        single = engine.zero_shot(TEXTS, labels=asked)
        several = engine.zero_shot(TEXTS, labels=asked, multi_label=True)
        assert engine.model_info("zero_shot").labels[0] == entailment
        assert engine.nli(PAIRS).shape == (len(PAIRS), len(labels))
        explained = engine.explain_zero_shot(TEXTS[0], labels=asked, multi_label=True)
        assert explained.label == several[0].label
    for text, one, many in zip(TEXTS, single, several, strict=True):
        entailed = torch.tensor([float(theirs[text, label][entailment]) for label in asked])
        opposed = torch.tensor([float(theirs[text, label][against]) for label in asked])
        assert one.scores == pytest.approx(dict(zip(asked, entailed.softmax(0).tolist(), strict=True)), **CLOSE)
        alone = torch.sigmoid(entailed - opposed)
        assert many.scores == pytest.approx(dict(zip(asked, alone.tolist(), strict=True)), **CLOSE)


def test_labels_that_say_nothing_are_asked_for_and_remembered(tmp_path: Path) -> None:
    folder = save(classifier(None), tmp_path / "model")
    assert describe(folder).needs_label_names
    with engine_on("sentiment", folder, tmp_path) as engine, pytest.raises(CheckpointError, match="label_names"):
        engine.sentiment(TEXTS)
    expected = tiny.probabilities(folder, TEXTS)
    named: list[list[SentimentResult]] = []
    for given in ({"label_names": {"sentiment": "positive，negative"}}, {}):
        with engine_on("sentiment", folder, tmp_path, **given) as engine:
            named.append(engine.sentiment(TEXTS))
    assert named[0] == named[1]
    assert [each.positive for each in named[0]] == pytest.approx([each["LABEL_0"] for each in expected], **CLOSE)
    with engine_on("sentiment", folder, tmp_path, label_names={"sentiment": ["负面", "正面"]}) as engine:
        assert engine.sentiment(TEXTS)[0].positive == pytest.approx(expected[0]["LABEL_1"], **CLOSE)


@pytest.mark.parametrize(
    ("names", "error"),
    [
        ("a", InputError),
        ("a,a", InputError),
        ("a,,b", InputError),
        ("a,b,c", CheckpointError),
        ("a,b", CheckpointError),
    ],
)
def test_names_that_do_not_fit_are_refused(names: str, error: type[Exception], tmp_path: Path) -> None:
    folder = save(classifier(None), tmp_path / "model")
    with pytest.raises(error), engine_on("sentiment", folder, tmp_path, label_names={"sentiment": names}) as engine:
        engine.sentiment(TEXTS)


def test_label2id_left_at_its_default_does_not_matter(tmp_path: Path) -> None:
    folder = save(classifier(("正面", "负面")), tmp_path / "model")
    edit(folder, "config.json", label2id={"LABEL_0": 0, "LABEL_1": 1})
    with engine_on("sentiment", folder, tmp_path) as engine:
        assert engine.model_info("sentiment").labels == ("负面", "正面")


def _with_vocabulary(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_bytes(tiny.VOCABULARY.read_bytes())


def _as_bin(folder: Path) -> None:
    from safetensors.torch import load_file

    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def _as_bins(folder: Path) -> None:
    import json

    from safetensors.torch import load_file

    weights = load_file(folder / "model.safetensors")
    halves = {name: f"pytorch_model-0000{index % 2 + 1}-of-00002.bin" for index, name in enumerate(weights)}
    for file in set(halves.values()):
        torch.save({name: weights[name] for name in weights if halves[name] == file}, folder / file)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": halves}), encoding="utf-8")
    (folder / "model.safetensors").unlink()


def _bare_names(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    renamed = {name.replace("classifier.", "classifier.1."): tensor for name, tensor in weights.items()}
    save_file(renamed, folder / "model.safetensors")


FORMS: Mapping[str, tuple[dict[str, Any], dict[str, Any], Callable[[Path], None]]] = {
    "tokenizer.json alone": ({}, {}, lambda folder: None),
    "vocab.txt": ({}, {}, _with_vocabulary),
    "cased": ({}, {"do_lower_case": False}, lambda folder: None),
    "cased, vocab.txt": ({}, {"do_lower_case": False}, _with_vocabulary),
    "accents kept": ({}, {"strip_accents": False}, lambda folder: None),
    "accents kept, vocab.txt": ({}, {"strip_accents": False}, _with_vocabulary),
    "Chinese not split, vocab.txt": ({}, {"tokenize_chinese_chars": False}, _with_vocabulary),
    "sharded": ({"max_shard_size": "20KB"}, {}, lambda folder: None),
    "pytorch_model.bin": ({}, {}, _as_bin),
    "sharded bins": ({}, {}, _as_bins),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_the_files(form: str, tmp_path: Path) -> None:
    options, tokenizer_options, change = FORMS[form]
    folder = save(classifier(("负面", "正面")), tmp_path / "model", tokenizer_options=tokenizer_options, **options)
    expected = tiny.probabilities(folder, TEXTS)
    assert form != "sharded" or len(list(folder.glob("model-*.safetensors"))) > 1
    change(folder)
    with engine_on("sentiment", folder, tmp_path) as engine:
        assert_same(engine.sentiment(TEXTS), expected)


def test_a_classifier_in_a_sequence_with_dropout(tmp_path: Path) -> None:
    folder = save(classifier(("负面", "正面")), tmp_path / "model")
    expected = tiny.probabilities(folder, TEXTS)
    _bare_names(folder)
    with engine_on("sentiment", folder, tmp_path) as engine:
        assert_same(engine.sentiment(TEXTS), expected)


def test_half_precision_files(tmp_path: Path) -> None:
    folder = save(classifier(("负面", "正面")).half(), tmp_path / "model")
    expected = tiny.probabilities(folder, TEXTS)  # computed in float32 from the same halves
    with engine_on("sentiment", folder, tmp_path) as engine:
        assert_same(engine.sentiment(TEXTS), expected)


@pytest.mark.parametrize(
    "change",
    [
        {"hidden_act": "gelu_new"},
        {"hidden_act": "relu"},
        {"layer_norm_eps": 1e-5},
        {"max_position_embeddings": 12},
        {"type_vocab_size": 3},
        {"num_hidden_layers": 1},
    ],
    ids=str,
)
def test_what_config_says_is_honoured(change: dict[str, Any], tmp_path: Path) -> None:
    folder = save(classifier(("不同", "相同"), **change), tmp_path / "model")
    pairs = [("天气好", "不错"), ("短", "天气")]
    expected = tiny.probabilities(folder, pairs)
    with engine_on("similarity", folder, tmp_path) as engine:
        assert_same(engine.similarity(pairs), expected)
        long = engine.similarity([("天气" * 300, "好")])[0]
        assert long.truncated
        assert engine.model_info("similarity").max_length == min(512, change.get("max_position_embeddings", 512))


def test_model_max_length_of_the_tokenizer(tmp_path: Path) -> None:
    folder = save(classifier(("负面", "正面")), tmp_path / "model", tokenizer_options={"model_max_length": 40})
    with engine_on("sentiment", folder, tmp_path) as engine:
        assert engine.model_info("sentiment").max_length == 40


def test_a_tokenizer_without_token_types(tmp_path: Path) -> None:
    options = {"model_input_names": ["input_ids", "attention_mask"]}
    folder = save(classifier(("不同", "相同")), tmp_path / "model", tokenizer_options=options)
    edit(folder, "tokenizer_config.json", **options)
    expected = tiny.probabilities(folder, PAIRS)
    with engine_on("similarity", folder, tmp_path) as engine:
        assert_same(engine.similarity(PAIRS), expected)


def test_a_single_token_type_serves_pairs_and_texts(tmp_path: Path) -> None:
    folder = save(classifier(("负面", "正面"), type_vocab_size=1), tmp_path / "model")
    expected = tiny.probabilities(folder, TEXTS)
    with engine_on("sentiment", folder, tmp_path) as engine:
        assert_same(engine.sentiment(TEXTS), expected)


def test_a_head_without_pooler(tmp_path: Path) -> None:
    """A class of somebody's own: a linear layer on the state of [CLS]."""
    torch.manual_seed(0)
    body, head = encoder(), torch.nn.Linear(32, 2)
    weights = {f"bert.{name}": each for name, each in body.state_dict().items() if not name.startswith("pooler.")}
    weights |= {f"classifier.{name}": each.detach() for name, each in head.state_dict().items()}
    folder = save(classifier(("负面", "正面")), tmp_path / "model")
    from safetensors.torch import save_file

    save_file(weights, folder / "model.safetensors")
    with engine_on("sentiment", folder, tmp_path) as engine, pytest.raises(CheckpointError, match="pooler"):
        engine.sentiment(TEXTS)
    edit(folder, "config.json", architectures=["MyBertClassifier"])
    encoded = [tiny.tokenizer()(text, return_tensors="pt") for text in TEXTS]
    with torch.inference_mode():
        expected = torch.cat([head(body(**each).last_hidden_state[:, 0]) for each in encoded]).softmax(-1)
    with engine_on("sentiment", folder, tmp_path) as engine:
        results = engine.sentiment(TEXTS)
    assert [each.positive for each in results] == pytest.approx(expected[:, 1].tolist(), **CLOSE)


def test_next_sentence_prediction_as_a_classifier(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = BertForNextSentencePrediction(config()).eval()
    folder = save(model, tmp_path / "model")
    encoded = [tiny.tokenizer()(*pair, return_tensors="pt") for pair in PAIRS]
    with torch.inference_mode():
        expected = torch.cat([model(**each).logits for each in encoded]).softmax(-1)
    with engine_on("similarity", folder, tmp_path, label_names={"similarity": "相似,不相似"}) as engine:
        results = engine.similarity(PAIRS)
    assert [each.similarity for each in results] == pytest.approx(expected[:, 0].tolist(), **CLOSE)


@pytest.mark.parametrize("kind", [None, BertForMaskedLM, BertForPreTraining], ids=["encoder", "mlm", "pretraining"])
def test_vectors_of_an_encoder_are_means(kind: Any, tmp_path: Path) -> None:
    model = encoder() if kind is None else kind(config()).eval()
    folder = save(model, tmp_path / "model")
    body = model if kind is None else model.bert
    encoded = [tiny.tokenizer()(text, return_tensors="pt") for text in TEXTS]
    with torch.inference_mode():
        expected = torch.cat([body(**each).last_hidden_state.mean(1) for each in encoded])
    with engine_on("embedding", folder, tmp_path) as engine:
        assert np.allclose(engine.embed(TEXTS), expected.numpy(), atol=1e-5)
    with engine_on("sentiment", folder, tmp_path) as engine, pytest.raises(CheckpointError, match="no classifier"):
        engine.sentiment(TEXTS)


def test_a_classifier_with_labels_that_say_nothing_makes_vectors(tmp_path: Path) -> None:
    folder = save(classifier(None), tmp_path / "model")
    with engine_on("embedding", folder, tmp_path) as engine:
        assert engine.embed(TEXTS).shape == (len(TEXTS), 32)


REFUSED: Mapping[str, tuple[dict[str, Any], str]] = {
    "XLM-R": ({"model_type": "xlm-roberta", "architectures": ["XLMRobertaForSequenceClassification"]}, "XLM-RoBERTa"),
    "DeBERTa": ({"model_type": "deberta-v2", "architectures": ["DebertaV2Model"]}, "DeBERTa"),
    "ModernBERT": ({"model_type": "modernbert", "architectures": ["ModernBertModel"]}, "ModernBERT"),
    "Qwen": ({"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"]}, "Qwen2, a generative"),
    "unknown": ({"model_type": "brand-new", "architectures": ["BrandNew"]}, "brand-new"),
    "tokens": ({"architectures": ["BertForTokenClassification"]}, "labels each token"),
    "answers": ({"architectures": ["BertForQuestionAnswering"]}, "marks an answer"),
    "decoder": ({"architectures": ["BertLMHeadModel"]}, "generates text"),
    "regression": ({"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}, "regression"),
    "multi-label": ({"problem_type": "multi_label_classification"}, "multi_label"),
    "relative positions": ({"position_embedding_type": "relative_key"}, "position_embedding_type"),
    "no architecture": ({"architectures": None}, "architectures"),
    "twice one name": ({"id2label": {"0": "好", "1": "好"}}, "id2label"),
    "a gap": ({"id2label": {"0": "好", "2": "坏"}}, "id2label"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_is_named_with_what_would_fit(case: str, tmp_path: Path) -> None:
    changes, says = REFUSED[case]
    folder = save(classifier(("负面", "正面")), tmp_path / "model")
    edit(folder, "config.json", **changes)
    with pytest.raises(CheckpointError, match=says) as caught:
        describe(folder)
    if changes.get("architectures"):
        assert "iic/" in str(caught.value) and "iic/" in caught.value.text("zh")


def test_weights_of_another_head_are_refused(tmp_path: Path) -> None:
    torch.manual_seed(0)
    folder = save(BertForTokenClassification(config(id2label={0: "负面", 1: "正面"})), tmp_path / "model")
    edit(folder, "config.json", architectures=["BertForSequenceClassification"])
    with (
        engine_on("sentiment", folder, tmp_path) as engine,
        pytest.raises(CheckpointError, match=r"Missing: bert\.pooler"),
    ):
        engine.sentiment(TEXTS)


@pytest.mark.parametrize("file", ["../elsewhere.safetensors", "/etc/passwd", "", 3])
def test_an_index_that_leads_elsewhere_is_refused(file: object, tmp_path: Path) -> None:
    import json

    folder = save(classifier(("负面", "正面")), tmp_path / "model")
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"x": file}}), encoding="utf-8")
    with engine_on("sentiment", folder, tmp_path) as engine, pytest.raises(CheckpointError, match="weight_map"):
        engine.sentiment(TEXTS)
