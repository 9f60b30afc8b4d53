"""A long list beside a short one: does the speed hold, and does the memory stay?

    python -m benchmarks.scale [--rows 10000,1000000] [--jobs 10000,1000000]

Each size runs in a process of its own, over short invented texts that all differ, on the bundled model: `rows` by the
engine, whose texts are made as they are asked for and whose results are thrown away, window by window; `jobs` by
`python -m wenmo run`, CSV to CSV. The last line is JSON: texts a second and the highest resident memory, and of the
engine's what came while the texts were worked on.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from wenmo.lab.throughput import write_result
from wenmo.telemetry.machine import machine

WINDOW = 4096


def _texts(begin: int, end: int) -> list[str]:
    return [f"{row}号的评论：味道不错，就是等得久了些" for row in range(begin, end)]


def _job(rows: int, precision: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in.csv"
        with source.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["text"])
            for begin in range(0, rows, WINDOW):
                writer.writerows([text] for text in _texts(begin, min(begin + WINDOW, rows)))
        command = [sys.executable, "-m", "wenmo", "run", "sentiment", str(source), f"{folder}/out.csv"]
        options = ["--device", "cpu", "--precision", precision]
        done = subprocess.run([*command, *options], check=True, stdout=subprocess.PIPE, text=True)
    summary = json.loads(done.stdout.splitlines()[-1])
    assert (summary["rows"], summary["failed_rows"]) == (rows, 0)
    return {"texts_per_s": round(summary["rows_per_s"], 1), "peak_mib": round(summary["peak_memory_mib"], 1)}


def _work(rows: int, precision: str) -> dict[str, float]:
    from wenmo.engine import Engine

    with Engine(device="cpu", precision=precision) as engine:
        engine.sentiment([f"第{row}条：味道不错，就是等得久了些" for row in range(WINDOW)])
        before_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        start = time.perf_counter()
        for begin in range(0, rows, WINDOW):
            texts = _texts(begin, min(begin + WINDOW, rows))
            assert len(engine.sentiment(texts)) == len(texts)
        seconds = time.perf_counter() - start
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "texts_per_s": round(rows / seconds, 1),
        "peak_mib": round(peak_mib, 1),
        "grown_by_mib": round(peak_mib - before_mib, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="10000,1000000", help="sizes to compare (10000,1000000)")
    parser.add_argument("--jobs", default="", help="sizes of jobs over files to compare with these")
    parser.add_argument("--precision", default="fp32", help="fp32 or int8 (fp32)")
    parser.add_argument("--out", type=Path, help="write the JSON there, too")
    parser.add_argument("--work", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        print(json.dumps(_work(options.work, options.precision)))
        return
    figures = {}
    for rows in options.rows.split(","):
        command = [sys.executable, "-m", "benchmarks.scale", "--work", rows, "--precision", options.precision]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        figures[rows] = json.loads(done.stdout.splitlines()[-1])
        print(f"{int(rows):>10,} rows: {figures[rows]}", flush=True)
    jobs = {}
    for rows in options.jobs.split(",") if options.jobs else ():
        jobs[rows] = _job(int(rows), options.precision)
        print(f"{int(rows):>10,} rows of a job: {jobs[rows]}", flush=True)
    write_result(
        {"benchmark": "scale", "machine": machine(), "precision": options.precision, "rows": figures, "jobs": jobs},
        options.out,
    )


if __name__ == "__main__":
    main()
