"""The training loop of pretraining, fine-tuning and adapting: schedule, optimiser, mixed precision, checkpoints.

Training is deterministic and resumable without saved random states: the random numbers of a step depend only on
(seed, step), those of an epoch only on (seed, epoch). A run that was killed and resumed ends with the same weights as
an uninterrupted one.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import nn

from wenmo.adapt.precision import resolve_training_precision
from wenmo.adapt.types import TrainingPrecision
from wenmo.inference.precision import DTYPES


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The length of a run, its batch size and its learning rate.

    Tokens exclude padding in `tokens`, the length of the run, and include it in `batch_tokens`, the most that a batch
    has. `warmup` is a share of `tokens`. `averaging` is the decay of an exponential moving average of the weights,
    with which the run ends (Polyak and Juditsky, 1992); with 0 the run ends with the last weights.
    """

    tokens: int
    batch_tokens: int
    learning_rate: float
    warmup: float = 0.05
    weight_decay: float = 0.01
    averaging: float = 0.0
    seed: int = 1

    def rate(self, seen: int) -> float:
        """The learning rate after `seen` tokens: linear warmup, then cosine decay to 0 (arXiv 1608.03983)."""
        progress = min(1.0, seen / self.tokens)
        if progress < self.warmup:
            return self.learning_rate * (progress / self.warmup)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * (progress - self.warmup) / (1 - self.warmup)))


@dataclass(frozen=True, kw_only=True)
class Step:
    """One optimiser step: `loss` computes the loss of its batch, which has `tokens` tokens without padding."""

    loss: Callable[[], torch.Tensor]
    tokens: int


MakeStep = Callable[[np.random.Generator], Step]  # from the random numbers of the step


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """A run after `step` steps and `seen` tokens; `metrics` are the held-out ones, None unless just computed."""

    step: int
    seen: int
    loss: float
    metrics: dict[str, float] | None


@dataclass(frozen=True, kw_only=True)
class _Position:
    """Where a run is: steps and tokens done so far, and the next batch of the current epoch."""

    step: int = 0
    seen: int = 0
    epoch: int = 0
    batch: int = 0

    def after(self, step: Step) -> _Position:
        return replace(self, step=self.step + 1, seen=self.seen + step.tokens, batch=self.batch + 1)


def train(
    module: nn.Module,
    schedule: Schedule,
    epoch_steps: Callable[[int], Iterator[MakeStep]],
    *,
    state_path: Path | None,
    report: Callable[[], dict[str, float]],
    precision: str = "auto",
    on_step: Callable[[StepResult], bool] | None = None,
    save_every_s: float = 300.0,
    report_every: int = 200,
    log: Callable[[str], None] = print,
    max_steps: int | None = None,
) -> None:
    """Train `module` in place until `schedule.tokens` tokens were seen.

    `epoch_steps(epoch)` yields a function for each batch of an epoch, always in the same order. `state_path` holds the
    checkpoint of this run, from which a later call resumes; with None there is no checkpoint. `report` computes
    held-out metrics, every `report_every` steps and at the end. `precision` is as in `resolve_training_precision`; fp16
    needs `state_path` None, because the checkpoint lacks the scale of its gradients. `on_step` is called after every
    step and ends the run by returning False. `max_steps` ends it early. A run that ends early has its last weights, not
    the average, and can be resumed. Raises DeviceError for an unknown precision.
    """
    stage = "run" if state_path is None else state_path.stem
    device = next(module.parameters()).device
    resolved = resolve_training_precision(precision, device.type)
    trainer = _Trainer(module, schedule, resolved.value, device)
    start = _Position()
    if state_path is not None and state_path.is_file():
        start = trainer.load(state_path)
        log(f"resumed {stage} at step {start.step}, {start.seen:,} tokens")
    log(f"{stage}: {resolved.value}, {resolved.reason}")
    progress = _ProgressLog(log, stage, schedule, start)
    last_save = time.monotonic()
    for before, step in _steps_from(start, schedule, epoch_steps):
        loss = trainer.update(step, before)
        progress.add(loss)
        position = before.after(step)
        complete = position.seen >= schedule.tokens
        finished = complete or (max_steps is not None and position.step >= max_steps)
        metrics: dict[str, float] | None = None
        if position.step % report_every == 0 or finished:
            metrics = trainer.evaluate(report)
            progress.write(position, metrics)
        if complete:
            trainer.average.swap()
        if state_path is not None and (finished or time.monotonic() - last_save > save_every_s):
            trainer.save(state_path, position)
            last_save = time.monotonic()
        result = StepResult(step=position.step, seen=position.seen, loss=loss, metrics=metrics)
        if (on_step is not None and not on_step(result)) or finished:
            return


def _steps_from(
    position: _Position, schedule: Schedule, epoch_steps: Callable[[int], Iterator[MakeStep]]
) -> Iterator[tuple[_Position, Step]]:
    """The remaining steps, each with the position before it."""
    while position.seen < schedule.tokens:
        for make_step in islice(epoch_steps(position.epoch), position.batch, None):
            step = make_step(step_rng(schedule, position.step))
            yield position, step
            position = position.after(step)
        position = replace(position, epoch=position.epoch + 1, batch=0)


