"""A race on this machine between the article's ways of computing, ours, and every step between them.

All contestants get the same texts and batch them in their own way: one text at a time, batches of 32 in the order of
arrival, batches sorted by length, ours. They share the cores, so they run in turns and never at once. In each of TURNS
turns every contestant computes the same share of its plan: a machine that slows down slows all of them alike. Each is
timed from texts to logits, by a clock that stands still between its turns.

While they run, `Standing.positions` tells how far each contestant had come after the time that the fastest one has
used so far. These positions are measured, not extrapolated, since the fastest has always used the least time.

Not covered: waiting calls, files and their formats. `python -m wenmo bench` compares with more peers.
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
from wenmo.inference.torch_runtime import TorchRuntime
from wenmo.inference.workers import WorkerPool
from wenmo.lab.padded import classifier, export
from wenmo.models.checkpoint import Checkpoint, load_checkpoint
from wenmo.tasks.encode import encode_texts
from wenmo.tasks.scores import softmax
from wenmo.telemetry.machine import machine
from wenmo.tokenizer import Encoding
from wenmo.types import Precision

# Each step adds one change to the one before: batches of BATCH, sorting by length, packing instead of padding, only
# [CLS] in the last layer, one worker per core (on a CPU with several), a smaller precision (where one is chosen).
RaceStep = Literal["one_by_one", "fixed", "sorted", "packed", "first_only", "workers", "int8", "fp16", "bf16"]
Plan = list[list[int]]  # batches of text indices, in the order in which they are computed

BATCH = 32  # the article's
TURNS = 8
MOST_TEXTS = 4_096  # one window of the engine
_SAMPLE = 4  # texts that each contestant runs beforehand


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How far the race is: `done` of `of` texts, each counted once per contestant.

    `of` is None until it is known how many texts there is time for. `positions` are shares from 0 to 1; see the module.
    """

    step: RaceStep
    done: int
    of: int | None
    positions: Mapping[RaceStep, float]


@dataclass(frozen=True, kw_only=True)
class Lane:
    """One contestant's result.

    `computed_tokens` counts those of its batches, padding included. `agreeing` texts get the same decision as from
    transformers one by one; `largest_difference` is that of a probability.
    """

    step: RaceStep
    seconds: float
    texts_per_s: float
    computed_tokens: int
    agreeing: int
    largest_difference: float


@dataclass(frozen=True, kw_only=True)
class Race:
    """The result of a race. `lanes` stand in the order of the steps, ours last.

    `tokens` counts those of the texts, without padding; `full_length_tokens` counts them with every text padded to the
    model's limit, as the article's listing does. `other_cores` is how many cores other programs kept busy during the
    race. They slow down a forward that needs all cores far more than one worker per core, so that on a busy machine the
    ratios, too, are distorted.
    """

    machine: str
    device: str
    precision: Precision
    model: str
    texts: int
    tokens: int
    full_length_tokens: int
    other_cores: float
    lanes: tuple[Lane, ...]

    def lane(self, step: RaceStep) -> Lane:
        return next(lane for lane in self.lanes if lane.step == step)

    @property
    def ours(self) -> Lane:
        return self.lanes[-1]


