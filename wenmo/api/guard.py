"""Decides which calls are let in, gives each call an id, sets the headers of every response, and logs every call.

This is ASGI middleware around the whole service, so that responses pass through unread, and the response to a crash has
its id, too. The log has one line per call, without its texts: method, path, status, milliseconds, id.
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
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wenmo.api import problems
from wenmo.api.bodies import Bodies, BodyRefused, ClientGone, replay
from wenmo.api.error_handlers import CLIENT_GONE
from wenmo.api.rate_limit import TokenBuckets, client_of
from wenmo.api.schemas import MAX_BODY_BYTES
from wenmo.errors import BusyError

log = logging.getLogger("wenmo.api")

REQUEST_ID = "X-Request-ID"
_VALID_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)  # a caller's id is kept if it is safe in a log and a header
_OPEN_PATHS = ("/health", "/health/live", "/health/ready")  # monitoring needs no token
MAX_HEAD_BYTES = 65_536  # of path and headers; uvicorn limits them only with h11, not where httptools is installed
_LOGGED_PATH_CHARACTERS = 200
_RETRY_AFTER_S = 1
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",  # responses contain users' texts
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",  # /docs, the one page, sets its own
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """ASGI middleware that refuses calls.

    - 401: with a `token`, a call without `Authorization: Bearer <token>`
    - 429: with `requests_per_minute`, a client that calls more often
    - 503: a call while `calls_at_once` others are being answered. Each call that is let in has a thread: if it had to
      wait for one, it could not join a batch, and small calls would queue behind long ones.
    - 413, 431: a body, or path and headers, with too many bytes; 422: a body with too many values
    - 408: a body that does not come; a call takes its place when its body is there

    Health checks need no token, are never refused for the number of calls, and do not count as one.
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
        """`observe` is called after each call with the template of its route, the status, and the duration in seconds.

        `token` and `requests_per_minute` None mean no such check.
        """
        self._app = app
        self._token = token
        self._calls_at_once = calls_at_once
        self._calls = 0
        self._bodies = Bodies()
        self._buckets = None if requests_per_minute is None else TokenBuckets(requests_per_minute)
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = _without_last_slash(scope)
        given = Headers(scope=scope).get(REQUEST_ID, "")
        call_id = given if _VALID_ID.fullmatch(given) else uuid.uuid4().hex
        start = time.perf_counter()
        status = 500  # of a call whose response never begins

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID] = call_id
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        threads = to_thread.current_default_thread_limiter()  # belongs to the event loop, so it exists only in a call
        threads.total_tokens = max(threads.total_tokens, self._calls_at_once)
        try:
            refusal = self._refusal(scope)
            if refusal is not None or _is_open(scope):
                await (refusal or self._app)(scope, receive, send_with_headers)
            else:
                await self._answer(scope, receive, send_with_headers)
        finally:
            seconds = time.perf_counter() - start
            # Quoted, because line ends in the path would let a caller write lines into the log.
            path = quote(scope["path"][:_LOGGED_PATH_CHARACTERS])
            log.info("%s %s %d %.1f ms %s", scope["method"], path, status, seconds * 1000, call_id)
            # Unknown paths count as one route, or anyone could fill the memory with made-up ones.
            self._observe(getattr(scope.get("route"), "path", "other"), status, seconds)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body, then take a place. Refuses a body that does not come or fit, and a call without a place."""
        request = Request(scope)
        try:
            body = await self._bodies.read(receive)
        except BodyRefused as refused:
            wait = {"Retry-After": str(_RETRY_AFTER_S)} if refused.status == HTTPStatus.SERVICE_UNAVAILABLE else {}
            # The rest of the body may still come: the connection cannot be used for another call.
            headers = {**wait, "Connection": "close"}
            refusal = problems.problem(request, refused.status, en=refused.en, zh=refused.zh, headers=headers)
            await refusal(scope, receive, send)
            return
        except ClientGone:
            await Response(status_code=CLIENT_GONE)(scope, receive, send)
            return
        try:
            if self._calls >= self._calls_at_once:
                await self._no_place(request)(scope, receive, send)
                return
            self._calls += 1
            try:
                await self._app(scope, replay(body, receive), send)
            finally:
                self._calls -= 1
        finally:
            self._bodies.release(body)

    def _no_place(self, request: Request) -> ASGIApp:
        return problems.problem(
            request,
            HTTPStatus.SERVICE_UNAVAILABLE,
            en=f"{self._calls} calls are being answered already. Try again in a moment.",
            zh=f"正在处理的请求已有 {self._calls} 个。请稍后重试。",
            problem_type=problems.PROBLEM_TYPES[BusyError],
            headers={"Retry-After": str(_RETRY_AFTER_S)},
        )

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        """The response to a call that is refused; None for one that is let in."""
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
        # The rate comes before the token, so that guessing tokens is limited, too.
        wait_s = self._buckets.take(client_of(scope)) if self._buckets else 0.0
        if wait_s:
            return problems.problem(
                request,
                HTTPStatus.TOO_MANY_REQUESTS,
                en=f"You have called too often. Call again in {ceil(wait_s)} s.",
                zh=f"调用过于频繁。请在 {ceil(wait_s)} 秒后重试。",
                problem_type=problems.RATE_LIMITED,
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
        if self._calls >= self._calls_at_once:  # asked again when the body is there
            return self._no_place(request)
        if int(request.headers.get("Content-Length") or 0) > MAX_BODY_BYTES:  # the server has parsed it
            return problems.status_problem(request, 413)
        return None

    def _has_token(self, request: Request) -> bool:
        if self._token is None:
            return True
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        # In constant time, so that the duration does not tell how many characters of a guess are right.
        return scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), self._token.encode())


def _without_last_slash(scope: Scope) -> Scope:
    """The scope of the same address without slashes at its end: `/v1/sentiment/` is answered as `/v1/sentiment`."""
    path = scope["path"]
    bare = path.rstrip("/")
    if bare == path or bare == scope.get("root_path", ""):
        return scope
    return {**scope, "path": bare, "raw_path": quote(bare).encode("ascii")}


def _is_open(scope: Scope) -> bool:
    return scope["path"].removeprefix(scope.get("root_path", "")) in _OPEN_PATHS
