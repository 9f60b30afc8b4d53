"""Dynamic batching: small calls of many threads share a forward. The scheduler has no thread of its own.

A call that arrives while fewer than `leaders` calls compute becomes a leader: it computes at once. Other calls wait.
When a leader is done, the first waiting call leads next and computes all waiting calls that fit into one batch. So
there is no timer, a single call takes no longer than without a scheduler, and batches grow with the load. (For data
structures this is called flat combining: Hendler et al., 2010, doi:10.1145/1810479.1810540.) A CPU has as many leaders
as workers: a small batch cannot be split evenly, and other leaders use the cores that one leaves idle.

A call larger than a batch bypasses the queue. It goes to the runtime, whose workers take turns between the batches of
all callers, so small calls get through. Each caller gets its own results and errors. A cancelled call
(`wenmo.serving.cancellation`) leaves the queue, or stops after the current batch, with CancelledError.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from wenmo.errors import BusyError
from wenmo.inference.runtime import OnBatch, PartialOutputError, Runtime
from wenmo.serving.cancellation import Cancellation, current
from wenmo.telemetry.statistics import Histogram, HistogramCounts
from wenmo.tokenizer import Encoding
from wenmo.types import Resolved, SchedulerLimits

Forward = Callable[..., np.ndarray]  # `logits` or `vectors` of a runtime

# Upper bounds of the histograms of forwards: 1 to 256 calls, 1 to 4,096 inputs, 16 to 65,536 tokens.
_CALLS = tuple(2**power for power in range(9))
_INPUTS = tuple(2**power for power in range(13))
_TOKENS = tuple(2**power for power in range(4, 17))
_RECENT = 1000  # calls whose durations are kept


@dataclass(frozen=True, kw_only=True)
class SchedulerStatistics:
    """Counts since the start, and the calls and tokens that wait now.

    `joined` calls were computed in another call's forward; `turned_away` ones were rejected with BusyError. The
    histograms have one value per forward: its calls, inputs and tokens. A call larger than a batch counts as one
    forward, though the runtime splits it. `waited_s` and `computed_s` are of the last 1,000 calls that got a result,
    oldest first: the time until their forward began, and from then until their result.
    """

    calls: int
    joined: int
    turned_away: int
    forwards: int
    waiting: int
    waiting_tokens: int
    calls_per_forward: HistogramCounts
    inputs_per_forward: HistogramCounts
    tokens_per_forward: HistogramCounts
    waited_s: tuple[float, ...]
    computed_s: tuple[float, ...]


@dataclass(kw_only=True, eq=False)
class _Call:
    forward: Forward
    encodings: Sequence[Encoding]
    tokens: int
    woken: threading.Event = field(default_factory=threading.Event)
    outcome: np.ndarray | Exception | None = None
    entered_s: float = field(default_factory=time.perf_counter)
    began_s: float | None = None  # when its forward began
    leads: bool = False  # until it passes the lead on
    abandoned: bool = False  # its thread was interrupted, or its caller cancelled it


class ScheduledRuntime:
    """Batches the small calls to `runtime`; up to `leaders` forwards run at once. See the module."""

    def __init__(self, runtime: Runtime, limits: SchedulerLimits | None = None, *, leaders: int = 1) -> None:
        self._runtime = runtime
        self._limits = limits or SchedulerLimits()
        self._free_leads = leaders  # how many more calls may lead now
        self._lock = threading.Lock()
        self._waiting: deque[_Call] = deque()
        self._waiting_tokens = 0
        self._calls = self._joined = self._turned_away = 0
        self._calls_per_forward = Histogram(_CALLS)
        self._inputs_per_forward = Histogram(_INPUTS)
        self._tokens_per_forward = Histogram(_TOKENS)
        self._durations: deque[tuple[float, float]] = deque(maxlen=_RECENT)  # waited, computed

    def logits(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
        return self._run(self._runtime.logits, encodings, on_batch)

    def vectors(self, encodings: Sequence[Encoding], *, on_batch: OnBatch | None = None) -> np.ndarray:
        return self._run(self._runtime.vectors, encodings, on_batch)

    def batch_tokens(self) -> Resolved[int]:
        return self._runtime.batch_tokens()

    def statistics(self) -> SchedulerStatistics:
        with self._lock:
            calls_per_forward = self._calls_per_forward.counts()
            durations = tuple(self._durations)
            return SchedulerStatistics(
                calls=self._calls,
                joined=self._joined,
                turned_away=self._turned_away,
                forwards=calls_per_forward.count,
                waiting=len(self._waiting),
                waiting_tokens=self._waiting_tokens,
                calls_per_forward=calls_per_forward,
                inputs_per_forward=self._inputs_per_forward.counts(),
                tokens_per_forward=self._tokens_per_forward.counts(),
                waited_s=tuple(waited for waited, _ in durations),
                computed_s=tuple(computed for _, computed in durations),
            )

    def _run(self, forward: Forward, encodings: Sequence[Encoding], on_batch: OnBatch | None) -> np.ndarray:
        tokens = sum(map(len, encodings))
        call = _Call(forward=forward, encodings=encodings, tokens=tokens)
        if tokens > self.batch_tokens().value:
            with self._lock:
                self._calls += 1
                self._count_forward([call])
            output = forward(encodings, on_batch=_unless_cancelled(on_batch))
            self._note_durations(call)
            return output
        try:
            self._enter(call)
            self._wait(call)
            if call.leads:
                self._lead(call)
        except BaseException:  # rejected or interrupted: do not compute this call, and do not wait for it to lead
            with self._lock:
                call.abandoned = True
                self._dequeue(call)
            if call.leads:
                self._pass_lead_on(call)
            raise
        outcome = call.outcome
        assert outcome is not None
        if isinstance(outcome, Exception) and not isinstance(outcome, PartialOutputError):
            raise outcome
        if on_batch is not None:
            on_batch(len(encodings))
        if isinstance(outcome, PartialOutputError):
            raise outcome
        self._note_durations(call)
        return outcome

    def _count_forward(self, calls: list[_Call]) -> None:
        """Record that a forward of these calls begins now. The lock must be held."""
        now = time.perf_counter()
        for call in calls:
            call.began_s = now
        self._calls_per_forward.add(len(calls))
        self._inputs_per_forward.add(sum(len(call.encodings) for call in calls))
        self._tokens_per_forward.add(sum(call.tokens for call in calls))

    def _note_durations(self, call: _Call) -> None:
        """Record how long a call waited and computed, once it has its result."""
        assert call.began_s is not None
        durations = call.began_s - call.entered_s, time.perf_counter() - call.began_s
        with self._lock:
            self._durations.append(durations)

    def _enter(self, call: _Call) -> None:
        """Become a leader if one more is allowed, otherwise join the queue. Raises BusyError when it is full."""
        with self._lock:
            self._calls += 1
            if self._free_leads:
                self._free_leads -= 1
                call.leads = True
                call.woken.set()
                return
            # An empty queue takes a call of any size.
            if self._waiting and self._waiting_tokens + call.tokens > self._limits.waiting_tokens:
                self._turned_away += 1
                raise BusyError(
                    f"Too much is waiting already ({self._waiting_tokens:,} tokens). Try again in a moment.",
                    f"等待处理的文本已过多（{self._waiting_tokens:,} 个词元）。请稍后重试。",
                    retry_after_s=1.0,
                )
            self._waiting.append(call)
            self._waiting_tokens += call.tokens

    def _wait(self, call: _Call) -> None:
        """Wait until the call is done or leads. Raises BusyError after the time limit, CancelledError if cancelled."""
        with (current.get() or Cancellation()).calling(partial(self._abandon, call)):
            woken = call.woken.wait(self._limits.wait_s)
        if not woken:
            with self._lock:
                timed_out = self._dequeue(call)
                self._turned_away += timed_out
            if timed_out:
                raise BusyError(
                    f"Not answered within {self._limits.wait_s:g} s: too much is being computed. Try again later.",
                    f"{self._limits.wait_s:g} 秒内未能处理：当前计算任务过多。请稍后重试。",
                    retry_after_s=self._limits.wait_s,
                )
            call.woken.wait()  # it left the queue just now: to be computed, to lead, or as cancelled
        if call.abandoned:
            raise CancelledError

    def _abandon(self, call: _Call) -> None:
        """Take a cancelled call out of the queue; one that is already in a batch is computed."""
        with self._lock:
            if self._dequeue(call):
                call.abandoned = True
                call.woken.set()

    def _dequeue(self, call: _Call) -> bool:
        """Remove a call from the queue; returns whether it was there. The lock must be held."""
        if call not in self._waiting:
            return False
        self._waiting.remove(call)
        self._waiting_tokens -= call.tokens
        return True

    def _lead(self, own: _Call) -> None:
        """Compute `own` with all waiting calls that fit into its batch, then pass the lead on."""
        calls = [own]
        try:
            with self._lock:
                room = self.batch_tokens().value - own.tokens
                for call in list(self._waiting):
                    if call.forward == own.forward and call.tokens <= room:
                        calls.append(call)  # before _dequeue: an interruption between the two must not lose it
                        self._dequeue(call)
                        room -= call.tokens
                self._joined += len(calls) - 1
            self._compute(calls)
        finally:
            with self._lock:
                for call in reversed(calls[1:]):
                    if call.outcome is None and not call.abandoned and call not in self._waiting:
                        self._waiting.appendleft(call)  # this leader was interrupted: the next one computes it
                        self._waiting_tokens += call.tokens
            self._pass_lead_on(own)
            for call in calls:
                if call.outcome is not None:
                    call.woken.set()

    def _pass_lead_on(self, leader: _Call) -> None:
        with self._lock:
            leader.leads = False
            if not self._waiting:
                self._free_leads += 1
                return
            call = self._waiting[0]
            self._dequeue(call)
            call.leads = True
            call.woken.set()

    def _compute(self, calls: list[_Call]) -> None:
        """Set the outcome of each call."""
        with self._lock:
            self._count_forward(calls)
        encodings = [encoding for call in calls for encoding in call.encodings]
        failed: dict[int, Exception] = {}
        try:
            output = calls[0].forward(encodings)
        except PartialOutputError as error:
            failed, output = dict(error.failed), error.output
        except Exception as error:
            if len(calls) == 1:
                calls[0].outcome = error
                return
            for call in calls:  # one of them may be at fault: compute each alone
                self._compute([call])
            return
        start = 0
        for call in calls:
            end = start + len(call.encodings)
            errors = {index - start: error for index, error in failed.items() if start <= index < end}
            if errors and len(errors) == len(call.encodings) and len(calls) > 1:
                self._compute([call])  # all its inputs failed: alone, it gets the same error as without batching
            else:
                call.outcome = PartialOutputError(errors, output[start:end]) if errors else output[start:end]
            start = end


def _unless_cancelled(on_batch: OnBatch | None) -> OnBatch | None:
    """`on_batch`, but raising CancelledError once the current call is cancelled."""
    cancellation = current.get()
    if cancellation is None:
        return on_batch

    def checked(encodings: int) -> None:
        if cancellation.cancelled:
            raise CancelledError
        if on_batch is not None:
            on_batch(encodings)

    return checked
