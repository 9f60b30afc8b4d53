"""Cells and durations as the batch page shows them."""

from __future__ import annotations

from wenmo.ui.text import say

CELL_SHOWN = 300  # characters of a cell on the screen; downloads have all of them
COLUMNS_SHOWN = 30  # of a table on the screen


def cell(value: object) -> str | None:
    """A cell of the file as text, cut to CELL_SHOWN characters."""
    from wenmo.tables.cells import as_text

    text = as_text(value)
    return text if text is None or len(text) <= CELL_SHOWN else text[:CELL_SHOWN] + "…"


def duration(seconds: float) -> str:
    """Seconds below two minutes, then minutes, then hours and minutes."""
    if seconds < 120:
        return say("batch.seconds", seconds=max(1, round(seconds)))
    minutes = round(seconds / 60)
    if minutes < 120:
        return say("batch.minutes", minutes=minutes)
    return say("batch.hours", hours=minutes // 60, minutes=minutes % 60)