@dataclass(kw_only=True)
class _Contestant:
    step: RaceStep
    answer: Callable[[list[str]], np.ndarray]  # texts to logits (N, 2)
    plan: Plan = field(default_factory=list)
    logits: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))
    next_batch: int = 0
    clock: list[float] = field(default_factory=lambda: [0.0])  # seconds that it has used after each batch
    tokens: list[int] = field(default_factory=lambda: [0])  # tokens that it has computed after each batch


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

    `model` is a downloaded sentiment model, which is loaded again. `progress` is called in this thread between two
    batches, and may raise to stop. Raises InputError without texts, and the errors of reading a model, of a device and
    of a precision.
    """
    if not texts:
        raise InputError("There is no text to race over. Give some.", "没有可用的文本。请至少给出一条。")
    where = resolve_device(device).value
    chosen = resolve_precision(precision, where).value
    checkpoint = load_checkpoint(model.folder, task="sentiment")
    # Converted to float32 once, so that contestants on a CPU share the weights.
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
        tokens=sum(lengths),
        full_length_tokens=len(texts) * checkpoint.max_length,
        other_cores=max(0.0, others),
        lanes=_lanes(contestants, lengths, temperature=checkpoint.temperatures.get("sentiment", 1.0)),
    )


def plan_of(step: RaceStep, texts: Sequence[str]) -> Plan:
    """The batches of `step`. Ours batches by itself, so its plan is TURNS parts of equal size."""
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


def computed_tokens(step: RaceStep, plan: Plan, lengths: Sequence[int]) -> int:
    """Tokens that go through the model. A padded batch counts its longest text once for each of its texts."""
    if step in ("one_by_one", "fixed", "sorted"):
        return sum(len(batch) * max(lengths[index] for index in batch) for batch in plan)
    return sum(lengths)


def _contestants(checkpoint: Checkpoint, folder: Path, device: str, precision: Precision) -> list[_Contestant]:
    export(checkpoint, folder)
    length = checkpoint.max_length
    padded = classifier(folder, batch=BATCH, device=device, max_length=length)  # a call is one batch
    plain = TorchRuntime(checkpoint, device=torch.device(device), precision="fp32", native=True)
    found: dict[RaceStep, Callable[[list[str]], np.ndarray]] = {
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
    """Our forward without its shortcut: the last layer is computed for all tokens, though only [CLS] is read."""
    model = Bert.of(checkpoint.shape, checkpoint.weights, device)

    def answer(texts: list[str]) -> np.ndarray:
        encodings = _encode(checkpoint, texts)
        logits = np.empty((len(texts), len(checkpoint.labels)), dtype=np.float32)
        with torch.inference_mode():
            for indices in plan_batches([len(each) for each in encodings], max_tokens=lambda: max_tokens):
                packed = Packed.of([encodings[index] for index in indices], device)
                first = model.hidden(packed, first_only=False)[packed.first]
                assert model.pooler is not None
                logits[indices] = model.classifier(torch.tanh(model.pooler(first))).cpu().numpy()
        return logits

    return answer


def _encode(checkpoint: Checkpoint, texts: list[str]) -> list[Encoding]:
    return encode_texts(checkpoint.tokenizer, texts, max_length=checkpoint.max_length)


def _how_many(
    contestants: list[_Contestant], texts: Sequence[str], target_s: float, progress: Callable[[Standing], None]
) -> int:
    """How many texts take all contestants together about `target_s`: a multiple of BATCH, or all texts."""
    sample = texts[:_SAMPLE]
    seconds = 0.0
    for contestant in contestants:
        progress(Standing(step=contestant.step, done=0, of=None, positions={}))
        contestant.answer(list(sample[:1]))  # the first call builds and compiles
        start = time.perf_counter()
        for batch in plan_of(contestant.step, sample):
            contestant.answer([sample[index] for index in batch])
        seconds += (time.perf_counter() - start) / len(sample)
    return min(len(texts), MOST_TEXTS, max(1, int(target_s / seconds / BATCH)) * BATCH)


def _run(
    contestants: list[_Contestant],
    texts: Sequence[str],
    lengths: Sequence[int],
    progress: Callable[[Standing], None],
) -> None:
    """Run all turns; each contestant keeps its logits and times."""
    done, total = 0, sum(lengths)
    for contestant in contestants:
        contestant.plan = plan_of(contestant.step, texts)
        contestant.logits = np.empty((len(texts), 2), dtype=np.float32)
    for turn in range(1, TURNS + 1):
        for contestant in contestants:
            while contestant.tokens[-1] < total * turn / TURNS:
                batch = contestant.plan[contestant.next_batch]
                start = time.perf_counter()
                contestant.logits[batch] = contestant.answer([texts[index] for index in batch])
                contestant.clock.append(contestant.clock[-1] + time.perf_counter() - start)
                contestant.tokens.append(contestant.tokens[-1] + sum(lengths[index] for index in batch))
                contestant.next_batch += 1
                done += len(batch)
                progress(
                    Standing(
                        step=contestant.step,
                        done=done,
                        of=len(texts) * len(contestants),
                        positions=_positions(contestants, total),
                    )
                )


def _busy_s() -> float:
    """CPU seconds that programs other than this one have used since the machine started."""
    all_, own = psutil.cpu_times(), psutil.Process().cpu_times()
    return float(sum(all_) - all_.idle - getattr(all_, "iowait", 0.0) - own.user - own.system)


def _positions(contestants: list[_Contestant], total: int) -> dict[RaceStep, float]:
    clock = min(each.clock[-1] for each in contestants)
    return {each.step: float(np.interp(clock, each.clock, each.tokens)) / total for each in contestants}


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
                computed_tokens=computed_tokens(each.step, each.plan, lengths),
                agreeing=int((probabilities.argmax(1) == reference.argmax(1)).sum()),
                largest_difference=float(np.abs(probabilities - reference).max()),
            )
        )
    return tuple(lanes)
