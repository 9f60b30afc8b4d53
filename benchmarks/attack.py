"""What single callers can do to a server: how long others wait for its health, how much memory it takes, how it ends.

    python -m benchmarks.attack [--without-pages]

Starts `python -m wenmo serve` with all bundled models loaded, and makes one attack after the other: bodies that are
large, swollen or never finished, uploads without a page, foreign hosts, and on the Batch page files that are small and
become large. Each is something that somebody could send; none takes more of this machine than the server lets it. While
an attack goes on, `/api/health/live` is asked every 50 ms, and the resident memory of the server with its processes is
sampled. At the end the server gets SIGTERM while a body is unfinished.

    answer     what the attacker got: a status, or what the page said
    seconds    until then
    health     the slowest answer of /api/health/live meanwhile, in seconds
    memory     the peak over the server's rest before all attacks, in MiB

The pages need Chromium. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import socket
import tempfile
import threading
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import openpyxl
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from playwright.sync_api import Page, sync_playwright

from docs.screenshots import launch, running_app
from wenmo.lab.throughput import write_result
from wenmo.telemetry.machine import machine

EVERY_S = 0.05
TIMEOUT_S = 120.0
MIB = 2**20
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, kw_only=True)
class Attack:
    """What one attack did; see the module."""

    name: str
    answer: str
    seconds: float
    health_s: float
    memory_mib: float


class Watch:
    """Asks for the health and samples the memory, in threads of its own, until it is left."""

    def __init__(self, url: str, server: psutil.Process) -> None:
        self._url, self._server = url, server
        self._over = threading.Event()
        self.health_s = self.memory_mib = 0.0

    def __enter__(self) -> Watch:
        self._threads = [threading.Thread(target=target) for target in (self._ask, self._sample)]
        for thread in self._threads:
            thread.start()
        time.sleep(4 * EVERY_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        while not self._over.is_set():
            begun = time.perf_counter()
            call(f"{self._url}/api/health/live")
            self.health_s = max(self.health_s, time.perf_counter() - begun)
            time.sleep(EVERY_S)

    def _sample(self) -> None:
        while not self._over.is_set():
            self.memory_mib = max(self.memory_mib, resident_mib(self._server))
            time.sleep(EVERY_S)


def resident_mib(process: psutil.Process) -> float:
    """Of the process and its children, some of which may just have ended."""
    total = 0
    for each in (process, *process.children(recursive=True)):
        try:
            total += each.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / MIB


def call(url: str, body: bytes | None = None, headers: Mapping[str, str] = JSON, *, method: str | None = None) -> str:
    """The status of the answer, or why there is none."""
    request = urllib.request.Request(url, body, dict(headers), method=method)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            response.read()
            return str(response.status)
    except urllib.error.HTTPError as error:
        error.read()
        return str(error.code)
    except OSError as error:  # refused before the body was sent
        return type(error).__name__


@contextmanager
def unfinished(url: str, count: int) -> Iterator[None]:
    """So many calls to REST, each with a body that does not go on."""
    address = urlsplit(url)
    head = (
        "POST /api/v1/sentiment HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9000\r\n\r\n{"
    )
    with ExitStack() as stack:
        for _ in range(count):
            connection = stack.enter_context(socket.create_connection((address.hostname, address.port)))
            connection.sendall(head.encode())
        yield


def while_unfinished(url: str) -> str:
    """An honest call beside 256 unfinished ones, which is more than there are places."""
    with unfinished(url, 256):
        time.sleep(1)
        return call(f"{url}/api/v1/sentiment", json.dumps({"texts": ["墨色温润"]}).encode())


def calls(url: str) -> Iterator[tuple[str, Callable[[], str]]]:
    """Attacks over HTTP alone, by name."""

    def sentiment(asked: object) -> Callable[[], str]:
        body = json.dumps(asked).encode()  # now, not while others are timed
        return lambda: call(f"{url}/api/v1/sentiment", body)

    many = {str(number): 1 for number in range(600_000)}
    zero_shot = json.dumps({"texts": ["a"], "labels": [1] * 2_500_000}).encode()
    yield "labels: 2,500,000 numbers", lambda: call(f"{url}/api/v1/zero-shot", zero_shot)
    yield "600,000 unknown keys", sentiment({"texts": ["a"], **many})
    yield "texts nested 1,000,000 deep", lambda: call(f"{url}/api/v1/sentiment", b'{"texts":' + b"[" * 1_000_000)
    yield "a string of 4,000,000 escapes", lambda: call(f"{url}/api/v1/sentiment", b'"' + b'\\"' * 4_000_000)
    yield "a body of 64 MiB", lambda: call(f"{url}/api/v1/sentiment", bytes(64 * MIB))
    yield "64 texts of 20,000 characters", sentiment({"texts": ["好" * 20_000] * 64})
    yield "256 texts of 500 characters", sentiment({"texts": [f"{number}" + "好" * 500 for number in range(256)]})
    yield "256 unfinished bodies, one call", lambda: while_unfinished(url)
    yield "25 uploads of 20 MB without a page", lambda: uploads(url)
    yield "the name of another site", lambda: call(f"{url}/api/health", None, {"Host": "evil.example"})
    upgrade = {**JSON, "Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABk"}
    body = json.dumps({"texts": ["墨色温润"]}).encode()
    yield "an upgrade to HTTP/2", lambda: call(f"{url}/api/v1/sentiment", body, upgrade)


def uploads(url: str) -> str:
    answers = [call(f"{url}/_stcore/upload_file/nobody/{n}", bytes(20_000_000), {}, method="PUT") for n in range(25)]
    return ", ".join(sorted(set(answers)))


def files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Small files that become large, by name."""
    huge = pa.DictionaryArray.from_arrays(pa.array([0] * 400, pa.int32()), pa.array(["x" * 5_000_000]))
    repeated = folder / "repeated.parquet"
    pq.write_table(pa.table({"text": huge}), repeated, compression="zstd", store_schema=False)
    yield "Parquet: a cell of 5 MB 400 times", repeated
    ones = pa.ListArray.from_arrays([0, 60_000_000], pa.nulls(60_000_000, pa.int8()).fill_null(1))
    listed = folder / "listed.parquet"
    pq.write_table(pa.table({"text": ones}), listed, compression="zstd")
    yield "Parquet: a list of 60,000,000 numbers", listed
    texts = pa.ListArray.from_arrays([0, 400], huge)
    nested = folder / "nested.parquet"
    pq.write_table(pa.table({"text": texts}), nested, compression="zstd", store_schema=False)
    yield "Parquet: a list of 400 cells of 5 MB", nested
    formats = b'<xf numFmtId="0" fontId="0"/>' * 500_000 + b"</cellXfs>"
    yield "Excel: 500,000 styles", workbook(folder / "styles.xlsx", "xl/styles.xml", b"</cellXfs>", formats)
    cells = b'<row r="2">' + b'<c r="A2"/>' * 700_000 + b"</row></sheetData>"
    sheet = "xl/worksheets/sheet1.xml"
    yield "Excel: a row of 700,000 cells", workbook(folder / "cells.xlsx", sheet, b"</sheetData>", cells)


