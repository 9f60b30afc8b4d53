"""Composition root: the app's pages and the REST routes in one process, on one engine.

`python -m wenmo serve` comes here, from any working folder. `streamlit run app.py` starts the pages alone and does
without this module. The engine is the one in `wenmo.ui.shell.runtime`; it is built at its first use and released at
the end.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from starlette.routing import Mount, Route
from streamlit.runtime.pages_manager import PagesManager
from streamlit.starlette import App

from wenmo.api.preload import Preload
from wenmo.api.server_setup import api_from_settings, check_address, log_calls, stop_on_sigterm, trust_no_proxy_unasked
from wenmo.errors import InputError
from wenmo.paths import APP
from wenmo.ui.shell.runtime import get_adapt_jobs, get_engine, get_file_jobs, get_metrics, get_sampler

if TYPE_CHECKING:
    from wenmo.settings import Settings

# Streamlit looks for pages/ and .streamlit/config.toml (theme, headless, no usage statistics) beside the main script.
MAIN_SCRIPT = APP


def create_app(settings: Settings) -> App:
    """The pages at /, the REST routes under /api, and the sentiment route of old at /analyze.

    Token, rate limit and CORS are the REST routes' alone; the pages are open to whoever reaches the address.
    """
    if not MAIN_SCRIPT.is_file():
        raise InputError(
            f"{MAIN_SCRIPT} is missing, so there are no pages to serve. Run this from a clone of the repository.",
            f"缺少 {MAIN_SCRIPT}，没有可提供的页面。请在克隆的仓库中运行。",
        )
    # A folder named pages/ makes Streamlit start in its older mode, in which it is itself the navigation, until the
    # shell has run once: the first visitor after a start would be told that the address /compare does not exist.
    PagesManager.uses_pages_directory = False
    preload = Preload(get_engine, settings.preload or ())
    api = api_from_settings(settings, get_engine, preload=preload, metrics=get_metrics())

    @asynccontextmanager
    async def lifespan(_app: App) -> AsyncIterator[None]:
        preload.start()
        yield
        preload.stop()
        get_adapt_jobs().close()
        get_file_jobs().close()
        get_engine.clear()
        get_sampler.clear()

    return App(MAIN_SCRIPT, routes=[Mount("/api", api), Route("/analyze", api)], lifespan=lifespan)


def serve(settings: Settings) -> None:
    """Serve on `settings.host` and `settings.port` until SIGINT or SIGTERM; calls under way are finished first.

    Must run in the main thread. Raises InputError when the address cannot be listened on.
    """
    app = create_app(settings)
    check_address(settings.host, settings.port)
    trust_no_proxy_unasked()
    log_calls()
    # Streamlit takes the script in sys.argv[0] as the place of its configuration, and puts that folder on sys.path: it
    # has to be the repository's, and not this package's, whose types.py would then hide Python's.
    sys.argv = [str(MAIN_SCRIPT)]
    stop_on_sigterm()
    with suppress(KeyboardInterrupt):
        app.run(config={"server.address": settings.host, "server.port": settings.port})
