"""The tracker and the log against networks worked out by hand, and against torch's own memory tracker."""

from __future__ import annotations

import torch
from torch import nn
from torch.distributed._tools.mem_tracker import MemTracker

from wenmo.lab.allocations import Breakdown, Event, TensorLog, Timeline, track

ROWS, IN, INNER, OUT = 50, 100, 200, 10


def _network() -> tuple[nn.Sequential, torch.Tensor]:
    return nn.Sequential(nn.Linear(IN, INNER), nn.GELU(), nn.Linear(INNER, OUT)), torch.zeros(ROWS, IN)


def _standing(model: nn.Module, inputs: torch.Tensor) -> dict[str, list[torch.Tensor]]:
    return {"weights": list(model.parameters()), "activations": [inputs]}


WEIGHTS = 4 * (IN * INNER + INNER + INNER * OUT + OUT)


def test_a_forward_by_hand() -> None:
    """At the second linear layer its input and output are alive, the first one's output is not."""
    model, inputs = _network()

    def step() -> None:
        with torch.inference_mode():
            model(inputs)

    timeline = track(step, standing=_standing(model, inputs), gradients=list)  # type: ignore[arg-type]
    # GELU: its input and output, both (50, 200), beside the network's input.
    assert timeline.peak() == Breakdown(weights=WEIGHTS, activations=4 * (ROWS * IN + 2 * ROWS * INNER))
    assert timeline.most_activations() == 4 * (ROWS * IN + 2 * ROWS * INNER)


def test_a_training_step_by_hand() -> None:
    """When the first layer's gradient is there, so is the second's; the inner activations are gone by then."""
    model, inputs = _network()

    def step() -> None:
        model.zero_grad()
        model(inputs).sum().backward()

    step()
    timeline = track(
        step,
        standing=_standing(model, inputs),  # type: ignore[arg-type]
        gradients=lambda: [parameter.grad for parameter in model.parameters() if parameter.grad is not None],
    )
    taken = {block: event.size for event in timeline.events if event.size > 0 for block in [event.block]}
    gradients = sorted(taken[block] for block, category in timeline.of.items() if category == "gradients")
    assert gradients == sorted(4 * parameter.numel() for parameter in model.parameters())
    assert timeline.peak().weights == WEIGHTS


def test_it_repeats_to_the_byte() -> None:
    model, inputs = _network()

    def step() -> None:
        with torch.inference_mode():
            model(inputs).softmax(-1)

    step()
    timelines = [track(step, standing=_standing(model, inputs), gradients=list) for _ in range(3)]  # type: ignore[arg-type]
    assert timelines[0] == timelines[1] == timelines[2]


def test_what_an_operator_takes_for_itself_is_workspace() -> None:
    """Attention's scores, sums and block of queries: one thread, 8 queries and keys of size 4."""
    query = torch.zeros(1, 1, 8, 4)
    threads = torch.get_num_threads()

    def step() -> None:
        with torch.inference_mode():
            nn.functional.scaled_dot_product_attention(query, query, query)

    peak = track(step, standing={"activations": [query]}, gradients=list).peak()
    assert peak.activations == 2 * 4 * 8 * 4  # the input, and as much of output
    assert peak.workspace == 4 * threads * 8 * (8 + 2 + 4) + 4 * 8  # and a sum a query for the backward pass


def test_the_log_agrees_with_torchs_own_tracker() -> None:
    model, inputs = _network()
    theirs = MemTracker()
    theirs.track_external(model, inputs)
    with TensorLog(_standing(model, inputs)) as log:  # type: ignore[arg-type]
        model(inputs).sum().backward()
    peak = log.timeline([parameter.grad for parameter in model.parameters() if parameter.grad is not None]).peak()
    model.zero_grad()
    with theirs:
        model(inputs).sum().backward()
    assert peak.total == theirs.get_tracker_snapshot("peak")[torch.device("cpu")]["Total"]


def test_one_storage_counts_once() -> None:
    shared = torch.zeros(64)
    with TensorLog({"weights": [shared, shared.view(8, 8)]}) as log:
        shared.view(2, 32).T.add_(1)
    assert log.timeline([]).peak() == Breakdown(weights=256)


def test_the_peak_is_the_first_highest_moment() -> None:
    timeline = Timeline(
        events=(Event(0, 5), Event(1, 4), Event(1, -4), Event(2, 4)),
        of={0: "weights", 1: "activations", 2: "gradients"},
    )
    assert timeline.peak() == Breakdown(weights=5, activations=4)
