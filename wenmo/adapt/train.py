"""Adapting a model to a user's labelled rows: tens to thousands of them, minutes on a laptop.

The rows are cut in three, each label in the same shares. The first part is learnt; the loss on the second decides when
to stop, which weights are kept, and the temperatures; the third is asked before and after, on the checkpoint as
written, and decides nothing: its accuracy is not flattered by the choice of the moment to stop.

Precision is autocast's arithmetic (weights and optimiser stay in fp32). Checkpointing keeps of every layer only what
goes in and computes the rest again on the way back: less memory for about one more forward, the same gradients.

Not covered: embeddings, regression to grades, more than one GPU, going on after a crash (a run is short).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from transformers import BertConfig, BertForSequenceClassification

from wenmo.adapt import card as adapt_card
from wenmo.adapt.data import TokenStore
from wenmo.adapt.export import export_checkpoint
from wenmo.adapt.finetune import Learner, finetuning_steps
from wenmo.adapt.loop import Schedule, StepDone, TrainingPrecision, resolve_training_precision, train
from wenmo.adapt.objectives import topics, two_classes
from wenmo.engine import Engine
from wenmo.errors import InputError
from wenmo.evaluation.calibration import store_temperatures
from wenmo.evaluation.held_out import (
    Difference,
    HeldOut,
    answers,
    difference,
    fit_temperatures,
    held_out,
    label_counts,
    majority_share,
)
from wenmo.evaluation.labelled import LabelledRows, Split, split_rows
from wenmo.inference.precision import resolve_device
from wenmo.models.checkpoint import Checkpoint, load_checkpoint
from wenmo.models.local import DEFAULT_MODELS_FOLDER, check_free, new_model
from wenmo.models.registry import locate
from wenmo.tasks.table import TASKS
from wenmo.tasks.zero_shot import DEFAULT_TEMPLATE, check_template
from wenmo.telemetry.process import process_memory_mib
from wenmo.types import Resolved, TaskName

Stage = Literal["before", "training", "after"]
Ending = Literal["steps", "dev_loss", "time"]

_BATCH_ROWS = (4, 16)  # fewer where the file is small, so that an epoch has some _EPOCH_STEPS steps
_EPOCH_STEPS = 8
_BATCH_TOKENS = 4096  # a batch of long texts has fewer rows
_PATIENCE = 5  # looks at the dev loss without a lower one, before it ends
_LOOK_STEPS = 100  # at most so many between two looks


@dataclass(frozen=True, kw_only=True)
class AdaptOptions:
    """`learning_rate` is chosen by the model's size where it is None. `max_length` bounds the pieces of an input.

    `template` is the hypothesis of zero-shot; ask the adapted model with the same. `time_limit_s` bounds the training,
    not the answers before and after.
    """

    epochs: int = 12
    learning_rate: float | None = None
    precision: str = "auto"
    checkpointing: bool = False
    device: str = "auto"
    max_length: int = 256
    time_limit_s: float = 3600.0
    template: str = DEFAULT_TEMPLATE
    seed: int = 1


@dataclass(frozen=True, kw_only=True)
class AdaptProgress:
    """`step` of `of` in this stage: rows before and after, optimiser steps in training.

    In training `loss` is that of the step, `dev_loss` and `dev_accuracy` are there where they were computed just now.
    `memory_mib` is the peak of the GPU's allocator since the step before, or what the process holds now where there is
    no GPU; `memory_of` tells which.
    """

    stage: Stage
    step: int
    of: int
    loss: float | None = None
    dev_loss: float | None = None
    dev_accuracy: float | None = None
    tokens_per_s: float | None = None
    memory_mib: float
    memory_of: Literal["gpu", "process"]


@dataclass(frozen=True, kw_only=True)
class Adapted:
    """What came of it. `majority_share` is what always answering the most frequent label would reach on the test rows.

    `best_step` is the step whose weights were kept, `peak_memory_mib` the highest `memory_mib`.
    """

    name: str
    folder: Path
    start_from: str
    task: TaskName
    distinct_rows: int
    skipped_rows: int
    repeated_rows: int
    contradicting_rows: int
    train_labels: dict[str, int]
    dev_labels: dict[str, int]
    test_labels: dict[str, int]
    before: HeldOut
    after: HeldOut
    difference: Difference
    majority_share: float
    temperatures: dict[str, float]
    device: Resolved[str]
    precision: Resolved[TrainingPrecision]
    learning_rate: Resolved[float]
    options: AdaptOptions
    steps: int
    best_step: int
    ended: Ending
    seconds: float
    peak_memory_mib: float
    tokens_per_s: float

    def figures(self) -> dict[str, object]:
        """All of it that is a figure or a setting, without a word of the user's texts; JSON can hold it."""
        return {
            "name": self.name,
            "folder": str(self.folder),
            "task": self.task,
            "start_from": self.start_from,
            "rows": {
                "distinct": self.distinct_rows,
                "skipped": self.skipped_rows,
                "repeated": self.repeated_rows,
                "contradicting": self.contradicting_rows,
            },
            "train": self.train_labels,
            "dev": self.dev_labels,
            "test": self.test_labels,
            "before": asdict(self.before),
            "after": asdict(self.after),
            "difference": asdict(self.difference),
            "majority_share": self.majority_share,
            "temperatures": self.temperatures,
            "device": self.device.value,
            "precision": asdict(self.precision),
            "learning_rate": self.learning_rate.value,
            "checkpointing": self.options.checkpointing,
            "template": self.options.template,
            "steps": self.steps,
            "best_step": self.best_step,
            "ended": self.ended,
            "seconds": round(self.seconds, 3),
            "tokens_per_s": round(self.tokens_per_s),
            "peak_memory_mib": round(self.peak_memory_mib, 1),
        }


