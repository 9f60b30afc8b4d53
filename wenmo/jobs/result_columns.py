"""The columns that a job adds to a table.

- `label` (text), `score` (number), `truncated` (boolean): as in `wenmo.types.Result`
- `scores`: label -> probability, highest first; an object in JSONL, its JSON text in CSV and Parquet
- `logits`, if `RunOptions.logits`: the raw outputs of the model, a list in JSONL, its JSON text in CSV and Parquet.
  Similarity and sentiment have one list. Zero-shot has a list of three for each label, in the order of the labels (with
  two_stage only of the labels that the NLI model judged); with embedding it has the cosine with each label.
- `error` (text): why the row has no result; missing where it has one
- `unknown` (number): the share of the text's tokens that the model does not know. It is in JSONL alone, and only in
  rows that have some; the summary counts these rows in any format

Numbers are written with all digits. If the table already has a column of one of these names, all of them get a prefix
(`wenmo_label`, …), so that no column of the table is overwritten.
"""

from __future__ import annotations

from collections.abc import Sequence

from wenmo.jobs.options import RunOptions
from wenmo.tables.columns import ColumnType
from wenmo.tables.table import Row
from wenmo.types import Result, ZeroShotResult

_TYPES: dict[str, ColumnType] = {
    "label": "text",
    "score": "number",
    "scores": "text",
    "truncated": "boolean",
    "logits": "text",
    "error": "text",
}


def result_columns(options: RunOptions, taken: Sequence[str]) -> tuple[str, dict[str, ColumnType]]:
    """The prefix of the result columns, and their types by full name; none of the names is one of `taken`."""
    names = [name for name in _TYPES if name != "logits" or options.logits]
    prefix = free_prefix(names, taken)
    return prefix, {prefix + name: _TYPES[name] for name in names}


def free_prefix(names: Sequence[str], taken: Sequence[str]) -> str:
    """What to put before `names`, so that none of them is one of `taken`; nothing if none is."""
    prefix, number = "", 1
    while not set(taken).isdisjoint(prefix + name for name in names):
        prefix = "wenmo_" if number == 1 else f"wenmo{number}_"
        number += 1
    return prefix


def result_row(result: Result, options: RunOptions, prefix: str) -> Row:
    """The result columns of one row that has a result."""
    row: Row = {
        "label": result.label,
        "score": result.score,
        "scores": dict(result.scores),
        "truncated": result.truncated,
    }
    if options.logits:
        logits = [list(values) for values in result.logits]
        row["logits"] = logits if isinstance(result, ZeroShotResult) else logits[0]
    if result.unknown:  # JSONL alone holds it
        row["unknown"] = result.unknown
    return {prefix + name: value for name, value in row.items()}


def error_row(message: str, prefix: str) -> Row:
    """The result columns of one row that has no result."""
    return {prefix + "error": message}
