"""Similarity: a pair, one against many, or a matrix of sentences."""

from __future__ import annotations

from wenmo.ui.shell import components, pair
from wenmo.ui.similarity import matrix, ranking
from wenmo.ui.text import say

MODES = {"pair": pair.show, "ranking": ranking.show, "matrix": matrix.show}

components.heading("similarity")
mode = components.choice(say("similarity.mode"), {name: say(f"similarity.mode.{name}") for name in MODES}, key="mode")
MODES[mode]()
