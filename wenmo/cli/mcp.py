"""`mcp`: the engine as tools of the Model Context Protocol, over standard input and output."""

from __future__ import annotations

import argparse
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from wenmo.cli.common import Commands
from wenmo.extras import needs

if TYPE_CHECKING:
    from wenmo.engine import Engine


def add_to(commands: Commands[argparse.ArgumentParser]) -> None:
    mcp = commands.add_parser("mcp", help="tools for the programs that speak MCP, over stdin and stdout")
    mcp.add_argument(
        "--index", type=Path, action="append", metavar="FOLDER", help="an index to search; may be given several times"
    )
    mcp.set_defaults(command=_mcp)


def _mcp(options: argparse.Namespace) -> None:
    from wenmo.settings import Settings

    with needs("mcp"):
        from wenmo.api.mcp import make_server

    settings = Settings.read()

    @cache  # built with the first call: a client waits for the list of tools as it starts
    def engine() -> Engine:
        from wenmo.engine.build import build_engine

        return build_engine(settings)

    make_server(engine, options.index or settings.indexes).run("stdio")
