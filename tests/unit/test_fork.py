"""An engine in a child that was forked off: it says what to do, and never hangs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import GOLDEN_MODELS as MODELS
from tests.conftest import ROOT
from tests.waiting import WAIT_S

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")

SCRIPT = """
import multiprocessing
import wenmo

engine = wenmo.Engine(device="cpu", precision="fp32", models={models})
{before}
ASK = [
    lambda: engine.sentiment(["很好"]),
    lambda: engine.zero_shot(["很好"], labels="甲、乙", method="two_stage"),
    lambda: engine.with_models({{"embedding": "wenmo-embedding"}}).embed(["很好"]),
    lambda: engine.explain_sentiment("很好"),
    lambda: engine.model_info("sentiment"),
    lambda: engine.ask("similarity", [("很好", "不好")]),
]

def child(number):
    try:
        with engine:  # leaving it must not hang, either
            return ASK[number]()
    except wenmo.WenmoError as error:
        return "spawn" in error.en and "spawn" in error.zh

if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool:
        print(pool.map(child, range(len(ASK))))
    print(engine.sentiment(["很好"])[0].label == engine.sentiment(["很好"])[0].label)
"""


@pytest.mark.parametrize("before", ["", "engine.sentiment(['很好'])"], ids=["unused", "used"])
def test_an_engine_made_before_a_fork_names_spawn_in_the_child_and_goes_on_in_the_parent(before: str) -> None:
    code = SCRIPT.format(models=MODELS, before=before)
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=WAIT_S, check=False
    )
    assert ended.stdout.splitlines() == [str([True] * 6), "True"], ended.stderr
