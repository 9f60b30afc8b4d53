"""A recipe: the TOML file from which `python -m recipes` makes the bundled models, and the stages that carry it out.

vocabulary -> encoder (a pretrained one, adapted) -> one fine-tuning a task -> a folder in ModelScope's layout each.
Every stage keeps its state in the work folder, so that a run goes on where it was stopped.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
import torch
from transformers import BertConfig, BertForSequenceClassification

from recipes import contrastive, data_pack, distillation, e5, mixtures, open_labels, start, vocabulary
from recipes.calibrate import calibrate, calibrate_ensemble
from wenmo.adapt import dataset, objectives
from wenmo.adapt.export import export_checkpoint
from wenmo.adapt.training_loop import Schedule, load_finished, train
from wenmo.errors import InputError
from wenmo.tasks.table import TASKS
from wenmo.tokenizer import PIPELINE_FILE, SPECIAL_TOKENS, Tokenizer
from wenmo.types import TaskName

STAGES = ("vocabulary", "encoder", "similarity", "sentiment", "zero_shot", "embedding")
_HELD_OUT_TEXTS = 256  # of the running text, on which the encoder is compared with its teacher
_DEV_ROWS = 1500  # enough for a progress figure; more would take minutes each time


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The sections of the file: the fields of Schedule, and what `Run` takes out of them."""

    vocabulary: dict[str, Any]
    encoder: dict[str, Any]
    similarity: dict[str, Any]
    sentiment: dict[str, Any]
    zero_shot: dict[str, Any]
    embedding: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> Recipe:
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(
                f"Cannot read the recipe {path}: {error}. Check the path.",
                f"无法读取配方 {path}：{error}。请检查路径。",
            ) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(
                f"{path} is not valid TOML: {error}. Correct it.", f"{path} 不是有效的 TOML：{error}。请更正。"
            ) from None
        wanted = {field.name for field in fields(cls)}
        if set(content) != wanted:
            raise InputError(
                f"{path} must have exactly the sections {sorted(wanted)}; it has {sorted(content)}.",
                f"{path} 必须恰好包含这些小节：{sorted(wanted)}；现有：{sorted(content)}。",
            )
        return cls(**content)


