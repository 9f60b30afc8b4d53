"""Similarity: a pair, one against many, or a matrix of sentences."""

from __future__ import annotations

from wenmo.ui.shell import components
from wenmo.ui.similarity import page as similarity
from wenmo.ui.text import say

MODES = {"pair": similarity.pair, "ranking": similarity.ranking, "matrix": similarity.matrix}

components.heading("similarity")
mode = components.choice(say("similarity.mode"), {name: say(f"similarity.mode.{name}") for name in MODES}, key="mode")
MODES[mode]()
