"""Fine-tunes a checkpoint on the train rows. The dev loss decides when to stop and which weights to keep."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from transformers import BertConfig, BertForSequenceClassification

from wenmo.adapt.dataset import TokenStore
from wenmo.adapt.objectives import TrainableModel, shuffled_steps
from wenmo.adapt.progress import ProgressReporter
from wenmo.adapt.training_loop import Schedule, StepResult, step_rng, train
from wenmo.adapt.training_sets import TrainingSet, training_set
from wenmo.adapt.types import AdaptOptions, StopReason, TrainingPrecision
from wenmo.errors import InputError
from wenmo.evaluation.labelled import LabelledRows
from wenmo.evaluation.split import Split
from wenmo.models.checkpoint import Checkpoint

_BATCH_ROWS = (4, 16)  # fewer for small files, so that an epoch has about _EPOCH_STEPS steps
_EPOCH_STEPS = 8
_BATCH_TOKENS = 4096  # bounds the rows of a batch of long texts
_EVALUATE_EVERY = 100  # steps at most; the dev loss is computed at least once an epoch
_PATIENCE = 5  # evaluations without a lower dev loss before training stops


@dataclass(frozen=True, kw_only=True)
class FineTuned:
    """The trained model and how training ended; `best_step` is the step whose weights the model has."""

    model: BertForSequenceClassification
    steps: int
    best_step: int
    ended: StopReason
    tokens_per_s: float


def load_for_training(checkpoint: Checkpoint, *, device: str, checkpointing: bool) -> BertForSequenceClassification:
    """The checkpoint as a torch module, in fp32 on `device`. `checkpointing`: of activations."""
    config = BertConfig(  # type: ignore[call-arg]
        **asdict(checkpoint.shape),
        num_labels=len(checkpoint.labels),
        use_cache=False,
        hidden_dropout_prob=0.1,
        attention_probs_dropout_prob=0.0,
        # On a CPU the backward pass of plain matrix products is three times as fast as that of the fused kernel.
        attn_implementation="eager" if device == "cpu" else "sdpa",
    )
    model = BertForSequenceClassification(config)
    if "bert.pooler.dense.weight" not in checkpoint.weights:
        raise InputError(
            f"The classifier of {checkpoint.folder} has no pooler, and cannot be trained further here. Start from "
            "another model.",
            f"{checkpoint.folder} 的分类器没有 pooler 层，这里无法继续训练。请从别的模型开始。",
        )
    problems = model.load_state_dict({name: tensor.float() for name, tensor in checkpoint.weights.items()})
    assert not problems.missing_keys and not problems.unexpected_keys
    if checkpointing:
        model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    return model.to(device)  # type: ignore[arg-type]


def fine_tune(
    checkpoint: Checkpoint,
    rows: LabelledRows,
    split: Split,
    options: AdaptOptions,
    *,
    device: str,
    precision: TrainingPrecision,
    learning_rate: float,
    reporter: ProgressReporter,
) -> FineTuned:
    """Train `checkpoint` on `device`; the result has the weights of the lowest dev loss.

    Raises InputError if the loss becomes infinite or NaN, and whatever `reporter` raises.
    """
    model = load_for_training(checkpoint, device=device, checkpointing=options.checkpointing)
    max_length = min(options.max_length, checkpoint.max_length)
    trainable = TrainableModel(
        model=model,
        store=TokenStore(checkpoint.tokenizer, max_tokens=max_length),
        tokenizer=checkpoint.tokenizer,
        max_length=max_length,
        label_smoothing=0.0,
    )
    data = training_set(trainable, rows, split, template=options.template, seed=options.seed)
    schedule, epoch_length = _schedule(trainable, data, options, learning_rate)
    max_steps = options.epochs * epoch_length
    stopping = _EarlyStopping(model, options.time_limit_s)

    def on_step(result: StepResult) -> bool:
        if not math.isfinite(result.loss) and precision != "fp16":  # in fp16, GradScaler skips steps that overflow
            raise InputError(
                f"The loss became {result.loss} at step {result.step}: the learning rate {learning_rate:g} is too "
                "high. Lower it.",
                f"第 {result.step} 步的损失变为 {result.loss}：学习率 {learning_rate:g} 过高。请调低。",
            )
        goes_on = stopping.update(result)
        reporter.report(
            "training",
            result.step,
            max(max_steps, result.step),
            loss=result.loss,
            tokens_per_s=stopping.tokens_per_s,
            **(result.metrics or {}),
        )
        return goes_on

    if data.begin is not None:
        data.begin(reporter.for_rows("before"))
        with torch.inference_mode():
            stopping.update(StepResult(step=0, seen=0, loss=math.nan, metrics=data.dev_metrics()))
    train(
        model,
        schedule,
        shuffled_steps(trainable, [data.objective], schedule),
        state_path=None,
        report=data.dev_metrics,
        precision=precision,
        report_every=min(epoch_length, _EVALUATE_EVERY),
        log=lambda line: None,
        max_steps=max_steps,
        on_step=on_step,
    )
    return stopping.result()


def _schedule(
    trainable: TrainableModel, data: TrainingSet, options: AdaptOptions, learning_rate: float
) -> tuple[Schedule, int]:
    """The schedule, and the number of steps in an epoch; both are measured on the first epoch."""
    longest, mean = data.lengths.max(), data.lengths.mean()
    batch_rows = np.clip(len(data.lengths) / _EPOCH_STEPS, *_BATCH_ROWS)
    batch_tokens = int(np.clip(batch_rows * mean, longest, max(_BATCH_TOKENS, longest)))
    first = Schedule(tokens=1, batch_tokens=batch_tokens, learning_rate=learning_rate, seed=options.seed)
    epoch = [
        make_step(step_rng(first, 0)).tokens for make_step in shuffled_steps(trainable, [data.objective], first)(0)
    ]
    return replace(first, tokens=options.epochs * sum(epoch), warmup=0.1), len(epoch)


class _EarlyStopping:
    """Keeps the weights with the lowest dev loss, and decides when training stops."""

    def __init__(self, model: BertForSequenceClassification, time_limit_s: float) -> None:
        self._model = model
        self._time_limit_s = time_limit_s
        self._started = time.monotonic()
        self._best_loss, self._best_step = math.inf, -1
        self._best_weights: dict[str, torch.Tensor] | None = None
        self._evaluations = 0  # since the lowest dev loss
        self._steps = 0
        self._ended: StopReason = "steps"
        self.tokens_per_s = 0.0

    def update(self, result: StepResult) -> bool:
        """Take a step into account; returns whether training goes on."""
        seconds = time.monotonic() - self._started
        self._steps = result.step
        self.tokens_per_s = result.seen / max(seconds, 1e-9)
        if result.metrics is not None:
            self._evaluations += 1
            if result.metrics["dev_loss"] < self._best_loss:
                self._best_loss, self._best_step, self._evaluations = result.metrics["dev_loss"], result.step, 0
                self._best_weights = {name: value.detach().clone() for name, value in self._model.state_dict().items()}
        if seconds > self._time_limit_s:
            self._ended = "time"
        elif self._evaluations >= _PATIENCE:
            self._ended = "dev_loss"
        return self._ended == "steps"

    def result(self) -> FineTuned:
        """Restore the best weights, or keep the last ones if the time limit came before any evaluation."""
        if self._best_weights is not None:
            self._model.load_state_dict(self._best_weights)
        return FineTuned(
            model=self._model,
            steps=self._steps,
            best_step=self._steps if self._best_weights is None else self._best_step,
            ended=self._ended,
            tokens_per_s=self.tokens_per_s,
        )
