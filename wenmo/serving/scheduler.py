"""Small calls of many threads join into batches (dynamic batching), without a thread of the scheduler's own.

Whoever comes while fewer than `leaders` calls compute does so at once: it leads. Who comes in the meantime waits; when
a leader is done, the first of those leads next, for all that wait by then and fit in a batch. So nobody waits for a
timer, a lone call takes no longer than without a scheduler, and under load batches grow by themselves. (For data
structures the scheme is known as flat combining: Hendler et al., 2010, doi:10.1145/1810479.1810540.) On a CPU there are
as many leaders as workers: a small batch cannot be cut evenly, and what one leaves idle the other one uses.

A call of more than a batch needs no company: it goes straight to the runtime, whose workers are shared batch by batch,
so that small calls pass between its batches. Each caller gets its own answers and its own errors. A call that is given
up (`wenmo.serving.cancellation`) leaves the queue, or stops after a batch, with CancelledError.
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

_CALLS = tuple(2**power for power in range(9))  # bounds of the histograms: 1 to 256 calls,
_INPUTS = tuple(2**power for power in range(13))  # 1 to 4,096 inputs,
_TOKENS = tuple(2**power for power in range(4, 17))  # and 16 to 65,536 tokens in a forward
_RECENT = 1000  # calls whose durations are kept


@dataclass(frozen=True, kw_only=True)
class SchedulerStatistics:
    """Calls and forwards since the start, and what waits now. `joined` calls were computed in another one's forward.

    The histograms have a value a forward: how many calls it answered, of how many inputs, of how many tokens. A call of
    more than a batch counts as one forward here; the runtime cuts it up. `waited_s` and `computed_s` are of the last
    calls that were answered, oldest first: until their forward began, and from there to their answer.
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
    began_s: float | None = None  # its forward
    leads: bool = False  # until the lead is passed on
    gone: bool = False  # its thread was interrupted, or its caller gave it up


class ScheduledRuntime:
    """`runtime`, whose small calls are joined, and computed by `leaders` of them at once; see the module."""

    def __init__(self, runtime: Runtime, limits: SchedulerLimits | None = None, *, leaders: int = 1) -> None:
        self._runtime = runtime
        self._limits = limits or SchedulerLimits()
        self._may_lead = leaders  # more than do so, or have been told to, by now
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
                self._begin([call])
            output = forward(encodings, on_batch=_unless_cancelled(on_batch))
            self._note_durations(call)
            return output
        try:
            self._enter(call)
            self._wait(call)
            if call.leads:
                self._lead(call)
        except (
            BaseException
        ):  # turned away, or interrupted: nobody computes for one who is gone, nor waits for it to lead
            with self._lock:
                call.gone = True
                self._take(call)
            if call.leads:
                self._pass_on(call)
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

    def _begin(self, together: list[_Call]) -> None:
        """Count a forward of these calls, which begins now. The lock must be held."""
        now = time.perf_counter()
        for call in together:
            call.began_s = now
        self._calls_per_forward.add(len(together))
        self._inputs_per_forward.add(sum(len(call.encodings) for call in together))
        self._tokens_per_forward.add(sum(call.tokens for call in together))

    def _note_durations(self, call: _Call) -> None:
        """Of a call that has its answer."""
        assert call.began_s is not None
        durations = call.began_s - call.entered_s, time.perf_counter() - call.began_s
        with self._lock:
            self._durations.append(durations)

    def _enter(self, call: _Call) -> None:
        """Lead where one more may, wait otherwise."""
        with self._lock:
            self._calls += 1
            if self._may_lead:
                self._may_lead -= 1
                call.leads = True
                call.woken.set()
                return
            # What is alone too large for the queue is taken when the queue is empty.
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
        """Until the call is answered or leads. Raises BusyError when it has waited for too long."""
        with (current.get() or Cancellation()).calling(partial(self._give_up, call)):
            woken = call.woken.wait(self._limits.wait_s)
        if not woken:
            with self._lock:
                waited_in_vain = self._take(call)
                self._turned_away += waited_in_vain
            if waited_in_vain:
                raise BusyError(
                    f"Not answered within {self._limits.wait_s:g} s: too much is being computed. Try again later.",
                    f"{self._limits.wait_s:g} 秒内未能处理：当前计算任务过多。请稍后重试。",
                    retry_after_s=self._limits.wait_s,
                )
            call.woken.wait()  # it was taken out of the queue in this very moment: to be answered, to lead, or given up
        if call.gone:
            raise CancelledError

    def _give_up(self, call: _Call) -> None:
        """Where it still waits; what is being computed is computed."""
        with self._lock:
            if self._take(call):
                call.gone = True
                call.woken.set()

    def _take(self, call: _Call) -> bool:
        """Take a call out of the queue; False where it is not in it. The lock must be held."""
        if call not in self._waiting:
            return False
        self._waiting.remove(call)
        self._waiting_tokens -= call.tokens
        return True

    def _lead(self, own: _Call) -> None:
        """Compute `own` and what fits beside it, then let the next one lead."""
        together = [own]
        try:
            with self._lock:
                room = self.batch_tokens().value - own.tokens
                for call in list(self._waiting):
                    if call.forward == own.forward and call.tokens <= room:
                        together.append(call)  # first: what is in neither would wait for ever
                        self._take(call)
                        room -= call.tokens
                self._joined += len(together) - 1
            self._compute(together)
        finally:
            with self._lock:
                for call in reversed(together[1:]):
                    if call.outcome is None and not call.gone and call not in self._waiting:
                        self._waiting.appendleft(call)  # the leader was interrupted: none of the others' doing
                        self._waiting_tokens += call.tokens
            self._pass_on(own)
            for call in together:
                if call.outcome is not None:
                    call.woken.set()

    def _pass_on(self, leader: _Call) -> None:
        with self._lock:
            leader.leads = False
            if not self._waiting:
                self._may_lead += 1
                return
            call = self._waiting[0]
            self._take(call)
            call.leads = True
            call.woken.set()

    def _compute(self, together: list[_Call]) -> None:
        """Give each call its outcome."""
        with self._lock:
            self._begin(together)
        encodings = [encoding for call in together for encoding in call.encodings]
        failed: dict[int, Exception] = {}
        try:
            output = together[0].forward(encodings)
        except PartialOutputError as error:
            failed, output = dict(error.failed), error.output
        except Exception as error:
            if len(together) == 1:
                together[0].outcome = error
                return
            for call in together:  # one of them may be to blame: each by itself
                self._compute([call])
            return
        start = 0
        for call in together:
            end = start + len(call.encodings)
            own = {index - start: error for index, error in failed.items() if start <= index < end}
            if own and len(own) == len(call.encodings) and len(together) > 1:
                self._compute(
                    [call]
                )  # nothing of it could be computed: alone it gets the error that it would get alone
            else:
                call.outcome = PartialOutputError(own, output[start:end]) if own else output[start:end]
            start = end


def _unless_cancelled(on_batch: OnBatch | None) -> OnBatch | None:
    """`on_batch`, which raises CancelledError once the call was given up."""
    cancellation = current.get()
    if cancellation is None:
        return on_batch

    def checked(encodings: int) -> None:
        if cancellation.cancelled:
            raise CancelledError
        if on_batch is not None:
            on_batch(encodings)

    return checked
