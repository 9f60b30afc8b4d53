"""A recipe: the TOML file from which `python -m wenmo train` makes a bundle, and the stages that carry it out.

vocabulary -> pretrain -> one fine-tuning a task -> a folder in ModelScope's layout each. Every stage keeps
its state in the work folder, so that a run goes on where it was stopped.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import BertConfig, BertForSequenceClassification

from recipes import contrastive, data_pack, pretrain, vocabulary
from recipes.calibrate import calibrate
from recipes.teach import CHARACTERS, Teaching, character_probabilities, network_probabilities, targets
from wenmo.adapt import batches, dataset, objectives
from wenmo.adapt.export import export_checkpoint
from wenmo.adapt.training_loop import Schedule, load_finished, train
from wenmo.errors import InputError
from wenmo.tasks.table import TASKS
from wenmo.tokenizer import Tokenizer
from wenmo.types import TaskName

STAGES = ("vocabulary", "pretrain", *(name for name, spec in TASKS.items() if spec.bundled))
_TEACHER_TOKENS = 6144  # tokens a batch; they only answer


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
                for column in data_pack.read(path, *columns):
                    yield from column

        tokens = vocabulary.build_vocabulary(texts(), **self._recipe.vocabulary)
        self._work.mkdir(parents=True, exist_ok=True)
        self._vocabulary_file.write_text("\n".join(tokens) + "\n", encoding="utf-8")
        self._log(f"vocabulary: {len(tokens)} tokens")

    def _tokenizer(self) -> Tokenizer:
        self._make_vocabulary()
        return Tokenizer.from_folder(self._work)

    def _config(self, tokenizer: Tokenizer, **more: Any) -> BertConfig:
        return BertConfig(  # type: ignore[call-arg]
            vocab_size=tokenizer.vocab_size,
            # Plain matrix products: on a CPU their backward pass is three times as fast as that of the fused kernel.
            attn_implementation="eager",
            **{**self._recipe.model, **more},
        )

    # --- pretraining ---

    def _pretrain(self) -> None:
        tokenizer = self._tokenizer()
        module: pretrain.Pretraining | None = None
        for number, section in enumerate(_passes(self._recipe.pretrain), start=1):
            shares: dict[str, float] = section.pop("shares")
            times: dict[str, float] = section.pop("times", {})
            max_length = int(section.pop("max_length"))
            schedule = _schedule(section)
            if module is None:
                torch.manual_seed(schedule.seed)
                module = pretrain.Pretraining(
                    self._config(tokenizer, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
                ).to(self._device)
            state_path = self._work / f"pretrain-{number}.pt"
            if load_finished(module, schedule, state_path):
                continue
            store = dataset.TokenStore(tokenizer, max_tokens=384)
            examples, held_out = self._pretraining_examples(store, shares, times, schedule.seed)
            lengths = batches.example_lengths(examples, store, max_length=max_length)
            self._log(f"{state_path.stem}: {len(examples):,} examples, {int(lengths.sum()):,} tokens an epoch")
            train(
                module,
                schedule,
                pretrain.pretraining_steps(
                    module, examples, lengths, store, tokenizer, schedule, max_length=max_length
                ),
                state_path=state_path,
                report=partial(pretrain.held_out_loss, module, held_out, store, tokenizer, max_length=max_length),
                log=self._log,
                max_steps=self._max_steps,
            )

    def _pretraining_examples(
        self, store: dataset.TokenStore, shares: Mapping[str, float], times: Mapping[str, float], seed: int
    ) -> tuple[dataset.Examples, dataset.Examples]:
        """The shuffled examples of a pass, and 256 that no pass is trained on.

        `shares` are by part of the data pack, `times` by source, as in fine-tuning.
        """
        parts: list[dataset.Examples] = []
        held_out: list[dataset.Examples] = []
        sources = pretrain.pretraining_texts(self._data)
        for path, columns in sources:
            *texts, origin = data_pack.read(path, *columns, "source")
            order = np.random.default_rng(0).permutation(len(texts[0]))
            kept = max(1, 256 // len(sources))
            rows = order[kept:][data_pack.sample(len(order) - kept, shares.get(path.parent.name, 1.0), seed)]
            rows = dataset.resample(rows, origin, times, np.random.default_rng(seed))
            for into, chosen_rows in ((held_out, order[:kept]), (parts, rows)):
                chosen = [store.add([column[row] for row in chosen_rows]) for column in texts]
                second = chosen[1] if len(chosen) == 2 else np.full(len(chosen_rows), -1, np.int32)
                into.append(
                    dataset.Examples(first=chosen[0], second=second, label=np.zeros(len(chosen_rows), np.int64))
                )
        examples = dataset.Examples.join(parts)
        return examples.take(np.random.default_rng(seed).permutation(len(examples))), dataset.Examples.join(held_out)

    # --- fine-tuning ---

    def _finetune(self, task: TaskName) -> None:
        tokenizer = self._tokenizer()
        for number, options in enumerate(_passes(getattr(self._recipe, task)), start=1):
            start_from = str(options.pop("start_from", f"{task}-{number - 1}"))
            max_length, batch_tokens = int(options.pop("max_length")), int(options["batch_tokens"])
            model = self._classifier(task, tokenizer, dropout=float(options.pop("dropout")))
            label_smoothing = float(options.pop("label_smoothing", 0.0))
            mix: dict[str, Any] = {
                name: options.pop(name) for name in ("times", "topics", "teaching") if name in options
            }
            schedule = _schedule(options)
            state_path = self._work / f"{task}-{number}.pt"
            if load_finished(model, schedule, state_path):
                continue
            self._load(model, start_from, task)
            learner = objectives.TrainableModel(
                model=model,
                store=dataset.TokenStore(tokenizer, max_tokens=max_length),
                tokenizer=tokenizer,
                max_length=max_length,
                label_smoothing=label_smoothing,
            )
            parts, dev = self._parts(task, learner, mix, targets_path=self._work / f"{task}-{number}-targets.npz")
            report = contrastive.held_out_auc if task == "embedding" else objectives.held_out_accuracy
            train(
                model,
                schedule,
                objectives.shuffled_steps(learner, parts, schedule),
                state_path=state_path,
                report=partial(report, learner, dev, batch_tokens=batch_tokens),
                log=self._log,
                max_steps=self._max_steps,
            )
        folder = self._out / task
        export_checkpoint(model, tokenizer, task, folder)
        temperatures = calibrate(folder, task, self._data)
        self._log(json.dumps({"stage": task, "written": str(folder), "calibration": temperatures}))

    def _classifier(self, task: TaskName, tokenizer: Tokenizer, *, dropout: float) -> BertForSequenceClassification:
        torch.manual_seed(1)
        return BertForSequenceClassification(
            self._config(
                tokenizer,
                num_labels=3 if task == "zero_shot" else 2,
                hidden_dropout_prob=dropout,
                attention_probs_dropout_prob=0.0,
            )
        ).to(self._device)  # type: ignore[arg-type]

    def _parts(
        self, task: TaskName, learner: objectives.TrainableModel, mix: Mapping[str, Any], *, targets_path: Path
    ) -> tuple[list[objectives.Objective], dataset.Examples]:
        """What a pass learns from, and the development examples."""
        store = learner.store
        times: dict[str, float] = mix.get("times", {})
        if task == "embedding":
            unused = sorted(set(mix) - {"times", "topics"})
            if unused:
                raise InputError(
                    f"The stage embedding has no option {', '.join(unused)}. Take it out of the recipe.",
                    f"embedding 阶段没有选项 {'、'.join(unused)}。请从配方中删去。",
                )
            pairs, origin = data_pack.embedding_examples(self._data, store)

            def draw_pairs(rng: np.random.Generator) -> dataset.Examples:
                return pairs.take(dataset.resample(np.arange(len(pairs)), origin, times, rng))

            dev = data_pack.similarity_examples(self._data / "similarity" / "dev.parquet", store)
            parts: list[objectives.Objective] = [contrastive.ContrastiveBatches(draw=draw_pairs)]
            if "topics" in mix:
                parts.append(contrastive.ContrastiveTopicBatches(groups=self._topic_groups(mix["topics"], store)))
            return parts, dev
        folder = self._data / ("nli" if task == "zero_shot" else task)
        read = {
            "similarity": data_pack.similarity_examples,
            "sentiment": data_pack.sentiment_examples,
            "zero_shot": data_pack.nli_examples,
        }[task]
        examples, dev = read(folder / "train.parquet", store), read(folder / "dev.parquet", store)
        (sources,) = data_pack.read(folder / "train.parquet", "source")
        kept = np.setdiff1d(np.arange(len(examples)), data_pack.held_out_rows(len(examples)))
        examples, sources = examples.take(kept), [sources[row] for row in kept]
        if "teaching" in mix:
            try:
                teaching = Teaching(**mix["teaching"])
            except TypeError as error:
                raise _wrong_option(error) from None
            examples, sources = self._taught(task, learner, examples, sources, kept, teaching, targets_path)

        def draw(rng: np.random.Generator) -> dataset.Examples:
            return examples.take(dataset.resample(np.arange(len(examples)), sources, times, rng))

        parts = [objectives.ClassificationObjective(draw=draw, symmetric=task == "similarity")]
        if "topics" in mix:
            parts.append(objectives.TopicObjective(groups=self._topic_groups(mix["topics"], store)))
        return parts, dev

    def _topic_groups(self, topics: Mapping[str, Any], store: dataset.TokenStore) -> dataset.TopicSampler:
        """Of the section `topics` of a stage or pass. That of zero_shot has `wordings` and `moods`, for all."""
        common = self._recipe.zero_shot["topics"]
        sets, _ = data_pack.label_sets(self._data, store, wordings=common["wordings"], moods=common["moods"])
        given = {name: topics[name] for name in ("draw", "templates", "group") if name in topics}
        return dataset.TopicSampler(sets, store, **given)

    def _taught(
        self,
        task: TaskName,
        learner: objectives.TrainableModel,
        examples: dataset.Examples,
        sources: list[str],
        rows: np.ndarray,
        teaching: Teaching,
        targets_path: Path,
    ) -> tuple[dataset.Examples, list[str]]:
        """The examples, which are `rows` of the training file, and the unlabelled ones, with targets; their sources.

        Answering takes minutes, so the targets are kept in `targets_path` for a run that goes on.
        """
        texts: list[str] = []
        if CHARACTERS in teaching.teachers or teaching.unlabelled:
            if task != "sentiment":
                raise InputError(
                    f"{task}: the teacher {CHARACTERS!r} and unlabelled texts are for single texts, that is sentiment.",
                    f"{task}：教师 {CHARACTERS!r} 与无标签文本仅用于单条文本，即 sentiment。",
                )
            (column,) = data_pack.read(self._data / task / "train.parquet", "text")
            texts = [column[row] for row in rows]
        if teaching.unlabelled:
            column, origin = data_pack.read(self._data / "text" / "pretrain.parquet", "text", "source")
            more = [row for row, source in enumerate(origin) if source in teaching.unlabelled]
            texts += [column[row] for row in more]
            sources = sources + [origin[row] for row in more]
            first = learner.store.add(texts[len(examples) :])
            unlabelled = dataset.Examples(
                first=first, second=np.full(len(more), -1, np.int32), label=np.full(len(more), dataset.NO_LABEL)
            )
            examples = dataset.Examples.join([examples, unlabelled])
            if set(teaching.unlabelled) - set(origin):
                raise InputError(
                    f"The running text has no source {', '.join(sorted(set(teaching.unlabelled) - set(origin)))}.",
                    f"语料中没有来源 {'、'.join(sorted(set(teaching.unlabelled) - set(origin)))}。",
                )
        made_of = self._made_of(teaching, examples)
        if targets_path.is_file():
            with np.load(targets_path) as kept:
                if str(kept["made_of"]) == made_of:
                    return replace(examples, target=kept["target"]), sources
        answers = []
        for name in teaching.teachers:
            if name == CHARACTERS:
                answers.append(character_probabilities(texts, examples.label))
            else:
                teacher = self._classifier(task, learner.tokenizer, dropout=0.0)
                self._load(teacher, name, task)
                answers.append(
                    network_probabilities(replace(learner, model=teacher), examples, batch_tokens=_TEACHER_TOKENS)
                )
            decided = answers[-1].argmax(1) == examples.label
            self._log(f"teacher {name}: agrees with {decided[examples.label >= 0].mean():.4f} of the labels")
        target = targets(examples.label, answers, list(teaching.teachers.values()), share=teaching.share)
        partial_path = targets_path.with_suffix(".partial.npz")
        np.savez(partial_path, target=target, made_of=made_of)
        partial_path.replace(targets_path)  # a death in between leaves no torn file
        return replace(examples, target=target), sources

    def _made_of(self, teaching: Teaching, examples: dataset.Examples) -> str:
        """A digest of all that targets depend on: kept ones are used only where it is the same."""
        digest = hashlib.sha256(repr(teaching).encode())
        digest.update(examples.label.tobytes())
        for name in teaching.teachers:
            if name != CHARACTERS:
                digest.update((self._work / f"{name}.pt").read_bytes())
        return digest.hexdigest()

    def _load(self, model: BertForSequenceClassification, name: str, task: TaskName) -> None:
        """The weights that a stage ("pretrain": its last pass) or a pass ("sentiment-1") ended with.

        From a stage of another task the encoder alone is taken: the classifier starts anew.
        """
        stage = name if name in STAGES else name.rpartition("-")[0]
        if name in STAGES:
            name = f"{stage}-{len(_passes(getattr(self._recipe, stage)))}"
        path = self._work / f"{name}.pt"
        if not path.is_file():
            raise InputError(
                f"The stage {stage!r} has not been run: {path} is missing. Run it first.",
                f"阶段 {stage!r} 尚未运行：缺少 {path}。请先运行它。",
            )
        trained = torch.load(path, weights_only=True, map_location=self._device)["module"]
        weights = {key: tensor for key, tensor in trained.items() if key.startswith("bert.") or stage == task}
        problems = model.load_state_dict(weights, strict=False)
        assert not problems.unexpected_keys and all(key.startswith("classifier.") for key in problems.missing_keys)


def _passes(section: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The passes of a stage, `[[stage.pass]]`, each with the stage's options where it sets none of its own.

    `start_from` is the first one's; the others go on from the one before, unless they say otherwise.
    """
    shared = {name: value for name, value in section.items() if name != "pass"}
    passes = []
    for own in section.get("pass", [{}]):
        passes.append({**shared, **own})
        shared.pop("start_from", None)
    return passes


def _schedule(section: dict[str, Any]) -> Schedule:
    try:
        return Schedule(**section)
    except TypeError as error:
        raise _wrong_option(error) from None


def _wrong_option(error: TypeError) -> InputError:
    return InputError(
        f"The recipe has a wrong or missing option: {error}. See recipes/bundled.toml.",
        f"配方中的选项有误或缺失：{error}。请参照 recipes/bundled.toml。",
    )
