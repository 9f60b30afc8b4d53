"""Match: two lists, the best of one for each text of the other; or the groups and near-duplicates of one list."""

from __future__ import annotations

from wenmo.ui.match import grouping, pairing
from wenmo.ui.shell import components
from wenmo.ui.text import say

MODES = {"two": pairing.show, "one": grouping.show}

components.heading("match")
mode = components.choice(say("match.mode"), {name: say(f"match.mode.{name}") for name in MODES}, key="lists")
MODES[mode]()
