"""The adaptive budget on a simulated GPU whose utilisation and memory grow with the batch."""

from __future__ import annotations

import pytest

from wenmo.inference.budget import MAX_TOKENS, MIN_FREE, MIN_TOKENS, AdaptiveBudget, GaugeReading


class SimulatedGpu:
    """Saturated by batches of `saturating` tokens, which take `mib_a_token` each; other processes use `others_mib`."""

    def __init__(self, *, saturating: int, memory_mib: float, mib_a_token: float, others_mib: float = 0.0) -> None:
        self.saturating = saturating
        self.memory_mib = memory_mib
        self.mib_a_token = mib_a_token
        self.others_mib = others_mib
        self.tokens = 0
        self.kept = 0  # tokens whose memory the allocator caches
        self.failures = 0

    def fits(self, tokens: int) -> bool:
        return self.others_mib + tokens * self.mib_a_token <= self.memory_mib

    def read(self) -> GaugeReading:
        used = self.others_mib + self.kept * self.mib_a_token
        return GaugeReading(utilization=min(98.0, 100 * self.tokens / self.saturating), free=1 - used / self.memory_mib)

    def release(self) -> None:
        self.kept = 0

    def work(self, budget: AdaptiveBudget, batches: int) -> list[int]:
        """Compute full batches and report them as the runtime does; returns their sizes."""
        sizes = []
        for _ in range(batches):
            tokens = budget.tokens.value
            if not self.fits(tokens):
                budget.out_of_memory(tokens)
                self.failures += 1
                continue
            self.tokens = tokens
            self.kept = max(self.kept, tokens)
            sizes.append(tokens)
            budget.after_batch(budget.tokens.value)
        return sizes


def test_grows_until_the_gpu_is_busy_and_stays() -> None:
    gpu = SimulatedGpu(saturating=64_000, memory_mib=80_000, mib_a_token=0.01)
    budget = AdaptiveBudget(4096, gauge=gpu, interval_s=0)
    sizes = gpu.work(budget, 20)
    assert sizes[-1] >= 0.7 * 64_000  # busy enough
    assert len(set(sizes[-10:])) == 1  # no oscillation
    assert "busy" in budget.tokens.reason and budget.tokens.reason_zh


@pytest.mark.parametrize("memory_mib", [2_000, 3_000, 5_000, 6_500, 8_000, 10_000, 14_000, 20_000])
def test_memory_stops_the_growth(memory_mib: float) -> None:
    """Whatever the size of the memory, the budget stops growing before it runs out."""
    gpu = SimulatedGpu(saturating=10**9, memory_mib=memory_mib, mib_a_token=0.1)
    budget = AdaptiveBudget(4096, gauge=gpu, interval_s=0)
    sizes = gpu.work(budget, 30)
    assert all(gpu.fits(size) for size in sizes)
    assert 1 - sizes[-1] * gpu.mib_a_token / gpu.memory_mib >= MIN_FREE
    assert gpu.failures == 0
    assert len(set(sizes[-10:])) == 1


def test_another_process_takes_the_memory_and_gives_it_back() -> None:
    gpu = SimulatedGpu(saturating=64_000, memory_mib=8_000, mib_a_token=0.05)
    budget = AdaptiveBudget(4096, gauge=gpu, interval_s=0)
    before = gpu.work(budget, 20)[-1]
    gpu.others_mib = 6_000
    assert gpu.work(budget, 20)[-1] < before
    gpu.others_mib = 0
    assert gpu.work(budget, 20)[-1] == before


def test_out_of_memory_halves_and_is_remembered() -> None:
    """The gauge cannot read the memory, so only failures show its limit; they must not repeat."""

    class Blind(SimulatedGpu):
        def read(self) -> GaugeReading:
            return GaugeReading(utilization=10.0, free=None)

    gpu = Blind(saturating=10**9, memory_mib=1_000, mib_a_token=0.1)
    budget = AdaptiveBudget(4096, gauge=gpu, interval_s=0)
    sizes = gpu.work(budget, 60)
    assert gpu.failures == 1
    assert len(set(sizes[-10:])) == 1 and gpu.fits(sizes[-1])


