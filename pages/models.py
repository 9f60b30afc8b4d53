"""Models: what is bundled, cached and on the hub; a download; two of them compared on the same inputs."""

from __future__ import annotations

from wenmo.ui.models import catalogue, comparison, download, everyday
from wenmo.ui.shell import components
from wenmo.ui.text import say

VIEWS = {"here": catalogue.show, "pull": download.show, "compare": comparison.show, "everyday": everyday.show}

components.heading("models")
view = components.choice(say("models.view"), {name: say(f"models.view.{name}") for name in VIEWS}, key="view")
VIEWS[view]()
