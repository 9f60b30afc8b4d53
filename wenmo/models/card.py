"""Facts about a model without loading it: sizes from its files, and the accuracy from its card if it is bundled.

A card is the README.md in a model's folder. Cards of other models are not read, since their claims were not checked
here.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path

from wenmo.files import read_small_text
from wenmo.models.config_files import CONFIG_FILE
from wenmo.models.registry import bundled_models
from wenmo.models.shape import SCALE

_HEAD_CHARACTERS = 10_000
_MEASURED_BY = re.compile(r"`(python -m [^`]+)`")


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Sizes of a model; None where its files do not tell. Parameters are only counted in safetensors files."""

    layers: int | None
    hidden_size: int | None
    heads: int | None
    vocab_size: int | None
    parameters: int | None
    weights_mib: float | None  # of the weights' file


@dataclass(frozen=True, kw_only=True)
class AccuracyTable:
    """The table of a card, and the first command below it, which repeats the measurement."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    measured_by: str


def read_sizes(folder: Path) -> Sizes:
    """From config.json and the header of the weights' file. Never raises: what cannot be read is None."""
    try:
        config = json.loads(read_small_text(folder / CONFIG_FILE))
    except (OSError, ValueError, RecursionError):
        config = {}

    def size(name: str) -> int | None:
        value = config.get(name) if isinstance(config, dict) else None
        return value if type(value) is int else None

    weights = next(
        (path for name in ("model.safetensors", "pytorch_model.bin") if (path := folder / name).is_file()), None
    )
    return Sizes(
        layers=size("num_hidden_layers"),
        hidden_size=size("hidden_size"),
        heads=size("num_attention_heads"),
        vocab_size=size("vocab_size"),
        parameters=None if weights is None else _parameters(weights),
        weights_mib=None if weights is None else weights.stat().st_size / 2**20,
    )


def read_licence(folder: Path) -> str | None:
    """What the head of the model's own README.md calls its licence; None where it does not say."""
    try:
        text = read_small_text(folder / "README.md")[:_HEAD_CHARACTERS]
    except (OSError, ValueError):
        return None
    head = re.match(r"---\r?\n(.*?)\r?\n---", text, re.DOTALL)
    found = head and re.search(r"^license:[ \t]*[\"']?([\w .+-]{1,60}?)[\"']?[ \t]*$", head[1], re.MULTILINE)
    return found[1] if found else None


def read_accuracy_table(name: str) -> AccuracyTable | None:
    """The table in the card of the bundled model `name`; None if it has no card or no table."""
    try:
        lines = (bundled_models()[name] / "README.md").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    start = next((index for index, line in enumerate(lines) if line.startswith("|")), len(lines))
    table = [line for line in lines[start:] if line.startswith("|")]
    command = _MEASURED_BY.search("\n".join(lines[start + len(table) :]))
    if len(table) < 3 or command is None:
        return None
    header, _, *rows = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in table]
    return AccuracyTable(header=header, rows=tuple(rows), measured_by=command[1])


def _parameters(weights: Path) -> int | None:
    from safetensors import SafetensorError, safe_open

    if weights.suffix != ".safetensors":
        return None
    try:
        with safe_open(weights, framework="numpy") as file:
            names = [name for name in file.keys() if not name.endswith(SCALE)]  # noqa: SIM118 - no mapping
            return sum(math.prod(file.get_slice(name).get_shape()) for name in names)
    except (SafetensorError, OSError):
        return None