def adapt(
    rows: LabelledRows,
    *,
    name: str,
    start_from: str | None = None,
    options: AdaptOptions | None = None,
    models_folder: Path = DEFAULT_MODELS_FOLDER,
    progress: Callable[[AdaptProgress], None] | None = None,
) -> Adapted:
    """Train `start_from` (by default the bundled model of the task) on `rows`; save it as the local model `name`.

    `progress` is called at every step, in this thread; an exception that it raises stops the work, comes out of here,
    and leaves nothing behind. Raises InputError for options and names that cannot be, for a run whose loss became no
    number and for one that did not fit into memory; DeviceError; and the errors of loading a model.
    """
    options = options or AdaptOptions()
    _check(options)
    check_free(name, models_folder)
    device = resolve_device(options.device)
    precision = resolve_training_precision(options.precision, device.value)
    start_from = start_from or TASKS[rows.task].bundled
    start_folder = locate(start_from, models_folder=models_folder)
    checkpoint = load_checkpoint(start_folder, task=rows.task)
    rate = _learning_rate(options, checkpoint)
    split = split_rows(rows.label, seed=options.seed)
    train_rows, dev_rows, test_rows = (rows.take(part) for part in (split.train, split.dev, split.test))
    watch = _Watch(device.value, progress)
    began = time.monotonic()

    def asked(folder: Path, stage: Stage) -> np.ndarray:
        with Engine(models={rows.task: folder}, device=device.value, precision="fp32", cache_mib=0) as engine:
            tell = watch.rows(stage)
            return answers(engine, test_rows, template=options.template, on_progress=tell)

    try:
        before = asked(start_folder, "before")
        model = _classifier(checkpoint, options, device.value)
        run = _train(model, checkpoint, rows, split, options, precision.value, rate.value, watch)
        with new_model(name, models_folder) as folder:
            export_checkpoint(
                model,
                checkpoint.tokenizer,
                rows.task,
                folder,
                labels=checkpoint.labels,
                max_length=checkpoint.max_length,
            )
            temperatures: dict[str, float] = {
                **{reading: checkpoint.temperatures[reading] for reading in TASKS[rows.task].calibrations},
                **fit_temperatures(
                    folder,
                    dev_rows,
                    template=options.template,
                    device=device.value,
                    on_progress=watch.rows("after"),
                ),
            }
            store_temperatures(folder, temperatures)
            after = asked(folder, "after")
            adapted = Adapted(
                name=name,
                folder=models_folder / name,
                start_from=start_from,
                task=rows.task,
                distinct_rows=len(rows),
                skipped_rows=rows.skipped,
                repeated_rows=rows.repeated,
                contradicting_rows=rows.contradicting,
                train_labels=label_counts(train_rows.label, rows.names),
                dev_labels=label_counts(dev_rows.label, rows.names),
                test_labels=label_counts(test_rows.label, rows.names),
                before=held_out(test_rows.label, before),
                after=held_out(test_rows.label, after),
                difference=difference(before == test_rows.label, after == test_rows.label),
                majority_share=majority_share(test_rows.label),
                temperatures=temperatures,
                device=device,
                precision=precision,
                learning_rate=rate,
                options=options,
                steps=run.steps,
                best_step=run.best_step,
                ended=run.ended,
                seconds=time.monotonic() - began,
                peak_memory_mib=watch.peak_mib,
                tokens_per_s=run.tokens_per_s,
            )
            adapt_card.write(folder, adapted.figures())
    except torch.OutOfMemoryError:
        raise InputError(
            "Training did not fit into the memory. Switch checkpointing on, train in bf16 or fp16 on a GPU, or shorten "
            "the texts.",
            "训练所需内存超出上限。请打开检查点，或在 GPU 上用 bf16/fp16 训练，或缩短文本。",
        ) from None
    return adapted


