"""What stands before every route: who may call, by what id a call is known, and which headers an answer bears.

Plain ASGI around the whole service, so that an answer passes through unread, and the answer to a crash bears its id,
too. The log has one line a call, without its texts: method, path, status, milliseconds, id.
"""

from __future__ import annotations

import hmac
import logging
import re
import time
import uuid
from collections.abc import Callable
from http import HTTPStatus
from math import ceil
from urllib.parse import quote

from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wenmo.api import problems
from wenmo.api.limits import TokenBuckets, client_of
from wenmo.api.schemas import MAX_BODY_BYTES
from wenmo.errors import BusyError

log = logging.getLogger("wenmo.api")

REQUEST_ID = "X-Request-ID"
_SANE_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)  # of the caller's choosing, but fit for a log and a header
_OPEN_PATHS = ("/health", "/health/live", "/health/ready")  # whoever watches the service needs no token
MAX_HEAD_BYTES = 65_536  # path and headers; uvicorn's own limit holds with h11 alone, not where httptools is installed
_PATH_LOGGED = 200  # characters
_RETRY_AFTER_S = 1
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",  # texts of users are in the answers
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",  # nothing here is a page, but /docs
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """With a `token`, a call must bring it as `Authorization: Bearer <token>`, or is answered with 401.

    No more than `calls_at_once` are let in; the others are answered with 503. Each that is let in has a thread: a call
    that waited unseen for one could join no batch, and small calls would stand behind long ones. With
    `requests_per_minute`, a client who calls more often is answered with 429. Who asks after the service's health needs
    no token, is never turned away and takes no place.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str | None,
        calls_at_once: int,
        requests_per_minute: int | None = None,
        observe: Callable[[str, int, float], None],
    ) -> None:
        """`observe` is told of each call: the template of its route, the status, and the seconds it took."""
        self._app = app
        self._token = token
        self._calls_at_once = calls_at_once
        self._calls = 0
        self._buckets = None if requests_per_minute is None else TokenBuckets(requests_per_minute)
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

        threads = to_thread.current_default_thread_limiter()  # the event loop's: there is none before the first call
        threads.total_tokens = max(threads.total_tokens, self._calls_at_once)
        refusal = self._refusal(scope)
        takes_a_place = refusal is None and not _is_open(scope)
        self._calls += takes_a_place
        try:
            await (refusal or self._app)(scope, receive, send_with_headers)
        finally:
            self._calls -= takes_a_place
            seconds = time.perf_counter() - start
            # Quoted: a path may hold line ends, with which a caller could write lines of his own into the log.
            path = quote(scope["path"][:_PATH_LOGGED])
            log.info("%s %s %d %.1f ms %s", scope["method"], path, status, seconds * 1000, call_id)
            # What a caller made up is no route: else anyone could fill the memory with names.
            self._observe(getattr(scope.get("route"), "path", "other"), status, seconds)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        """The answer to a call that is not let in."""
        request = Request(scope)
        head = len(scope["path"]) + len(scope["query_string"])
        if head + sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEAD_BYTES:
            return problems.problem(
                request,
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                en=f"Path and headers have more than {MAX_HEAD_BYTES:,} bytes. Send less.",
                zh=f"路径与请求头超过 {MAX_HEAD_BYTES:,} 字节。请减少。",
            )
        if _is_open(scope):
            return None
        wait_s = self._buckets.take(client_of(scope)) if self._buckets else 0.0  # first: it slows down guessing, too
        if wait_s:
            return problems.problem(
                request,
                HTTPStatus.TOO_MANY_REQUESTS,
                en=f"You have called too often. Call again in {ceil(wait_s)} s.",
                zh=f"调用过于频繁。请在 {ceil(wait_s)} 秒后重试。",
                kind=problems.RATE_LIMITED,
                headers={"Retry-After": str(ceil(wait_s))},
            )
        if not self._has_token(request):
            return problems.problem(
                request,
                HTTPStatus.UNAUTHORIZED,
                en="This service needs a token. Send Authorization: Bearer <token>.",
                zh="此服务需要令牌。请发送 Authorization: Bearer <令牌>。",
                headers={"WWW-Authenticate": "Bearer"},
            )
        if self._calls >= self._calls_at_once:
            return problems.problem(
                request,
                HTTPStatus.SERVICE_UNAVAILABLE,
                en=f"{self._calls} calls are being answered already. Try again in a moment.",
                zh=f"正在处理的请求已有 {self._calls} 个。请稍后重试。",
                kind=problems.PROBLEMS[BusyError],
                headers={"Retry-After": str(_RETRY_AFTER_S)},
            )
        if int(request.headers.get("Content-Length") or 0) > MAX_BODY_BYTES:  # digits: the server has parsed it
            return problems.too_large(request)
        return None

    def _has_token(self, request: Request) -> bool:
        if self._token is None:
            return True
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        # In constant time: how many characters of a guess are right must not show in how long the refusal takes.
        return scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), self._token.encode())


def _is_open(scope: Scope) -> bool:
    return scope["path"].removeprefix(scope.get("root_path", "")) in _OPEN_PATHS
