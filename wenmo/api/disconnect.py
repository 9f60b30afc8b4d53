"""Cancels a call whose client has disconnected.

Without this, an overloaded service would compute for clients that have given up and called again. The routes run in
threads, which cannot be interrupted, so the call's `Cancellation` tells the scheduler (`wenmo.serving.cancellation`).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wenmo.serving.cancellation import Cancellation, current


class CancelOnDisconnect:
    """ASGI middleware around the routes. A cancelled call raises CancelledError (concurrent.futures) in its route."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        cancellation = Cancellation()
        watcher: asyncio.Task[None] | None = None

        async def watch() -> None:
            await receive()  # after the whole body, the only message to come is that the client has disconnected
            cancellation.cancel()

        async def receive_then_watch() -> Message:
            nonlocal watcher
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body") and watcher is None:
                watcher = asyncio.create_task(watch())
            return message

        before = current.set(cancellation)
        try:
            await self._app(scope, receive_then_watch, send)
        finally:
            current.reset(before)
            if watcher is not None:
                watcher.cancel()
                with suppress(asyncio.CancelledError):
                    await watcher
