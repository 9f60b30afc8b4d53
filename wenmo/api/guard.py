"""What stands before every route: who may call, by what id a call is known, and which headers an answer bears.

Plain ASGI, so that an answer passes through unread. The log has one line a call, without its texts: method, path,
status, milliseconds, id.
"""

from __future__ import annotations

import hmac
import logging
import re
import time
import uuid
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wenmo.api import problems

log = logging.getLogger("wenmo.api")

REQUEST_ID = "X-Request-ID"
_SANE_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)  # of the caller's choosing, but fit for a log and a header
_OPEN_PATHS = ("/health", "/health/live", "/health/ready")  # whoever watches the service needs no token
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",  # texts of users are in the answers
}


class Guard:
    """With a `token`, a call must bring it as `Authorization: Bearer <token>`, or is answered with 401."""

    def __init__(self, app: ASGIApp, *, token: str | None, observe: Callable[[str, int, float], None]) -> None:
        """`observe` is told of each call: the template of its route, the status, and the seconds it took."""
        self._app = app
        self._token = token
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID, "")
        call_id = given if _SANE_ID.fullmatch(given) else uuid.uuid4().hex
        start = time.perf_counter()
        status = 500  # an answer that never began

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID] = call_id
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            if self._may_enter(scope):
                await self._app(scope, receive, send_with_headers)
            else:
                refusal = problems.problem(
                    Request(scope),
                    401,
                    en="This service wants a token. Send Authorization: Bearer <token>.",
                    zh="此服务需要令牌。请发送 Authorization: Bearer <令牌>。",
                    headers={"WWW-Authenticate": "Bearer"},
                )
                await refusal(scope, receive, send_with_headers)
        finally:
            seconds = time.perf_counter() - start
            log.info("%s %s %d %.1f ms %s", scope["method"], scope["path"], status, seconds * 1000, call_id)
            # What a caller made up is no route: else anyone could fill the memory with names.
            self._observe(getattr(scope.get("route"), "path", "other"), status, seconds)

    def _may_enter(self, scope: Scope) -> bool:
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if self._token is None or path in _OPEN_PATHS:
            return True
        scheme, _, token = Headers(scope=scope).get("Authorization", "").partition(" ")
        # In constant time: how many characters of a guess are right must not show in how long the refusal takes.
        return scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), self._token.encode())
