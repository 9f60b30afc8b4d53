"""Composition root: the app's pages and the REST routes in one process, on one engine.

`python -m wenmo serve` runs this module, from any working folder. `streamlit run app.py` serves the pages alone and
does not use it. The engine is the one in `wenmo.ui.shell.runtime`: built on first use, closed on shutdown.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, cast

from starlette.middleware import Middleware
from starlette.routing import Mount, Route
from streamlit.runtime import Runtime, memory_uploaded_file_manager
from streamlit.runtime.pages_manager import PagesManager
from streamlit.starlette import App
from uvicorn.config import HTTP_PROTOCOLS

from wenmo.api.allowed_hosts import AllowedHosts
from wenmo.api.preload import Preload
from wenmo.api.server_setup import (
    FORWARD_S,
    api_from_settings,
    check_address,
    end_within,
    log_calls,
    stop_on_sigterm,
    trust_no_proxy_unasked,
)
from wenmo.errors import InputError
from wenmo.files import check_temporary_folder
from wenmo.paths import APP
from wenmo.ui.shell import entrance
from wenmo.ui.shell.runtime import close_engine, get_adapt_jobs, get_engine, get_file_jobs, get_metrics, get_sampler
from wenmo.ui.shell.uploads import UploadGate, Uploads

if TYPE_CHECKING:
    from wenmo.settings import Settings

# Streamlit looks for pages/ and .streamlit/config.toml (theme, headless, no usage statistics) beside the main script.
MAIN_SCRIPT = APP


class _App(App):
    """Streamlit's app with `Uploads` in place of its own, which cannot be chosen otherwise."""

    def _create_runtime(self) -> Runtime:
        original = memory_uploaded_file_manager.MemoryUploadedFileManager
        memory_uploaded_file_manager.MemoryUploadedFileManager = Uploads  # type: ignore[misc]
        try:
            return super()._create_runtime()
        finally:
            memory_uploaded_file_manager.MemoryUploadedFileManager = original  # type: ignore[misc]


def create_app(settings: Settings) -> App:
    """The pages at /, the REST routes under /api, and the legacy sentiment route at /analyze.

    API token, rate limit and CORS apply to the REST routes only; anyone who can reach the address can use the pages.
    """
    if not MAIN_SCRIPT.is_file():
        raise InputError(
            f"{MAIN_SCRIPT} is missing, so there are no pages to serve. Run this from a clone of the repository.",
            f"缺少 {MAIN_SCRIPT}，没有可提供的页面。请在克隆的仓库中运行。",
        )
    # A folder named pages/ makes Streamlit use its old navigation mode until the app's script has run once: without
    # this, the first visitor after a start would get "page not found" for every address but /.
    PagesManager.uses_pages_directory = False
    preload = Preload(get_engine, settings.to_preload(()))
    api = api_from_settings(settings, get_engine, preload=preload, metrics=get_metrics())

    @asynccontextmanager
    async def lifespan(_app: App) -> AsyncIterator[None]:
        if threading.current_thread() is threading.main_thread():
            end_within(settings.wait_s + FORWARD_S)
        preload.start()
        yield
        preload.stop()
        get_adapt_jobs().close()
        get_file_jobs().close(keep=True)
        cast("Uploads", Runtime.instance().uploaded_file_mgr).close()
        close_engine()
        get_sampler.clear()

    return _App(
        MAIN_SCRIPT,
        routes=[Mount("/api", api), Route("/analyze", api), Route("/analyze/", api), *entrance.routes()],
        lifespan=lifespan,
        middleware=[Middleware(AllowedHosts, names=settings.allowed_hosts), Middleware(UploadGate)],
    )


def serve(settings: Settings) -> None:
    """Serve on `settings.host` and `settings.port` until SIGINT or SIGTERM, then finish the ongoing calls.

    Must run in the main thread. Raises InputError when the address cannot be bound.
    """
    check_address(settings.host, settings.port)
    check_temporary_folder()
    app = create_app(settings)
    trust_no_proxy_unasked()
    log_calls()
    if settings.api_token is not None and settings.pages_password is None:
        logging.getLogger("wenmo").warning(
            "WENMO_API_TOKEN locks REST alone; pages are open to whoever reaches %s. WENMO_PAGES_PASSWORD locks them.",
            settings.host,
        )
    # Streamlit reads its configuration from the folder of sys.argv[0] and puts that folder on sys.path. It must be the
    # repository's: the types.py of this package would shadow Python's.
    sys.argv = [str(MAIN_SCRIPT)]
    # As `--api-only` does. httptools, which Streamlit's server would take where it is installed, drops the body of a
    # call that offers an upgrade to HTTP/2, and takes megabytes of headers.
    HTTP_PROTOCOLS["auto"] = HTTP_PROTOCOLS["h11"]
    stop_on_sigterm()
    with suppress(KeyboardInterrupt):
        app.run(config={"server.address": settings.host, "server.port": settings.port})
