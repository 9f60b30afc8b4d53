"""Story: what was saved, a screen a step, for those who decide about it."""

from __future__ import annotations

from wenmo.ui.story import presentation

price = presentation.price()
steps = presentation.steps(price)
at = presentation.number(len(steps))
presentation.show(steps[at - 1], at)
presentation.turn(at, steps, price)
