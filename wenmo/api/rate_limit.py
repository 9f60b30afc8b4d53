"""Limits how often one client may call, with a token bucket per client in memory.

A bucket holds a minute's worth of calls and is refilled steadily: a burst passes, and a steady stream is held to the
rate. Only the most recent clients have a bucket; a client that is forgotten starts again with a full one. So this
limits ordinary clients and a runaway one, but not an attacker with tens of thousands of addresses. Each process counts
by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

from cachetools import LRUCache
from starlette.types import Scope

MAX_CLIENTS = 10_000  # that have a bucket: about 2 MiB
_IPV6_PREFIX = 64  # bits: a provider gives one customer at least a /64 (RFC 6177), and so all addresses in it
_MAX_NAME = 64  # characters of a client's name; IPv6 in full has 39


class TokenBuckets:
    """`per_minute` calls for each client; `clock` is in seconds. Not thread-safe: only the event loop uses it."""

    def __init__(
        self, per_minute: int, *, clients: int = MAX_CLIENTS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._capacity = float(per_minute)
        self._per_second = per_minute / 60
        self._clock = clock
        self._buckets: LRUCache[str, tuple[float, float]] = LRUCache(clients)  # tokens left, and at what time

    def take(self, client: str) -> float:
        """Take a token: 0 if the call may pass, otherwise the seconds until the client has one again."""
        now = self._clock()
        left, since = self._buckets.get(client, (self._capacity, now))
        tokens = min(self._capacity, left + (now - since) * self._per_second)
        allowed = tokens >= 1
        self._buckets[client] = (tokens - allowed, now)
        return 0.0 if allowed else (1 - tokens) / self._per_second


def client_of(scope: Scope) -> str:
    """The client of a call: the IPv4 address of the connection, or the network of its IPv6 address.

    No headers are read here: behind a trusted proxy (FORWARDED_ALLOW_IPS) the server has already put the address that
    the proxy reported into the scope.
    """
    host = (scope.get("client") or ("", 0))[0]
    try:
        address = ip_address(host)
    except ValueError:  # a Unix socket, or whatever the proxy reported
        return host[:_MAX_NAME]
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(int(address) >> (128 - _IPV6_PREFIX))
