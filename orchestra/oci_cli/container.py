"""The state directory of one container: its lock, its record, and the state that follows from record and kernel."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from errno import EAGAIN, EBUSY, ECONNREFUSED, EEXIST, EINVAL, ENOENT

from orchestra.container import oci
from orchestra.container.directory import ContainerDirectory
from orchestra.linux import cgroup, namespaces, process, unix_socket
from orchestra.linux.cgroup import freezer
from orchestra.linux.syscall import SystemCallError
from orchestra.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

GATE = "start.sock"
SECCOMP = "seccomp"
NOTIFY = "notify"
RECORD = "state.json"
FILES = (GATE, SECCOMP, "config.json", ".config.json.new", ".state.json.new")
LOCK_SECONDS = 10.0
ID_LENGTH = 255  # it is the name of a directory


class Found(NamedTuple):
    """A container as it is now. status: as in the OCI runtime spec, or ``paused``; pid: 0 once it has stopped."""

    record: dict[str, Any]
    status: str
    pid: int


class Container:
    def __init__(self, root: str, name: str) -> None:
        strange = [c for c in name if not (c.isascii() and (c.isalnum() or c in "_+-."))]
        if strange or name in ("", ".", "..") or len(name) > ID_LENGTH:
            said = f"invalid character `{strange[0]}` in the ID: " if strange else ""
            raise SystemCallError(EINVAL, "container", name, f"{said}use only letters, digits and _ + - .")
        self.name = name
        self.directory = ContainerDirectory(f"{root}/{name}")
        self._lock = -1

    @property
    def gate(self) -> str:
        return self.directory.file(GATE)

    def load(self) -> dict[str, Any]:
        record = self.directory.load_if_there(RECORD)
        if record is None:
            raise SystemCallError(ENOENT, "container", self.name, "container does not exist")
        return record

    def store(self, record: dict[str, Any]) -> None:
        self.directory.store(RECORD, record)

    def find(self) -> Found:
        record = self.load()
        pid, creator = record["pid"], record["creator"]
        if creator is not None and process.is_alive(process.Process(creator["pid"], creator["start_time"])):
            return Found(record, "creating", pid)
        if not pid or not process.is_alive(self.process_of(record)):
            return Found(record, "stopped", 0)
        if freezer.is_frozen(self.group_of(record)):
            return Found(record, "paused", pid)
        return Found(record, "created" if self._waits() else "running", pid)

    def find_running(self, *statuses: str) -> Found:
        """The container, if it is in one of these states; otherwise the error says which it is in."""
        found = self.find()
        if found.status not in statuses:
            raise SystemCallError(EINVAL, "container", self.name, f"it is {found.status}, not {' or '.join(statuses)}")
        return found

    def _waits(self) -> bool:
        """Whether it still listens for ``start``: a connection without a message does not disturb it."""
        try:
            unix_socket.connect(self.gate, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK).close()
        except OSError as error:
            if error.errno not in (ENOENT, ECONNREFUSED, EAGAIN):
                raise
            return error.errno == EAGAIN  # it is frozen with a full queue
        return True

    @staticmethod
    def process_of(record: dict[str, Any]) -> process.Process:
        return process.Process(record["pid"], record["start_time"])

    def group_of(self, record: dict[str, Any]) -> cgroup.Cgroup:
        return cgroup.at(record["cgroup"], owner=self.directory.path)

    @staticmethod
    def remove_resctrl(record: dict[str, Any]) -> None:
        """Remove the Intel RDT groups that were made for it."""
        if record.get("resctrl"):
            from orchestra.linux import resctrl

            resctrl.remove(record["resctrl"]["made"], record["id"])

    @staticmethod
    def unmount(record: dict[str, Any]) -> None:
        """Unmount what is left of a container without a mount namespace of its own."""
        if record.get("root_mount"):
            from orchestra.oci_cli.root_mount import uncover_root

            uncover_root(record["rootfs"], record["root_mount"])

    def processes(self, found: Found) -> list[int]:
        """All processes of its group or, without one, of its own PID namespace."""
        return self.group_of(found.record).processes() or (namespaces.processes_beside(found.pid) if found.pid else [])

    def make(self) -> None:
        """Make the directory and lock it, or take over one that a killed creation or removal left empty."""
        while True:
            try:
                os.mkdir(self.directory.path, 0o711)
            except FileExistsError:
                if self.directory.has(RECORD):
                    raise SystemCallError(
                        EEXIST, "create", self.name, "a container with this ID already exists"
                    ) from None
            if self.lock():
                break
        if self.directory.has(RECORD):
            raise SystemCallError(EEXIST, "create", self.name, "a container with this ID already exists")

    def lock(self) -> bool:
        """Lock it, so that no other process changes it. False if it was removed meanwhile."""
        try:
            fd = os.open(self.directory.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    os.close(fd)
                    raise SystemCallError(EBUSY, "flock", self.name, "another command is changing it") from None
                time.sleep(0.005)
        try:
            here = os.stat(self.directory.path)
        except FileNotFoundError:
            os.close(fd)
            return False
        if (here.st_dev, here.st_ino) != (os.fstat(fd).st_dev, os.fstat(fd).st_ino):
            os.close(fd)
            return False
        self._lock = fd
        return True

    def lock_existing(self) -> None:
        if not self.lock():
            raise SystemCallError(ENOENT, "container", self.name, "container does not exist")

    def unlock(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def remove(self) -> None:
        """Remove the record last, just before the directory: until then everything can be found again."""
        if self.directory.has(NOTIFY):
            self.directory.remove_tree(NOTIFY)
        self.directory.remove(*FILES, RECORD)
        try:
            os.rmdir(self.directory.path)
        except FileNotFoundError:
            return


def describe(found: Found, name: str) -> dict[str, Any]:
    """The state as in the OCI runtime spec, and what ``runc state`` adds to it."""
    record = found.record
    state = oci.state(name, found.status, found.pid, record["bundle"], record["annotations"])
    annotations = state.pop("annotations", None)
    state |= {key: record[key] for key in ("rootfs", "created")}
    if annotations:
        state["annotations"] = annotations
    state["owner"] = record["owner"]
    return state
