"""The batch article's table on this machine: one by one, fixed batches, ours, and each step between them, as a race.

Every contestant gets the same texts and makes its own plan of them: one at a time, batches of 32 as they come, batches
sorted by length, ours. They run in turns and never at once, since they share the cores; in each of TURNS turns a
contestant goes through the same share of its plan, so that a machine that slows down slows all of them alike. Each is
timed from texts to logits, by a clock of its own that stands still between its turns.

What is drawn meanwhile is `Standing.positions`: how far each had come when its own clock showed what that of the
fastest shows now. Measured, not extrapolated: the fastest has always used the least time.

Not covered: waiting calls, files and their formats; `python -m wenmo bench` compares with more peers.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import psutil
import torch

from wenmo.engine import ModelInfo
from wenmo.errors import InputError
from wenmo.inference.bert import Bert, Packed
from wenmo.inference.plan import plan_batches
from wenmo.inference.precision import computes_natively, resolve_device, resolve_precision
from wenmo.inference.runtime import TorchRuntime
from wenmo.inference.workers import WorkerPool
from wenmo.lab.padded import classifier, export
from wenmo.lab.throughput import machine
from wenmo.models.checkpoint import Checkpoint, load_checkpoint
from wenmo.tasks.encode import encode_texts
from wenmo.tasks.scores import softmax
from wenmo.tokenizer import Encoding
from wenmo.types import Precision

# What each adds to the one before: batches of BATCH, sorted by length, no padding, [CLS] alone in the last layer, a
# worker a core (on a CPU with several), a smaller precision (where one is chosen).
Step = Literal["one_by_one", "fixed", "sorted", "packed", "first_only", "workers", "int8", "fp16", "bf16"]
Plan = list[list[int]]  # indices of texts, in the order in which they are computed

BATCH = 32  # the article's
TURNS = 8
MOST_TEXTS = 4_096  # one window of the engine
_SAMPLE = 4  # texts that each contestant runs beforehand


@dataclass(frozen=True, kw_only=True)
class Standing:
    """`done` of `of` texts are computed, counted once a contestant. `positions` are shares, 0 to 1; see the module.

    `of` is None until it is known how many texts there is time for.
    """

    step: Step
    done: int
    of: int | None
    positions: Mapping[Step, float]


@dataclass(frozen=True, kw_only=True)
class Lane:
    """How one contestant did. `computed_pieces` are those of its batches, padding included.

    `agreeing` texts get the decision that transformers gives them one by one; `largest_difference` is of a probability.
    """

    step: Step
    seconds: float
    texts_per_s: float
    computed_pieces: int
    agreeing: int
    largest_difference: float


@dataclass(frozen=True, kw_only=True)
class Race:
    """`lanes` stand in the order of the steps, ours last. `pieces` are those of the texts, without padding.

    `full_length_pieces` is what padding every text to the model's limit makes of them, as the article's listing does.
    `other_cores` is how many cores the machine's other programs kept busy meanwhile: a forward over all cores suffers
    from them far more than a worker a core does, so that ratios, too, are those of a busy machine.
    """

    machine: str
    device: str
    precision: Precision
    model: str
    texts: int
    pieces: int
    full_length_pieces: int
    other_cores: float
    lanes: tuple[Lane, ...]

    def lane(self, step: Step) -> Lane:
        return next(lane for lane in self.lanes if lane.step == step)

    @property
    def ours(self) -> Lane:
        return self.lanes[-1]


@dataclass(kw_only=True)
class _Contestant:
    step: Step
    answer: Callable[[list[str]], np.ndarray]  # texts to logits (N, 2)
    plan: Plan = field(default_factory=list)
    logits: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))
    next_unit: int = 0
    clock: list[float] = field(default_factory=lambda: [0.0])  # seconds of its own after each unit,
    pieces: list[int] = field(default_factory=lambda: [0])  # and pieces computed by then


def race(
    model: ModelInfo,
    texts: Sequence[str],
    *,
    device: str = "auto",
    precision: str = "fp32",
    target_s: float,
    progress: Callable[[Standing], None] = lambda standing: None,
) -> Race:
    """Let the contestants run over as many of the first `texts` as take about `target_s` seconds, at least 32.

    `model` is a sentiment model that is here; it is read again. `progress` is called in this thread between two units
    of work, and may raise to stop. Raises InputError without texts, and the errors of reading a model, of a device and
    of a precision.
    """
    if not texts:
        raise InputError("There is no text to race over. Give some.", "没有可用的文本。请至少给出一条。")
    where = resolve_device(device).value
    chosen = resolve_precision(precision, where).value
    checkpoint = load_checkpoint(model.folder, task="sentiment")
    # Widened once: contestants then share what they read of it, on a CPU.
    checkpoint = replace(checkpoint, weights={name: each.float() for name, each in checkpoint.weights.items()})
    with tempfile.TemporaryDirectory() as folder:
        contestants = _contestants(checkpoint, Path(folder), where, chosen)
        texts = texts[: _how_many(contestants, texts, target_s, progress)]
        lengths = [len(encoding) for encoding in _encode(checkpoint, list(texts))]
        before = _busy_s()
        start = time.perf_counter()
        _run(contestants, texts, lengths, progress)
        others = (_busy_s() - before) / (time.perf_counter() - start)
    return Race(
        machine=machine(),
        device=where,
        precision=chosen,
        model=model.name,
        texts=len(texts),
        pieces=sum(lengths),
        full_length_pieces=len(texts) * checkpoint.max_length,
        other_cores=max(0.0, others),
        lanes=_lanes(contestants, lengths, temperature=checkpoint.temperatures.get("sentiment", 1.0)),
    )


def plan_of(step: Step, texts: Sequence[str]) -> Plan:
    """What `step` computes at a time. Ours makes batches itself, out of the TURNS parts that it is given."""
    if step == "one_by_one":
        return [[index] for index in range(len(texts))]
    order = list(range(len(texts)))
    if step != "fixed":
        order.sort(key=lambda index: len(texts[index]))
    if step in ("fixed", "sorted"):
        return [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
    ends = np.searchsorted(
        np.cumsum([len(texts[index]) for index in order]),
        np.linspace(0, sum(map(len, texts)), TURNS + 1)[1:-1],
        side="right",
    )
    return [part.tolist() for part in np.split(np.asarray(order), ends) if part.size]


def computed_pieces(step: Step, plan: Plan, lengths: Sequence[int]) -> int:
    """Pieces that go through the model: in a padded batch, the longest text's times the number of texts."""
    if step in ("one_by_one", "fixed", "sorted"):
        return sum(len(batch) * max(lengths[index] for index in batch) for batch in plan)
    return sum(lengths)


