"""`bench`: measures speed and memory on this machine, ours and other implementations in the same run."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from wenmo.cli.common import Commands, language, positive
from wenmo.errors import InputError
from wenmo.extras import needs


def add_to(commands: Commands[argparse.ArgumentParser]) -> None:
    bench = commands.add_parser("bench", help="speed on this machine, beside others in the same run")
    kinds = bench.add_subparsers(required=True, metavar="WHAT")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--precision", default="auto", help="auto, fp32, fp16, bf16 or int8 (auto); of throughput, latency: or a,b,…"
    )
    common.add_argument("--out", type=Path, help="write the JSON there, too")
    for what, text in (("throughput", "items a second of the forward"), ("latency", "of a call with one item")):
        forward = kinds.add_parser(what, parents=[common], help=text)
        forward.add_argument("--shape", choices=("bundled", "base", "large"), default="bundled", help="bundled")
        forward.add_argument(
            "--texts", type=Path, help="Parquet with a column text, or text_a and text_b (invented reviews)"
        )
        forward.add_argument("--count", type=positive, default=512, help="how many of them (512)")
        forward.add_argument("--rounds", type=positive, default=3, help="turns of each contestant (3)")
        forward.add_argument(
            "--against", help="peers of benchmarks/peers.py, separated by commas, or all, fp32, half, int8"
        )
        forward.add_argument("--device", help="auto, cpu, cuda or cuda:N (auto)", default="auto")
        forward.set_defaults(command=_bench, what=what)

    load = kinds.add_parser("load", parents=[common], help="the service under load, over HTTP, beside others")
    load.add_argument("--shape", choices=("bundled", "base", "large"), default="bundled", help="bundled")
    load.add_argument("--texts", type=Path, help="Parquet with a column text, or text_a and text_b (invented reviews)")
    load.add_argument("--count", type=positive, default=128, help="how many of them (128)")
    load.add_argument("--clients", type=positive, default=50, help="at once (50)")
    load.add_argument("--seconds", type=float, default=10.0, help="of a turn (10)")
    load.add_argument("--overload-seconds", type=float, default=60.0, help="at 5 times what it can answer (60)")
    load.add_argument("--rounds", type=positive, default=2, help="turns of each contestant (2)")
    load.add_argument("--litserve", metavar="PYTHON", help="a Python with benchmarks/requirements.txt (left out)")
    load.set_defaults(command=_bench_load)

    articles = kinds.add_parser("articles", help="what the articles measured, before and after, over HTTP")
    articles.add_argument("--out", type=Path, help="write the JSON there (benchmarks/results/DATE-articles.json)")
    articles.add_argument("--seconds", type=float, default=5.0, help="of a measurement (5)")
    articles.add_argument("--clients", type=positive, default=50, help="at once (50)")
    articles.add_argument("--labelled", type=Path, help="Parquet with columns text and label, for the F1")
    articles.add_argument("--limit", type=positive, default=300, help="only its first rows (300)")
    articles.add_argument("--template", default="{}", help="hypothesis for its labels ({})")
    articles.set_defaults(command=_bench_articles)

    memory = kinds.add_parser("memory", help="what is used, would be used on a GPU, and was saved")
    memory.add_argument(
        "--preset", default="article", help="article: what an article on GPU memory measured; check: 52 kinds (article)"
    )
    memory.add_argument("--model", help="its model: tiny, base, large, bundled, a name or folder")
    memory.add_argument("--configurations", help='instead of a preset: a JSON list, such as [{"model": "base"}]')
    memory.add_argument("--predict-only", action="store_true", help="run nothing")
    memory.add_argument("--rounds", type=positive, help="runs of each configuration (3; check 1)")
    memory.add_argument("--labelled", type=Path, help="file of text_a, text_b, label or text, label: accuracy there")
    memory.add_argument("--report", type=Path, help="write a report there, HTML")
    memory.add_argument("--csv", type=Path, help="write the figures there")
    memory.add_argument("--out", type=Path, help="write the JSON there, too")
    memory.set_defaults(command=_bench_memory)


def _bench(options: argparse.Namespace) -> None:
    from wenmo.lab import throughput as bench
    from wenmo.telemetry.machine import machine

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
            "machine": machine(),
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
    from wenmo.lab import throughput as bench

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
    from wenmo.lab import throughput as bench

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
    """A module of benchmarks/, which needs what the tests need."""
    import importlib

    try:
        importlib.import_module("aiohttp")  # which the module imports only when it runs
        return importlib.import_module(f"benchmarks.{name}")
    except ImportError as error:
        raise _needs_a_checkout(error) from None


def _needs_a_checkout(error: ImportError) -> InputError:
    return InputError(
        f"This benchmark cannot be loaded: {error}. Its code is in the repository, not in the installed package: clone "
        "it, run `pip install -r requirements-dev.txt` there, and `python -m wenmo bench …` from its folder.",
        f"无法载入此基准测试：{error}。其代码在仓库中，不在安装的包里：请克隆仓库，在其中运行 "
        "`pip install -r requirements-dev.txt`，再运行 `python -m wenmo bench …`。",
    )


def _bench_memory(options: argparse.Namespace) -> None:
    from wenmo.cli.bench_memory import bench_memory

    with needs("train"):  # transformers, imported where a padded forward or a training step is first built
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
            language=language(),
        )


def _peers(wanted: str | None) -> dict[str, Any]:
    """Arguments of a benchmark: the peers that `wanted` names (all, fp32, half, int8, single ones), and their exporter.

    Raises InputError for an unknown name, and where the peers cannot be imported.
    """
    if not wanted:
        return {}
    try:
        from benchmarks import peers
        from wenmo.lab.padded import export
    except ImportError as error:
        raise _needs_a_checkout(error) from None
    everything = {**peers.PEERS, **peers.HALF_PEERS, **peers.INT8_PEERS}
    groups = {
        "all": everything,
        "fp32": dict(peers.PEERS),
        "half": dict(peers.HALF_PEERS),
        "int8": dict(peers.INT8_PEERS),
    }
    selected: dict[str, Any] = {}
    for name in wanted.split(","):
        if name not in groups and name not in everything:
            known = ", ".join([*groups, *everything])
            raise InputError(f"No such peer: {name}. Known: {known}.", f"没有这样的对照：{name}。可选：{known}。")
        selected.update(groups.get(name) or {name: everything[name]})
    return {"peers": selected, "export": export}
