"""Models: what is bundled, cached and on the hub; a download; two of them side by side on the same inputs."""

from __future__ import annotations

from wenmo.ui.models import catalogue, comparison
from wenmo.ui.shell import components
from wenmo.ui.text import say

components.heading("models")

views = {name: say(f"models.view.{name}") for name in ("here", "pull", "compare")}
view = components.choice(say("models.view"), views, key="view")
if view == "here":
    catalogue.table()
    catalogue.details()
elif view == "pull":
    catalogue.pull()
else:
    comparison.page()
