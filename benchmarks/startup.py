"""How long until the app answers, and how much memory it then holds.

    python -m benchmarks.startup [--runs 3]

Starts `python -m wenmo serve` on the bundled models and takes, for each run: seconds until a browser shows the first
page, seconds until that page's first answer, and the resident memory of the server before and after all models
were used over REST; and what importing torch alone makes resident. Needs Chromium. The last line is JSON.

The precision is what WENMO_PRECISION says. With auto, the first start of a machine measures (docs/decisions/0015):
XDG_CACHE_HOME naming an empty folder makes one run such a start.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import sync_playwright

from docs.screenshots import launch
from wenmo.lab.throughput import write_result
from wenmo.telemetry.machine import machine

ROOT = Path(__file__).resolve().parents[1]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _post(url: str, body: dict[str, Any]) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        response.read()


def _resident_mib(process: psutil.Process) -> float:
    return sum(each.memory_info().rss for each in (process, *process.children(recursive=True))) / 2**20


def _torch_mib() -> float:
    """What importing torch alone makes resident."""
    program = "import psutil, torch; print(psutil.Process().memory_info().rss / 2**20)"
    return float(subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, cwd=ROOT).stdout)


def measure() -> dict[str, float]:
    """One start; the browser is opened before the clock starts."""
    port = _free_port()
    base = f"http://127.0.0.1:{port}"
    with sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page(locale="zh-CN")
        start = time.perf_counter()
        server = subprocess.Popen(
            [sys.executable, "-m", "wenmo", "serve", "--port", str(port)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            while True:
                try:
                    urllib.request.urlopen(f"{base}/_stcore/health", timeout=1).close()
                    break
                except OSError:
                    if server.poll() is not None:
                        raise SystemExit("the server did not start") from None
                    time.sleep(0.05)
            page.goto(base)
            example = page.get_by_role("button", name="换个说法", exact=True)
            example.wait_for(timeout=60_000)
            shown_s = time.perf_counter() - start
            example.click()
            page.get_by_text("同义概率").wait_for(timeout=60_000)
            answered_s = time.perf_counter() - start
            process = psutil.Process(server.pid)
            one_model_mib = _resident_mib(process)
            _post(f"{base}/api/v1/similarity", {"pairs": [["今天天气真好", "天气不错"]]})
            _post(f"{base}/api/v1/sentiment", {"texts": ["今天天气真好"]})
            _post(f"{base}/api/v1/zero-shot", {"texts": ["今天天气真好"], "labels": ["天气", "体育"]})
            _post(f"{base}/api/v1/embed", {"texts": ["今天天气真好"]})
            return {
                "first_page_s": shown_s,
                "first_answer_s": answered_s,
                "resident_one_model_mib": one_model_mib,
                "resident_all_models_mib": _resident_mib(process),
                "torch_alone_mib": _torch_mib(),
            }
        finally:
            server.terminate()
            server.wait(30)
            browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=Path, help="write the JSON there, too")
    options = parser.parse_args()
    runs = [measure() for _ in range(options.runs)]
    medians = {name: round(statistics.median(run[name] for run in runs), 1) for name in runs[0]}
    write_result({"benchmark": "startup", "machine": machine(), "runs": len(runs), **medians}, options.out)


if __name__ == "__main__":
    main()