def _contestants(checkpoint: Checkpoint, folder: Path, device: str, precision: Precision) -> list[_Contestant]:
    export(checkpoint, folder)
    length = checkpoint.max_length
    padded = classifier(folder, batch=BATCH, device=device, max_length=length)  # a unit of any plan is a batch to it
    plain = TorchRuntime(checkpoint, device=torch.device(device), precision="fp32", native=True)
    found: dict[Step, Callable[[list[str]], np.ndarray]] = {
        "one_by_one": padded,
        "fixed": padded,
        "sorted": padded,
        "packed": _packed(checkpoint, torch.device(device), max_tokens=plain.batch_tokens().value),
        "first_only": lambda texts: plain.logits(_encode(checkpoint, texts)),
    }
    workers = WorkerPool(torch.get_num_threads()) if device == "cpu" and torch.get_num_threads() > 1 else None
    if workers is not None:
        several = TorchRuntime(checkpoint, device=plain.device, precision="fp32", native=True, workers=workers)
        found["workers"] = lambda texts: several.logits(_encode(checkpoint, texts))
    if precision != "fp32":
        native = computes_natively(precision, device)
        smaller = TorchRuntime(checkpoint, device=plain.device, precision=precision, native=native, workers=workers)
        found[precision] = lambda texts: smaller.logits(_encode(checkpoint, texts))
    return [_Contestant(step=step, answer=answer) for step, answer in found.items()]