def workbook(path: Path, part: str, old: bytes, new: bytes) -> Path:
    """A workbook with `new` in place of `old` in one of its parts."""
    made = openpyxl.Workbook()
    made.active.append(["text"])
    made.save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts[part] = parts[part].replace(old, new)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def upload(page: Page, url: str, path: Path) -> str:
    """Give the Batch page a file; what it says then."""
    page.goto(f"{url}/files")
    page.locator("input[type=file]").wait_for(state="attached", timeout=TIMEOUT_S * 1000)
    page.locator("input[type=file]").set_input_files(path)
    outcome = page.locator("[data-testid=stAlert], [data-testid=stDataFrame]").first
    outcome.wait_for(timeout=TIMEOUT_S * 1000)
    said = page.locator("[data-testid=stAlert]")
    answer = said.first.inner_text()[:60] if said.count() else "shown"
    another = page.locator(".st-key-batch_another button")
    if another.count():
        another.click()
    return " ".join(answer.split())


def end(url: str, server: psutil.Process) -> float:
    """Seconds from SIGTERM to the end of the process, with a body that is never finished."""
    with unfinished(url, 1):
        time.sleep(0.5)
        begun = time.perf_counter()
        server.terminate()
        server.wait(TIMEOUT_S)
        return time.perf_counter() - begun


def main() -> None:
    """See the head of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--without-pages", action="store_true", help="no files, so that no browser is needed")
    parser.add_argument("--out", type=Path, help="write the JSON there, too")
    options = parser.parse_args()
    attacks: list[Attack] = []
    with tempfile.TemporaryDirectory() as made, running_app() as url, ExitStack() as stack:
        (server,) = (child for child in psutil.Process().children() if "serve" in child.cmdline())
        for route, asked in (
            ("sentiment", {"texts": ["好"]}),
            ("similarity", {"pairs": [["好", "坏"]]}),
            ("zero-shot", {"texts": ["好"], "labels": ["甲", "乙"]}),
        ):
            assert call(f"{url}/api/v1/{route}", json.dumps(asked).encode()) == "200"
        rest_mib = resident_mib(server)

        def attack(name: str, do: Callable[[], str]) -> None:
            with Watch(url, server) as watch:
                begun = time.perf_counter()
                answer = do()
                seconds = time.perf_counter() - begun
            done = Attack(
                name=name,
                answer=answer,
                seconds=round(seconds, 2),
                health_s=round(watch.health_s, 2),
                memory_mib=round(watch.memory_mib - rest_mib),
            )
            attacks.append(done)
            print(f"{name:40} {answer:50.50} {seconds:7.1f} s {done.health_s:6.2f} s {done.memory_mib:6.0f} MiB")

        for name, do in calls(url):
            attack(name, do)
        if not options.without_pages:
            page = launch(stack.enter_context(sync_playwright())).new_page(locale="en-US")
            for name, path in files(Path(made)):
                attack(name, lambda path=path: upload(page, url, path))  # type: ignore[misc]
        end_s = end(url, server)
    print(f"from SIGTERM to the end: {end_s:.1f} s")
    write_result(
        {
            "benchmark": "attack",
            "machine": machine(),
            "attacks": [asdict(each) for each in attacks],
            "slowest_health_s": max(each.health_s for each in attacks),
            "most_memory_mib": max(each.memory_mib for each in attacks),
            "end_s": round(end_s, 1),
        },
        options.out,
    )


if __name__ == "__main__":
    main()
