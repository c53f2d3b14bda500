"""Authentication: Basic, or Bearer tokens of the server that the registry names (Docker's token authentication).

A token is kept as long as its server says, and renewed when the registry no longer accepts it.
"""

from __future__ import annotations

import base64
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from orchestra.driver.local.image.registry.http import Trouble
from orchestra.driver.local.image.registry.refusal import LOGIN
from orchestra.errors import FatalError, TemporaryError
from orchestra.model.document import DocumentError, integer, parse_document, text
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestra.driver.local.image.registry.credentials import Credentials
    from orchestra.driver.local.image.registry.http import Transport
    from orchestra.driver.local.image.registry.places import Place

DEFAULT_LIFE = 60
"""Seconds, if the server does not say (Docker's token specification)."""
MARGIN = 5
LIMIT = 1 << 20


class _Proof(Record):
    header: str
    until: float


class Tokens:
    """Values of ``Authorization`` by registry, repository and access. Safe across threads."""

    def __init__(self, transport: Transport, environment: Mapping[str, str]) -> None:
        self._transport = transport
        self._environment = environment
        self._proofs: dict[tuple[str, ...], _Proof] = {}
        self._credentials: dict[str, Credentials | None] = {}
        self._lock = threading.Lock()

    def is_known(self, place: Place) -> bool:
        """Whether there are credentials for it, and they were used."""
        return self._credentials.get(str(place)) is not None

    def get(self, place: Place, access: str, also: tuple[str, ...]) -> str:
        """What to send; empty until the registry has asked for something."""
        proof = self._proofs.get((place.host, place.path, access, *also))
        return proof.header if proof and proof.until > time.monotonic() else ""

    def renew(self, place: Place, access: str, also: tuple[str, ...], challenges: Sequence[str], refused: str) -> str:
        """What to send after ``refused`` was not enough; empty if there is nothing else."""
        from orchestra.driver.local.image.registry.challenge import parse_challenges

        with self._lock:
            current = self.get(place, access, also)
            if current and current != refused:
                return current  # another thread has renewed it
            credentials = self._find(place)
            for challenge in parse_challenges(challenges):
                if challenge.scheme == "bearer":
                    proof = self._fetch(place, access, also, challenge.parameters, credentials)
                elif challenge.scheme == "basic" and credentials and credentials.user:
                    proof = _Proof(_basic(credentials), float("inf"))
                else:
                    continue
                self._proofs[(place.host, place.path, access, *also)] = proof
                return "" if proof.header == refused else proof.header
        return ""

    def _find(self, place: Place) -> Credentials | None:
        from orchestra.driver.local.image.registry.credentials import find_credentials

        if str(place) not in self._credentials:
            self._credentials[str(place)] = find_credentials(str(place), self._environment)
        return self._credentials[str(place)]

    def _fetch(
        self,
        place: Place,
        access: str,
        also: tuple[str, ...],
        parameters: Mapping[str, str],
        credentials: Credentials | None,
    ) -> _Proof:
        realm = parameters.get("realm", "")
        if urlsplit(realm).scheme != "https" and not (place.insecure and urlsplit(realm).scheme == "http"):
            raise FatalError(
                f"registry {place.host} refers to a token server at {realm[:200]!r}, which is not HTTPS",
                hint="others could read the credentials on the way: tell its operators",
            )
        scopes = (f"repository:{place.path}:{access}", *also)
        fields = [("service", parameters["service"])] if "service" in parameters else []
        fields += [("scope", scope) for scope in scopes]
        headers: dict[str, str] = {}
        if credentials and credentials.identity:
            form = {"grant_type": "refresh_token", "refresh_token": credentials.identity, "client_id": "orchestra"}
            form |= {**dict(fields), "scope": " ".join(scopes)}
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            return self._proof(place, "POST", realm, headers, urlencode(form).encode())
        if credentials:
            headers["Authorization"] = _basic(credentials)
            fields.append(("account", credentials.user))
        mark = "&" if urlsplit(realm).query else "?"
        return self._proof(place, "GET", f"{realm}{mark}{urlencode(fields)}", headers, b"")

    def _proof(self, place: Place, method: str, url: str, headers: Mapping[str, str], content: bytes) -> _Proof:
        server = urlsplit(url).netloc.rpartition("@")[2]
        try:
            with self._transport.send(method, url, headers, content, insecure=place.insecure) as reply:
                status, data = reply.status, reply.read(LIMIT)
        except Trouble as error:
            raise TemporaryError(f"token server {server} of registry {place.host}: {error}") from error
        if status in (400, 401, 403):
            who = "these credentials" if self.is_known(place) else "anonymous clients"
            raise FatalError(f"token server {server} of registry {place.host} gives {who} no token", hint=LOGIN)
        if status != 200:
            kind = TemporaryError if status in (408, 429) or status >= 500 else FatalError
            raise kind(f"token server {server} of registry {place.host} answers {status}", hint="try again later")
        try:
            document = parse_document(data)
            token = text(document, "token") or text(document, "access_token")
            life = integer(document, "expires_in") or DEFAULT_LIFE
        except DocumentError as error:
            raise FatalError(f"token server {server} of registry {place.host}: its answer {error}") from error
        if not token or not token.isascii() or not token.isprintable():
            raise FatalError(f"token server {server} of registry {place.host} answered without a token")
        return _Proof(f"Bearer {token}", time.monotonic() + max(1, life - MARGIN))


def _basic(credentials: Credentials) -> str:
    return "Basic " + base64.b64encode(f"{credentials.user}:{credentials.password}".encode()).decode()