@pytest.mark.parametrize(
    "reading", [GaugeReading(utilization=None, free=None), GaugeReading(utilization=80.0, free=0.5)]
)
def test_nothing_changes_without_a_cause(reading: GaugeReading) -> None:
    class Still:
        def read(self) -> GaugeReading:
            return reading

        def release(self) -> None:
            pass

    budget = AdaptiveBudget(4096, gauge=Still(), interval_s=0)
    for _ in range(10):
        budget.after_batch(budget.tokens.value)
    assert budget.tokens.value == 4096 and budget.tokens.reason == "where a GPU starts"


def test_bounds() -> None:
    class Always:
        def __init__(self, reading: GaugeReading) -> None:
            self.reading = reading

        def read(self) -> GaugeReading:
            return self.reading

        def release(self) -> None:
            pass

    small = AdaptiveBudget(1024, gauge=Always(GaugeReading(utilization=50.0, free=0.01)), interval_s=0)
    large = AdaptiveBudget(1024, gauge=Always(GaugeReading(utilization=1.0, free=0.99)), interval_s=0)
    for _ in range(40):
        small.after_batch(small.tokens.value)
        large.after_batch(large.tokens.value)
    assert (small.tokens.value, large.tokens.value) == (MIN_TOKENS, MAX_TOKENS)
    for _ in range(10):
        small.out_of_memory(small.tokens.value)
    assert small.tokens.value == MIN_TOKENS


def test_the_gauge_is_read_once_an_interval() -> None:
    """Utilisation is a mean over a second: otherwise ten batches in a second would double the budget ten times."""
    gpu = SimulatedGpu(saturating=10**9, memory_mib=80_000, mib_a_token=0.0)
    now = 0.0
    budget = AdaptiveBudget(1024, gauge=gpu, interval_s=1.0, clock=lambda: now)
    sizes = []
    for step in range(21):
        now = step * 0.125
        budget.after_batch(budget.tokens.value)
        sizes.append(budget.tokens.value)
    assert sizes == [1024] * 8 + [2048] * 8 + [4096] * 5


def test_the_time_between_two_runs_is_not_followed() -> None:
    """The GPU of a service with occasional bursts is idle in between, which is no reason to grow."""
    gpu = SimulatedGpu(saturating=10**9, memory_mib=80_000, mib_a_token=0.0)
    now = 0.0
    budget = AdaptiveBudget(1024, gauge=gpu, interval_s=1.0, clock=lambda: now)
    for burst in range(10):
        for batch in range(4):
            now = 60.0 * burst + 0.1 * batch
            budget.after_batch(1024)
    assert budget.tokens.reason == "where a GPU starts"


def test_batches_that_are_not_full_say_nothing() -> None:
    gpu = SimulatedGpu(saturating=10**9, memory_mib=80_000, mib_a_token=0.0)
    budget = AdaptiveBudget(8192, gauge=gpu, interval_s=0)
    for _ in range(10):
        budget.after_batch(1024)
    assert budget.tokens.reason == "where a GPU starts"


def test_two_failures_of_one_size_halve_once() -> None:
    """Two batches run at once, both planned with the same budget."""
    budget = AdaptiveBudget(8192, gauge=SimulatedGpu(saturating=1, memory_mib=1, mib_a_token=1), interval_s=0)
    budget.out_of_memory(8192)
    budget.out_of_memory(8192)
    assert budget.tokens.value == 4096


def test_without_utilisation_it_comes_back_to_where_it_started() -> None:
    """Without NVML only the memory is known: the budget grows back when another process frees some, but no further."""

    class NoNvml(SimulatedGpu):
        def read(self) -> GaugeReading:
            return GaugeReading(utilization=None, free=super().read().free)

    gpu = NoNvml(saturating=10**9, memory_mib=8_000, mib_a_token=0.05, others_mib=7_000)
    budget = AdaptiveBudget(16_384, gauge=gpu, interval_s=0)
    assert gpu.work(budget, 20)[-1] < 16_384
    gpu.others_mib = 0
    assert gpu.work(budget, 20)[-1] == 16_384
