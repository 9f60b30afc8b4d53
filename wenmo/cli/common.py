"""What the commands share: options, the engine that they ask for, the JSON of their last line."""

from __future__ import annotations

import argparse
import json
import os
from typing import TYPE_CHECKING, Any

from wenmo.errors import Language

if TYPE_CHECKING:
    from wenmo.engine import Engine
    from wenmo.settings import Settings

Commands = argparse._SubParsersAction  # argparse has no public name for it


def language() -> Language:
    """Of messages on the terminal."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if os.environ.get(name):
            return "zh" if os.environ[name].startswith("zh") else "en"
    return "en"


def positive(text: str) -> int:
    """For argparse: a whole number of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def add_model_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", help="bundled name, hub id or folder (default: the bundled model of the task)")
    parser.add_argument("--precision", help="auto, fp32, fp16, bf16 or int8 (WENMO_PRECISION, auto)")
    parser.add_argument("--device", help="auto, cpu, cuda or cuda:N (WENMO_DEVICE, auto)")
    parser.add_argument(
        "--uncalibrated",
        action="store_const",
        const=False,
        dest="calibrated",
        help="probabilities of the bare logits, as ModelScope gives them (WENMO_CALIBRATED=0)",
    )


def build_engine(options: argparse.Namespace, task: str, **more: Any) -> Engine:
    """By `read_settings`."""
    from wenmo.engine import build

    return build.build_engine(read_settings(options, task, **more))


def read_settings(options: argparse.Namespace, task: str, **more: Any) -> Settings:
    """The environment's, and over them the options of `add_model_options` where they are given."""
    from wenmo.settings import Settings

    given: dict[str, Any] = {
        "device": options.device,
        "precision": options.precision,
        "calibrated": options.calibrated,
        f"{task}_model": options.model,
        **more,
    }
    return Settings.read(**given)


def print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False))
