"""A job on Ray beside the same job in one process, on the same cores: what does it cost to go through Ray?

    python -m benchmarks.cluster [--rows 20000] [--actors 2] [--model …]

Both run `python -m wenmo run sentiment` over invented reviews, CSV to CSV, in turns, each run in a process of its own:
one engine with as many threads as there are actors, and as many Ray actors of one core each, on a Ray that is started
for the run. Rows a second are those from the first shard that was finished to the last: starting Ray and loading models
takes the same seconds whatever the rows, and is told beside. The outputs are compared byte for byte. The last line is
JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from wenmo.lab.throughput import invented_reviews, write_result
from wenmo.telemetry.machine import machine

ROOT = Path(__file__).resolve().parents[1]


def _run(source: Path, target: Path, cores: int, model: list[str], *, ray: bool) -> dict[str, float]:
    """One job: its rows a second between the first and the last shard, and the seconds before the first and in all."""
    how = ["--engine", "ray", "--actors", str(cores)] if ray else []
    command = [sys.executable, "-m", "wenmo", "run", "sentiment", str(source), str(target), "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": str(cores)}
    notes: dict[Path, float] = {}
    started = time.perf_counter()
    with subprocess.Popen(
        [*command, *model, *how], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while process.poll() is None:
            now = time.perf_counter()
            for note in Path(f"{target}.partial").glob("*/*.note"):
                notes.setdefault(note, now)
            time.sleep(0.05)
        said, complained = process.communicate()
    if process.returncode:
        raise SystemExit(complained)
    seconds = time.perf_counter() - started
    rows = json.loads(said.splitlines()[-1])["rows"]
    first, last = min(notes.values()), max(notes.values())
    # Shards are of equal size, but for the last.
    computed = rows * sum(at > first for at in notes.values()) / len(notes)
    return {"rows_per_s": computed / (last - first), "before_first_s": first - started, "seconds": seconds}


def measure(rows: int, cores: int, rounds: int, model: list[str]) -> dict[str, Any]:
    reviews = invented_reviews(min(rows, 2_000))
    runs: dict[str, list[dict[str, float]]] = {"one process": [], "ray": []}
    with tempfile.TemporaryDirectory(prefix="wenmo-cluster-") as folder:
        source = Path(folder) / "in.csv"
        with source.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "text"])
            # The number makes each text another one: equal ones would be computed once a shard.
            writer.writerows((row, f"{row}：{reviews[row % len(reviews)]}") for row in range(rows))
        outputs = {name: Path(folder) / f"{name.replace(' ', '-')}.csv" for name in runs}
        for _ in range(rounds):
            for name, found in runs.items():
                found.append(_run(source, outputs[name], cores, model, ray=name == "ray"))
                print(f"{name:12} {found[-1]['rows_per_s']:10,.1f} rows/s", file=sys.stderr, flush=True)
        identical = len({path.read_bytes() for path in outputs.values()}) == 1
    medians = {
        name: {key: round(statistics.median(run[key] for run in found), 2) for key in found[0]}
        for name, found in runs.items()
    }
    return {
        "rows": rows,
        "cores": cores,
        "rounds": rounds,
        **medians,
        "ratio": round(medians["ray"]["rows_per_s"] / medians["one process"]["rows_per_s"], 3),
        "identical": identical,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000, help="(20000)")
    parser.add_argument("--actors", type=int, default=2, help="of one core; threads of the one process (2)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each (3)")
    parser.add_argument("--model", help="bundled name, hub id or folder (the bundled one)")
    parser.add_argument("--precision", default="fp32", help="fp32 or int8 (fp32)")
    parser.add_argument("--shard-rows", type=int, default=250, help="a small part of the rows (250)")
    parser.add_argument("--out", type=Path, help="write the JSON there, too")
    options = parser.parse_args()
    model = ["--precision", options.precision, "--shard-rows", str(options.shard_rows)]
    model += ["--model", options.model] if options.model else []
    report = measure(options.rows, options.actors, options.rounds, model)
    for name in ("one process", "ray"):
        figures = report[name]
        print(f"{name:12} {figures['rows_per_s']:10,.1f} rows/s, the first after {figures['before_first_s']:.1f} s")
    write_result({"benchmark": "cluster", "machine": machine(), "precision": options.precision, **report}, options.out)


if __name__ == "__main__":
    main()
