"""Asking registries with retries, redirects and tokens. Permanent failures become the driver's errors.

Secrets are sent only to the registry itself and to the token server that it names, never to the target of a redirect.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from orchestra.driver.local.image.registry.http import Reply, Transport, Trouble
from orchestra.driver.local.image.registry.patience import Patience, retry_after
from orchestra.driver.local.image.registry.refusal import refusal
from orchestra.driver.local.image.registry.token import Tokens
from orchestra.errors import FatalError, TemporaryError
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from orchestra.driver.local.image.registry.places import Place

RETRIED = frozenset((408, 429, 500, 502, 503, 504))
REDIRECTS = frozenset((301, 302, 303, 307, 308))
REDIRECT_LIMIT = 5
PULL, PUSH = "pull", "pull,push"


class Asked(Record):
    """One request. target: a path of the API, or a full URL from the registry.

    content: called anew for every attempt. access: what a token must permit; also: further scopes for it.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    content: Callable[[], bytes | Iterable[bytes]] | None = None
    access: str = PULL
    also: tuple[str, ...] = ()


class Session:
    """Connections, tokens, and what is known about registries, for one task. Safe across threads.

    environment: where to look for credentials, proxies and settings.
    """

    def __init__(self, environment: Mapping[str, str], patience: Patience) -> None:
        self.environment = environment
        self.patience = patience
        self._transport = Transport(patience, environment)
        self._tokens = Tokens(self._transport, environment)
        self._schemes: dict[str, str] = {}
        self._given_up = threading.Event()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._transport.close()

    def give_up(self) -> None:
        """No thread waits or asks any more: the task has failed already."""
        self._given_up.set()

    def pause(self, seconds: float) -> None:
        if self._given_up.wait(seconds):
            self.check()

    def check(self) -> None:
        if self._given_up.is_set():
            raise TemporaryError("cancelled, since another part has failed")

    @contextlib.contextmanager
    def ask(
        self, place: Place, asked: Asked, accepted: Iterable[int] = (200,), *, once: bool = False
    ) -> Iterator[Reply]:
        """A reply with one of the accepted statuses. once: the caller retries.

        Raises FatalError or TemporaryError with the registry's message. The caller handles Trouble while reading the
        body.
        """
        attempts = 1 if once else self.patience.attempts
        for attempt in range(attempts):
            self.check()
            is_last = attempt == attempts - 1
            wait = self.patience.pause(attempt)
            with contextlib.ExitStack() as stack:
                try:
                    reply = stack.enter_context(self._authorised(place, asked))
                except Trouble as error:
                    if error.untrusted or is_last or self.patience.is_last(attempt, slow=error.slow):
                        raise unreachable(place, error) from error
                else:
                    if reply.status in accepted:
                        yield reply
                        return
                    asked_wait = retry_after(reply.header("Retry-After"))
                    if reply.status not in RETRIED or is_last or asked_wait > self.patience.longest:
                        raise refusal(place, reply, self._tokens.is_known(place))
                    wait = max(wait, asked_wait)
            self.pause(wait)

    @contextlib.contextmanager
    def _authorised(self, place: Place, asked: Asked) -> Iterator[Reply]:
        token = self._tokens.get(place, asked.access, asked.also)
        with contextlib.ExitStack() as stack:
            reply = stack.enter_context(self._sent(place, asked, token))
            if reply.status == 401:
                challenges = reply.headers("WWW-Authenticate")
                fresh = self._tokens.renew(place, asked.access, asked.also, challenges, token)
                if fresh:
                    stack.close()
                    reply = stack.enter_context(self._sent(place, asked, fresh))
            yield reply

    @contextlib.contextmanager
    def _sent(self, place: Place, asked: Asked, authorization: str) -> Iterator[Reply]:
        """Through redirects, if the method permits following them."""
        base = f"{self._scheme(place)}://{place.endpoint}"
        url = urljoin(base, asked.target)
        for _ in range(REDIRECT_LIMIT):
            is_home = _origin(url) == _origin(base)
            headers = dict(asked.headers)
            if authorization and is_home:
                headers["Authorization"] = authorization
            content = asked.content() if asked.content else b""
            insecure = place.insecure and urlsplit(url).hostname == urlsplit(base).hostname
            with self._transport.send(asked.method, url, headers, content, insecure=insecure) as reply:
                location = reply.header("Location")
                if reply.status not in REDIRECTS or not location or asked.method not in ("GET", "HEAD"):
                    yield reply
                    return
                following = urljoin(url, location)
            if urlsplit(url).scheme == "https" and urlsplit(following).scheme != "https":
                raise FatalError(
                    f"registry {place.host} redirects from HTTPS to {_origin(following)}",
                    hint="others could read what is sent that way: tell its operators",
                )
            url = following
        raise FatalError(f"registry {place.host} redirects more than {REDIRECT_LIMIT} times")

    def _scheme(self, place: Place) -> str:
        """HTTPS, and plain HTTP only with insecure registries that speak nothing else."""
        if not place.insecure:
            return "https"
        if place.endpoint not in self._schemes:
            try:
                with self._transport.send("GET", f"https://{place.endpoint}/v2/", {}, insecure=True):
                    scheme = "https"
            except Trouble:
                scheme = "http"
                with self._transport.send("GET", f"http://{place.endpoint}/v2/", {}, insecure=True):
                    pass
            self._schemes[place.endpoint] = scheme
        return self._schemes[place.endpoint]


def unreachable(place: Place, error: Trouble) -> FatalError | TemporaryError:
    if error.untrusted:
        hint = f"put its authority into /etc/docker/certs.d/{place.host}/ca.crt, or set `insecure` in registries.conf"
        return FatalError(f"registry {place.host}: {error}", hint=hint)
    if error.unencrypted:
        hint = "set `insecure = true` for it in registries.conf, if you trust the network"
        return FatalError(f"registry {place.host}: {error}", hint=hint)
    if error.slow:
        hint = "try again later, or use a mirror (registries.conf)"
        return TemporaryError(f"registry {place.host} is too slow: {error}", hint=hint)
    hint = "check the network, the name and HTTPS_PROXY"
    return TemporaryError(f"registry {place.host} cannot be reached: {error}", hint=hint)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    return f"{parts.scheme}://{parts.hostname}:{port}"
