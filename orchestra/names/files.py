"""What stacks publish and how containers stand, read when it is asked for, and again only when it changes (inotify(7)).

Every file is watched before it is read, so no change is missed.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from errno import ENOENT, ENOTDIR

from orchestra.container.directory import ContainerDirectory
from orchestra.linux.inotify import (
    IN_ATTRIB,
    IN_CLOSE_WRITE,
    IN_CREATE,
    IN_DELETE,
    IN_DELETE_SELF,
    IN_IGNORED,
    IN_MOVE_SELF,
    IN_MOVED_FROM,
    IN_MOVED_TO,
    IN_Q_OVERFLOW,
    Inotify,
)
from orchestra.linux.resolv_conf import PATH, load_resolv_conf
from orchestra.named_tuple import NamedTuple
from orchestra.names.message import pack_address
from orchestra.names.zone import Directory, Named, Standing, View, directory_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

ENTRIES = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF
CONTENT = IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF
GONE = IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED
NETWORK, STATE, EXIT, HEALTH = "network.json", "state.json", "exit.json", "health.json"
ILL = ("starting", "unhealthy")


class Changes(NamedTuple):
    """names: whether answers may be others now. servers: whether the host's name servers may be."""

    names: bool = False
    servers: bool = False


class Files:
    """folder: with a folder for each network, and in it a file of each stack that publishes names there."""

    def __init__(self, folder: str, resolv_conf: str = PATH) -> None:
        self._folder, self._resolv_conf = folder, resolv_conf
        self._inotify = Inotify()
        self._paths: dict[int, str] = {}  # by the numbers of their watches
        self._numbers: dict[str, int] = {}
        self._known: dict[str, dict[str, Any]] = {"network": {}, "standing": {}, "view": {}}
        self._directories: dict[tuple[str, ...], Directory] = {}
        self._folders: set[str] = set()
        """Where a container's directory was missed."""
        self._servers: tuple[str, ...] | None = None
        self.all_watched = True
        """False once the kernel could watch no more paths: then nothing may be remembered any more."""

    def fileno(self) -> int:
        return self._inotify.fileno()

    def view(self, directory: str) -> View | None:
        """What the container of this directory may ask; None if it is not attached."""
        found: View | None = self._remember("view", directory, load_view)
        return found

    def standing(self, directory: str) -> Standing:
        """How the container of this directory stands."""
        found: Standing = self._remember("standing", directory, load_standing)
        return found

    def directory(self, networks: tuple[str, ...]) -> Directory:
        """What is published on these networks."""
        known = self._directories.get(networks)
        if known is None:
            published = [(network, entry) for network in networks for entry in self._published(network)]
            known = directory_of(published)
            if self.all_watched:
                self._directories[networks] = known
        return known

    def host_servers(self) -> tuple[str, ...]:
        """The host's name servers."""
        if self._servers is not None and self.all_watched:
            return self._servers
        # The name may be a link, and either end may be replaced.
        for path in dict.fromkeys((self._resolv_conf, os.path.realpath(self._resolv_conf))):
            self._watch(os.path.dirname(path), ENTRIES | IN_CLOSE_WRITE)
            self._watch(path, CONTENT)
        self._servers = load_resolv_conf(self._resolv_conf).nameservers
        return self._servers

    def close(self) -> None:
        self._inotify.close()

    def read_changes(self) -> Changes:
        """Forget what has changed since the last call; never waits."""
        names = servers = False
        for event in self._inotify.read():
            if event.mask & IN_Q_OVERFLOW:
                for known in self._known.values():
                    known.clear()
                self._directories.clear()
                names = servers = True
                continue
            path = self._paths.get(event.watch, "")
            if event.mask & GONE:
                self._forget_watch(event.watch, path, moved=bool(event.mask & IN_MOVE_SELF))
            if path.startswith(self._folder):
                # A folder of a network, or that of all, where one may have appeared.
                if event.mask & GONE or not event.name.startswith("."):
                    self._known["network"].clear()
                    self._directories.clear()
                    names = True
            elif path in self._folders:
                names = True
            elif path in self._known["standing"] or path in self._known["view"]:
                names = self._look_again(path, event.name, gone=bool(event.mask & GONE)) or names
            else:
                servers = True  # perhaps: the directories have other files, too
        if servers:
            before, self._servers = self._servers, None
            servers = before != self.host_servers()
        return Changes(names, servers)

    def _published(self, network: str) -> tuple[Named, ...]:
        found: tuple[Named, ...] = self._remember("network", f"{self._folder}/{network}", load_published)
        return found

    def _remember(self, kind: str, path: str, load: Callable[[str], Any]) -> Any:
        known = self._known[kind]
        if path in known and self.all_watched:
            return known[path]
        folder = os.path.dirname(path)
        if not self._watch(path, ENTRIES) and self._watch(folder, ENTRIES):
            # It appears in its folder, or has appeared there by now.
            self._folders.add(folder)
            self._watch(path, ENTRIES)
        found = load(path)
        if path in self._numbers:
            known[path] = found
        return found

    def _watch(self, path: str, mask: int) -> bool:
        """Whether changes of the path are told from now on."""
        if path in self._numbers:
            return True
        try:
            number = self._inotify.add(path, mask)
        except OSError as error:
            self.all_watched = self.all_watched and error.errno in (ENOENT, ENOTDIR)
            return False
        self._paths[number], self._numbers[path] = path, number
        return True

    def _forget_watch(self, number: int, path: str, *, moved: bool) -> None:
        """moved: the watch has gone with the file, and must be removed, unless the file is gone by now."""
        if moved:
            with suppress(OSError):
                self._inotify.remove(number)
        self._paths.pop(number, None)
        self._numbers.pop(path, None)

    def _look_again(self, directory: str, name: str, *, gone: bool) -> bool:
        """Whether an answer may be another one now."""
        changed = False
        if gone or name == NETWORK:
            changed = self._known["view"].pop(directory, None) is not None
        if (gone or name in (STATE, EXIT, HEALTH)) and directory in self._known["standing"]:
            before = self._known["standing"].pop(directory)
            changed = changed or before != self.standing(directory)
        return changed


