"""A long list beside a short one: does the speed hold, and does the memory stay?

    python -m benchmarks.scale [--rows 10000,1000000]

Each size runs in a process of its own, over short invented texts that all differ, on the bundled model. Texts are made
as they are asked for and results are thrown away, window by window, as a job over a file does. The last line is JSON:
texts a second and the highest resident memory, and what of it came while the texts were worked on.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

from wenmo.bench import machine, write_result

WINDOW = 4096


def _work(rows: int) -> dict[str, float]:
    from wenmo.engine import Engine

    with Engine(device="cpu", precision="fp32") as engine:
        engine.sentiment([f"第{row}条：味道不错，就是等得久了些" for row in range(WINDOW)])
        before_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        start = time.perf_counter()
        for begin in range(0, rows, WINDOW):
            texts = [f"{row}号的评论：味道不错，就是等得久了些" for row in range(begin, min(begin + WINDOW, rows))]
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
    parser.add_argument("--out", type=Path, help="write the JSON there, too")
    parser.add_argument("--work", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        print(json.dumps(_work(options.work)))
        return
    figures = {}
    for rows in options.rows.split(","):
        command = [sys.executable, "-m", "benchmarks.scale", "--work", rows]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        figures[rows] = json.loads(done.stdout.splitlines()[-1])
        print(f"{int(rows):>10,} rows: {figures[rows]}", flush=True)
    write_result({"benchmark": "scale", "machine": machine(), "rows": figures}, options.out)


if __name__ == "__main__":
    main()
