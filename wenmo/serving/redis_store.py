"""Rows of a model's output in Redis, shared by all instances of a service: the cache level behind their memory.

One MGET reads all rows that memory lacks; one pipeline of SETs with an expiry writes the computed rows. From the layout
of a value, little-endian, a reader can tell whether it is complete and belongs to its key:

    version (1 byte), width (4), checksum of key and row (8), row (width float32)

Any other value (another program's, truncated, damaged, the reply to another request) is a miss and is overwritten.
Failures of Redis are counted and cost time, which time-outs and circuit breakers limit; callers never see them.

Not covered: Redis Cluster, where the keys of one MGET are on several nodes; malicious writers to this Redis, as the
checksum is not a signature; DNS lookups, which the time-out does not limit.
"""

from __future__ import annotations

import hashlib
import struct
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import numpy as np
from redis import ConnectionPool, Redis
from redis.connection import parse_url
from redis.exceptions import InvalidResponse

from wenmo.errors import InputError
from wenmo.serving.breaker import CircuitBreaker
from wenmo.serving.cache import SharedStatistics

T = TypeVar("T")

_VERSION = 1  # of the layout; also part of the keys, so that versions do not overwrite each other
_PREFIX = f"wenmo:{_VERSION}:"
_HEADER = struct.Struct("<BI8s")
_FAILURES = 3  # in a row open the circuit breaker; one or two may be a restart or a lost packet
_LONGEST = 10  # time-outs; an exchange of several reads that takes longer counts as failed
_URL_OPTIONS = {"host", "port", "path", "db", "username", "password", "connection_class"}  # besides ssl_*, for TLS


class RedisStore:
    """A `SharedStore` in the Redis at `url`. Thread-safe.

    `url`: redis://[[user]:password@]host[:port][/db], rediss:// for TLS (with ?ssl_ca_certs=FILE and the like), or
    unix://PATH. It is never logged or shown. Rows expire after `expiry_s`. `timeout_ms` limits connecting, writing and
    each read. After three failures in a row, `cool_down_s` pass without further attempts; reading and writing count
    their failures separately, because a full Redis can still be read.

    Connects at the first call. Raises InputError for an invalid URL.
    """

    def __init__(
        self, url: str, *, expiry_s: int = 86_400, timeout_ms: float = 100.0, cool_down_s: float = 10.0
    ) -> None:
        self._expiry_s = expiry_s
        self._timeout_s = timeout_ms / 1000
        self._redis = Redis(connection_pool=_pool(url, self._timeout_s))
        self._reading = CircuitBreaker("reading results from Redis", failures=_FAILURES, cool_down_s=cool_down_s)
        self._writing = CircuitBreaker("writing results to Redis", failures=_FAILURES, cool_down_s=cool_down_s)
        self._lock = threading.Lock()
        self._hits = self._misses = self._damaged = self._errors = 0

    def get(self, keys: Sequence[bytes]) -> list[np.ndarray | None]:
        """For each key its row (width,) float32, or None, in one round trip."""
        distinct = list(dict.fromkeys(keys))

        def read() -> dict[bytes, bytes | None]:
            values = cast("list[bytes | None]", self._redis.mget(map(_name, distinct)))
            if not all(value is None or isinstance(value, bytes) for value in values):
                raise InvalidResponse("not what MGET answers")
            return dict(zip(distinct, values, strict=True))

        values = self._exchange(self._reading, read)
        if values is None:
            return [None] * len(keys)
        rows = {key: None if value is None else _row(key, value) for key, value in values.items()}
        hits = sum(rows[key] is not None for key in keys)
        with self._lock:
            self._hits += hits
            self._misses += len(keys) - hits
            self._damaged += sum(values[key] is not None and rows[key] is None for key in distinct)
        return [rows[key] for key in keys]

    def put(self, keys: Sequence[bytes], rows: np.ndarray) -> None:
        """Store `rows` (N, width), in one round trip."""
        if not len(keys) or self._reading.state != "closed":  # no use in writing what cannot be read
            return

        def write() -> None:
            pipeline = self._redis.pipeline(transaction=False)
            for key, row in zip(keys, rows, strict=True):
                pipeline.set(_name(key), _value(key, row), ex=self._expiry_s)
            pipeline.execute()

        self._exchange(self._writing, write)

    def statistics(self) -> SharedStatistics:
        with self._lock:
            return SharedStatistics(
                hits=self._hits,
                misses=self._misses,
                damaged=self._damaged,
                errors=self._errors,
                reading=self._reading.state,
                writing=self._writing.state,
            )

    def close(self) -> None:
        """Close the connections. A later call connects again."""
        self._redis.connection_pool.disconnect()

    def _exchange(self, breaker: CircuitBreaker, exchange: Callable[[], T]) -> T | None:
        """The result of `exchange`; None if it fails, or if the breaker does not allow it."""
        if not breaker.allows():
            return None
        problem: str | None = "interrupted"
        start = time.monotonic()
        try:
            answer = exchange()
        except Exception as error:
            # Of any type: redis-py's errors, and Python's own where the server is not a Redis. Only the type is logged:
            # a server's message may repeat what it was sent, the password included.
            problem = type(error).__name__
            return None
        else:
            took_s = time.monotonic() - start
            problem = None if took_s <= _LONGEST * self._timeout_s else f"an exchange took {took_s:.1f} s"
            return answer
        finally:  # also when the thread is interrupted: a half-open breaker waits for this report
            if problem is None:
                breaker.succeeded()
            else:
                with self._lock:
                    self._errors += 1
                breaker.failed(problem)


