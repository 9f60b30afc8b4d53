"""The card of an adapted model: what it was made of and what it reaches. Counts and figures, no word of the texts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

_VERDICT = {
    "better": "better on rows that it did not learn",
    "unclear": "no better than before, within the interval",
    "worse": "worse on rows that it did not learn",
}


def write(folder: Path, figures: Mapping[str, Any]) -> None:
    """README.md in `folder`, from `Adapted.figures`."""
    before, after, change = figures["before"], figures["after"], figures["difference"]
    low, high = (f"{100 * bound:+.1f}" for bound in change["interval"])
    start = Path(figures["start_from"])
    train, dev, test = (sum(figures[part].values()) for part in ("train", "dev", "test"))
    lines = [
        f"# {figures['name']}",
        "",
        f"A model for {figures['task']}, adapted from {start.name if start.is_absolute() else start} by",
        "`python -m wenmo train adapt`.",
        "",
        "| held-out rows | accuracy (95% interval) | macro F1 |",
        "| --- | --- | --- |",
        f"| {before['n']}, before | {_percent(before)} | {100 * before['macro_f1']:.1f} |",
        f"| {after['n']}, after | {_percent(after)} | {100 * after['macro_f1']:.1f} |",
        "",
        f"Change {100 * change['change']:+.1f} points ({low} to {high}): {_VERDICT[change['verdict']]}.",
        f"The most frequent label alone would reach {100 * figures['majority_share']:.1f}.",
        "",
        f"Learnt from {train} rows; {dev} others decided when to stop and set the temperatures; tested on {test} more.",
        "All are of one file: on other texts it may do worse.",
        "",
        f"Steps {figures['best_step']} of {figures['steps']}, learning rate {figures['learning_rate']:g}, arithmetic "
        f"in {figures['precision']['value']}, checkpointing {'on' if figures['checkpointing'] else 'off'}.",
    ]
    (folder / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _percent(figures: Mapping[str, Any]) -> str:
    low, high = figures["interval"]
    return f"{100 * figures['accuracy']:.1f} ({100 * low:.1f}-{100 * high:.1f})"