class _Trainer:
    """The module with its optimiser, moving average and mixed precision."""

    def __init__(
        self, module: nn.Module, schedule: Schedule, precision: TrainingPrecision, device: torch.device
    ) -> None:
        self._module = module
        self._schedule = schedule
        self._device = device
        self._dtype = DTYPES[precision]
        self._optimizer = _optimizer(module, schedule)
        self._scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")  # idle in other precisions
        self.average = _MovingAverage(module, schedule.averaging)

    def update(self, step: Step, position: _Position) -> float:
        """Make one optimiser step from `position`; returns the loss before it."""
        self._seed_dropout(position)
        self._module.train()
        for group in self._optimizer.param_groups:
            group["lr"] = self._schedule.rate(position.seen)
        with self._autocast():
            loss = step.loss()
        self._optimizer.zero_grad()
        self._scaler.scale(loss).backward()
        self._scaler.unscale_(self._optimizer)
        nn.utils.clip_grad_norm_(self._module.parameters(), 1.0)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self.average.update()
        return float(loss.detach())

    def evaluate(self, report: Callable[[], dict[str, float]]) -> dict[str, float]:
        """The held-out metrics, of the averaged weights if there are any."""
        self._module.eval()
        self.average.swap()
        with torch.inference_mode(), self._autocast():
            metrics = report()
        self.average.swap()
        return metrics

    def save(self, path: Path, position: _Position) -> None:
        """Write the checkpoint to a file beside `path` and rename it, so that a crash leaves the old one intact."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        content = {
            "module": self._module.state_dict(),
            "average": self.average.tensors,
            "optimizer": self._optimizer.state_dict(),
            "state": asdict(position),
        }
        torch.save(content, partial)
        partial.replace(path)

    def load(self, path: Path) -> _Position:
        """Restore a checkpoint; returns where its run was."""
        saved = torch.load(path, weights_only=True)
        self._module.load_state_dict(saved["module"])
        self._optimizer.load_state_dict(saved["optimizer"])
        self.average.load(saved["average"])
        return _Position(**saved["state"])

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self._device.type, self._dtype, enabled=self._dtype != torch.float32)

    def _seed_dropout(self, position: _Position) -> None:
        seed = (self._schedule.seed << 32) + position.step
        # torch.manual_seed would also queue a seeding of CUDA: without a GPU, one more stack trace in memory per call.
        torch.default_generator.manual_seed(seed)
        if self._device.type == "cuda":
            torch.cuda.manual_seed(seed)


class _MovingAverage:
    """The exponential moving average of a module's parameters; with a decay of 0 it is empty."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._parameters = [parameter.data for parameter in module.parameters()] if decay else []
        self._decay = decay
        self.tensors = [parameter.clone() for parameter in self._parameters]

    def load(self, tensors: list[torch.Tensor]) -> None:
        for own, saved in zip(self.tensors, tensors, strict=True):
            own.copy_(saved)

    def update(self) -> None:
        if self._decay:
            torch._foreach_lerp_(self.tensors, self._parameters, 1 - self._decay)

    def swap(self) -> None:
        """Exchange the average and the module's parameters; a second call undoes the first."""
        for own, parameter in zip(self.tensors, self._parameters, strict=True):
            kept = own.clone()
            own.copy_(parameter)
            parameter.copy_(kept)


class _ProgressLog:
    """Writes a line of JSON with the held-out metrics, the smoothed training loss and the speed since the last line."""

    def __init__(self, log: Callable[[str], None], stage: str, schedule: Schedule, start: _Position) -> None:
        self._log = log
        self._stage = stage
        self._total = schedule.tokens
        self._loss: float | None = None
        self._seen, self._time = start.seen, time.monotonic()  # at the last line

    def add(self, loss: float) -> None:
        self._loss = loss if self._loss is None else 0.98 * self._loss + 0.02 * loss

    def write(self, position: _Position, metrics: dict[str, float]) -> None:
        assert self._loss is not None, "no step yet"
        now = time.monotonic()
        line = {
            "stage": self._stage,
            "step": position.step,
            "tokens": position.seen,
            "of": self._total,
            "tokens_per_s": round((position.seen - self._seen) / (now - self._time)),
            "loss": round(self._loss, 4),
            **{name: round(value, 4) for name, value in metrics.items()},
        }
        self._log(json.dumps(line))
        self._seen, self._time = position.seen, now


def load_finished(module: nn.Module, schedule: Schedule, state_path: Path) -> bool:
    """Load the weights of a run that has ended. Returns False, and loads nothing, if there is none or it goes on."""
    if not state_path.is_file():
        return False
    saved = torch.load(state_path, weights_only=True, map_location="cpu")
    if saved["state"]["seen"] < schedule.tokens:
        return False
    module.load_state_dict(saved["module"])
    return True


def step_rng(schedule: Schedule, step: int) -> np.random.Generator:
    """The random numbers of step number `step`."""
    return np.random.default_rng((schedule.seed, 1, step))


def epoch_rng(schedule: Schedule, epoch: int) -> np.random.Generator:
    """The random numbers of epoch number `epoch`."""
    return np.random.default_rng((schedule.seed, 0, epoch))


def _optimizer(module: nn.Module, schedule: Schedule) -> torch.optim.AdamW:
    """AdamW, with weight decay on matrices only (not on biases and layer norms)."""
    decayed = [p for p in module.parameters() if p.requires_grad and p.ndim > 1]
    plain = [p for p in module.parameters() if p.requires_grad and p.ndim <= 1]
    return torch.optim.AdamW(
        [{"params": decayed, "weight_decay": schedule.weight_decay}, {"params": plain, "weight_decay": 0.0}],
        lr=schedule.learning_rate,
        betas=(0.9, 0.98),
        fused=True,
    )
