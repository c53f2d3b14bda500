"""Requests and replies: the one module that knows the HTTP library. Safe across threads.

Proxies come from HTTP_PROXY, HTTPS_PROXY and NO_PROXY; certificate authorities from the system, SSL_CERT_FILE,
SSL_CERT_DIR, and the registry's own directories (``places``).
"""

from __future__ import annotations

import contextlib
import glob
import os
import ssl
import sys
import threading
from typing import TYPE_CHECKING

from orchestra.driver.local.image.registry.places import certificate_directories
from orchestra.driver.local.image.registry.proxy import find_proxy
from orchestra.errors import FatalError
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from orchestra.driver.local.image.registry.patience import Patience


@contextlib.contextmanager
def _without(*names: str) -> Iterator[None]:
    """Keep modules from being loaded: a None in sys.modules is an ImportError (see its documentation)."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # typeshed lacks the None
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


# The library's asynchronous half, which is not used here, loads these: a third of the time of a small request.
with _without("anyio", "trio"):
    import httpcore2  # noqa: F401
    import httpx2

    from orchestra.driver.local.image.registry.pace import Pace

AGENT = "orchestra"
_PARALLEL = 16
# How OpenSSL calls an answer that is not TLS, such as one in plain HTTP.
_NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST")


class Trouble(Exception):
    """There was no complete reply.

    untrusted: because of a certificate, so a retry is useless; unencrypted: because the server does not use TLS; slow:
    it took too long.
    """

    def __init__(self, text: str, *, untrusted: bool = False, unencrypted: bool = False, slow: bool = False) -> None:
        super().__init__(text)
        self.untrusted = untrusted
        self.unencrypted = unencrypted
        self.slow = slow


class Reply(Record):
    """Its body has not been read yet."""

    url: str
    status: int
    _response: httpx2.Response
    _what: str
    _pace: Pace

    def header(self, name: str) -> str:
        return str(self._response.headers.get(name, ""))

    def headers(self, name: str) -> list[str]:
        """Every header of this name."""
        return list(self._response.headers.get_list(name))

    def chunks(self) -> Iterator[bytes]:
        """The body as it was sent. Raises Trouble if it breaks off."""
        with _translated(self._what):
            yield from self._response.iter_raw()

    def read(self, limit: int) -> bytes:
        """The body, or its first ``limit`` bytes and one more. For documents: there is a time limit as well."""
        data = bytearray()
        with self._pace.at_once():
            for chunk in self.chunks():
                data += chunk
                if len(data) > limit:
                    break
        return bytes(data[: limit + 1])


class Transport:
    """environment: where to look for the user's own certificates."""

    def __init__(self, patience: Patience, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._timeout = httpx2.Timeout(patience.silence, connect=patience.connect)
        self._pace = Pace(patience.silence, patience.rate, patience.document)
        self._clients: dict[tuple[str, str, bool], httpx2.Client] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes | Iterable[bytes] = b"",
        *,
        insecure: bool = False,
    ) -> Iterator[Reply]:
        """Does not follow redirects. insecure: ignore the certificate. Raises Trouble."""
        client = self._client(httpx2.URL(url), insecure)
        # Content is hashed as it is stored, so nothing on the way may compress it.
        sent = {"User-Agent": AGENT, "Accept-Encoding": "identity", **headers}
        what = f"{method} {url.partition('?')[0]}"
        with _translated(what), self._pace.at_once():
            response = client.send(client.build_request(method, url, headers=sent, content=content), stream=True)
        try:
            yield Reply(url, response.status_code, response, what, self._pace)
        finally:
            response.close()

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def _client(self, url: httpx2.URL, insecure: bool) -> httpx2.Client:
        host = url.netloc.decode()
        with self._lock:
            client = self._clients.get((url.scheme, host, insecure))
            if client is None:
                client = httpx2.Client(
                    verify=_trust(host, insecure, self._environment),
                    proxy=find_proxy(url.scheme, host, self._environment),
                    trust_env=False,
                    timeout=self._timeout,
                    limits=httpx2.Limits(max_connections=_PARALLEL, max_keepalive_connections=_PARALLEL),
                )
                for transport in (client._transport, *client._mounts.values()):
                    if isinstance(transport, httpx2.HTTPTransport):
                        # It has no parameter for this, unlike httpcore's pools; a test checks that it takes effect.
                        transport._pool._network_backend = self._pace
                self._clients[url.scheme, host, insecure] = client
            return client


def _trust(host: str, insecure: bool, environment: Mapping[str, str]) -> ssl.SSLContext:
    """Every ``*.crt`` of the registry's directories is an authority, ``NAME.cert`` with ``NAME.key`` a client."""
    # Reading the system's authorities takes longer than a small request does.
    if insecure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    else:
        known = ssl.get_default_verify_paths()
        file = environment.get("SSL_CERT_FILE", known.openssl_cafile)
        folder = environment.get("SSL_CERT_DIR", known.openssl_capath)
        context = ssl.create_default_context(
            cafile=file if os.path.isfile(file) else None, capath=folder if os.path.isdir(folder) else None
        )
    for directory in certificate_directories(host, environment):
        for path in sorted(glob.glob(f"{glob.escape(directory)}/*")):
            try:
                if path.endswith(".crt"):
                    context.load_verify_locations(path)
                elif path.endswith(".cert"):
                    context.load_cert_chain(path, f"{path.removesuffix('.cert')}.key")
            except OSError as error:  # includes ssl.SSLError
                hint = "see containers-certs.d(5)"
                raise FatalError(f"{path} or its key cannot be read: {error}", hint=hint) from error
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@contextlib.contextmanager
def _translated(what: str) -> Iterator[None]:
    """what: the request, for errors."""
    try:
        yield
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
        raise Trouble(f"its address is not valid: {error}", untrusted=True) from error
    except httpx2.ConnectTimeout as error:
        raise Trouble("it did not accept a connection in time") from error
    except httpx2.ReadTimeout as error:
        raise Trouble(f"{what}: {error}", slow=True) from error
    except httpx2.TimeoutException as error:
        raise Trouble(f"{what}: it stopped reading the request", slow=True) from error
    except httpx2.HTTPError as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, ssl.SSLError):
            cause = cause.__cause__ or cause.__context__
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise Trouble(f"its certificate is not trusted: {cause.verify_message}", untrusted=True) from error
        if cause is not None and cause.reason in _NOT_TLS:
            raise Trouble("it does not use TLS", unencrypted=True) from error
        raise Trouble(str(error) or type(error).__name__) from error
