"""Story: what was saved, a screen a step, for those who must be shown."""

from __future__ import annotations

from wenmo.ui.story import page as story

price = story.price()
steps = story.steps(price)
at = story.number(len(steps))
story.show(steps[at - 1], at)
if steps[at - 1].key == "money":
    story.ask_price(price)
story.turn(at, steps)