def _check(options: AdaptOptions) -> None:
    bounds: dict[str, tuple[float, float, float]] = {
        "epochs": (options.epochs, 1, 100),
        "learning_rate": (1e-4 if options.learning_rate is None else options.learning_rate, 1e-7, 1e-2),
        "max_length": (options.max_length, 8, 512),
        "time_limit_s": (options.time_limit_s, 1, 86_400),
        "seed": (options.seed, 0, 2**31 - 1),
    }
    for option, (value, low, high) in bounds.items():
        if not low <= value <= high:
            raise InputError(
                f"{option} must be between {low:g} and {high:g}, not {value:g}.",
                f"{option} 应在 {low:g} 与 {high:g} 之间，而不是 {value:g}。",
            )
    check_template(options.template)


def _learning_rate(options: AdaptOptions, checkpoint: Checkpoint) -> Resolved[float]:
    if options.learning_rate is not None:
        return Resolved(value=options.learning_rate, reason="as asked", reason_zh="按设置")
    width = checkpoint.shape.hidden_size
    # The bundled models were made with 2e-4 to 3e-4; 2e-5 to 5e-5 is what BERT's authors give for their sizes.
    return Resolved(
        value=2e-4 if width < 512 else 3e-5,
        reason=f"for a model of width {width}",
        reason_zh=f"按模型宽度 {width}",
    )


def _classifier(checkpoint: Checkpoint, options: AdaptOptions, device: str) -> BertForSequenceClassification:
    """The checkpoint as a module to train, in fp32 on `device`."""
    on_cpu = device == "cpu"
    config = BertConfig(  # type: ignore[call-arg]
        **asdict(checkpoint.shape),
        num_labels=len(checkpoint.labels),
        use_cache=False,
        hidden_dropout_prob=0.1,
        attention_probs_dropout_prob=0.0,
        # Plain matrix products: on a CPU their backward pass is three times as fast as that of the fused kernel.
        attn_implementation="eager" if on_cpu else "sdpa",
    )
    model = BertForSequenceClassification(config)
    problems = model.load_state_dict({name: tensor.float() for name, tensor in checkpoint.weights.items()})
    assert not problems.missing_keys and not problems.unexpected_keys
    if options.checkpointing:
        model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    return model.to(device)  # type: ignore[arg-type]


