"""What the commands share: options, the engine that these configure, and the JSON on the last line of output."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from wenmo.errors import Language
from wenmo.tables.table import QUOTINGS, ReadOptions

if TYPE_CHECKING:
    from wenmo.engine import Engine
    from wenmo.settings import Settings

Commands = argparse._SubParsersAction  # what add_subparsers returns; argparse has no public name for it


def language() -> Language:
    """The language of messages on the terminal, by the locale."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if os.environ.get(name):
            return "zh" if os.environ[name].startswith("zh") else "en"
    return "en"


def positive(text: str) -> int:
    """An argparse type: an integer of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `read_settings` reads."""
    parser.add_argument("--model", help="bundled name, hub id or folder (default: the bundled model of the task)")
    parser.add_argument(
        "--label-names",
        help="what the labels of --model are called, in the order of their ids and with commas, where it only has "
        "LABEL_0, LABEL_1, ...; remembered for the model",
    )
    parser.add_argument("--precision", help="auto, fp32, fp16, bf16 or int8 (WENMO_PRECISION, auto)")
    parser.add_argument("--device", help="auto, cpu, cuda or cuda:N (WENMO_DEVICE, auto)")
    parser.add_argument(
        "--uncalibrated",
        action="store_const",
        const=False,
        dest="calibrated",
        help="probabilities of the bare logits, as ModelScope gives them (WENMO_CALIBRATED=0)",
    )


def add_read_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `read_options` reads."""
    parser.add_argument("--encoding", help="of text files: utf-8, gb18030, big5, utf-16 … (found by their bytes)")
    parser.add_argument("--delimiter", help="of CSV files (found by their first lines)")
    parser.add_argument(
        "--quoting",
        choices=QUOTINGS,
        help="of CSV files: csv, double quotes surround cells; none, they are characters (found by the file's shape)",
    )
    parser.add_argument("--escape", metavar="CHARACTER", help="of CSV files: before a double quote within a cell")
    parser.add_argument("--sheet", help="of Excel files: its name, or its number from 1 (the first that is not hidden)")


def read_options(options: argparse.Namespace) -> ReadOptions:
    """How files are read, by the options of `add_read_options`."""
    return ReadOptions(**{field.name: getattr(options, field.name) for field in fields(ReadOptions)})


def build_engine(options: argparse.Namespace, task: str, **more: Any) -> Engine:
    """The engine that `read_settings` describes; the arguments are the same."""
    from wenmo.engine import build

    return build.build_engine(read_settings(options, task, **more))


def read_settings(options: argparse.Namespace, task: str, **more: Any) -> Settings:
    """The settings of the environment, overridden by the options of `add_model_options` that are given, and by `more`.

    --model is the model of `task`.
    """
    from wenmo.settings import Settings

    given: dict[str, Any] = {
        "device": options.device,
        "precision": options.precision,
        "calibrated": options.calibrated,
        f"{task}_model": options.model,
        "label_names": None if options.label_names is None else {task: options.label_names},
        **more,
    }
    return Settings.read(**given)


def print_json(value: Any) -> None:
    """Print `value` as one line of JSON, by which scripts read the result of a command."""
    print(json.dumps(value, ensure_ascii=False))
