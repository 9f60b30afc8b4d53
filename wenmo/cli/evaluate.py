"""`eval`: accuracy and calibration on labelled rows."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from wenmo.cli.common import Commands, add_model_options, build_engine, positive, print_json
from wenmo.tasks.table import row_tasks
from wenmo.types import NLI, ZERO_SHOT_METHODS


def add_to(commands: Commands[argparse.ArgumentParser]) -> None:
    evaluate = commands.add_parser("eval", help="accuracy, macro F1 and calibration on a labelled Parquet file")
    evaluate.add_argument("task", choices=[*(spec.slug for spec in row_tasks()), NLI])
    evaluate.add_argument("file", type=Path)
    evaluate.add_argument("--limit", type=positive, help="only the first rows")
    evaluate.add_argument("--labels", help="for zero-shot, separated by , 、 ; or | (those of the file)")
    evaluate.add_argument("--template", default="{}", help="hypothesis with one place {} for the label")
    evaluate.add_argument("--method", choices=ZERO_SHOT_METHODS, default="auto", help="of zero-shot (auto)")
    add_model_options(evaluate)
    evaluate.set_defaults(command=_eval)


def _eval(options: argparse.Namespace) -> None:
    from wenmo.evaluation.evaluate import evaluate, model_task

    # Without a cache, so that the reported seconds are those of computing.
    engine = build_engine(options, model_task(options.task), cache_mib=0)
    against = None
    if (
        engine.model_info(model_task(options.task)).precision.value != "fp32"
    ):  # compared on the same rows, to report what the precision costs
        options.precision = "fp32"
        against = build_engine(options, model_task(options.task), cache_mib=0)
    evaluation = evaluate(
        engine,
        options.task,
        options.file,
        limit=options.limit,
        labels=options.labels,
        template=options.template,
        method=options.method,
        against=against,
        progress=lambda done, of: print(f"\r{done:,} of {of:,}", end="", file=sys.stderr, flush=True),
    )
    print(file=sys.stderr)
    print_json(asdict(evaluation))
