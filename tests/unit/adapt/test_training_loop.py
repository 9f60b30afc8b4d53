"""The training loop on one small network: averages by hand, resumed runs, the layout of a checkpoint."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from wenmo.adapt.training_loop import MakeStep, Schedule, Step, StepResult, load_finished, train

# Three epochs of five steps with ten tokens each.
SCHEDULE = Schedule(tokens=150, batch_tokens=10, learning_rate=0.1, averaging=0.5)


def _network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Dropout(0.5), torch.nn.Linear(4, 1))


def _epoch_steps(module: torch.nn.Module) -> Callable[[int], Iterator[MakeStep]]:
    def epoch_steps(epoch: int) -> Iterator[MakeStep]:
        for batch in range(5):

            def make(rng: np.random.Generator, scale: float = 1.0 + epoch + batch) -> Step:
                inputs = torch.from_numpy(rng.normal(size=(8, 4)).astype(np.float32)) * scale
                return Step(loss=lambda: (module(inputs) - 1).square().mean(), tokens=10)

            yield make

    return epoch_steps


def _train(path: Path | None, **options: Any) -> torch.nn.Module:
    module = _network()
    given = {"report": dict, "log": lambda line: None, **options}
    train(module, SCHEDULE, _epoch_steps(module), state_path=path, precision="fp32", **given)
    return module


def test_averaged_weights_by_hand(tmp_path: Path) -> None:
    """A weight that falls by the learning rate each step, and its average with a decay of 0.5."""
    module = torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        module.weight.fill_(1.0)
    seen: list[float] = []

    def make(rng: np.random.Generator) -> Step:
        seen.append(module.weight.item())
        return Step(loss=lambda: module.weight.sum(), tokens=1)

    schedule = Schedule(tokens=3, batch_tokens=1, learning_rate=0.1, warmup=0.0, weight_decay=0.0, averaging=0.5)
    path = tmp_path / "run.pt"
    train(module, schedule, lambda epoch: iter([make] * 3), state_path=path, report=dict, log=lambda line: None)
    last = float(torch.load(path, weights_only=True)["average"][0])  # the average is in the module, this is beside it
    average = seen[0]
    for weight in (seen[1], seen[2], last):
        average = 0.5 * average + 0.5 * weight
    assert module.weight.item() == pytest.approx(average)
    assert last < average < 1.0


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("steps", [1, 5, 7])
def test_a_resumed_run_ends_with_the_same_weights(tmp_path: Path, steps: int, killed: bool) -> None:
    """Ended within an epoch and at its end. Dropout is on, each batch is random, and weights are averaged."""
    straight = _train(tmp_path / "straight.pt")
    path = tmp_path / "resumed.pt"

    def kill(result: StepResult) -> bool:
        if result.step == steps:
            raise KeyboardInterrupt
        return True

    if killed:
        with pytest.raises(KeyboardInterrupt):
            _train(path, save_every_s=-1.0, on_step=kill)
    else:
        _train(path, max_steps=steps)
    assert torch.load(path, weights_only=True)["state"]["step"] == steps
    resumed = _train(path)
    for name, tensor in straight.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_a_checkpoint_has_the_keys_that_earlier_runs_were_saved_with(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    _train(path, max_steps=7)
    saved = torch.load(path, weights_only=True)
    assert set(saved) == {"module", "optimizer", "average", "state"}
    assert saved["state"] == {"step": 7, "seen": 70, "epoch": 1, "batch": 2}
    assert not load_finished(_network(), SCHEDULE, path)
    assert load_finished(_network(), replace(SCHEDULE, tokens=70), path)


def test_progress_is_a_line_of_json_and_who_listens_can_end_the_run() -> None:
    lines: list[str] = []
    results: list[StepResult] = []

    def on_step(result: StepResult) -> bool:
        results.append(result)
        return result.step < 4

    _train(None, report=lambda: {"dev_loss": 0.25}, log=lines.append, report_every=2, on_step=on_step)
    assert [result.metrics is not None for result in results] == [False, True, False, True]
    logged = [json.loads(line) for line in lines if line.startswith("{")]
    assert [(line["step"], line["tokens"], line["of"], line["dev_loss"]) for line in logged] == [
        (2, 20, 150, 0.25),
        (4, 40, 150, 0.25),
    ]
