"""Adapts a model to a user's labelled rows: tens to thousands of them, minutes on a laptop.

The rows are split into train, dev and test rows, each with the same shares of the labels. The model learns the train
rows. The dev rows decide when to stop, which weights to keep, and the temperatures. The test rows are answered before
and after, by the checkpoint on disk, and decide nothing, so that their accuracy is not biased by those choices.

Not supported: embeddings, regression, several GPUs, resuming after a crash (a run is short).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from transformers import BertForSequenceClassification

from wenmo.adapt.baseline import tfidf_predict
from wenmo.adapt.card import write_card
from wenmo.adapt.export import export_checkpoint
from wenmo.adapt.fine_tune import FineTuned, fine_tune
from wenmo.adapt.new_head import with_new_head
from wenmo.adapt.precision import resolve_training_precision
from wenmo.adapt.progress import ProgressReporter
from wenmo.adapt.types import Adapted, AdaptOptions, AdaptProgress, Stage
from wenmo.engine import Engine
from wenmo.errors import InputError
from wenmo.evaluation.calibration import fit_temperatures, store_temperatures
from wenmo.evaluation.labelled import LabelledRows
from wenmo.evaluation.metrics import (
    accuracy_change,
    class_scores,
    confusion_matrix,
    label_counts,
    majority_share,
    score,
)
from wenmo.evaluation.predict import predict
from wenmo.evaluation.split import split_rows
from wenmo.inference.precision import resolve_device
from wenmo.models.checkpoint import Checkpoint, load_checkpoint
from wenmo.models.label_names import remembered
from wenmo.models.local import DEFAULT_MODELS_FOLDER, check_free, folder_of, new_model
from wenmo.models.registry import locate
from wenmo.tasks.table import TASKS
from wenmo.tasks.zero_shot import check_template
from wenmo.types import Resolved


def adapt(
    rows: LabelledRows,
    *,
    name: str,
    start_from: str | None = None,
    options: AdaptOptions | None = None,
    models_folder: Path = DEFAULT_MODELS_FOLDER,
    progress: Callable[[AdaptProgress], None] | None = None,
) -> Adapted:
    """Fine-tune `start_from` (by default the task's bundled model) on `rows`, and save it as the local model `name`.

    For a task of any labels it gets a new classifier for those of `rows`, on the encoder of `start_from`, whatever that
    was trained for; as there is no model before, a linear one on the same rows is compared with (`baseline.py`).

    `progress` is called at every step, in this thread. If it raises, the run stops, leaves nothing behind, and the
    exception propagates. Raises InputError for invalid options or names, if the loss becomes infinite or NaN, or if
    memory runs out; DeviceError for a device or precision that does not exist; and the errors of loading a model.
    """
    options = options or AdaptOptions()
    _check_options(options)
    check_free(name, models_folder)
    spec = TASKS[rows.task]
    run = _Run(rows, start_from or spec.bundled or spec.adapts, options, models_folder, progress)
    try:
        before = run.before()
        fine_tuned = run.fine_tune()
        with new_model(name, models_folder) as folder:
            temperatures = run.export(fine_tuned.model, folder)
            after = run.predict(folder, "after")
            adapted = run.result(name, folder_of(name, models_folder), before, after, temperatures, fine_tuned)
            write_card(folder, adapted)
    except torch.OutOfMemoryError:
        raise InputError(
            "Training did not fit into the memory. Switch checkpointing on, train in bf16 or fp16 on a GPU, or shorten "
            "the texts.",
            "训练所需内存超出上限。请打开检查点，或在 GPU 上用 bf16/fp16 训练，或缩短文本。",
        ) from None
    return adapted


class _Run:
    """One run: decides on device, precision, learning rate and split, then has a method for each stage."""

    def __init__(
        self,
        rows: LabelledRows,
        start_from: str,
        options: AdaptOptions,
        models_folder: Path,
        progress: Callable[[AdaptProgress], None] | None,
    ) -> None:
        self._rows = rows
        self._options = options
        self._models_folder = models_folder
        self._device = resolve_device(options.device)
        self._precision = resolve_training_precision(options.precision, self._device.value)
        self._start_from = start_from
        self.start_folder = locate(start_from, models_folder=models_folder)
        spec = TASKS[rows.task]
        if spec.any_labels:
            self._checkpoint = with_new_head(self.start_folder, spec, rows.names, seed=options.seed)
        else:
            names = remembered(self.start_folder, models_folder)
            self._checkpoint = load_checkpoint(self.start_folder, task=rows.task, label_names=names)
        self._learning_rate = _learning_rate(options, self._checkpoint)
        self._split = split_rows(rows.label, seed=options.seed)
        self._reporter = ProgressReporter(self._device.value, progress)
        self._started = time.monotonic()

    def before(self) -> np.ndarray:
        """The labels that the model begun with gives to the test rows, or the baseline where that has other labels."""
        if not TASKS[self._rows.task].any_labels:
            return self.predict(self.start_folder, "before")
        learnt, asked = (self._rows.take(part) for part in (self._split.train, self._split.test))
        self._reporter.report("before", 0, len(asked))
        found = tfidf_predict(learnt.inputs, learnt.label, asked.inputs, seed=self._options.seed)
        self._reporter.report("before", len(asked), len(asked))
        return found

    def predict(self, folder: Path, stage: Stage) -> np.ndarray:
        """The labels that the checkpoint in `folder` gives to the test rows, (N,) indices of `rows.names`."""
        task = self._rows.task
        with Engine(
            models={task: folder},
            device=self._device.value,
            precision="fp32",
            cache_mib=0,
            models_folder=self._models_folder,
        ) as engine:
            return predict(
                engine,
                self._rows.take(self._split.test),
                template=self._options.template,
                on_progress=self._reporter.for_rows(stage),
            )

    def fine_tune(self) -> FineTuned:
        """Train the checkpoint on the train rows."""
        return fine_tune(
            self._checkpoint,
            self._rows,
            self._split,
            self._options,
            device=self._device.value,
            precision=self._precision.value,
            learning_rate=self._learning_rate.value,
            reporter=self._reporter,
        )

    def export(self, model: BertForSequenceClassification, folder: Path) -> dict[str, float]:
        """Write the checkpoint into `folder` and calibrate it on the dev rows; returns its temperatures."""
        task, start = self._rows.task, self._checkpoint
        export_checkpoint(model, start.tokenizer, task, folder, labels=start.labels, max_length=start.max_length)
        temperatures: dict[str, float] = {
            # Those that the dev rows say nothing about (NLI's in zero-shot) stay.
            **{name: start.temperatures[name] for name in TASKS[task].calibrations},
            **fit_temperatures(
                folder,
                self._rows.take(self._split.dev),
                template=self._options.template,
                device=self._device.value,
                on_progress=self._reporter.for_rows("after"),
            ),
        }
        store_temperatures(folder, temperatures)
        return temperatures

    def result(
        self,
        name: str,
        folder: Path,
        before: np.ndarray,
        after: np.ndarray,
        temperatures: dict[str, float],
        fine_tuned: FineTuned,
    ) -> Adapted:
        """`before` and `after` are the predicted labels of the test rows, (N,)."""
        rows, split = self._rows, self._split
        truth, count = rows.label[split.test], len(rows.names)
        confusion = confusion_matrix(truth, after, count)
        return Adapted(
            name=name,
            folder=folder,
            start_from=self._start_from,
            task=rows.task,
            distinct_rows=len(rows),
            skipped_rows=rows.skipped,
            repeated_rows=rows.repeated,
            contradicting_rows=rows.contradicting,
            train_labels=label_counts(rows.label[split.train], rows.names),
            dev_labels=label_counts(rows.label[split.dev], rows.names),
            test_labels=label_counts(truth, rows.names),
            before=score(truth, before),
            after=score(truth, after),
            difference=accuracy_change(before == truth, after == truth),
            before_is="tfidf" if TASKS[rows.task].any_labels else "model",
            class_scores=dict(zip(rows.names, class_scores(confusion), strict=True)),
            class_scores_before=dict(
                zip(rows.names, class_scores(confusion_matrix(truth, before, count)), strict=True)
            ),
            confusion=tuple(tuple(row) for row in confusion.tolist()),
            majority_share=majority_share(truth),
            temperatures=temperatures,
            device=self._device,
            precision=self._precision,
            learning_rate=self._learning_rate,
            options=self._options,
            steps=fine_tuned.steps,
            best_step=fine_tuned.best_step,
            ended=fine_tuned.ended,
            seconds=time.monotonic() - self._started,
            peak_memory_mib=self._reporter.peak_mib,
            tokens_per_s=fine_tuned.tokens_per_s,
        )


def _check_options(options: AdaptOptions) -> None:
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
    # Small models: the bundled ones were fine-tuned at 2e-4 to 3e-4. BERT's own sizes: 2e-5 to 5e-5, as in Devlin et
    # al., 2019, arXiv 1810.04805, A.3.
    return Resolved(
        value=2e-4 if width < 512 else 3e-5,
        reason=f"for a model of width {width}",
        reason_zh=f"按模型宽度 {width}",
    )
