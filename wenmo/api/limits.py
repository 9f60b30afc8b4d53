"""How often one client may call: a token bucket a client, in memory.

A bucket holds a minute's worth of calls and is refilled evenly, so that a burst passes and a steady stream is held to
the rate. Only the last clients are remembered: one who is forgotten begins anew with a full bucket, so this bounds the
load of ordinary clients and of one that runs wild, not of an attacker with tens of thousands of addresses. Each process
counts by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

from cachetools import LRUCache
from starlette.types import Scope

MAX_CLIENTS = 10_000  # remembered at once: about 2 MiB
_IPV6_PREFIX = 64  # bits: what a provider gives to one customer (RFC 6177), who may take any address in it


class TokenBuckets:
    """`per_minute` calls for each client. Not thread-safe: the event loop alone asks. `clock` is in seconds."""

    def __init__(
        self, per_minute: int, *, clients: int = MAX_CLIENTS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._capacity = float(per_minute)
        self._per_second = per_minute / 60
        self._clock = clock
        self._buckets: LRUCache[str, tuple[float, float]] = LRUCache(clients)  # tokens that were left, and when

    def take(self, client: str) -> float:
        """0 for a call that may pass; otherwise the seconds until the next one may."""
        now = self._clock()
        left, since = self._buckets.get(client, (self._capacity, now))
        tokens = min(self._capacity, left + (now - since) * self._per_second)
        allowed = tokens >= 1
        self._buckets[client] = (tokens - allowed, now)
        return 0.0 if allowed else (1 - tokens) / self._per_second


def client_of(scope: Scope) -> str:
    """Who calls: the address of the connection, of IPv6 its network.

    Headers are not read here. Behind a proxy the server itself puts the address that a trusted proxy reported
    (FORWARDED_ALLOW_IPS) into the scope.
    """
    host = (scope.get("client") or ("", 0))[0]
    try:
        address = ip_address(host)
    except ValueError:  # a Unix socket, or what the proxy wrote
        return host[:_MAX_NAME]
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(int(address) >> (128 - _IPV6_PREFIX))


_MAX_NAME = 64  # characters: IPv6 in full has 39
