"""The command line: each command is a module of `wenmo.cli`. Where one reports figures its last line is JSON."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from wenmo.cli import bench, doctor, evaluate, export, mcp, models, run, serve, train
from wenmo.cli.common import language
from wenmo.errors import WenmoError
from wenmo.version import __version__

_COMMANDS = """\
Use it
  serve    the pages and the REST service on one address
  run      answers for each row of a file: CSV, Excel, JSONL or Parquet
  models   which models are here; download one
  export   a model as ONNX, or for transformers or sentence-transformers
  mcp      tools for programs that speak the Model Context Protocol

Measure and adapt it
  eval     accuracy and calibration on labelled rows
  train    adapt a model to labelled rows of your own
  bench    speed and memory on this machine
  doctor   what this machine is, what is slow on it, and what to do

Examples
  wenmo serve
  wenmo run sentiment reviews.csv moods.csv --text 评论

`wenmo COMMAND --help` tells the options of a command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0, or 2 for an error that the user can mend."""
    options = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):  # a console that cannot show a character shows its escape, not a traceback
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _end)
    try:
        return int(options.command(options) or 0)
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except WenmoError as error:
        print(f"wenmo: {error.text(language())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _end(received: int, frame: FrameType | None) -> NoReturn:
    """Unwind, so that temporary files and folders are deleted: by default SIGTERM ends a process where it stands."""
    sys.exit(128 + received)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wenmo",
        usage="wenmo COMMAND ...",
        description=f"Chinese sentence similarity, sentiment and zero-shot classification.\n\n{_COMMANDS}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"wenmo {__version__}")
    parser.set_defaults(command=lambda _: parser.print_help())
    # The list of argparse has no groups, so the description holds ours.
    commands = parser.add_subparsers(prog="wenmo", metavar="COMMAND", help=argparse.SUPPRESS)
    for command in (serve, run, models, export, mcp, evaluate, train, bench, doctor):
        command.add_to(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
