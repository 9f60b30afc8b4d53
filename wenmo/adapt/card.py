"""The model card (README.md) of an adapted model: its accuracy, data and training, without any of the user's texts."""

from __future__ import annotations

from pathlib import Path

from wenmo.adapt.types import Adapted
from wenmo.evaluation.metrics import Score

_VERDICT = {
    "better": "better on the test rows",
    "unclear": "no better than before, within the interval",
    "worse": "worse on the test rows",
}


def write_card(folder: Path, adapted: Adapted) -> None:
    """Write README.md into `folder`."""
    change = adapted.difference
    low, high = (f"{100 * bound:+.1f}" for bound in change.interval)
    start = Path(adapted.start_from)
    train, dev, test = (
        sum(labels.values()) for labels in (adapted.train_labels, adapted.dev_labels, adapted.test_labels)
    )
    lines = [
        f"# {adapted.name}",
        "",
        # Of a path only the last part: the card may be passed on, and the rest is nobody's business.
        f"A model for {adapted.task}, adapted from {start.name if start.is_absolute() else start} by",
        "`python -m wenmo train adapt`.",
        "",
        "| test rows | accuracy (95% interval) | macro F1 |",
        "| --- | --- | --- |",
        _row("TF-IDF baseline" if adapted.before_is == "tfidf" else "before", adapted.before),
        _row("after", adapted.after),
        "",
        f"Change: {100 * change.change:+.1f} points ({low} to {high}): {_VERDICT[change.verdict]}.",
        f"Always answering the most frequent label would reach {100 * adapted.majority_share:.1f}%.",
        "",
        f"Trained on {train} rows; {dev} dev rows decided when to stop and set the temperatures; {test} test rows took "
        "no part in either.",
        "All rows come from one file; on other texts the model may do worse.",
        "",
        f"The weights are those of step {adapted.best_step} of {adapted.steps}. Learning rate "
        f"{adapted.learning_rate.value:g}, precision {adapted.precision.value}, activation checkpointing "
        f"{'on' if adapted.options.checkpointing else 'off'}.",
    ]
    if adapted.before_is == "tfidf":  # labels of the user's own
        lines += ["", "| label | test rows | precision | recall | F1 | F1 of the baseline |", "| --- |" + " --- |" * 5]
        lines += [
            f"| {_cell(name)} | {score.n} | {score.precision:.3f} | {score.recall:.3f} | {score.f1:.3f} "
            f"| {before.f1:.3f} |"
            for (name, score), before in zip(
                adapted.class_scores.items(), adapted.class_scores_before.values(), strict=True
            )
        ]
    (folder / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _cell(name: str) -> str:
    return " ".join(name.split()).replace("|", "\\|")


def _row(when: str, score: Score) -> str:
    low, high = score.interval
    accuracy = f"{100 * score.accuracy:.1f} ({100 * low:.1f}-{100 * high:.1f})"
    return f"| {score.n}, {when} | {accuracy} | {100 * score.macro_f1:.1f} |"