def load_published(folder: str) -> tuple[Named, ...]:
    """Everything published on the network of this folder; a damaged file is rewritten by its stack."""
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".json") and not name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return ()
    found: list[Named] = []
    for name in names:
        try:
            with open(f"{folder}/{name}", "rb") as file:
                found += [_named(entry) for entry in json.load(file)]
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            continue
    return tuple(found)


def _named(entry: dict[str, Any]) -> Named:
    addresses = tuple(pack_address(address) for address in entry["addresses"])
    return Named(entry["container"], entry["directory"], addresses, tuple(entry["names"]))


def load_standing(directory: str) -> Standing:
    """A container runs between the records that its shim makes of a run's start and end."""
    files = ContainerDirectory(directory)
    if not files.has(STATE) or files.has(EXIT):
        return Standing()
    try:
        health = files.load_sound(HEALTH).get("health")
    except OSError:  # the directory is going
        return Standing()
    return Standing(runs=True, is_well=not (isinstance(health, dict) and health.get("status") in ILL))


def load_view(directory: str) -> View | None:
    try:
        content = ContainerDirectory(directory).load_sound(NETWORK)
        interfaces = content["interfaces"]
        return View(
            container=content["container"],
            networks=tuple(interface["network"] for interface in interfaces),
            forwards=any(interface.get("gateway") or interface.get("ipv6_gateway") for interface in interfaces),
            servers=tuple(content.get("nameservers", ())),
            links=tuple((name, container) for name, container in content.get("links", ())),
        )
    except (OSError, LookupError, TypeError, ValueError, AttributeError):
        return None