class _Watch:
    """Tells the caller where the run is, and how much memory it takes."""

    def __init__(self, device: str, progress: Callable[[AdaptProgress], None] | None) -> None:
        self._on_gpu = device.startswith("cuda")
        self._device = device
        self._progress = progress
        self.peak_mib = 0.0
        if self._on_gpu:
            torch.cuda.reset_peak_memory_stats(device)

    def tell(self, stage: Stage, step: int, of: int, **figures: float | None) -> None:
        if self._on_gpu:
            used = torch.cuda.max_memory_allocated(self._device) / 2**20
            torch.cuda.reset_peak_memory_stats(self._device)
        else:
            used = process_memory_mib()
        self.peak_mib = max(self.peak_mib, used)
        if self._progress is not None:
            of_what: Literal["gpu", "process"] = "gpu" if self._on_gpu else "process"
            self._progress(AdaptProgress(stage=stage, step=step, of=of, memory_mib=used, memory_of=of_what, **figures))

    def rows(self, stage: Stage) -> Callable[[int, int], None]:
        """As an engine's `progress`."""
        return lambda done, of: self.tell(stage, done, of)


@dataclass(frozen=True, kw_only=True)
class _Run:
    steps: int
    best_step: int
    ended: Ending
    tokens_per_s: float


def _train(
    model: BertForSequenceClassification,
    checkpoint: Checkpoint,
    rows: LabelledRows,
    split: Split,
    options: AdaptOptions,
    precision: TrainingPrecision,
    rate: float,
    watch: _Watch,
) -> _Run:
    """Train `model` in place; it ends with the weights of the lowest dev loss."""
    max_length = min(options.max_length, checkpoint.max_length)
    store = TokenStore(checkpoint.tokenizer, max_tokens=max_length)
    learner = Learner(
        model=model, store=store, tokenizer=checkpoint.tokenizer, max_length=max_length, label_smoothing=0.0
    )
    part, report, lengths = (
        topics(learner, rows, split, template=options.template, seed=options.seed)
        if TASKS[rows.task].takes_labels
        else two_classes(learner, rows, split)
    )
    batch_rows = np.clip(len(lengths) / _EPOCH_STEPS, *_BATCH_ROWS)
    batch_tokens = int(np.clip(batch_rows * lengths.mean(), lengths.max(), max(_BATCH_TOKENS, lengths.max())))
    probe = Schedule(tokens=1, batch_tokens=batch_tokens, learning_rate=rate, seed=options.seed)
    epoch = [make(0) for make in finetuning_steps(learner, [part], probe)(0)]
    of = options.epochs * len(epoch)
    schedule = Schedule(
        tokens=options.epochs * sum(step.tokens for step in epoch),
        batch_tokens=batch_tokens,
        learning_rate=rate,
        warmup=0.1,
        seed=options.seed,
    )
    began = time.monotonic()
    best: dict[str, torch.Tensor] | None = None
    best_loss, best_step, looks, steps, tokens_per_s = math.inf, 0, 0, 0, 0.0
    ended: Ending = "steps"

    def on_step(done: StepDone) -> bool:
        nonlocal best, best_loss, best_step, looks, steps, tokens_per_s, ended
        if not math.isfinite(done.loss) and precision != "fp16":  # there a step that overflows is left out
            raise InputError(
                f"The loss became {done.loss} at step {done.step}: the learning rate {rate:g} is too high. Lower it.",
                f"第 {done.step} 步的损失变为 {done.loss}：学习率 {rate:g} 过高。请调低。",
            )
        steps, seconds = done.step, time.monotonic() - began
        tokens_per_s = done.seen / max(seconds, 1e-9)
        figures = done.figures or {}
        watch.tell("training", done.step, max(of, done.step), loss=done.loss, tokens_per_s=tokens_per_s, **figures)
        if figures:
            looks += 1
            if figures["dev_loss"] < best_loss:
                best_loss, best_step, looks = figures["dev_loss"], done.step, 0
                best = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        if seconds > options.time_limit_s:
            ended = "time"
        elif looks >= _PATIENCE:
            ended = "dev_loss"
        return ended == "steps"

    train(
        model,
        schedule,
        finetuning_steps(learner, [part], schedule),
        state_path=None,
        report=report,
        precision=precision,
        report_every=min(len(epoch), _LOOK_STEPS),
        log=lambda line: None,
        max_steps=of,
        on_step=on_step,
    )
    if best is not None:  # None where the time was over before the first look: the last weights are all there is
        model.load_state_dict(best)
    return _Run(steps=steps, best_step=best_step or steps, ended=ended, tokens_per_s=tokens_per_s)
