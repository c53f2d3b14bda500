"""What devices add to a container, as files of the Container Device Interface (CDI) say: its ``containerEdits``."""

from __future__ import annotations

from orchestra.record import Record


class DeviceNode(Record):
    """host_path: '' for the same as path. What is None, and an empty kind, is as of the host's node."""

    path: str
    host_path: str = ""
    kind: str = ""
    major: int | None = None
    minor: int | None = None
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    permissions: str = "rwm"


class EditMount(Record):
    source: str
    target: str
    kind: str = "bind"
    options: tuple[str, ...] = ()


class EditHook(Record):
    """name: as of the OCI runtime specification; timeout in seconds, 0 for none."""

    name: str
    path: str
    arguments: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    timeout: int = 0


class DeviceEdits(Record):
    """environment: ``NAME=value``. groups: further ones of the process."""

    environment: tuple[str, ...] = ()
    nodes: tuple[DeviceNode, ...] = ()
    mounts: tuple[EditMount, ...] = ()
    hooks: tuple[EditHook, ...] = ()
    groups: tuple[int, ...] = ()

    def __add__(self, other: DeviceEdits) -> DeviceEdits:
        return DeviceEdits(
            self.environment + other.environment,
            self.nodes + other.nodes,
            self.mounts + other.mounts,
            self.hooks + other.hooks,
            self.groups + other.groups,
        )
