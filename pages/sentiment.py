"""Sentiment: reviews read one by one, by sentence and by aspect, or those of two products compared."""

from __future__ import annotations

from wenmo.ui.sentiment import products, reviews
from wenmo.ui.shell import components
from wenmo.ui.text import say

VIEWS = {"read": reviews.show, "compare": products.show}

components.heading("sentiment")
view = components.choice(say("sentiment.view"), {name: say(f"sentiment.view.{name}") for name in VIEWS}, key="view")
VIEWS[view]()
