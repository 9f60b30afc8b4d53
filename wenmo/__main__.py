"""The command line: serve, run, eval, bench, models, train. Where a command reports figures its last line is JSON."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wenmo.errors import InputError, Language, WenmoError
from wenmo.types import ZERO_SHOT_METHODS, TaskName

if TYPE_CHECKING:
    from wenmo.engine import Engine
    from wenmo.jobs.job import JobProgress

RUN_TASKS: dict[str, TaskName] = {"similarity": "similarity", "sentiment": "sentiment", "zero-shot": "zero_shot"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0, or 2 for an error that the user can mend."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given[:2] == ["train", "adapt"]:  # a command of two words: one parser cannot take both these and RECIPE
        given[:2] = ["train adapt"]
    options = _parser().parse_args(given)
    for stream in (sys.stdout, sys.stderr):  # a console that cannot show a character shows its escape, not a traceback
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        return int(options.command(options) or 0)
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except WenmoError as error:
        print(f"wenmo: {error.text(_language())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _language() -> Language:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if os.environ.get(name):
            return "zh" if os.environ[name].startswith("zh") else "en"
    return "en"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m wenmo", description="Chinese sentence understanding over StructBERT"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="the app and the REST service, in one process")
    serve.add_argument("--host", help="address to listen on (WENMO_HOST, 127.0.0.1)")
    serve.add_argument("--port", type=int, help="port to listen on (WENMO_PORT, 8501)")
    serve.add_argument("--api-only", action="store_true", help="the REST service without the app's pages")
    serve.add_argument("--workers", type=_positive, help="processes, with --api-only (WENMO_WORKERS, 1)")
    serve.set_defaults(command=_serve)

    run = commands.add_parser("run", help="files in, files with results out (CSV, JSONL, Parquet; Excel in)")
    run.add_argument("task", choices=tuple(RUN_TASKS))
    run.add_argument("source", type=Path, metavar="IN", help="a file, a folder, or a pattern in quotes: 'data/*.csv'")
    run.add_argument("target", type=Path, metavar="OUT", help="a file; for a folder or a pattern, a folder")
    left = run.add_mutually_exclusive_group()
    left.add_argument("--resume", action="store_true", help="go on where an earlier run was stopped, if one was")
    left.add_argument("--restart", action="store_true", help="throw away what an earlier run left")
    run.add_argument("--shard-rows", type=_positive, help="rows that are kept for good at a time (by the model's size)")
    run.add_argument("--text", default="text", help="column of the text (text)")
    run.add_argument("--text-a", default="text_a", help="column of the first sentence (text_a)")
    run.add_argument("--text-b", default="text_b", help="column of the second sentence (text_b)")
    run.add_argument("--labels", help="labels for zero-shot, separated by commas")
    run.add_argument("--template", default="{}", help="hypothesis with one place {} for the label")
    run.add_argument("--multi-label", action="store_true", help="several labels may be true")
    run.add_argument("--logits", action="store_true", help="add the raw outputs")
    run.add_argument("--encoding", help="of CSV files: utf-8, gb18030, big5, utf-16 … (found by their bytes)")
    run.add_argument("--delimiter", help="of CSV files (, and a tab for .tsv)")
    _model_options(run)
    run.set_defaults(command=_run)

    evaluate = commands.add_parser("eval", help="accuracy, macro F1 and calibration on a labelled Parquet file")
    evaluate.add_argument("task", choices=("similarity", "sentiment", "nli", "zero-shot"))
    evaluate.add_argument("file", type=Path)
    evaluate.add_argument("--limit", type=_positive, help="only the first rows")
    evaluate.add_argument("--labels", help="labels for zero-shot, separated by commas (default: those of the file)")
    evaluate.add_argument("--template", default="{}", help="hypothesis with one place {} for the label")
    evaluate.add_argument("--method", choices=ZERO_SHOT_METHODS, default="nli", help="of zero-shot (nli)")
    _model_options(evaluate)
    evaluate.set_defaults(command=_eval)

    _bench_commands(commands.add_parser("bench", help="speed on this machine, beside others in the same run"))

    models = commands.add_parser("models", help="what is bundled, cached and known; `models pull ID` downloads")
    models.set_defaults(command=_models)
    actions = models.add_subparsers(metavar="ACTION")
    pull = actions.add_parser("pull", help="download a model from the hub")
    pull.add_argument("id", help="such as iic/nlp_structbert_sentiment-classification_chinese-base")
    pull.set_defaults(command=_pull)

    train = commands.add_parser("train", help="make checkpoints by a recipe")
    train.add_argument("recipe", type=Path, help="such as wenmo/training/bundled.toml")
    train.add_argument(
        "--data", type=Path, required=True, help="folder with similarity/, sentiment/, nli/, topics/, text/"
    )
    train.add_argument(
        "--work", type=Path, required=True, help="folder for the vocabulary and the run's own checkpoints"
    )
    train.add_argument("--out", type=Path, required=True, help="folder for the finished models")
    train.add_argument("--stages", help="comma-separated: vocabulary, pretrain, or a task such as zero_shot (all)")
    train.add_argument("--max-steps", type=_positive, help="stop each stage early")
    train.set_defaults(command=_train)
    _adapt_parser(commands)
    return parser


def _bench_commands(bench: argparse.ArgumentParser) -> None:
    kinds = bench.add_subparsers(required=True, metavar="WHAT")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--precision", help="auto, fp32, fp16, bf16 or int8 (auto)", default="auto")
    common.add_argument("--out", type=Path, help="write the JSON there, too")
    for what, text in (("throughput", "items a second of the forward"), ("latency", "of a call with one item")):
        forward = kinds.add_parser(what, parents=[common], help=text)
        forward.add_argument("--shape", choices=("bundled", "base", "large"), default="bundled", help="bundled")
        forward.add_argument(
            "--texts", type=Path, help="Parquet with a column text, or text_a and text_b (invented reviews)"
        )
        forward.add_argument("--count", type=_positive, default=512, help="how many of them (512)")
        forward.add_argument("--rounds", type=_positive, default=3, help="turns of each contestant (3)")
        forward.add_argument("--against", help="comma-separated peers of benchmarks/peers.py, or all, fp32, int8")
        forward.add_argument("--device", help="auto, cpu, cuda or cuda:N (auto)", default="auto")
        forward.set_defaults(command=_bench, what=what)

    load = kinds.add_parser("load", parents=[common], help="the service under load, over HTTP, beside others")
    load.add_argument("--shape", choices=("bundled", "base", "large"), default="bundled", help="bundled")
    load.add_argument("--texts", type=Path, help="Parquet with a column text, or text_a and text_b (invented reviews)")
    load.add_argument("--count", type=_positive, default=128, help="how many of them (128)")
    load.add_argument("--clients", type=_positive, default=50, help="at once (50)")
    load.add_argument("--seconds", type=float, default=10.0, help="of a turn (10)")
    load.add_argument("--overload-seconds", type=float, default=60.0, help="at 5 times what it can answer (60)")
    load.add_argument("--rounds", type=_positive, default=2, help="turns of each contestant (2)")
    load.add_argument("--litserve", metavar="PYTHON", help="a Python with benchmarks/requirements.txt (left out)")
    load.set_defaults(command=_bench_load)

    articles = kinds.add_parser("articles", help="what the articles measured, before and after, over HTTP")
    articles.add_argument("--out", type=Path, help="write the JSON there (benchmarks/results/DATE-articles.json)")
    articles.add_argument("--seconds", type=float, default=5.0, help="of a measurement (5)")
    articles.add_argument("--clients", type=_positive, default=50, help="at once (50)")
    articles.add_argument("--labelled", type=Path, help="Parquet with columns text and label, for the F1")
    articles.add_argument("--limit", type=_positive, default=300, help="only its first rows (300)")
    articles.add_argument("--template", default="{}", help="hypothesis for its labels ({})")
    articles.set_defaults(command=_bench_articles)

    memory = kinds.add_parser("memory", help="what is used, would be used on a GPU, and was saved")
    memory.add_argument(
        "--preset", default="article", help="article: what an article on GPU memory measured; check (article)"
    )
    memory.add_argument("--model", help="its model: tiny, base, large, bundled, a name or folder")
    memory.add_argument("--configurations", help='instead of a preset: a JSON list, such as [{"model": "base"}]')
    memory.add_argument("--predict-only", action="store_true", help="run nothing")
    memory.add_argument("--rounds", type=_positive, default=3, help="runs of each configuration (3)")
    memory.add_argument("--labelled", type=Path, help="Parquet with text_a, text_b, label: what precision costs there")
    memory.add_argument("--report", type=Path, help="write a report there, HTML")
    memory.add_argument("--csv", type=Path, help="write the figures there")
    memory.add_argument("--out", type=Path, help="write the JSON there, too")
    memory.set_defaults(command=_bench_memory)


def _adapt_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    adapt = commands.add_parser(
        "train adapt", help="adapt a model to labelled rows of one's own (CSV, JSONL, Parquet, Excel)"
    )
    adapt.add_argument("file", type=Path)
    adapt.add_argument("--task", choices=("sentiment", "similarity", "zero-shot"), required=True)
    adapt.add_argument("--name", required=True, help="of the new local model: small letters, digits, hyphens")
    adapt.add_argument("--from", dest="start_from", metavar="MODEL", help="model to begin with (the task's, WENMO_…)")
    for column in ("text", "text-a", "text-b", "label"):
        adapt.add_argument(f"--{column}", help="name of this column (guessed)")
    adapt.add_argument("--epochs", type=_positive, default=12, help="at most so many passes over the rows (12)")
    adapt.add_argument("--learning-rate", type=float, help="(by the model's size)")
    adapt.add_argument("--precision", default="auto", help="auto, fp32, bf16 or fp16 (auto)")
    adapt.add_argument(
        "--checkpointing", action="store_true", help="less memory for activations, about one more forward a step"
    )
    adapt.add_argument("--device", help="auto, cpu, cuda or cuda:N (WENMO_DEVICE, auto)")
    adapt.add_argument("--max-length", type=_positive, default=256, help="pieces of an input in training (256)")
    adapt.add_argument("--time-limit", type=float, default=3600.0, metavar="SECONDS", help="of the training (3600)")
    adapt.add_argument("--template", default="{}", help="zero-shot: hypothesis with one place {} for the label")
    adapt.add_argument("--seed", type=int, default=1, help="of the split and the order (1)")
    adapt.set_defaults(command=_adapt)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _model_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", help="bundled name, hub id or folder (default: the bundled model of the task)")
    parser.add_argument("--precision", help="auto, fp32, fp16, bf16 or int8 (WENMO_PRECISION, auto)")
    parser.add_argument("--device", help="auto, cpu, cuda or cuda:N (WENMO_DEVICE, auto)")
    parser.add_argument(
        "--uncalibrated",
        action="store_const",
        const=False,
        dest="calibrated",
        help="probabilities of the bare logits, as ModelScope gives them (WENMO_CALIBRATED=0)",
    )


def _engine(options: argparse.Namespace, task: str, **more: Any) -> Engine:
    from wenmo.settings import Settings

    given: dict[str, Any] = {
        "device": options.device,
        "precision": options.precision,
        "calibrated": options.calibrated,
        f"{task}_model": options.model,
        **more,
    }
    return Settings.read(**given).build_engine()


def _serve(options: argparse.Namespace) -> int | None:
    from wenmo.settings import Settings

    settings = Settings.read(host=options.host, port=options.port, workers=options.workers)
    if options.api_only:
        from wenmo.api.standalone import serve_api

        return serve_api(settings)
    if settings.workers > 1:
        raise InputError(
            f"The app's pages are served by one process, not by {settings.workers}: a visitor's session lives in it. "
            "Add --api-only for the REST service alone, or leave out --workers and WENMO_WORKERS.",
            f"页面由单个进程提供，不能用 {settings.workers} 个：访客的会话保存在该进程中。"
            "如只需 REST 服务，请加 --api-only；否则请去掉 --workers 和 WENMO_WORKERS。",
        )
    from wenmo.server import serve

    serve(settings)
    return None


def _run(options: argparse.Namespace) -> int:
    from wenmo.jobs.job import run_job
    from wenmo.jobs.run import RunOptions
    from wenmo.jobs.sources import partial_folder

    task = RUN_TASKS[options.task]
    end_of_line = "\n" if sys.stderr.isatty() else ""  # of the progress
    try:
        summary = run_job(
            _engine(options, task, cache_mib=0),  # what is kept would make answers depend on what was asked before
            task,
            options.source,
            options.target,
            RunOptions(
                text=options.text,
                text_a=options.text_a,
                text_b=options.text_b,
                labels=options.labels,
                template=options.template,
                multi_label=options.multi_label,
                logits=options.logits,
                language=_language(),
                encoding=options.encoding,
                delimiter=options.delimiter,
            ),
            resume=options.resume,
            restart=options.restart,
            shard_rows=options.shard_rows,
            progress=_progress_line(),
        )
    except WenmoError:
        print(end=end_of_line, file=sys.stderr)
        raise
    except KeyboardInterrupt:
        kept = partial_folder(options.target).exists()
        en = "Run the same command with --resume to go on from there." if kept else "Nothing had been done."
        zh = "用同一命令加 --resume 运行即可继续。" if kept else "尚未完成任何部分。"
        print(f"{end_of_line}wenmo: {f'已停止。{zh}' if _language() == 'zh' else f'Stopped. {en}'}", file=sys.stderr)
        return 130
    print(end=end_of_line, file=sys.stderr)
    _print_json(asdict(summary))
    return 0


def _progress_line() -> Callable[[JobProgress], None]:
    """Shows how far a job is on one line of a terminal; in a log, a line every half minute."""
    terminal = sys.stderr.isatty()
    shown = float("-inf")

    def show(progress: JobProgress) -> None:
        nonlocal shown
        if not terminal and time.monotonic() - shown < 30:
            return
        shown = time.monotonic()
        line = f"{progress.rows:,} of {progress.of_rows:,} rows"
        if progress.rows_per_s is not None and progress.seconds_left is not None:
            minutes, seconds = divmod(round(progress.seconds_left), 60)
            line += f"   {progress.rows_per_s:,.0f} rows/s   {minutes // 60}:{minutes % 60:02}:{seconds:02} left"
        print(f"\r{line:70}" if terminal else line, end="" if terminal else "\n", file=sys.stderr, flush=True)

    return show


def _eval(options: argparse.Namespace) -> None:
    from wenmo.training.evaluate import ENGINE_TASK, evaluate

    # Without a cache: the seconds that are told are those of computing.
    engine = _engine(options, ENGINE_TASK[options.task], cache_mib=0)
    against = None
    if engine.precision.value != "fp32":  # what the precision costs is told on the same rows
        options.precision = "fp32"
        against = _engine(options, ENGINE_TASK[options.task], cache_mib=0)
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
    _print_json(asdict(evaluation))


def _bench(options: argparse.Namespace) -> None:
    from wenmo import bench

    items = bench.read_items(options.texts, options.count) if options.texts else bench.invented_reviews(options.count)
    given: dict[str, Any] = {
        "shape": options.shape,
        "items": items,
        "device": options.device,
        "precision": options.precision,
        **_peers(options.against),
    }
    if options.what == "latency":
        figures = bench.latency(**given)
        for figure in figures:
            print(f"{figure.name:40} p50 {figure.p50_ms:8.2f} ms   p95 {figure.p95_ms:8.2f} ms")
        result: dict[str, Any] = {
            "benchmark": "latency",
            "machine": bench.machine(),
            "shape": options.shape,
            "items": len(items),
            "figures": [asdict(figure) for figure in figures],
        }
    else:
        report = bench.throughput(
            **given, rounds=options.rounds, progress=lambda line: print(line, file=sys.stderr, flush=True)
        )
        print(bench.table(report))
        result = {"benchmark": "throughput", **asdict(report)}
    bench.write_result(result, options.out)


def _bench_load(options: argparse.Namespace) -> None:
    load = _benchmark("load")
    from wenmo import bench

    items = bench.read_items(options.texts, options.count) if options.texts else bench.invented_reviews(options.count)
    report = load.measure(
        load.Options(
            shape=options.shape,
            precision=options.precision,
            clients=options.clients,
            seconds=options.seconds,
            overload_s=options.overload_seconds,
            rounds=options.rounds,
            litserve=options.litserve,
        ),
        load.texts_of(items),
        progress=lambda line: print(line, file=sys.stderr, flush=True),
    )
    print(load.table(report))
    bench.write_result(report, options.out)


def _bench_articles(options: argparse.Namespace) -> None:
    articles = _benchmark("articles")
    from wenmo import bench

    report = articles.measure(
        clients=options.clients,
        seconds=options.seconds,
        labelled=options.labelled,
        limit=options.limit,
        template=options.template,
        progress=lambda line: print(line, file=sys.stderr, flush=True),
    )
    print(articles.table(report))
    bench.write_result(report, options.out or articles.default_file())


def _benchmark(name: str) -> Any:
    """A module of benchmarks/, which is there in a clone alone, and needs what the tests need."""
    import importlib

    from wenmo.errors import InputError

    try:
        importlib.import_module("aiohttp")  # the load's own, imported where it runs
        return importlib.import_module(f"benchmarks.{name}")
    except ImportError as error:
        raise InputError(
            f"This benchmark cannot be loaded: {error}. Run from the repository's folder, after "
            "`pip install -r requirements-dev.txt`.",
            f"无法载入此基准测试：{error}。请先 `pip install -r requirements-dev.txt`，并在仓库目录中运行。",
        ) from None


def _bench_memory(options: argparse.Namespace) -> None:
    from wenmo.memory.command import bench_memory

    bench_memory(
        preset=options.preset,
        model=options.model,
        configurations=options.configurations,
        predict_only=options.predict_only,
        runs=options.rounds,
        labelled=options.labelled,
        report=options.report,
        csv=options.csv,
        out=options.out,
        language=_language(),
    )


def _peers(wanted: str | None) -> dict[str, Any]:
    """The peers named in `wanted` (fp32, int8, all, or their own names), and what writes a checkpoint for them."""
    if not wanted:
        return {}
    try:
        from benchmarks import peers
        from wenmo.padded import export
    except ImportError as error:
        raise InputError(
            f"Peers cannot be loaded: {error}. Run from the repository's folder.",
            f"无法载入对照实现：{error}。请在仓库目录中运行。",
        ) from None
    everything = {**peers.PEERS, **peers.INT8_PEERS}
    groups = {"all": everything, "fp32": dict(peers.PEERS), "int8": dict(peers.INT8_PEERS)}
    chosen: dict[str, Any] = {}
    for name in wanted.split(","):
        if name not in groups and name not in everything:
            known = ", ".join([*groups, *everything])
            raise InputError(f"No such peer: {name}. Known: {known}.", f"没有这样的对照：{name}。可选：{known}。")
        chosen.update(groups.get(name) or {name: everything[name]})
    return {"peers": chosen, "export": export}


def _models(options: argparse.Namespace) -> None:
    from wenmo.models.registry import listing
    from wenmo.settings import Settings

    entries = listing(Settings.read().models_folder)
    for entry in entries:
        size = "" if entry.size_mib is None else f"{entry.size_mib:.1f} MiB"
        print(f"{entry.kind:8} {entry.task or '':11} {entry.name:60} {size}".rstrip())
    _print_json([{**asdict(entry), "folder": None if entry.folder is None else str(entry.folder)} for entry in entries])


def _pull(options: argparse.Namespace) -> None:
    from wenmo.models.hub import download

    folder = download(options.id)
    _print_json({"id": options.id, "folder": str(folder)})


def _train(options: argparse.Namespace) -> None:
    from wenmo.training.recipe import STAGES, Recipe, Run

    run = Run(
        Recipe.read(options.recipe),
        data_folder=options.data,
        work=options.work,
        out=options.out,
        log=lambda line: print(line, flush=True),
        max_steps=options.max_steps,
    )
    for stage in options.stages.split(",") if options.stages else STAGES:
        run.stage(stage.strip())


def _adapt(options: argparse.Namespace) -> None:
    from wenmo.jobs.readers import open_reader
    from wenmo.settings import Settings
    from wenmo.training.adapt import AdaptOptions, AdaptProgress, adapt
    from wenmo.training.labelled import guess_columns, read_rows

    task = RUN_TASKS[options.task]
    settings = Settings.read(device=options.device)
    guessed = guess_columns(open_reader(options.file).columns, task)  # type: ignore[arg-type]
    named = {name: getattr(options, name) for name in ("text", "text_a", "text_b", "label") if getattr(options, name)}

    def tell(progress: AdaptProgress) -> None:
        loss = "" if progress.loss is None else f"  loss {progress.loss:.3f}"
        dev = "" if progress.dev_loss is None else f"  dev {progress.dev_loss:.3f}"
        line = f"{progress.stage} {progress.step} of {progress.of}{loss}{dev}  {progress.memory_mib:,.0f} MiB"
        print(f"\r{line:70}", end="\n" if dev else "", file=sys.stderr, flush=True)

    adapted = adapt(
        read_rows(options.file, task, replace(guessed, **named)),  # type: ignore[arg-type]
        name=options.name,
        start_from=options.start_from or getattr(settings, f"{task}_model"),
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
        progress=tell,
    )
    print(file=sys.stderr)
    for when, figures in (("before", adapted.before), ("after", adapted.after)):
        low, high = figures.interval
        print(
            f"{when:7} {figures.correct} of {figures.n} held-out rows, {figures.accuracy:.1%} ({low:.1%} to {high:.1%})"
        )
    low, high = adapted.difference.interval
    print(f"change  {100 * adapted.difference.change:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f}), ", end="")
    print({"unclear": "no better than before, within the interval"}.get(verdict := adapted.difference.verdict, verdict))
    _print_json(adapted.figures())


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False))


if __name__ == "__main__":
    sys.exit(main())
