"""Reads the body of a call before the call takes a place, within bounds of time and memory.

A client that sends its body slowly, or never ends it, therefore occupies no place and no thread. What a body holds is
bounded before a parser sees it: a parser makes objects that are many times larger than their text, and a validator
collects an error for each value that does not fit.
"""

from __future__ import annotations

import re
import time
from http import HTTPStatus

import anyio
from starlette.types import Message, Receive

from wenmo.api.schemas import MAX_BODY_BYTES

START_S = 10.0  # until the body is there, and longer at the least rate
LEAST_BYTES_PER_S = 16_384
MAX_HELD_BYTES = 256 * 1024 * 1024  # of all bodies that are being read or answered
MAX_VALUES = 10_000  # lists, objects and values of a body; 256 pairs are about 1,000

_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\Z)', re.DOTALL)  # possessive: linear time, whatever is sent
_SURELY_FEW_BYTES = 2 * MAX_VALUES  # a value and its comma take two bytes


class BodyRefused(Exception):  # noqa: N818 - a refusal to be answered, not a fault
    """Why a body is not taken: an HTTP status, and what is wrong in both languages."""

    def __init__(self, *, status: HTTPStatus, en: str, zh: str) -> None:
        super().__init__(en)
        self.status, self.en, self.zh = status, en, zh


class ClientGone(Exception):  # noqa: N818
    """The client has disconnected before its body was complete."""


class Bodies:
    """The bodies that are being read or answered."""

    def __init__(self, *, start_s: float = START_S, max_held_bytes: int = MAX_HELD_BYTES) -> None:
        self._start_s = start_s
        self._max_held_bytes = max_held_bytes
        self._held_bytes = 0

    async def read(self, receive: Receive) -> bytes:
        """The whole body; `release` it when its call is answered. Raises BodyRefused and ClientGone."""
        content = bytearray()
        try:
            await self._fill(content, receive)
            too_many_values = _values(content) > MAX_VALUES
        except BaseException:
            self._held_bytes -= len(content)
            raise
        if too_many_values:
            self._held_bytes -= len(content)
            raise BodyRefused(
                status=HTTPStatus.UNPROCESSABLE_ENTITY,
                en=f"The body has more than {MAX_VALUES:,} values. Send fewer texts or labels a call.",
                zh=f"请求体中的值超过 {MAX_VALUES:,} 个。请减少每次发送的文本或标签。",
            )
        return bytes(content)

    def release(self, body: bytes) -> None:
        """Give back the room of a body that `read` returned."""
        self._held_bytes -= len(body)

    async def _fill(self, content: bytearray, receive: Receive) -> None:
        start = time.monotonic()
        more = True
        while more:
            left_s = self._start_s + len(content) / LEAST_BYTES_PER_S - (time.monotonic() - start)
            message: Message | None = None
            with anyio.move_on_after(max(0.0, left_s)):
                message = await receive()
            if message is None:
                raise BodyRefused(
                    status=HTTPStatus.REQUEST_TIMEOUT,
                    en=f"The body did not come within {self._start_s:.0f} s, or slower than {LEAST_BYTES_PER_S:,} "
                    "bytes a second. Send it again.",
                    zh=f"请求体未在 {self._start_s:.0f} 秒内到达，或慢于每秒 {LEAST_BYTES_PER_S:,} 字节。请重新发送。",
                )
            if message["type"] == "http.disconnect":
                raise ClientGone
            part = message.get("body", b"")
            more = message.get("more_body", False)
            if len(content) + len(part) > MAX_BODY_BYTES:
                raise BodyRefused(
                    status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                    en="The body is too large. Send fewer texts a call.",
                    zh="请求体过大。请减少每次发送的文本。",
                )
            if self._held_bytes + len(part) > self._max_held_bytes:
                raise BodyRefused(
                    status=HTTPStatus.SERVICE_UNAVAILABLE,
                    en="Too many bodies are being received. Try again in a moment.",
                    zh="正在接收的请求体过多。请稍后重试。",
                )
            content += part
            self._held_bytes += len(part)


def _values(body: bytearray) -> int:
    """An upper bound of the values in a JSON body: the commas and opening brackets outside of its strings, and one."""
    if len(body) < _SURELY_FEW_BYTES:
        return 0
    outside = _STRINGS.sub(b"", body)
    return outside.count(b",") + outside.count(b"[") + outside.count(b"{") + 1


def replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives `body` in one piece, and then what the connection says."""
    given = False

    async def receive_body() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_body
