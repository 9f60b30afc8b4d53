"""Classification: texts sorted by a trained classifier into its own labels."""

from __future__ import annotations

from wenmo.ui.classify import results
from wenmo.ui.shell import components

components.heading("classify")
results.show()
