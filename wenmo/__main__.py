"""The command line: each command is a module of `wenmo.cli`. Where one reports figures its last line is JSON."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence

from wenmo.cli import bench, evaluate, models, run, serve, train
from wenmo.cli.common import language
from wenmo.errors import WenmoError


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0, or 2 for an error that the user can mend."""
    options = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):  # a console that cannot show a character shows its escape, not a traceback
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m wenmo", description="Chinese sentence understanding over StructBERT"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (serve, run, evaluate, bench, models, train):
        command.add_to(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
