"""`train adapt`: fine-tunes a model on labelled rows."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from wenmo.cli.common import Commands, add_read_options, language, positive, print_json, read_options
from wenmo.extras import needs
from wenmo.tasks.table import row_tasks, task_spec


def add_to(commands: Commands[argparse.ArgumentParser]) -> None:
    kinds = commands.add_parser("train", help="make a model of one's own").add_subparsers(required=True, metavar="WHAT")
    adapt = kinds.add_parser("adapt", help="adapt a model to labelled rows (CSV, JSONL, Parquet, Excel)")
    adapt.add_argument("file", type=Path)
    adapt.add_argument("--task", choices=[spec.slug for spec in row_tasks()], required=True)
    adapt.add_argument("--name", required=True, help="of the new local model: small letters, digits, hyphens")
    adapt.add_argument("--from", dest="start_from", metavar="MODEL", help="model to begin with (the task's, WENMO_…)")
    for column in ("text", "text-a", "text-b", "label"):
        adapt.add_argument(f"--{column}", help="name of this column (guessed)")
    add_read_options(adapt)
    adapt.add_argument("--epochs", type=positive, default=12, help="at most so many passes over the rows (12)")
    adapt.add_argument("--learning-rate", type=float, help="(by the model's size)")
    adapt.add_argument("--precision", default="auto", help="auto, fp32, bf16 or fp16 (auto)")
    adapt.add_argument(
        "--checkpointing", action="store_true", help="less memory for activations, about one more forward a step"
    )
    adapt.add_argument("--device", help="auto, cpu, cuda or cuda:N (WENMO_DEVICE, auto)")
    adapt.add_argument("--max-length", type=positive, default=256, help="tokens of an input in training (256)")
    adapt.add_argument("--time-limit", type=float, default=3600.0, metavar="SECONDS", help="of the training (3600)")
    adapt.add_argument("--template", default="{}", help="zero-shot: hypothesis with one place {} for the label")
    adapt.add_argument("--seed", type=int, default=1, help="of the split and the order (1)")
    adapt.set_defaults(command=_adapt)


def _adapt(options: argparse.Namespace) -> None:
    with needs("train"):
        from wenmo.adapt.run import adapt
    from wenmo.adapt.types import AdaptOptions, AdaptProgress
    from wenmo.evaluation.labelled import guess_columns, read_rows
    from wenmo.models.hubs import qualified
    from wenmo.settings import Settings
    from wenmo.tables.readers import open_reader

    task = task_spec(options.task).name
    settings = Settings.read(device=options.device)
    reading = read_options(options)
    reader = open_reader(options.file, reading)
    for notice in reader.notices:
        print(f"wenmo: {notice.text(language())}", file=sys.stderr)
    guessed = guess_columns(reader.columns, task)
    named = {name: getattr(options, name) for name in ("text", "text_a", "text_b", "label") if getattr(options, name)}

    def show(progress: AdaptProgress) -> None:
        loss = "" if progress.loss is None else f"  loss {progress.loss:.3f}"
        dev = "" if progress.dev_loss is None else f"  dev {progress.dev_loss:.3f}"
        line = f"{progress.stage} {progress.step} of {progress.of}{loss}{dev}  {progress.memory_mib:,.0f} MiB"
        print(f"\r{line:70}", end="\n" if dev else "", file=sys.stderr, flush=True)

    adapted = adapt(
        read_rows(options.file, task, replace(guessed, **named), reading),
        name=options.name,
        start_from=qualified(options.start_from, settings.hub) if options.start_from else settings.models[task] or None,
        options=AdaptOptions(
            epochs=options.epochs,
            learning_rate=options.learning_rate,
            precision=options.precision,
            checkpointing=options.checkpointing,
            device=settings.device,
            max_length=options.max_length,
            time_limit_s=options.time_limit,
            template=options.template,
            seed=options.seed,
        ),
        models_folder=settings.models_folder,
        progress=show,
    )
    print(file=sys.stderr)
    for name, score in adapted.class_scores.items():
        before = adapted.class_scores_before[name]
        print(f"F1 {before.f1:.3f} before, {score.f1:.3f} after, {score.n:4} rows  {name}")
    if adapted.before_is == "tfidf":
        print("before is a linear model on TF-IDF of characters, which learnt the same rows")
    for when, figures in (("before", adapted.before), ("after", adapted.after)):
        low, high = figures.interval
        print(
            f"{when:7} {figures.correct} of {figures.n} held-out rows, {figures.accuracy:.1%} ({low:.1%} to {high:.1%})"
        )
    low, high = adapted.difference.interval
    print(f"change  {100 * adapted.difference.change:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f}), ", end="")
    print({"unclear": "no better than before, within the interval"}.get(verdict := adapted.difference.verdict, verdict))
    print_json(adapted.figures())
