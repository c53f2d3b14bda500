"""An OCI configuration as values: the parts that are read, under our own names (runtime specification, config).

A field is the property of the same name, ``uid_mappings`` being ``uidMappings``; null is as good as nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from errno import EINVAL

from orchestra.linux.syscall import SystemCallError
from orchestra.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, Self

Rows = Sequence[Mapping[str, int]]
"""Of a map of users or groups: containerID, hostID, size."""

SUBPATH = "io.orchestra.subpath"
"""Property of a bind in ``mounts``: the path below its source that is bound, as it is when the container starts."""


class Object(Record):
    """A JSON object of the configuration."""

    _keys: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._keys = {_property(field): field for field in cls._fields}

    @classmethod
    def read(cls, described: Mapping[str, Any]) -> Self:
        """Raises SystemCallError if required keys are missing, AttributeError if ``described`` is not an object."""
        keys = cls._keys
        given = {keys[key]: value for key, value in described.items() if key in keys and value is not None}
        try:
            return cls(**given)
        except TypeError:
            missing = next(key for key, field in keys.items() if field not in {**cls._field_defaults, **given})
            raise SystemCallError(EINVAL, "config", cls.__name__.lower(), f"it has no {missing}") from None


def _property(field: str) -> str:
    if field == "subpath":
        return SUBPATH
    first, *others = field.split("_")
    return first + "".join(map(str.title, others))


class Mount(Object):
    """subpath: of ``SUBPATH``."""

    destination: str
    type: str = ""
    source: str | None = None
    options: Sequence[str] = ()
    uid_mappings: Rows = ()
    gid_mappings: Rows = ()
    subpath: str | None = None


class Device(Object):
    path: str
    type: str
    major: int = 0
    minor: int = 0
    file_mode: int = 0o666
    uid: int = 0
    gid: int = 0


class Namespace(Object):
    """path: of a namespace to join; empty for a new one."""

    type: str
    path: str = ""


class Hook(Object):
    """timeout: in seconds. env: None if the configuration does not set it."""

    path: str
    args: Sequence[str] = ()
    env: Sequence[str] | None = None
    timeout: float | None = None


class Root(Object):
    path: str = ""
    readonly: bool = False


class Personality(Object):
    domain: str | None = None


class Linux(Object):
    """Mappings are as in the configuration."""

    namespaces: Sequence[Namespace] = ()
    uid_mappings: Rows = ()
    gid_mappings: Rows = ()
    time_offsets: Mapping[str, Mapping[str, int]] = {}
    devices: Sequence[Device] = ()
    cgroups_path: str = ""
    resources: Mapping[str, Any] = {}
    sysctl: Mapping[str, str] = {}
    seccomp: Mapping[str, Any] = {}
    rootfs_propagation: str = ""
    masked_paths: Sequence[str] = ()
    readonly_paths: Sequence[str] = ()
    mount_label: str = ""
    personality: Personality = Personality()


class Configuration(Object):
    """process: as ``parse_process`` takes it. hooks: by their kind."""

    oci_version: str = ""
    process: Mapping[str, Any] = {}
    root: Root = Root()
    mounts: Sequence[Mount] = ()
    hooks: Mapping[str, Sequence[Hook]] = {}
    hostname: str = ""
    domainname: str = ""
    annotations: Mapping[str, str] = {}
    linux: Linux = Linux()


def read_linux(described: Mapping[str, Any]) -> Linux:
    """Raises SystemCallError, TypeError or AttributeError for what cannot be understood."""
    nested = {
        "namespaces": tuple(map(Namespace.read, described.get("namespaces") or ())),
        "devices": tuple(map(Device.read, described.get("devices") or ())),
        "personality": Personality.read(described.get("personality") or {}),
    }
    return Linux.read({**described, **nested})


def read_configuration(described: Mapping[str, Any]) -> Configuration:
    """Raises SystemCallError, TypeError or AttributeError for what cannot be understood."""
    nested = {
        "root": Root.read(described.get("root") or {}),
        "mounts": tuple(map(Mount.read, described.get("mounts") or ())),
        "hooks": {kind: tuple(map(Hook.read, hooks or ())) for kind, hooks in (described.get("hooks") or {}).items()},
        "linux": read_linux(described.get("linux") or {}),
    }
    return Configuration.read({**described, **nested})
