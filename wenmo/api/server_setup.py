"""What a process that serves REST needs, with the app's pages (`wenmo.server`) or alone (`wenmo.api.standalone`)."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

from wenmo.api.metrics import Metrics
from wenmo.api.preload import Preload
from wenmo.api.routes import create_api
from wenmo.errors import InputError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from wenmo.engine import Engine
    from wenmo.settings import Settings


FORWARD_S = 10.0  # allowed for a call that has waited as long as it may, and is computed while the service ends


def api_from_settings(
    settings: Settings, get_engine: Callable[[], Engine], *, preload: Preload | None, metrics: Metrics | None = None
) -> ASGIApp:
    """The REST service, configured by `settings`. See `create_api` for the other arguments."""
    return create_api(
        get_engine,
        token=None if settings.api_token is None else settings.api_token.get_secret_value(),
        calls_at_once=settings.calls_at_once,
        requests_per_minute=settings.requests_per_minute,
        cors_origins=settings.cors_origins,
        preload=preload,
        metrics=metrics,
        indexes=settings.indexes,
    )


def log_calls() -> None:
    """Log each REST call on standard error, as a line beside the server's own log."""
    logger = logging.getLogger("wenmo")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def end_within(seconds: float) -> None:
    """Make SIGTERM and SIGINT start a countdown, too: `seconds` later the process ends, whatever holds it.

    A server waits for calls under way; a call that waits for a hub, or a body that never ends, would hold it for ever.
    Call it in the main thread when the server has set its own handlers, that is in the application's lifespan.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        installed = signal.getsignal(number)

        def handle(
            received: int,
            frame: FrameType | None,
            installed: signal.Handlers | Callable[..., Any] | int | None = installed,
        ) -> None:
            countdown = threading.Timer(seconds, _end_now, (received, seconds))
            countdown.daemon = True
            countdown.start()
            if callable(installed):
                installed(received, frame)

        signal.signal(number, handle)


def _end_now(received: int, seconds: float) -> None:
    logging.getLogger("wenmo").error("not ended %.0f s after signal %d: ending now", seconds, received)
    os._exit(128 + received)


def stop_on_sigterm() -> None:
    """Make SIGTERM raise KeyboardInterrupt, as SIGINT does: a server shuts down in order, then re-raises the signal."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def trust_no_proxy_unasked() -> None:
    """Accept X-Forwarded-For only from the proxies in FORWARDED_ALLOW_IPS, which uvicorn reads.

    By default uvicorn trusts every program on this machine: each could claim any address, and evade the rate limit.
    """
    os.environ.setdefault("FORWARDED_ALLOW_IPS", "")


def check_address(host: str, port: int) -> None:
    """Raises InputError when the address cannot be listened on; the servers would only log that."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        if os.name != "nt":  # as the servers set it
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            raise InputError(
                f"Cannot listen on {host}, port {port} ({error}). Stop what uses it, or choose another --port.",
                f"无法监听 {host} 的端口 {port}（{error}）。请停止占用它的程序，或用 --port 另选。",
            ) from None
