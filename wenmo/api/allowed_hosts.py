"""Answers only under names that the operator expects: a site that rebinds its name to this address gets nothing.

DNS rebinding lets a page of another site call a service in the visitor's own network: its name is pointed at the
service, so that to the browser both are one origin. The Host header still carries the site's name. An IP address, and a
name without a dot, such as that of a container, cannot belong to such a site.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from wenmo.api import problems


class AllowedHosts:
    """ASGI middleware that refuses calls and websockets whose Host is a name with a dot that is not in `names`.

    A name `*.example.org` stands for all names below it; `*` for all names.
    """

    def __init__(self, app: ASGIApp, *, names: Sequence[str]) -> None:
        self._app = app
        self._names = tuple(name.lower() for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = _host_name(Headers(scope=scope).get("host", "")) if scope["type"] in ("http", "websocket") else ""
        if self._allows(host):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            refusal = problems.problem(
                Request(scope),
                HTTPStatus.MISDIRECTED_REQUEST,
                en=f"This service does not answer under the name {host[:100]}. Its operator can allow it: "
                "WENMO_ALLOWED_HOSTS.",
                zh=f"此服务不以 {host[:100]} 之名应答。管理员可用 WENMO_ALLOWED_HOSTS 允许该名称。",
            )
            await refusal(scope, receive, send)

    def _allows(self, host: str) -> bool:
        if "." not in host.rstrip(".") or _is_address(host):
            return True
        if host.endswith(".localhost"):
            return True
        return any(
            name in ("*", host) or (name.startswith("*.") and host.endswith(name.removeprefix("*")))
            for name in self._names
        )


def _host_name(header: str) -> str:
    """The name or address in a Host header, without the port, in lower case."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0].lower().rstrip(".")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
