"""What `precision="auto"` means for a model on this machine's CPU: measured, decided, and remembered.

Each precision that the CPU has units for computes the same probe, texts of the project's own that no model was trained
on. The quickest whose answers stay those of fp32, within `MOST_CHANGE` and `MOST_DECISIONS`, is the model's. On a GPU
`auto` is fp16, without a measurement.

The decision is kept in a file per machine and model, so that it is made once, and is the same for all processes.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from filelock import FileLock

from wenmo.paths import CACHE
from wenmo.tasks import zero_shot
from wenmo.tasks.embedding import normalized
from wenmo.tasks.encode import encode_pairs, encode_texts
from wenmo.tasks.everyday import QuestionSet, rows
from wenmo.tasks.scores import softmax
from wenmo.tasks.spec import TaskSpec
from wenmo.telemetry.machine import machine
from wenmo.types import Precision, Resolved
from wenmo.version import __version__

if TYPE_CHECKING:
    from wenmo.inference.runtime import ModelRuntime
    from wenmo.models.checkpoint import Checkpoint
    from wenmo.tokenizer import Encoding

FOLDER = CACHE / "precision"
MOST_CHANGE = 0.015  # of the probabilities (of vectors: the cosines) of 99 in 100 probes
MOST_DECISIONS = 0.005  # share of the probes with another best label
LEAST_GAIN = 1.15  # times the speed of fp32; less is not worth any change
_ROUNDS, _ENOUGH_S = 2, 1.0  # each precision is timed so often, once if that takes so long: the first answer waits


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A precision on the probe. `change` and `decisions` are against fp32, see MOST_CHANGE and MOST_DECISIONS."""

    precision: Precision
    seconds: float
    change: float
    decisions: float

    @property
    def holds(self) -> bool:
        """Whether the answers stay those of fp32."""
        return self.change <= MOST_CHANGE and self.decisions <= MOST_DECISIONS


def decide(
    checkpoint: Checkpoint,
    spec: TaskSpec,
    fingerprint: str,
    *,
    make: Callable[[Precision], ModelRuntime],
    folder: Path | None = None,
) -> Resolved[Precision]:
    """The precision of a model: from its file in `folder` (FOLDER) where it was decided, else measured in seconds.

    `make` makes a runtime of it; `fingerprint` is that of its weights. Where nothing can be written to `folder` the
    decision is made each time.
    """
    path = (folder or FOLDER) / f"{_key(spec, fingerprint)}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock"), timeout=120):  # of processes that start together, one measures
            tried = _read(path)
            if tried is None:
                tried = measure(checkpoint, spec, make=make)
                _write(path, {"machine": machine(), "model": str(checkpoint.folder), "tried": [*map(asdict, tried)]})
    except (OSError, TimeoutError):
        tried = measure(checkpoint, spec, make=make)
    return _decision(tried)


def measure(checkpoint: Checkpoint, spec: TaskSpec, *, make: Callable[[Precision], ModelRuntime]) -> tuple[Tried, ...]:
    """Each precision that may be worth it on this CPU, fp32 first."""
    encodings = _probe(checkpoint, spec)
    runtimes = {precision: make(precision) for precision in _candidates()}
    for precision in runtimes:
        _output(runtimes[precision], spec, encodings[:2])  # compiles kernels, touches the weights
    outputs: dict[Precision, np.ndarray] = {}
    timings: dict[Precision, list[float]] = {precision: [] for precision in runtimes}
    for _ in range(_ROUNDS):  # in turns, so that whatever else the machine does meets all alike
        for precision, seconds in timings.items():
            if sum(seconds) < _ENOUGH_S:
                start = time.perf_counter()
                outputs[precision] = _output(runtimes[precision], spec, encodings)
                seconds.append(time.perf_counter() - start)
    found = []
    for precision, output in outputs.items():
        change, decisions = compared(output, outputs["fp32"], spec)
        found.append(Tried(precision=precision, seconds=min(timings[precision]), change=change, decisions=decisions))
    return tuple(found)


