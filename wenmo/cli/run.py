"""`run`: runs a task on files of any size, and writes them with their results."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wenmo.cli.common import (
    Commands,
    add_model_options,
    add_read_options,
    language,
    positive,
    print_json,
    read_options,
    read_settings,
)
from wenmo.errors import InputError, WenmoError
from wenmo.tasks.table import row_tasks, task_spec
from wenmo.types import ZERO_SHOT_METHODS

if TYPE_CHECKING:
    from wenmo.jobs.backend import Backend
    from wenmo.jobs.executor import JobProgress
    from wenmo.jobs.job import Work


_VECTOR_TASKS = ("match", "dedupe", "embed")


def add_to(commands: Commands[argparse.ArgumentParser]) -> None:
    run = commands.add_parser("run", help="files in, files with results out (CSV, JSONL, Parquet; Excel in)")
    run.add_argument("task", choices=[*(spec.slug for spec in row_tasks()), *_VECTOR_TASKS])
    run.add_argument("source", type=Path, metavar="IN", help="a file, a folder, or a pattern in quotes: 'data/*.csv'")
    run.add_argument(
        "targets",
        type=Path,
        nargs="+",
        metavar="OUT",
        help="a file; for a folder or a pattern, a folder. `match` takes the file to match with before it: ANSWERS OUT",
    )
    left = run.add_mutually_exclusive_group()
    left.add_argument("--resume", action="store_true", help="go on where an earlier run was stopped, if one was")
    left.add_argument("--restart", action="store_true", help="throw away what an earlier run left")
    run.add_argument("--shard-rows", type=positive, help="rows that are kept for good at a time (by the model's size)")
    run.add_argument("--text", default="text", help="column of the text (text)")
    run.add_argument("--text-a", default="text_a", help="column of the first sentence (text_a)")
    run.add_argument("--text-b", default="text_b", help="column of the second sentence (text_b)")
    run.add_argument("--labels", help="for zero-shot, separated by , 、 ; or | (in double quotes if they hold one)")
    run.add_argument("--template", default="{}", help="hypothesis with one place {} for the label")
    run.add_argument(
        "--method",
        choices=ZERO_SHOT_METHODS,
        default="auto",
        help="of zero-shot: nli judges every label; embedding takes the nearest by vectors, in one forward a text; "
        "ensemble asks both; two_stage has the nearest ones judged; auto: ensemble for the bundled models, nli for "
        "others and for --multi-label (auto)",
    )
    run.add_argument("--multi-label", action="store_true", help="several labels may be true")
    run.add_argument("--answer-text", default="text", help="of match: column of the text in ANSWERS (text)")
    run.add_argument("--top-k", type=positive, default=1, help="of match: answers told for each row (1)")
    run.add_argument(
        "--rerank", type=int, default=10, help="of match: nearest vectors that the cross-encoder judges; 0: none (10)"
    )
    run.add_argument(
        "--threshold",
        type=float,
        help="of match: least probability, or cosine with --rerank 0 (0.5; without rerank any); "
        "of dedupe: least cosine to the text that is kept (0.9)",
    )
    run.add_argument("--logits", action="store_true", help="add the raw outputs")
    add_read_options(run)
    run.add_argument("--engine", choices=("local", "ray"), default="local", help="what computes: this process, or Ray")
    run.add_argument("--address", help="of a Ray cluster, with --engine ray: host:port, auto … (one of this machine)")
    run.add_argument("--actors", type=positive, help="with --engine ray: workers (one a GPU, or a core)")
    run.add_argument("--actor-cores", type=positive, help="with --engine ray: cores of a worker (1)")
    add_model_options(run)
    run.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    from wenmo.jobs.job import run_work
    from wenmo.jobs.sources import partial_folder

    work, target = _work(options)
    end_of_line = "\n" if sys.stderr.isatty() else ""  # ends the line of the progress
    try:
        with _backend(options, work.models()[0]) as backend:
            summary = run_work(
                backend,
                work,
                options.source,
                target,
                resume=options.resume,
                restart=options.restart,
                shard_rows=options.shard_rows,
                progress=_progress_line(),
            )
    except WenmoError:
        print(end=end_of_line, file=sys.stderr)
        raise
    except KeyboardInterrupt:
        kept = partial_folder(target).exists()
        en = "Run the same command with --resume to go on from there." if kept else "Nothing had been done."
        zh = "用同一命令加 --resume 运行即可继续。" if kept else "尚未完成任何部分。"
        print(f"{end_of_line}wenmo: {f'已停止。{zh}' if language() == 'zh' else f'Stopped. {en}'}", file=sys.stderr)
        return 130
    print(end=end_of_line, file=sys.stderr)
    for notice in dict.fromkeys(notice for file in summary.files for notice in file.notices):
        print(f"wenmo: {notice}", file=sys.stderr)
    print_json(asdict(summary))
    return 0


def _work(options: argparse.Namespace) -> tuple[Work, Path]:
    """What the job does, and where to. Raises InputError where there are not as many files as it needs."""
    from wenmo.jobs.job import Work
    from wenmo.jobs.options import RunOptions
    from wenmo.jobs.vector_chunk import VectorOptions
    from wenmo.jobs.vector_work import DedupeWork, EmbedWork, MatchWork

    *more, target = options.targets
    if len(more) != (options.task == "match"):
        raise InputError(
            "`run match` takes three files: QUESTIONS ANSWERS OUT. Any other task takes two: IN OUT.",
            "`run match` 需要三个文件：问题、答案、输出。其他任务需要两个：输入、输出。",
        )
    common: dict[str, Any] = {"text": options.text, "language": language(), **asdict(read_options(options))}
    if options.task in _VECTOR_TASKS:
        vector_options = VectorOptions(
            **common,
            threshold=options.threshold,
            answer_text=options.answer_text,
            top_k=options.top_k,
            rerank=options.rerank,
        )
        if options.task == "match":
            return MatchWork(more[0], vector_options), target
        return (DedupeWork if options.task == "dedupe" else EmbedWork)(vector_options), target
    run_options = RunOptions(
        **common,
        text_a=options.text_a,
        text_b=options.text_b,
        labels=options.labels,
        template=options.template,
        multi_label=options.multi_label,
        method=options.method,
        logits=options.logits,
    )
    return Work(task_spec(options.task).name, run_options), target


@contextmanager
def _backend(options: argparse.Namespace, task: str) -> Iterator[Backend]:
    """What computes the job; --model is the model of `task`. Raises InputError for options of Ray without Ray."""
    from wenmo.jobs.backend import EngineBackend
    from wenmo.jobs.ray_backend import RayBackend

    settings = read_settings(options, task)
    if options.engine == "ray":
        cores = options.actor_cores or 1
        with RayBackend(settings, address=options.address, actors=options.actors, cores=cores) as backend:
            yield backend
        return
    if options.address or options.actors or options.actor_cores:
        raise InputError(
            "--address, --actors and --actor-cores are Ray's. Add --engine ray, or leave them out.",
            "--address、--actors 与 --actor-cores 用于 Ray。请加 --engine ray，或去掉它们。",
        )
    from wenmo.engine.build import build_engine

    yield EngineBackend(build_engine(settings, repeatable=True))


def _progress_line() -> Callable[[JobProgress], None]:
    """A callback that shows how far a job is: on one line of a terminal, or by a line of a log every half minute."""
    terminal = sys.stderr.isatty()
    shown = float("-inf")

    def show(progress: JobProgress) -> None:
        nonlocal shown
        if not terminal and time.monotonic() - shown < 30:
            return
        shown = time.monotonic()
        line = f"{progress.rows:,} of {progress.total_rows:,} rows"
        if progress.rows_per_s is not None and progress.seconds_left is not None:
            minutes, seconds = divmod(round(progress.seconds_left), 60)
            line += f"   {progress.rows_per_s:,.0f} rows/s   {minutes // 60}:{minutes % 60:02}:{seconds:02} left"
        print(f"\r{line:70}" if terminal else line, end="" if terminal else "\n", file=sys.stderr, flush=True)

    return show