class Run:
    """One recipe on one data pack, with its work folder."""

    def __init__(
        self,
        recipe: Recipe,
        *,
        data_folder: Path,
        work: Path,
        out: Path,
        log: Callable[[str], None] = print,
        max_steps: int | None = None,
    ) -> None:
        self._recipe = recipe
        self._data = data_folder
        self._work = work
        self._out = out
        self._log = log
        self._max_steps = max_steps

    def stage(self, name: str) -> None:
        """Carry out one of STAGES; the ones before it must have been."""
        if name == "vocabulary":
            self._make_vocabulary()
        elif name == "encoder":
            self._adapt_encoder()
        elif name in TASKS:
            self._finetune(name)
        else:
            raise InputError(
                f"There is no stage {name!r}. Choose from {', '.join(STAGES)}.",
                f"没有名为 {name!r} 的阶段。可选：{'、'.join(STAGES)}。",
            )

    # --- vocabulary ---

    def _make_vocabulary(self) -> None:
        if (self._work / PIPELINE_FILE).is_file():
            return
        section = dict(self._recipe.vocabulary)
        left_out = section.pop("without")
        texts = data_pack.running_texts(self._data, dict.fromkeys(left_out, 0.0), seed=0)
        aliases = vocabulary.simplified_characters()
        emoji = vocabulary.frequent_emoji(self._e5.pieces)
        tokens = vocabulary.build(texts, emoji=emoji, aliases=aliases, **section)
        vocabulary.write(tokens, aliases, self._work)
        self._log(f"vocabulary: {len(tokens)} tokens")

    @cached_property
    def _e5(self) -> e5.E5:
        return e5.read(e5.installed())

    # --- the encoder ---

    def _adapt_encoder(self) -> None:
        self._make_vocabulary()
        section = dict(self._recipe.encoder)
        layers: list[int] = section.pop("layers")
        shares: dict[str, float] = section.pop("shares", {})
        most, max_length = int(section.pop("texts")), int(section.pop("max_length"))
        weights = {name: section.pop(name) for name in ("vector", "restore")}
        schedule = _schedule(section)
        student = distillation.Student(start.encoder(self._e5, vocabulary.read(self._work), layers))
        state_path = self._work / "encoder.pt"
        if load_finished(student, schedule, state_path):
            return
        texts = data_pack.running_texts(self._data, shares, seed=0)
        texts = [texts[row] for row in np.random.default_rng(0).permutation(len(texts))[:most]]
        tokenizer = tokenizers.Tokenizer.from_file(str(self._work / PIPELINE_FILE))
        simplified = {ord(one): other for one, other in vocabulary.simplified_characters().items()}
        aligned = distillation.align(texts, tokenizer, self._e5, limit=max_length - 2, simplified=simplified)
        held_out, learnt = aligned[:_HELD_OUT_TEXTS], aligned[_HELD_OUT_TEXTS:]
        teacher = self._e5.model(attn_implementation="eager").eval().requires_grad_(False)
        of_teacher = int(self._e5.config["num_hidden_layers"])
        compared = {number: round(number * of_teacher / len(layers)) for number in range(1, len(layers) + 1)}
        distiller = distillation.Distiller(
            student=student,
            teacher=teacher,
            standard=distillation.Standard(teacher, self._e5, held_out, list(compared.values())),
            compared=compared,
            pad=self._e5.pieces.index("<pad>"),
            mask_id=Tokenizer.from_folder(self._work).mask_id,
            special=len(SPECIAL_TOKENS),
        )
        train(
            student,
            schedule,
            distillation.distilling_steps(distiller, learnt, schedule, **weights),
            state_path=state_path,
            report=partial(distillation.held_out, distiller, held_out),
            log=self._log,
            max_steps=self._max_steps,
        )

    # --- fine-tuning ---

    def _finetune(self, task: TaskName) -> None:
        self._make_vocabulary()
        tokenizer = Tokenizer.from_folder(self._work)
        section = dict(getattr(self._recipe, task))
        start_from = str(section.pop("start_from"))
        max_length = int(section.pop("max_length"))
        dropout = float(section.pop("dropout", 0.0))
        mix = {name: section.pop(name) for name in ("times", "made", "topics", "open_labels") if name in section}
        schedule = _schedule(section)
        torch.manual_seed(1)
        model = BertForSequenceClassification(
            self._config(tokenizer, len(TASKS[task].label_names) or 2, dropout=dropout)
        )
        state_path = self._work / f"{task}.pt"
        if not load_finished(model, schedule, state_path):
            self._load_encoder(model, start_from)
            store = dataset.TokenStore(tokenizer, max_tokens=384)
            trainable = objectives.TrainableModel(
                model=model, store=store, tokenizer=tokenizer, max_length=max_length, label_smoothing=0.0
            )
            parts, dev = self._parts(task, store, mix)
            dev = dev.take(np.random.default_rng(0).permutation(len(dev))[:_DEV_ROWS])
            report = contrastive.held_out_auc if task == "embedding" else objectives.held_out_accuracy
            train(
                model,
                schedule,
                objectives.shuffled_steps(trainable, parts, schedule),
                state_path=state_path,
                report=partial(report, trainable, dev, batch_tokens=schedule.batch_tokens),
                log=self._log,
                max_steps=self._max_steps,
            )
        folder = self._out / task
        export_checkpoint(model, tokenizer, task, folder, quantized=True)
        temperatures = calibrate(folder, task, self._data)
        self._log(json.dumps({"stage": task, "written": str(folder), "calibration": temperatures}))
        both = (self._out / "zero_shot", self._out / "embedding")
        if folder in both and all(each.is_dir() for each in both):
            self._log(f"ensemble: temperature {calibrate_ensemble(*both, self._data)}")

    def _config(self, tokenizer: Tokenizer, labels: int, *, dropout: float) -> BertConfig:
        return self._e5.bert_config(
            vocab_size=tokenizer.vocab_size,
            num_hidden_layers=len(self._recipe.encoder["layers"]),
            num_labels=labels,
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=0.0,
            # Plain matrix products: on a CPU their backward pass is three times as fast as that of the fused kernel.
            attn_implementation="eager",
        )

    def _parts(
        self, task: TaskName, store: dataset.TokenStore, mix: Mapping[str, Any]
    ) -> tuple[list[objectives.Objective], dataset.Examples]:
        """What an epoch learns from, and the development examples."""
        times: dict[str, float] = mix.get("times", {})
        dev = self._data / task / "dev.parquet"
        if task == "sentiment":
            reviews = mixtures.sentiment(self._data, times=times, made=mix["made"], seed=1)
            return [reviews.objective(store, symmetric=False)], data_pack.sentiment_examples(dev, store)
        if task == "similarity":
            pairs = mixtures.similarity(self._data, times=times, made=mix["made"], seed=1)
            return [pairs.objective(store, symmetric=True)], data_pack.similarity_examples(dev, store)
        if task == "zero_shot":
            inferences = mixtures.inference(self._data, times=times)
            return [
                inferences.objective(store, symmetric=False),
                objectives.TopicObjective(groups=self._topic_groups(mix["topics"], store)),
                self._open_labels(mix["open_labels"], store),
            ], data_pack.nli_examples(self._data / "nli" / "dev.parquet", store)
        pairs = mixtures.sentence_pairs(self._data, times=times, made=mix["made"], seed=1)
        examples = pairs.examples(store)
        return [
            contrastive.ContrastiveBatches(draw=lambda rng: examples.take(pairs.drawn(rng))),
            contrastive.ContrastiveTopicBatches(groups=self._topic_groups(mix["topics"], store)),
        ], data_pack.similarity_examples(self._data / "similarity" / "dev.parquet", store)

    def _topic_groups(self, topics: Mapping[str, Any], store: dataset.TokenStore) -> dataset.TopicSampler:
        """Of the section `topics` of a stage. That of zero_shot has `wordings` and `moods`, for all."""
        common = self._recipe.zero_shot["topics"]
        sets, _ = data_pack.label_sets(self._data, store, wordings=common["wordings"], moods=common["moods"])
        given = {name: topics[name] for name in ("draw", "templates", "group") if name in topics}
        return dataset.TopicSampler(sets, store, **given)

    def _open_labels(self, section: Mapping[str, Any], store: dataset.TokenStore) -> open_labels.OpenLabels:
        options = dict(section)
        shares, most = options.pop("shares"), int(options.pop("texts"))
        texts = [text for text in data_pack.running_texts(self._data, shares, seed=1) if 4 <= len(text) <= 120]
        texts = [texts[row] for row in np.random.default_rng(1).permutation(len(texts))[:most]]
        return open_labels.OpenLabels.of(self._e5, texts, store, cache=self._work / "open-labels.npy", **options)

    def _load_encoder(self, model: BertForSequenceClassification, stage: str) -> None:
        """The encoder that `stage` ended with; the classifier starts anew."""
        path = self._work / f"{stage}.pt"
        if not path.is_file():
            raise InputError(
                f"The stage {stage!r} has not been run: {path} is missing. Run it first.",
                f"阶段 {stage!r} 尚未运行：缺少 {path}。请先运行它。",
            )
        trained = torch.load(path, weights_only=True, map_location="cpu")["module"]
        weights = {name: tensor for name, tensor in trained.items() if name.startswith("bert.")}
        problems = model.load_state_dict(weights, strict=False)
        assert not problems.unexpected_keys and all(key.startswith("classifier.") for key in problems.missing_keys)


def _schedule(section: dict[str, Any]) -> Schedule:
    try:
        return Schedule(**section)
    except TypeError as error:
        raise InputError(
            f"The recipe has a wrong or missing option: {error}. See recipes/bundled.toml.",
            f"配方中的选项有误或缺失：{error}。请参照 recipes/bundled.toml。",
        ) from None
