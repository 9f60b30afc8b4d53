"""Composition root: the app's pages and the REST routes in one process, on one engine.

`python -m wenmo serve` comes here, from any working folder. `streamlit run app.py` starts the pages alone and does
without this module. The engine is the one in `wenmo.ui.runtime`; it is built at its first use and released at the end.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.routing import Mount, Route
from streamlit.runtime.pages_manager import PagesManager
from streamlit.starlette import App

from wenmo.api.routes import create_api
from wenmo.errors import InputError
from wenmo.ui.runtime import get_engine

if TYPE_CHECKING:
    from wenmo.settings import Settings

# Streamlit looks for pages/ and .streamlit/config.toml (theme, headless, no usage statistics) beside the main script.
MAIN_SCRIPT = Path(__file__).resolve().parent.parent / "app.py"


def create_app(*, token: str | None = None) -> App:
    """The pages at /, the REST routes under /api, and the sentiment route of old at /analyze.

    `token` is wanted by the REST routes; the pages are open to whoever reaches the address.
    """
    if not MAIN_SCRIPT.is_file():
        raise InputError(
            f"{MAIN_SCRIPT} is missing, so there are no pages to serve. Run this from a clone of the repository.",
            f"缺少 {MAIN_SCRIPT}，没有可提供的页面。请在克隆的仓库中运行。",
        )
    # A folder named pages/ makes Streamlit start in its older mode, in which it is itself the navigation, until the
    # shell has run once: the first visitor after a start would be told that the address /compare does not exist.
    PagesManager.uses_pages_directory = False
    api = create_api(get_engine, token=token)
    return App(MAIN_SCRIPT, routes=[Mount("/api", api), Route("/analyze", api)], lifespan=_release_engine)


def _log_calls() -> None:
    """One line a REST call on standard error, beside Streamlit's own log."""
    logger = logging.getLogger("wenmo")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def serve(settings: Settings) -> None:
    """Serve on `settings.host` and `settings.port` until SIGINT or SIGTERM; calls under way are finished first.

    Must run in the main thread. Raises InputError when the address cannot be listened on.
    """
    app = create_app(token=None if settings.api_token is None else settings.api_token.get_secret_value())
    _check_address(settings.host, settings.port)
    _log_calls()
    # Streamlit takes the script in sys.argv[0] as the place of its configuration, and puts that folder on sys.path: it
    # has to be the repository's, and not this package's, whose types.py would then hide Python's.
    sys.argv = [str(MAIN_SCRIPT)]
    # The server ends in order on either signal, then raises it again: here both become KeyboardInterrupt.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        app.run(config={"server.address": settings.host, "server.port": settings.port})


@asynccontextmanager
async def _release_engine(_app: App) -> AsyncIterator[None]:
    yield
    get_engine.clear()


def _check_address(host: str, port: int) -> None:
    # Streamlit would only log that a port is taken. Tried with the options with which it is opened afterwards.
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        if os.name != "nt":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            raise InputError(
                f"Cannot listen on {host}, port {port} ({error}). Stop what uses it, or choose another --port.",
                f"无法监听 {host} 的端口 {port}（{error}）。请停止占用它的程序，或用 --port 另选。",
            ) from None