def _pool(url: str, timeout_s: float) -> ConnectionPool:
    try:
        options = parse_url(url.strip())  # a file with a secret ends in a newline
        if not all(name in _URL_OPTIONS or name.startswith("ssl_") for name in options):
            raise ValueError("an option that would override those below")
        pool = ConnectionPool(
            **options,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            protocol=2,  # every Redis has it, and it saves the round trips of HELLO and CLIENT SETINFO
            driver_info=None,
            max_connections=2**16,  # one per calling thread, and the caller limits those
        )
        pool.connection_class(**pool.connection_kwargs)  # checks the options without connecting
    except Exception:  # not shown: its text may contain parts of a password that was not percent-encoded
        raise InputError(
            "The URL of Redis (WENMO_REDIS_URL) cannot be read. Write redis://[[user]:password@]host[:port][/db], "
            "rediss:// for TLS, or unix://PATH; in a password, write / as %2F, @ as %40, # as %23, ? as %3F. Of "
            "options (?name=value) db and ssl_... are taken.",
            "Redis 的 URL（WENMO_REDIS_URL）无法读取。格式为 redis://[[用户]:密码@]主机[:端口][/库号]，TLS 用 rediss://，"
            "本地套接字用 unix://路径；密码中的 / 写作 %2F，@ 写作 %40，# 写作 %23，? 写作 %3F。"
            "选项（?名=值）只支持 db 和 ssl_…。",
        ) from None
    return pool


def _name(key: bytes) -> str:
    return _PREFIX + key.hex()


def _value(key: bytes, row: np.ndarray) -> bytes:
    content = row.astype("<f4").tobytes()
    return _HEADER.pack(_VERSION, len(row), _checksum(key, content)) + content


def _row(key: bytes, value: bytes) -> np.ndarray | None:
    """The row of a value that `_value` made for this key; None for any other value."""
    if len(value) < _HEADER.size:
        return None
    version, width, checksum = _HEADER.unpack_from(value)
    content = value[_HEADER.size :]
    if version != _VERSION or len(content) != 4 * width or checksum != _checksum(key, content):
        return None
    return np.frombuffer(content, dtype="<f4").astype(np.float32)


def _checksum(key: bytes, content: bytes) -> bytes:
    return hashlib.blake2b(content, key=key, digest_size=8).digest()
