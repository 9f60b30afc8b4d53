"""A load of HTTP calls, in a process of its own: what to do comes as JSON on standard input, what was seen goes out.

    {"url": ..., "bodies": [...], "seconds": 10, "warm_s": 1, "clients": 50}    closed: each client waits for its answer
    {"url": ..., "bodies": [...], "seconds": 10, "warm_s": 1, "rate": 120}      open: calls come when they come

With a rate, arrivals are a Poisson process (always the same one), sent whether or not earlier calls were answered, and
a call's time counts from when it was due: a service that stalls cannot hide it by holding up its clients (coordinated
omission). With clients, a slow service is asked less often, so that those times say only how it is at this concurrency.

The load shares the machine with the service. `cpu_share` says what it took of one core, `late_p99_ms` how late calls
went out.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from wenmo.telemetry.statistics import Percentiles

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT_S = 60.0
NO_ANSWER = 0  # instead of a status: refused, cut off or not answered in time


@dataclass(frozen=True, kw_only=True)
class Call:
    """`body` is its index; `start_s` and `end_s` count from the beginning of what is measured."""

    body: int
    status: int
    start_s: float
    end_s: float
    answer: str | None  # of a 200


@dataclass(frozen=True, kw_only=True)
class Load:
    """What was seen. `requests_per_s` counts calls answered with 200 while it was measured, and no warming up."""

    requests_per_s: float
    answered: Percentiles | None  # from when a call was due, or sent, to the end of its answer, of those with 200
    by_status: Mapping[str, int]
    cpu_share: float
    late_p99_ms: float | None
    calls: Sequence[Call] = field(repr=False)


def drive(
    url: str,
    bodies: Sequence[Any],
    *,
    seconds: float,
    clients: int | None = None,
    rate: float | None = None,
    warm_s: float = 1.0,
) -> Load:
    """Put a load on `url`: `clients` at once, or `rate` a second."""
    plan = {"url": url, "bodies": bodies, "seconds": seconds, "clients": clients, "rate": rate, "warm_s": warm_s}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.client"],
        cwd=ROOT,
        input=json.dumps(plan),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"The load could not be made:\n{done.stderr}")
    seen = json.loads(done.stdout)
    calls = [Call(**call) for call in seen.pop("calls")]
    return Load(**summary(calls, seconds=seconds), **seen, calls=calls)


def summary(calls: Sequence[Call], *, seconds: float) -> dict[str, Any]:
    """The figures of what was measured: calls that began while warming up (before 0) count in none of them."""
    counted = [call for call in calls if call.start_s >= 0]
    good = [call for call in counted if call.status == 200]
    statuses = Counter(str(call.status) if call.status != NO_ANSWER else "none" for call in counted)
    ended = sum(call.status == 200 and 0 <= call.end_s < seconds for call in calls)
    return {
        "requests_per_s": ended / seconds,
        "answered": Percentiles.of([call.end_s - call.start_s for call in good]),
        "by_status": dict(sorted(statuses.items())),
    }


class _Session:
    """Sends the bodies in turn and writes down what comes back."""

    def __init__(self, session: Any, url: str, bodies: Sequence[Any], zero: float) -> None:
        self._session, self._url, self._zero = session, url, zero
        self._bodies = [json.dumps(body).encode() for body in bodies]
        self._next = 0
        self.calls: list[Call] = []
        self.late_s: list[float] = []

    async def call(self, due: float | None = None) -> None:
        """`due`: when it should have gone out; now without it."""
        import aiohttp

        body, self._next = self._next, (self._next + 1) % len(self._bodies)
        start = time.perf_counter()
        if due is not None:
            self.late_s.append(start - due)
            start = due
        status, answer = NO_ANSWER, None
        try:
            headers = {"Content-Type": "application/json"}
            async with self._session.post(self._url, data=self._bodies[body], headers=headers) as response:
                text = await response.text()
                status, answer = response.status, text if response.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, OSError):
            pass
        end = time.perf_counter()
        self.calls.append(
            Call(body=body, status=status, start_s=start - self._zero, end_s=end - self._zero, answer=answer)
        )


async def _closed(session: _Session, clients: int, end: float) -> None:
    async def client() -> None:
        while time.perf_counter() < end:
            await session.call()

    await asyncio.gather(*(client() for _ in range(clients)))


async def _open(session: _Session, rate: float, begin: float, end: float) -> None:
    gaps = random.Random(0)
    due, under_way = begin, set()
    while (due := due + gaps.expovariate(rate)) < end:
        pause = due - time.perf_counter()
        if pause > 0:
            await asyncio.sleep(pause)
        task = asyncio.create_task(session.call(due))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    await asyncio.gather(*under_way)


async def _run(plan: Mapping[str, Any]) -> dict[str, Any]:
    import aiohttp

    begin = time.perf_counter()
    zero, end = begin + plan["warm_s"], begin + plan["warm_s"] + plan["seconds"]
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    # Idle connections end here before they end there (uvicorn: after 5 s): a call must not meet one that is closing.
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=2.0)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False) as http:
        session = _Session(http, plan["url"], plan["bodies"], zero)
        cpu_s = time.process_time()
        if plan["clients"] is not None:
            await _closed(session, plan["clients"], end)
        else:
            await _open(session, plan["rate"], begin, end)
        cpu_share = (time.process_time() - cpu_s) / (time.perf_counter() - begin)
    late = float(np.percentile(session.late_s, 99)) * 1000 if session.late_s else None
    return {"calls": [asdict(call) for call in session.calls], "cpu_share": cpu_share, "late_p99_ms": late}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_run(json.load(sys.stdin)))))
