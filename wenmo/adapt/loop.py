"""The one training loop: schedule, precision, progress, checkpoints. Pretraining, fine-tuning and adapting run in it.

Deterministic and resumable without saving random states: what a step draws depends on (seed, step) alone, and the plan
of an epoch on (seed, epoch). A run that was killed and resumed ends with the same weights as one that was not.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import nn

from wenmo.errors import DeviceError
from wenmo.inference.precision import DTYPES, has_fast_half
from wenmo.types import Resolved

TrainingPrecision = Literal["fp32", "bf16", "fp16"]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """`tokens` pieces in all; the rate rises over the first `warmup` of them and falls to 0 along a cosine.

    `averaging` is the decay of an exponential moving average of the weights, which then is what the run ends with
    (Polyak and Juditsky, 1992); 0 ends with the last ones.
    """

    tokens: int
    batch_tokens: int
    learning_rate: float
    warmup: float = 0.05
    weight_decay: float = 0.01
    averaging: float = 0.0
    seed: int = 1

    def rate(self, seen: int) -> float:
        progress = min(1.0, seen / self.tokens)
        if progress < self.warmup:
            return self.learning_rate * (progress / self.warmup)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * (progress - self.warmup) / (1 - self.warmup)))


@dataclass(frozen=True, kw_only=True)
class Step:
    """What one step learns from: `loss` computes it, `tokens` is its number of real pieces."""

    loss: Callable[[], torch.Tensor]
    tokens: int


@dataclass(frozen=True, kw_only=True)
class StepDone:
    """Where a run is: `seen` pieces after `step` steps. `figures` are held-out ones, None where none were computed."""

    step: int
    seen: int
    loss: float
    figures: dict[str, float] | None


def resolve_training_precision(wanted: str, device: str) -> Resolved[TrainingPrecision]:
    """`auto`, `fp32`, `bf16` or `fp16` on `device`. Weights and optimiser stay in fp32: this is autocast's arithmetic.

    What the device cannot do, or only slowly, becomes fp32, and the reason says so. Raises DeviceError for other words.
    """
    if wanted not in ("auto", *get_args(TrainingPrecision)):
        raise DeviceError(
            f"Training has no precision {wanted!r}. Use auto, fp32, bf16 or fp16.",
            f"训练没有精度 {wanted!r}。可用：auto、fp32、bf16、fp16。",
        )
    if wanted == "fp32":
        return Resolved(value="fp32", reason="as asked", reason_zh="按设置")
    if device.startswith("cuda"):
        if wanted == "fp16":
            return Resolved(value="fp16", reason="as asked, with scaled gradients", reason_zh="按设置，并缩放梯度")
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return Resolved(value="bf16", reason="this GPU has bf16 units", reason_zh="此 GPU 有 bf16 单元")
        return Resolved(value="fp32", reason="this GPU has no bf16 units", reason_zh="此 GPU 没有 bf16 单元")
    if wanted == "fp16":
        return Resolved(
            value="fp32",
            reason="fp16 is trained in on a CUDA GPU only: its scaled gradients need one",
            reason_zh="fp16 训练需缩放梯度，仅限 CUDA GPU",
        )
    fast = has_fast_half(torch.bfloat16)
    return Resolved(value="bf16" if fast.value else "fp32", reason=fast.reason, reason_zh=fast.reason_zh)


def train(
    module: nn.Module,
    schedule: Schedule,
    epoch_steps: Callable[[int], Iterator[Callable[[int], Step]]],
    *,
    state_path: Path | None,
    report: Callable[[], dict[str, float]],
    precision: TrainingPrecision | None = None,
    on_step: Callable[[StepDone], bool] | None = None,
    save_every_s: float = 300.0,
    report_every: int = 200,
    log: Callable[[str], None] = print,
    max_steps: int | None = None,
) -> None:
    """Train `module` in place until `schedule.tokens` were seen.

    `epoch_steps(epoch)` yields, for each batch of the epoch, a function from the step number to its Step. `state_path`
    holds the run's own checkpoint and is removed by nobody; a run that finds it goes on from there; None keeps none.
    `report` returns held-out figures for the progress line. `precision` is as resolved, by default `auto`; fp16 is for
    runs without a `state_path`, which does not hold the scale of its gradients. `on_step` hears of every step and ends
    the run by answering False. `max_steps` stops early.
    """
    stage = "run" if state_path is None else state_path.stem
    optimizer = _optimizer(module, schedule)
    average = _Average(module, schedule.averaging)
    state = {"step": 0, "seen": 0, "epoch": 0, "batch": 0}
    if state_path is not None and state_path.is_file():
        saved = torch.load(state_path, weights_only=True)
        module.load_state_dict(saved["module"])
        optimizer.load_state_dict(saved["optimizer"])
        average.load(saved["average"])
        state = saved["state"]
        log(f"resumed {stage} at step {state['step']}, {state['seen']:,} tokens")
    device = next(module.parameters()).device
    resolved = resolve_training_precision(precision or "auto", device.type)
    log(f"{stage}: {resolved.value}, {resolved.reason}")
    dtype = DTYPES[resolved.value]
    half = dtype != torch.float32
    scaler = torch.amp.GradScaler(device.type, enabled=resolved.value == "fp16")  # idle in any other precision
    last_save = last_report = time.monotonic()
    seen_at_report = state["seen"]
    running: float | None = None
    while state["seen"] < schedule.tokens:
        for index, make_step in enumerate(epoch_steps(state["epoch"])):
            if index < state["batch"]:
                continue
            step = make_step(state["step"])
            _seed_dropout((schedule.seed << 32) + state["step"], device)
            module.train()
            for group in optimizer.param_groups:
                group["lr"] = schedule.rate(state["seen"])
            with torch.autocast(device.type, dtype, enabled=half):
                loss = step.loss()
            optimizer.zero_grad()
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
            average.update()
            latest = float(loss.detach())
            running = latest if running is None else 0.98 * running + 0.02 * latest
            state = {
                "step": state["step"] + 1,
                "seen": state["seen"] + step.tokens,
                "epoch": state["epoch"],
                "batch": index + 1,
            }
            finished = state["seen"] >= schedule.tokens or (max_steps is not None and state["step"] >= max_steps)
            figures: dict[str, float] | None = None
            if state["step"] % report_every == 0 or finished:
                module.eval()
                average.exchange()
                with torch.inference_mode(), torch.autocast(device.type, dtype, enabled=half):
                    figures = report()
                average.exchange()
                now = time.monotonic()
                line = {
                    "stage": stage,
                    "step": state["step"],
                    "tokens": state["seen"],
                    "of": schedule.tokens,
                    "tokens_per_s": round((state["seen"] - seen_at_report) / (now - last_report)),
                    "loss": round(running, 4),
                    **{name: round(value, 4) for name, value in figures.items()},
                }
                log(json.dumps(line))
                last_report, seen_at_report = now, state["seen"]
            if finished:
                average.exchange()
            if state_path is not None and (finished or time.monotonic() - last_save > save_every_s):
                save_atomically(
                    {
                        "module": module.state_dict(),
                        "average": average.tensors,
                        "optimizer": optimizer.state_dict(),
                        "state": state,
                    },
                    state_path,
                )
                last_save = time.monotonic()
            done = StepDone(step=state["step"], seen=state["seen"], loss=latest, figures=figures)
            if (on_step is not None and not on_step(done)) or finished:
                return
        state = {**state, "epoch": state["epoch"] + 1, "batch": 0}


class _Average:
    """The moving average of a module's parameters; nothing at all with a decay of 0."""

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

    def exchange(self) -> None:
        """The average into the module and the module's weights here; done twice, nothing has changed."""
        for own, parameter in zip(self.tensors, self._parameters, strict=True):
            kept = own.clone()
            own.copy_(parameter)
            parameter.copy_(kept)


