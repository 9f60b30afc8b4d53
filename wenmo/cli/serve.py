"""`serve`: serves the app and the REST service, or the REST service alone."""

from __future__ import annotations

import argparse

from wenmo.cli.common import Commands, positive
from wenmo.errors import InputError
from wenmo.extras import needs


def add_to(commands: Commands[argparse.ArgumentParser]) -> None:
    serve = commands.add_parser("serve", help="the app and the REST service, in one process")
    serve.add_argument("--host", help="address to listen on (WENMO_HOST, 127.0.0.1)")
    serve.add_argument("--port", type=int, help="port to listen on (WENMO_PORT, 8501)")
    serve.add_argument("--api-only", action="store_true", help="the REST service without the app's pages")
    serve.add_argument("--workers", type=positive, help="processes, with --api-only (WENMO_WORKERS, 1)")
    serve.set_defaults(command=_serve)


def _serve(options: argparse.Namespace) -> int | None:
    from wenmo.settings import Settings

    settings = Settings.read(host=options.host, port=options.port, workers=options.workers)
    if options.api_only:
        with needs("api"):
            from wenmo.api.standalone import serve_api

        return serve_api(settings)
    if settings.workers > 1:
        raise InputError(
            f"The app's pages are served by one process, not by {settings.workers}: a visitor's session lives in it. "
            "Add --api-only for the REST service alone, or leave out --workers and WENMO_WORKERS.",
            f"页面由单个进程提供，不能用 {settings.workers} 个：访客的会话保存在该进程中。"
            "如只需 REST 服务，请加 --api-only；否则请去掉 --workers 和 WENMO_WORKERS。",
        )
    with needs("app"):
        from wenmo.server import serve

    serve(settings)
    return None
