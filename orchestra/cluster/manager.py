"""Requests to a manager of a Swarm, over its socket: https://docs.docker.com/reference/api/engine/version/v1.41/."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import time
from typing import TYPE_CHECKING, Any

import httpx2

from orchestra.cluster.cutting import Streams
from orchestra.cluster.dialling import Dialling
from orchestra.cluster.lines import lines
from orchestra.errors import EnvironmentLack, FatalError, TemporaryError, UserError
from orchestra.ssh.address import parse_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from orchestra.cluster.endpoint import Endpoint

VERSION = "v1.41"
"""Of Docker 20.10, which newer ones answer too."""
_ATTEMPTS = 5
_ELECTION = 15
"""Attempts, for almost a minute: when their leader is lost, managers choose another one within some 20 seconds."""
_LONGEST = 4.0
_SWITCHING = 101
_ANOTHER = "set DOCKER_HOST, or name a manager with --manager"
_PASSING = frozenset({500, 502, 503, 504})


class Denied(FatalError):
    """An answer that is not a success."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        # Of a network that is being removed the engine says it with another status.
        self.is_absence = status == 404 or message.endswith("not found")


class Manager:
    """host: its address."""

    def __init__(self, endpoint: Endpoint, pause: Callable[[float], object] = time.sleep) -> None:
        """Raises UserError for an address or certificates that cannot be used."""
        self.host = endpoint.address
        self._pause = pause
        self._streams = Streams()
        kind, _, rest = self.host.partition("://")
        if kind not in ("unix", "tcp", "ssh") or not rest:
            hint = "write unix:///PATH, tcp://HOST:PORT or ssh://[USER@]HOST"
            raise UserError(f"{self.host!r} is not the address of an engine", hint=hint)
        self._socket = rest if kind == "unix" else ""
        trust = _trust(endpoint) if kind == "tcp" else None
        self._base = f"{'https' if trust else 'http'}://{rest}" if kind == "tcp" else "http://manager"
        # A stream may be silent for long: the kernel is to notice when its other end is gone.
        alive = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
        path = None if kind == "tcp" else rest
        transport = httpx2.HTTPTransport(uds=path, verify=trust or True, socket_options=alive)
        if kind == "ssh":
            # The transport has no parameter for this, unlike httpcore's pools.
            transport._pool._network_backend = Dialling(parse_address(self.host, "manager"))
        self._client = httpx2.Client(
            transport=transport, timeout=httpx2.Timeout(30.0, read=60.0), headers={"User-Agent": "orchestra"}
        )

    def close(self) -> None:
        self._client.close()

    def get(self, path: str, **query: object) -> Any:
        """Values of a query that are mappings are written as JSON."""
        return self._request("GET", path, query, None)

    def exists(self, path: str) -> bool:
        try:
            self._request("GET", path, {}, None)
        except Denied as denied:
            if not denied.is_absence:
                raise
            return False
        return True

    def post(self, path: str, body: object, headers: Mapping[str, str] | None = None, /, **query: object) -> Any:
        return self._request("POST", path, query, body, headers)

    def delete(self, path: str) -> bool:
        """Whether it is gone; not while others use it."""
        try:
            self._request("DELETE", path, {}, None)
        except Denied as denied:
            if denied.is_absence:
                return True
            if denied.status in (400, 403, 409):
                return False
            raise
        return True

    @contextlib.contextmanager
    def stream(self, path: str, **query: object) -> Iterator[Iterator[bytes]]:
        """The body as it comes, which may take long. Raises TemporaryError if it breaks off."""
        patient = httpx2.Timeout(30.0, read=None)
        url = f"{self._base}/{VERSION}{path}"
        request = self._client.build_request("GET", url, params=_written(query), timeout=patient)
        with (
            contextlib.closing(self._sent(request)) as response,
            self._streams.holding(response) as is_open,
        ):
            if not response.is_success:
                raise Denied(response.status_code, _message(response.read()))
            yield self._chunks(response) if is_open else iter(())

    def events(self, **filters: Sequence[str]) -> Iterator[Any]:
        """What happens from now on, until ``cut``. Raises TemporaryError if the engine ends first."""
        with self.stream("/events", filters=filters) as chunks:
            yield from map(json.loads, lines(chunks))

    def cut(self) -> None:
        """End all streams, also those that other threads are waiting for."""
        self._streams.cut()

    def _sent(self, request: httpx2.Request) -> httpx2.Response:
        try:
            return self._client.send(request, stream=True)
        except httpx2.TransportError as error:
            raise EnvironmentLack(f"{self.host} does not answer: {error}", hint=_ANOTHER) from error

    @contextlib.contextmanager
    def upgrade(self, path: str, body: object) -> Iterator[httpx2.Response]:
        """An answer that has given the connection over, which is in ``extensions["network_stream"]``."""
        headers = {"Connection": "Upgrade", "Upgrade": "tcp"}
        request = self._client.build_request("POST", f"{self._base}/{VERSION}{path}", json=body, headers=headers)
        with contextlib.closing(self._sent(request)) as response:
            if response.status_code != _SWITCHING:
                raise Denied(response.status_code, _message(response.read()))
            yield response

    def _chunks(self, response: httpx2.Response) -> Iterator[bytes]:
        try:
            yield from response.iter_bytes()
        except httpx2.TransportError as error:
            raise TemporaryError(f"{self.host} broke off: {error}") from error

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, object],
        body: object,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        if self._socket and not os.path.exists(self._socket):
            raise EnvironmentLack(f"there is no engine here: {self._socket} does not exist", hint=_ANOTHER)
        for attempt in range(1, _ELECTION + 1):
            try:
                response = self._client.request(
                    method,
                    f"{self._base}/{VERSION}{path}",
                    params=_written(query),
                    json=body if body is not None else None,
                    headers=headers,
                )
            except httpx2.TransportError as error:
                # What was made may have been made: only what changes nothing is asked twice.
                if method != "GET" or attempt >= _ATTEMPTS:
                    raise EnvironmentLack(f"{self.host} does not answer: {error}", hint=_ANOTHER) from error
            else:
                if response.is_success:
                    return response.json() if response.content else None
                denied = Denied(response.status_code, f"{path}: {_message(response.content)}")
                if response.status_code not in _PASSING or attempt == _ELECTION or not _is_passing(method, denied):
                    raise denied
            self._pause(min(_LONGEST, 0.25 * 2**attempt))
        raise AssertionError("the last attempt returns or raises")


def _is_passing(method: str, denied: Denied) -> bool:
    """A change is made once, unless the swarm says that it has no leader, and so made nothing."""
    return method == "GET" or "leader" in str(denied)


def _written(query: Mapping[str, object]) -> dict[str, str]:
    return {key: json.dumps(value) if isinstance(value, dict) else str(value) for key, value in query.items()}


def _message(content: bytes) -> str:
    try:
        return str(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError):
        return content[:200].decode(errors="replace").strip()


def _trust(endpoint: Endpoint) -> ssl.SSLContext | None:
    """https://docs.docker.com/engine/security/protect-access/"""
    directory = endpoint.certificates
    if not directory:
        return None
    authority, certificate = f"{directory}/ca.pem", f"{directory}/cert.pem"
    try:
        context = ssl.create_default_context(cafile=authority if os.path.exists(authority) else None)
        if not endpoint.checked:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if os.path.exists(certificate):
            context.load_cert_chain(certificate, f"{directory}/key.pem")
    except (OSError, ssl.SSLError) as error:
        raise UserError(f"the certificates in {directory} cannot be used: {error}") from error
    return context