def _decision(tried: Sequence[Tried]) -> Resolved[Precision]:
    """The quickest that holds, with the figures of all."""
    exact = tried[0]
    quick = [each for each in tried[1:] if each.holds and each.seconds * LEAST_GAIN <= exact.seconds]
    chosen = min(quick, key=lambda each: each.seconds, default=exact)
    reason, reason_zh = "measured here on the everyday questions", "本机在日常题上实测"
    for each in tried[1:]:
        gain, points = exact.seconds / each.seconds, 100 * each.change
        reason += f"; {each.precision}: {gain:.1f} times as fast, {each.decisions:.1%} of decisions and {points:.1f} "
        reason += "points changed" + ("" if each.holds else ", too much")
        reason_zh += (
            f"；{each.precision}：速度 {gain:.1f} 倍，判断改变 {each.decisions:.1%}，概率变动 {points:.1f} 个百分点"
        )
        reason_zh += "" if each.holds else "，过大"
    return Resolved(value=chosen.precision, reason=reason, reason_zh=reason_zh)


def _candidates() -> tuple[Precision, ...]:
    import torch

    from wenmo.inference.int8 import has_onednn
    from wenmo.inference.precision import has_fast_half

    candidates: list[Precision] = ["fp32"]
    if has_fast_half(torch.bfloat16).value:
        candidates.append("bf16")
    if has_onednn():  # torch's own integer product, on other processors, is slower than its fp32
        candidates.append("int8")
    return tuple(candidates)


def probe_output(checkpoint: Checkpoint, spec: TaskSpec, runtime: ModelRuntime) -> np.ndarray:
    """The logits (N, labels) of the probe, or its vectors (N, V)."""
    return _output(runtime, spec, _probe(checkpoint, spec))


def _output(runtime: ModelRuntime, spec: TaskSpec, encodings: list[Encoding]) -> np.ndarray:
    return runtime.vectors(encodings) if spec.outputs == "vectors" else runtime.logits(encodings)


def compared(output: np.ndarray, exact: np.ndarray, spec: TaskSpec) -> tuple[float, float]:
    """The change that 99 in 100 probes stay within, and the share of them with another best label."""
    if spec.outputs == "vectors":  # which of hundreds of texts is nearest hangs on last digits: no decision
        cosines, before = ((unit := normalized(vectors)) @ unit.T for vectors in (output, exact))
        return float(np.quantile(np.abs(cosines - before).max(axis=1), 0.99)), 0.0
    pairs = list(zip(_probabilities(output, spec), _probabilities(exact, spec), strict=True))
    changes = [float(np.abs(scores - before).max()) for scores, before in pairs]
    decisions = [scores.argmax() != before.argmax() for scores, before in pairs]
    return float(np.quantile(changes, 0.99)), float(np.mean(decisions))


def _probabilities(logits: np.ndarray, spec: TaskSpec) -> list[np.ndarray]:
    """Of each probe: of the model's labels, or of the question's, of which there are several rows of logits."""
    if not spec.takes_labels:
        return list(softmax(logits))
    ends = np.cumsum([row["labels"].count("、") + 1 for row in rows("zero_shot")])
    return [softmax(part[:, zero_shot.ENTAILMENT]) for part in np.split(logits, ends[:-1])]


def _probe(checkpoint: Checkpoint, spec: TaskSpec) -> list[Encoding]:
    """The everyday questions of the task, as its model reads them."""
    tokenizer, longest = checkpoint.tokenizer, checkpoint.max_length
    if spec.takes_labels:
        questions = [
            zero_shot.Question(text=row["text"], labels=tuple(row["labels"].split("、"))) for row in rows("zero_shot")
        ]
        return zero_shot.encode(tokenizer, questions, template=zero_shot.DEFAULT_TEMPLATE, max_length=longest)
    if spec.inputs == "pair":
        pairs = [(row["text_a"], row["text_b"]) for row in rows("pairs")]
        return encode_pairs(tokenizer, pairs, max_length=longest)
    texts = [row["text"] for row in (*rows("reviews"), *rows("neutral"))]
    return encode_texts(tokenizer, texts, max_length=longest)


def _key(spec: TaskSpec, fingerprint: str) -> str:
    """All that the decision depends on."""
    import torch

    from wenmo.inference.precision import cpu_kind

    probes = [rows(name) for name in get_args(QuestionSet)]
    parts = (
        *(__version__, torch.__version__, machine(), cpu_kind(), torch.get_num_threads()),
        *(spec.name, fingerprint, probes),
    )
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=12).hexdigest()


def _read(path: Path) -> tuple[Tried, ...] | None:
    """What was tried before; None where nothing was, and for a file that cannot be read."""
    try:
        tried = tuple(Tried(**each) for each in json.loads(path.read_text(encoding="utf-8"))["tried"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return tried if tried and tried[0].precision == "fp32" else None


def _write(path: Path, content: dict[str, Any]) -> None:
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    partial.replace(path)
