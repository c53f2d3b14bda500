"""Where to ask for an image: containers-registries.conf(5), version 2, and the certificates of registries.

It reads ``[[registry]]`` tables with ``prefix``, ``location``, ``insecure``, ``blocked``, ``mirror-by-digest-only``
and ``[[registry.mirror]]``. Short names are Docker's here (``name``), so ``unqualified-search-registries``,
``short-name-mode`` and ``[aliases]`` are ignored.
"""

from __future__ import annotations

import ipaddress
import os
from typing import TYPE_CHECKING, Any

from orchestra.driver.local.image.naming.name import ImageName, endpoint_of
from orchestra.errors import FatalError
from orchestra.record import Record, replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SYSTEM = "/etc/containers/registries.conf"


class Place(Record):
    """One repository at one server. insecure: accept any certificate, and plain HTTP.

    host: the key of credentials and certificates; endpoint: host and port to connect to.
    """

    host: str
    endpoint: str
    path: str
    insecure: bool

    def __str__(self) -> str:
        return f"{self.host}/{self.path}"


def find_places(name: ImageName, environment: Mapping[str, str]) -> tuple[Place, ...]:
    """Where to pull from, mirrors first. Raises FatalError for a blocked registry or an invalid file."""
    table = _matching(name.repository, environment)
    if table is None:
        return (_place(name.repository, False),)
    if table.get("blocked"):
        raise FatalError(f"image {name}: its registry is blocked", hint="remove `blocked = true` from registries.conf")
    prefix = table.get("prefix") or table["location"]
    places = []
    for mirror in table.get("mirror", ()):
        default = "digest-only" if table.get("mirror-by-digest-only") else "all"
        kind = mirror.get("pull-from-mirror", default)
        if kind == "all" or (kind == "digest-only") == bool(name.digest):
            location = _rewritten(name.repository, prefix, mirror["location"])
            places.append(_place(location, bool(mirror.get("insecure"))))
    return (*places, _own(name, table))


def find_place(name: ImageName, environment: Mapping[str, str], *, insecure: bool = False) -> Place:
    """Where to push to: never a mirror. insecure: whatever the settings say."""
    place = find_places(name, environment)[-1]
    return replace(place, insecure=True) if insecure else place


def certificate_directories(host: str, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Directories for certificates of one registry, containers-certs.d(5): dockerd's own, the system's, the user's."""
    return (
        f"/etc/docker/certs.d/{host}",
        f"/etc/containers/certs.d/{host}",
        f"{_settings(environment)}/certs.d/{host}",
    )


def _own(name: ImageName, table: Mapping[str, Any]) -> Place:
    location = table.get("location") or ""
    prefix = table.get("prefix") or location
    repository = _rewritten(name.repository, prefix, location) if location else name.repository
    return _place(repository, bool(table.get("insecure")))


def _place(location: str, insecure: bool) -> Place:
    host, _, path = location.partition("/")
    return Place(host, endpoint_of(host), path, insecure or _is_loopback(host))


def _is_loopback(host: str) -> bool:
    """As in dockerd: a connection that never leaves this machine needs no certificate."""
    bare = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and host.rpartition(":")[0] else host
    if bare == "localhost":
        return True
    try:
        return ipaddress.ip_address(bare.strip("[]")).is_loopback
    except ValueError:
        return False


def _rewritten(repository: str, prefix: str, location: str) -> str:
    if prefix.startswith("*."):
        return location + "/" + repository.partition("/")[2]
    return location + repository[len(prefix) :]


def _matching(repository: str, environment: Mapping[str, str]) -> Mapping[str, Any] | None:
    """The table with the longest prefix; among equal ones that of the last file."""
    best: tuple[int, Mapping[str, Any]] | None = None
    for path in _files(environment):
        for table in _tables(path):
            prefix = table.get("prefix") or table.get("location") or ""
            if _suits(repository, prefix) and (best is None or len(prefix) >= best[0]):
                best = (len(prefix), table)
    return None if best is None else best[1]


def _suits(repository: str, prefix: str) -> bool:
    if prefix.startswith("*."):
        return repository.partition("/")[0].endswith(prefix[1:])
    following = repository[len(prefix) : len(prefix) + 1]
    return bool(prefix) and repository.startswith(prefix) and following in ("", "/")


def _files(environment: Mapping[str, str]) -> Iterable[str]:
    if chosen := environment.get("CONTAINERS_REGISTRIES_CONF"):
        return (chosen,)
    own = f"{_settings(environment)}/registries.conf"
    main = own if os.path.exists(own) else SYSTEM
    return (main, *_more(f"{SYSTEM}.d"), *_more(f"{own}.d"))


def _settings(environment: Mapping[str, str]) -> str:
    """The user's own directory for container tools."""
    home = environment.get("HOME") or os.path.expanduser("~")
    return f"{environment.get('XDG_CONFIG_HOME') or f'{home}/.config'}/containers"


def _more(directory: str) -> list[str]:
    try:
        return [f"{directory}/{name}" for name in sorted(os.listdir(directory)) if name.endswith(".conf")]
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []


def _tables(path: str) -> list[Mapping[str, Any]]:
    if not os.path.exists(path):
        return []
    import tomllib  # few machines have such a file

    try:
        with open(path, "rb") as file:
            document = tomllib.load(file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FatalError(f"{path} is not TOML: {error}", hint="see registries.conf(5)") from error
    tables = document.get("registry", [])
    if not isinstance(tables, list) or not all(map(_is_sound, tables)):
        hint = "each [[registry]] needs a prefix or a location, and each mirror a location: see registries.conf(5)"
        raise FatalError(f"{path}: a registry or a mirror lacks its location", hint=hint)
    return tables


def _is_sound(table: object) -> bool:
    if not isinstance(table, dict):
        return False
    mirrors = table.get("mirror", [])
    texts = [table.get("prefix", ""), table.get("location", "")]
    if not isinstance(mirrors, list) or not all(isinstance(mirror, dict) for mirror in mirrors):
        return False
    located = all(isinstance(mirror.get("location"), str) and mirror["location"] for mirror in mirrors)
    return located and all(isinstance(text, str) for text in texts) and any(texts)
