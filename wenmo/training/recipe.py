"""A recipe: the TOML file from which `python -m wenmo train` makes a bundle, and the stages that carry it out.

vocabulary -> pretrain -> one fine-tuning a task -> a folder in ModelScope's layout each. Every stage keeps
its state in the work folder, so that a run goes on where it was stopped.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import BertConfig, BertForSequenceClassification

from wenmo.errors import InputError
from wenmo.inference.tokenizer import Tokenizer
from wenmo.training import data, finetune, pretrain, vocabulary
from wenmo.training.export import export_checkpoint
from wenmo.training.loop import Schedule, train
from wenmo.types import TASKS, TaskName

STAGES = ("vocabulary", "pretrain", *TASKS)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The sections of the file: `model` has BertConfig's fields, `vocabulary` the options of build_vocabulary.

    The others have those of Schedule and what `Run` takes out of them.
    """

    model: dict[str, Any]
    vocabulary: dict[str, Any]
    pretrain: dict[str, Any]
    similarity: dict[str, Any]
    sentiment: dict[str, Any]
    zero_shot: dict[str, Any]

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
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def stage(self, name: str) -> None:
        """Carry out one of STAGES; the ones before it must have been."""
        if name == "vocabulary":
            self._make_vocabulary()
        elif name == "pretrain":
            self._pretrain()
        elif name in TASKS:
            self._finetune(name)
        else:
            raise InputError(
                f"There is no stage {name!r}. Choose from {', '.join(STAGES)}.",
                f"没有名为 {name!r} 的阶段。可选：{'、'.join(STAGES)}。",
            )

    # --- vocabulary ---

    @property
    def _vocabulary_file(self) -> Path:
        return self._work / "vocab.txt"

    def _make_vocabulary(self) -> None:
        if self._vocabulary_file.is_file():
            return

        def texts() -> Iterator[str]:
            for path, columns in pretrain.pretraining_texts(self._data):
                for column in data.read(path, *columns):
                    yield from column

        pieces = vocabulary.build_vocabulary(texts(), **self._recipe.vocabulary)
        self._work.mkdir(parents=True, exist_ok=True)
        self._vocabulary_file.write_text("\n".join(pieces) + "\n", encoding="utf-8")
        self._log(f"vocabulary: {len(pieces)} pieces")

    def _tokenizer(self) -> Tokenizer:
        self._make_vocabulary()
        return Tokenizer.from_folder(self._work)

    def _config(self, tokenizer: Tokenizer, **more: Any) -> BertConfig:
        return BertConfig(  # type: ignore[call-arg]
            vocab_size=len(tokenizer.vocabulary),
            # Plain matrix products: on a CPU their backward pass is three times as fast as that of the fused kernel.
            attn_implementation="eager",
            **{**self._recipe.model, **more},
        )

    # --- pretraining ---

    def _pretrain(self) -> None:
        section = dict(self._recipe.pretrain)
        shares: dict[str, float] = section.pop("shares")
        max_length = int(section.pop("max_length"))
        schedule = _schedule(section)
        tokenizer = self._tokenizer()
        store = data.PieceStore(tokenizer, max_pieces=384)
        parts = []
        for path, columns in pretrain.pretraining_texts(self._data):
            texts = data.read(path, *columns)
            rows = data.sample(len(texts[0]), shares.get(path.parent.name, 1.0), schedule.seed)
            chosen = [store.add([column[row] for row in rows]) for column in texts]
            second = chosen[1] if len(chosen) == 2 else np.full(len(rows), -1, np.int32)
            parts.append(data.Examples(first=chosen[0], second=second, label=np.zeros(len(rows), np.int64)))
        examples = data.Examples.join(parts)
        order = np.random.default_rng(schedule.seed).permutation(len(examples))
        held_out, examples = examples.take(order[:256]), examples.take(order[256:])
        lengths = data.example_lengths(examples, store, max_length=max_length)
        self._log(f"pretrain: {len(examples):,} examples, {int(lengths.sum()):,} pieces an epoch")
        torch.manual_seed(schedule.seed)
        module = pretrain.Pretraining(
            self._config(tokenizer, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
        ).to(self._device)
        train(
            module,
            schedule,
            pretrain.pretraining_steps(module, examples, lengths, store, tokenizer, schedule, max_length=max_length),
            state_path=self._work / "pretrain.pt",
            report=lambda: pretrain.held_out_loss(module, held_out, store, tokenizer, max_length=max_length),
            log=self._log,
            max_steps=self._max_steps,
        )

    # --- fine-tuning ---

    def _finetune(self, task: TaskName) -> None:
        section = dict(getattr(self._recipe, task))
        max_length = int(section.pop("max_length"))
        label_smoothing = float(section.pop("label_smoothing"))
        start_from = str(section.pop("start_from"))
        dropout = float(section.pop("dropout"))
        mix = section.pop("mix", {})
        # The later passes: what each sets itself, and for the rest what the first one has.
        later = [{**section, **extra} for extra in section.pop("then", [])]
        tokenizer = self._tokenizer()
        store = data.PieceStore(tokenizer, max_pieces=max_length)
        draw, dev = self._examples(task, store, mix)
        torch.manual_seed(int(section.get("seed", 1)))
        model = BertForSequenceClassification(
            self._config(
                tokenizer,
                num_labels=3 if task == "zero_shot" else 2,
                hidden_dropout_prob=dropout,
                attention_probs_dropout_prob=0.0,
            )
        ).to(self._device)  # type: ignore[arg-type]
        self._start_from(model, start_from)
        for number, options in enumerate([section, *later], start=1):
            options.pop("then", None)
            repeat = options.pop("repeat", {})
            schedule = _schedule(options)
            train(
                model,
                schedule,
                finetune.finetuning_steps(
                    model,
                    partial(draw, repeat),
                    store,
                    tokenizer,
                    schedule,
                    max_length=max_length,
                    label_smoothing=label_smoothing,
                    symmetric=task == "similarity",
                ),
                state_path=self._work / (f"{task}.pt" if number == 1 else f"{task}-{number}.pt"),
                report=lambda: finetune.held_out_accuracy(
                    model, dev, store, tokenizer, max_length=max_length, batch_tokens=int(section["batch_tokens"])
                ),
                log=self._log,
                max_steps=self._max_steps,
            )
        export_checkpoint(model, tokenizer, task, self._out / task)
        self._log(f"{task}: written to {self._out / task}")

    def _examples(
        self, task: TaskName, store: data.PieceStore, mix: Mapping[str, Any]
    ) -> tuple[Callable[[Mapping[str, int], np.random.Generator], data.Examples], data.Examples]:
        """A function that draws an epoch's examples (some sources repeated), and the development examples."""
        folder = self._data / ("nli" if task == "zero_shot" else task)
        read = {
            "similarity": data.similarity_examples,
            "sentiment": data.sentiment_examples,
            "zero_shot": data.nli_examples,
        }[task]
        examples, dev = read(folder / "train.parquet", store), read(folder / "dev.parquet", store)

        def repeated(repeat: Mapping[str, int]) -> data.Examples:
            return examples.take(data.repeated_rows(folder / "train.parquet", repeat)) if repeat else examples

        if task != "zero_shot":
            return lambda repeat, rng: repeated(repeat), dev
        topics = data.TopicHypotheses(
            self._data / "topics", store, templates=mix["templates"], negatives=int(mix["negatives"])
        )
        share = float(mix["topics"])
        return lambda repeat, rng: data.Examples.join([repeated(repeat), topics.draw(share, rng)]), dev

    def _start_from(self, model: BertForSequenceClassification, stage: str) -> None:
        """Copy the encoder that an earlier stage trained; the classifier starts anew."""
        path = self._work / f"{stage}.pt"
        if not path.is_file():
            raise InputError(
                f"The stage {stage!r} has not been run: {path} is missing. Run it first.",
                f"阶段 {stage!r} 尚未运行：缺少 {path}。请先运行它。",
            )
        trained = torch.load(path, weights_only=True, map_location=self._device)["module"]
        encoder = {name: tensor for name, tensor in trained.items() if name.startswith("bert.")}
        problems = model.load_state_dict(encoder, strict=False)
        assert not problems.unexpected_keys and all(key.startswith("classifier.") for key in problems.missing_keys)


def _schedule(section: dict[str, Any]) -> Schedule:
    try:
        return Schedule(**section)
    except TypeError as error:
        raise InputError(
            f"The recipe has a wrong or missing option: {error}. See wenmo/training/bundled.toml.",
            f"配方中的选项有误或缺失：{error}。请参照 wenmo/training/bundled.toml。",
        ) from None
