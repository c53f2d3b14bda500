"""What starting a container needs beyond its OCI configuration: from ``shim.json``, or a runtime without a shim."""

from __future__ import annotations

from orchestra.container.directory import DamagedFile
from orchestra.record import Record, fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from orchestra.container.directory import ContainerDirectory

FILE = "shim.json"


class Log(Record):
    """Where the container's output goes. max_size: in bytes, 0 for no limit.

    followers: the directory of their sockets.
    """

    path: str
    max_size: int = 0
    max_file: int = 1
    followers: str = ""


class Tls(Record):
    """name: of the receiver, which its certificate must have; the rest as in ``orchestra.model.logging.Tls``."""

    name: str
    ca: str = ""
    certificate: str = ""
    key: str = ""
    verify: bool = True


class Receiver(Record):
    """Where log lines go besides the file. kind: ``syslog`` or ``journald``; address: ``tcp://NUMBER:PORT``, ``udp://``
    likewise, ``unix://PATH``. tag: as it is sent. fields: of each entry of a journal. buffer: bytes that may wait.
    tls: of a ``tcp`` address, None without.
    """

    kind: str
    address: str
    tag: str
    facility: int = 3
    format: str = ""
    fields: Mapping[str, str] = {}
    buffer: int = 1 << 20
    tls: Tls | None = None


class Settings(Record):
    """rootfs: the layers, as entries of ``mounts``, made over rootfs/ in order. log: None for none. receiver: None for
    the log alone. stdin: whether there is standard input. runtime: the path of another OCI runtime. seccomp: the file
    of its compiled filter.

    Of a runtime without a shim: inherited_streams: use the caller's. pivot: false if the host's root cannot be pivoted
    away from. preserved: how many descriptors from 3 up the program gets. keyring: the name of a session keyring of
    its own. unmounted: the mounts of a container without a mount namespace are undone when it ends.
    """

    rootfs: Sequence[Mapping[str, Any]] = ()
    log: Log | None = None
    receiver: Receiver | None = None
    stdin: bool = False
    caller: str = ""
    runtime: str = ""
    seccomp: str = ""
    inherited_streams: bool = False
    pivot: bool = True
    preserved: int = 0
    keyring: str = ""
    unmounted: bool = False


def load_settings(directory: ContainerDirectory) -> Settings:
    """Raises FileNotFoundError or DamagedFile."""
    content = directory.load(FILE)
    try:
        log, receiver = content.pop("log", None), content.pop("receiver", None)
        return Settings(**content, log=Log(**log) if log else None, receiver=_receiver(receiver) if receiver else None)
    except TypeError as error:
        raise DamagedFile(directory.file(FILE), str(error)) from error


def _receiver(described: dict[str, Any]) -> Receiver:
    tls = described.pop("tls", None)
    return Receiver(**described, tls=Tls(**tls) if tls else None)


def _described(receiver: Receiver) -> dict[str, Any]:
    return {**fields(receiver), "tls": None if receiver.tls is None else fields(receiver.tls)}


def store_settings(directory: ContainerDirectory, settings: Settings) -> None:
    log, receiver = settings.log, settings.receiver
    inner = {"log": log and fields(log), "receiver": receiver and _described(receiver)}
    directory.store(FILE, {**fields(settings), **inner})