def load_finished(module: nn.Module, schedule: Schedule, state_path: Path) -> bool:
    """Load the weights of a run that has seen all of its tokens; False, and nothing loaded, if it has not."""
    if not state_path.is_file():
        return False
    saved = torch.load(state_path, weights_only=True, map_location="cpu")
    if saved["state"]["seen"] < schedule.tokens:
        return False
    module.load_state_dict(saved["module"])
    return True


def _seed_dropout(seed: int, device: torch.device) -> None:
    # Not torch.manual_seed, which without a GPU keeps a stack trace of every call for the day when there is one.
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


def save_atomically(content: dict[str, Any], path: Path) -> None:
    """torch.save beside the target, then rename: a death in between leaves the old file whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(content, partial)
    partial.replace(path)


def step_rng(schedule: Schedule, step: int) -> np.random.Generator:
    """The random numbers of one step."""
    return np.random.default_rng((schedule.seed, 1, step))


def epoch_rng(schedule: Schedule, epoch: int) -> np.random.Generator:
    """The random numbers of one epoch's plan."""
    return np.random.default_rng((schedule.seed, 0, epoch))


def _optimizer(module: nn.Module, schedule: Schedule) -> torch.optim.AdamW:
    decayed = [p for p in module.parameters() if p.requires_grad and p.ndim > 1]
    plain = [p for p in module.parameters() if p.requires_grad and p.ndim <= 1]
    return torch.optim.AdamW(
        [{"params": decayed, "weight_decay": schedule.weight_decay}, {"params": plain, "weight_decay": 0.0}],
        lr=schedule.learning_rate,
        betas=(0.9, 0.98),
        fused=True,
    )