def _packed(checkpoint: Checkpoint, device: torch.device, *, max_tokens: int) -> Callable[[list[str]], np.ndarray]:
    """Our forward without its shortcut: all rows of the last layer are computed, of which [CLS] alone is read."""
    model = Bert.of(checkpoint.shape, checkpoint.weights, device)

    def answer(texts: list[str]) -> np.ndarray:
        encodings = _encode(checkpoint, texts)
        logits = np.empty((len(texts), len(checkpoint.labels)), dtype=np.float32)
        with torch.inference_mode():
            for indices in plan_batches([len(each) for each in encodings], max_tokens=lambda: max_tokens):
                packed = Packed.of([encodings[index] for index in indices], device)
                first = model.hidden(packed, first_only=False)[packed.first]
                logits[indices] = model.classifier(torch.tanh(model.pooler(first))).cpu().numpy()
        return logits

    return answer


def _encode(checkpoint: Checkpoint, texts: list[str]) -> list[Encoding]:
    return encode_texts(checkpoint.tokenizer, texts, max_length=checkpoint.max_length)


def _how_many(
    contestants: list[_Contestant], texts: Sequence[str], target_s: float, progress: Callable[[Standing], None]
) -> int:
    """How many texts take all contestants together `target_s`: a multiple of BATCH where there are as many."""
    sample = texts[:_SAMPLE]
    seconds = 0.0
    for contestant in contestants:
        progress(Standing(step=contestant.step, done=0, of=None, positions={}))
        contestant.answer(list(sample[:1]))  # what is built or compiled at the first call
        start = time.perf_counter()
        for unit in plan_of(contestant.step, sample):
            contestant.answer([sample[index] for index in unit])
        seconds += (time.perf_counter() - start) / len(sample)
    return min(len(texts), MOST_TEXTS, max(1, int(target_s / seconds / BATCH)) * BATCH)


def _run(
    contestants: list[_Contestant],
    texts: Sequence[str],
    lengths: Sequence[int],
    progress: Callable[[Standing], None],
) -> None:
    """The turns; each contestant's answers and times stay with it."""
    done, total = 0, sum(lengths)
    for contestant in contestants:
        contestant.plan = plan_of(contestant.step, texts)
        contestant.logits = np.empty((len(texts), 2), dtype=np.float32)
    for turn in range(1, TURNS + 1):
        for contestant in contestants:
            while contestant.pieces[-1] < total * turn / TURNS:
                unit = contestant.plan[contestant.next_unit]
                start = time.perf_counter()
                contestant.logits[unit] = contestant.answer([texts[index] for index in unit])
                contestant.clock.append(contestant.clock[-1] + time.perf_counter() - start)
                contestant.pieces.append(contestant.pieces[-1] + sum(lengths[index] for index in unit))
                contestant.next_unit += 1
                done += len(unit)
                progress(
                    Standing(
                        step=contestant.step,
                        done=done,
                        of=len(texts) * len(contestants),
                        positions=_positions(contestants, total),
                    )
                )


def _busy_s() -> float:
    """Seconds that the machine's cores were busy for other programs, since it started."""
    all_, own = psutil.cpu_times(), psutil.Process().cpu_times()
    return float(sum(all_) - all_.idle - getattr(all_, "iowait", 0.0) - own.user - own.system)


def _positions(contestants: list[_Contestant], total: int) -> dict[Step, float]:
    clock = min(each.clock[-1] for each in contestants)
    return {each.step: float(np.interp(clock, each.clock, each.pieces)) / total for each in contestants}


def _lanes(contestants: list[_Contestant], lengths: Sequence[int], *, temperature: float) -> tuple[Lane, ...]:
    reference = softmax(contestants[0].logits, temperature=temperature)
    lanes = []
    for each in contestants:
        probabilities = softmax(each.logits, temperature=temperature)
        lanes.append(
            Lane(
                step=each.step,
                seconds=each.clock[-1],
                texts_per_s=len(lengths) / each.clock[-1],
                computed_pieces=computed_pieces(each.step, each.plan, lengths),
                agreeing=int((probabilities.argmax(1) == reference.argmax(1)).sum()),
                largest_difference=float(np.abs(probabilities - reference).max()),
            )
        )
    return tuple(lanes)
