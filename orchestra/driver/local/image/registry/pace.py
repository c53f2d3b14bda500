"""How slowly a server may answer: bytes in a time, since a server that sends a byte a second is never silent for long.

Only time spent waiting for bytes counts, and it begins anew with each request on a connection.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING, Any

import httpcore2

from orchestra.home import is_rootless

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from httpcore2 import NetworkStream


class Pace(httpcore2.SyncBackend):
    """Makes connections on which ReadTimeout is raised, with a sentence, when a server is too slow.

    silence: seconds without a byte; rate: minimum bytes a second, on the average of that time; document: seconds for
    everything that is read ``at_once``. Safe across threads.
    """

    def __init__(self, silence: float, rate: float, document: float) -> None:
        super().__init__()
        self.silence = silence
        self.least = silence * rate
        self._document = document
        self._thread = threading.local()

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """What this thread reads in this context is short."""
        self._thread.limit = self._document
        try:
            yield
        finally:
            self._thread.limit = None

    @property
    def limit(self) -> float | None:
        limit: float | None = getattr(self._thread, "limit", None)
        return limit

    def connect_tcp(self, *arguments: Any, **keys: Any) -> NetworkStream:
        connect = super().connect_tcp
        if is_rootless(os.environ):
            from orchestra.rootless.host_network import in_host_network

            return _Stream(in_host_network(connect, *arguments, **keys), self)
        return _Stream(connect(*arguments, **keys), self)


class _Stream(httpcore2.NetworkStream):
    """waited: seconds for this answer; since: those since the last time that enough bytes had come."""

    def __init__(self, stream: NetworkStream, pace: Pace) -> None:
        self._stream = stream
        self._pace = pace
        self._begin()

    def _begin(self) -> None:
        self._waited = self._since = 0.0
        self._bytes = self._sum = 0

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        pace, limit = self._pace, self._pace.limit
        left, is_whole = pace.silence - self._since, False
        if limit is not None and limit - self._waited < left:
            left, is_whole = limit - self._waited, True
        if left <= 0:
            raise self._too_slow(is_whole)
        begun = time.monotonic()
        try:
            data = self._stream.read(max_bytes, left)
        except httpcore2.ReadTimeout:
            self._note(begun, 0)
            raise self._too_slow(is_whole) from None
        self._note(begun, len(data))
        return data

    def _note(self, begun: float, count: int) -> None:
        elapsed = time.monotonic() - begun
        self._waited += elapsed
        self._since += elapsed
        self._bytes += count
        self._sum += count
        if self._bytes >= self._pace.least:
            self._since, self._bytes = 0.0, 0

    def _too_slow(self, is_whole: bool) -> httpcore2.ReadTimeout:
        """is_whole: the time for the whole answer is over, rather than for a part of it."""
        if not self._sum:
            return httpcore2.ReadTimeout(f"no answer within {self._waited:.3g} s")
        if is_whole:
            return httpcore2.ReadTimeout(f"the answer did not end within {self._waited:.3g} s")
        if not self._bytes:
            return httpcore2.ReadTimeout(f"nothing more came for {self._since:.3g} s")
        return httpcore2.ReadTimeout(f"only {self._bytes} bytes came in {self._since:.3g} s")

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._begin()
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, timeout), self._pace)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
