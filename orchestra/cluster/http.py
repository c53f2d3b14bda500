"""Requests to the API server: the one module of a cluster that knows the HTTP library.

What may succeed later is tried again: cut connections, 429 with its Retry-After, 5xx. All requests are such that a
second one does no harm. Refused credentials are obtained anew once.
"""

from __future__ import annotations

import contextlib
import json
import os
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx2

from orchestra.cluster.credentials import obtain
from orchestra.cluster.cutting import Streams
from orchestra.errors import EnvironmentLack, FatalError, TemporaryError, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from orchestra.cluster.access import Access
    from orchestra.cluster.credentials import Credentials

ATTEMPTS = 6
_SWITCHING = 101
_LONGEST = 30.0
_PASSING = frozenset({429, 500, 502, 503, 504})


class Refused(FatalError):
    """An answer that is not a success. causes: what is wrong with which field; reason: one of the API's words."""

    def __init__(self, status: int, answer: Mapping[str, Any], what: str) -> None:
        super().__init__(f"{what}: {answer.get('message') or f'the cluster answered {status}'}")
        self.status = status
        self.reason = str(answer.get("reason") or "")
        self.causes = [*((answer.get("details") or {}).get("causes") or ())]


class CutOff(TemporaryError):
    """A body ended before its end."""


class Http:
    """pause: waits so many seconds before another attempt. is_cut: streams are over."""

    def __init__(
        self, access: Access, environment: Mapping[str, str], pause: Callable[[float], object] = time.sleep
    ) -> None:
        self._access = access
        self._environment = environment
        self._pause = pause
        self._credentials: Credentials | None = None
        self._client: httpx2.Client | None = None
        self._streams = Streams()
        self._connecting = threading.Lock()

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        """The answer of a success. Raises Refused, TemporaryError when the last attempt fails, EnvironmentLack."""
        content = b"" if body is None else json.dumps(body).encode()
        headers = {"Content-Type": content_type} if content else {}
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with self._sent(method, path, query or {}, content, headers) as response:
                    return _document(response.read())
            except httpx2.TransportError as error:  # in the middle of the answer
                if attempt == ATTEMPTS:
                    raise TemporaryError(f"{method} {path} broke off: {error}") from error
                self._pause(min(_LONGEST, 0.25 * 2**attempt))
        raise AssertionError("the last attempt returns or raises")

    @contextlib.contextmanager
    def stream(self, path: str, query: Mapping[str, str]) -> Iterator[Iterator[bytes]]:
        """The body as it comes. Raises also CutOff."""
        with self._sent("GET", path, query, b"", {}) as response, self._streams.holding(response) as is_open:
            if not is_open:
                raise CutOff("the connection is given up")
            yield _chunks(response, path)

    def cut(self) -> None:
        """End all streams, also those that other threads are waiting for."""
        self._streams.cut()

    @property
    def is_cut(self) -> bool:
        return self._streams.are_cut

    @contextlib.contextmanager
    def upgrade(
        self, path: str, query: Mapping[str, str | Sequence[str]], headers: Mapping[str, str]
    ) -> Iterator[httpx2.Response]:
        """An answer that has given the connection over, which is in ``extensions["network_stream"]``."""
        with self._sent("GET", path, query, b"", {"Connection": "Upgrade", **headers}) as response:
            if response.status_code != _SWITCHING:
                raise FatalError(f"{self._access.server} does not give connections over: is there a proxy before it?")
            yield response

    @contextlib.contextmanager
    def _sent(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | Sequence[str]],
        content: bytes,
        headers: Mapping[str, str],
    ) -> Iterator[httpx2.Response]:
        renewed = False
        what = f"{method} {path}"
        for attempt in range(1, ATTEMPTS + 1):
            client, token = self._connected()
            more = {"Authorization": f"Bearer {token}"} if token else {}
            request = client.build_request(
                method, self._access.server + path, params={**query}, content=content, headers={**headers, **more}
            )
            try:
                response = client.send(request, stream=True)
            except httpx2.TransportError as error:
                if _is_distrust(error):
                    raise EnvironmentLack(f"{self._access.server} is not trusted: {error}") from error
                if attempt == ATTEMPTS:
                    raise TemporaryError(f"{self._access.server} does not answer: {error}") from error
                self._pause(min(_LONGEST, 0.25 * 2**attempt))
                continue
            with contextlib.closing(response):
                if response.is_success or response.status_code == _SWITCHING:
                    yield response
                    return
                if response.status_code == 401 and not renewed:
                    renewed = True
                    self.close()
                    self._credentials = None
                    continue
                refused = Refused(response.status_code, _failure(response), what)
                if not _is_passing(refused) or attempt == ATTEMPTS:
                    raise _explained(refused, self._access)
                self._pause(_wait(response, attempt))

    def _connected(self) -> tuple[httpx2.Client, str]:
        """A connection with credentials, and the token that it needs."""
        with self._connecting:
            if self._credentials is None:
                self._credentials = obtain(self._access, self._environment)
            if self._client is None:
                self._client = httpx2.Client(
                    verify=_trust(self._access, self._credentials),
                    timeout=httpx2.Timeout(30.0, read=60.0),
                    proxy=self._access.proxy or None,
                    headers={"User-Agent": "orchestra", "Accept": "application/json"},
                )
            return self._client, self._credentials.token


def _trust(access: Access, credentials: Credentials) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=access.authority.decode() or None)
        if access.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if credentials.certificate:
            # The library reads files only. This one is in memory only.
            descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
            with open(descriptor, "wb") as file:
                file.write(credentials.certificate + b"\n" + credentials.key)
                file.flush()
                context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    except (ssl.SSLError, ValueError) as error:
        raise UserError(f"a certificate of the kubeconfig cannot be used: {error}") from error
    return context


def _is_distrust(error: Exception) -> bool:
    return "CERTIFICATE_VERIFY_FAILED" in str(error)


def _is_passing(refused: Refused) -> bool:
    """Whether it may be different later. A conflict of field managers is not; a conflict of versions is."""
    return refused.status in _PASSING or (refused.status == 409 and not refused.causes and refused.reason == "Conflict")


def _wait(response: httpx2.Response, attempt: int) -> float:
    asked = str(response.headers.get("Retry-After", ""))
    return min(_LONGEST, float(asked)) if asked.isdecimal() else min(_LONGEST, 0.25 * 2**attempt)


def _failure(response: httpx2.Response) -> dict[str, Any]:
    with contextlib.suppress(httpx2.TransportError):
        return _document(response.read())
    return {}


def _document(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content or b"{}")
    except ValueError:
        return {"message": content[:200].decode(errors="replace").strip()}
    return found if isinstance(found, dict) else {}


def _explained(refused: Refused, access: Access) -> Refused:
    if refused.status == 401:
        refused.hint = f"{access.server} refused the credentials: sign in again, or name another --context"
    elif refused.status == 403:
        refused.hint = "ask for the right in this namespace, or name another one with --namespace"
    return refused


def _chunks(response: httpx2.Response, path: str) -> Iterator[bytes]:
    try:
        yield from response.iter_bytes()
    except httpx2.TransportError as error:
        raise CutOff(f"GET {path} broke off: {error}") from error
