"""Memory: what is in use now, live, and what configurations take and save."""

from __future__ import annotations

from wenmo.ui.memory import lab, live
from wenmo.ui.shell import components
from wenmo.ui.text import say

MODES = {"live": live.show, "lab": lab.show}

components.heading("memory")
mode = components.choice(say("memory.mode"), {name: say(f"memory.mode.{name}") for name in MODES}, key="mode")
MODES[mode]()
