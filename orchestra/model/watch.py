"""What is to happen when files of the host change: the rules of ``develop.watch``, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from orchestra.model.location import Location
from orchestra.record import Record


class WatchAction(StrEnum):
    """The actions of the Compose Develop Specification."""

    REBUILD = "rebuild"
    SYNC = "sync"
    RESTART = "restart"
    SYNC_RESTART = "sync+restart"
    SYNC_EXEC = "sync+exec"

    @property
    def syncs(self) -> bool:
        return self in (WatchAction.SYNC, WatchAction.SYNC_RESTART, WatchAction.SYNC_EXEC)

    @property
    def restarts(self) -> bool:
        return self in (WatchAction.RESTART, WatchAction.SYNC_RESTART)


class WatchCommand(Record):
    """What ``sync+exec`` runs in each container of the service."""

    command: tuple[str, ...]
    user: str = ""
    privileged: bool = False
    working_directory: str = ""
    environment: Mapping[str, str] = {}


class WatchRule(Record):
    """One entry of a service's ``develop.watch``.

    path: absolute, of a file or a directory of the host; target: its absolute path in the container, for the actions
    that sync. ignore, include: patterns of ``.dockerignore`` files, relative to ``path``. context: the directory of the
    service's build, absolute, or empty; dockerfile: its file, if that is on this machine. is_mounted: a bind mount of
    the service shows the files in the container already. is_built: it has a build. location: of the action in the file.
    """

    service: str
    path: str
    action: WatchAction
    target: str = ""
    ignore: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    initial_sync: bool = False
    exec: WatchCommand | None = None
    context: str = ""
    dockerfile: str = ""
    is_mounted: bool = False
    is_built: bool = False
    location: Location | None = None


class WatchRules(Record):
    """Those of the chosen services, in the order of the file."""

    stack: str
    rules: tuple[WatchRule, ...]
