"""A client who goes away before its answer takes its call along: nobody computes for one who does not listen.

Without that, a service under too much load computes for clients who have long given up and called again. The routes run
in threads, which cannot be interrupted: the scheduler is told instead, see `wenmo.serving.cancellation`.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wenmo.serving.cancellation import Cancellation, current


class CancelOnDisconnect:
    """Around the routes. They see CancelledError (concurrent.futures) where their client is gone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        cancellation = Cancellation()
        watcher: asyncio.Task[None] | None = None

        async def watch() -> None:
            await receive()  # after a whole body the only message to come is that the client is gone
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
