"""Which clients may do what: tokens, sessions, and the names under which the page may be asked for. Pure.

A token in the first URL is exchanged for a session, which the browser keeps in a cookie that scripts cannot read. What
changes something also needs the session's write key in a header, or, for a terminal, in the URL of the socket: pages
of other sites can make a browser send the cookie at most, and never learn the key.
"""

from __future__ import annotations

import hmac
import secrets
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from orchestra.record import Record
from orchestra.stacks.sockets import bracketed

if TYPE_CHECKING:
    from collections.abc import Iterable

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


class Role(StrEnum):
    """VIEWER: may look. OPERATOR: may also change the stack, and open terminals in its containers."""

    VIEWER = "viewer"
    OPERATOR = "operator"

    @property
    def may_write(self) -> bool:
        return self is Role.OPERATOR


class Keys:
    """tokens: one for each role that there is. They are good until this process ends, as are its sessions."""

    def __init__(self, roles: Iterable[Role]) -> None:
        self.tokens = {role: secrets.token_urlsafe(24) for role in roles}
        self._secret = secrets.token_bytes(32)

    def role_of_token(self, token: str) -> Role | None:
        given = token.encode()
        found = [role for role, known in self.tokens.items() if hmac.compare_digest(known.encode(), given)]
        return found[0] if found else None

    def open_session(self, role: Role) -> str:
        name = f"{role}.{secrets.token_hex(16)}"
        return f"{name}.{self._sign('session', name)}"

    def role_of_session(self, session: str) -> Role | None:
        name, _, signature = session.rpartition(".")
        if not hmac.compare_digest(self._sign("session", name).encode(), signature.encode()):
            return None
        role = Role(name.partition(".")[0])
        return role if role in self.tokens else None

    def write_key(self, session: str) -> str:
        return self._sign("write", session)

    def is_write_key(self, session: str, key: str) -> bool:
        return hmac.compare_digest(self.write_key(session).encode(), key.encode())

    def _sign(self, purpose: str, text: str) -> str:
        return hmac.digest(self._secret, f"{purpose} {text}".encode(), "sha256").hex()


class Door(Record):
    """hosts: values of ``Host`` that are answered; origins: those of ``Origin`` that may write, both in lower case.

    A name of another site that resolves to this address is refused by its ``Host``: that is DNS rebinding.
    """

    hosts: frozenset[str]
    origins: frozenset[str]
    cookie: str
    is_secure: bool = False

    def admits(self, host: str) -> bool:
        return host.lower() in self.hosts

    def is_own(self, origin: str) -> bool:
        return origin.lower() in self.origins


def make_door(address: str, port: int, url: str | None = None) -> Door:
    """address: that it listens at; url: where a proxy serves it. For any address of the machine only ``url`` counts."""
    names = LOOPBACK_NAMES if is_loopback(address) else () if is_any(address) else (bracketed(address),)
    hosts = {f"{name}:{port}" for name in names} | (set(names) if port == 80 else set())
    origins = {f"http://{host}" for host in hosts}
    secure = False
    if url is not None:
        parts = urlsplit(url.lower())
        hosts.add(parts.netloc)
        origins.add(f"{parts.scheme}://{parts.netloc}")
        secure = parts.scheme == "https"
    return Door(frozenset(hosts), frozenset(origins), f"orchestra-{port}", secure)


def is_loopback(address: str) -> bool:
    from ipaddress import ip_address

    return ip_address(address).is_loopback


def is_any(address: str) -> bool:
    from ipaddress import ip_address

    return ip_address(address).is_unspecified
