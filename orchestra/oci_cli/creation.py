"""Making a container: record, group, first process, in this order, so that the remains can be found and removed."""

from __future__ import annotations

import os
import signal
import socket
import time
from errno import EACCES, ECANCELED, EPERM, EROFS

from orchestra.container import device_nodes, hooks, init, isolation, starting
from orchestra.container.configuration import read_configuration, read_linux
from orchestra.container.settings import Settings
from orchestra.container.starting import StartingProcess
from orchestra.linux import cgroup, process, unix_socket, user_namespace
from orchestra.linux.syscall import SystemCallError
from orchestra.named_tuple import NamedTuple
from orchestra.oci_cli import console, fault
from orchestra.oci_cli.container import SECCOMP, Container, Found, describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.oci_cli.bundle import Bundle
    from orchestra.oci_cli.readiness import Readiness
    from orchestra.oci_cli.report import Report

# Nodes may be made, but not used; the default devices, the console, terminals and their multiplexer may be used.
DEVICE_RULES = (
    ("c", -1, -1, "m"),
    ("b", -1, -1, "m"),
    *(("c", major, minor, "rwm") for _name, major, minor in device_nodes.DEVICES),
    ("c", 5, 1, "rwm"),
    ("c", 5, 2, "rwm"),
    ("c", 136, -1, "rwm"),
)


class Wishes(NamedTuple):
    """The caller's choices. start: run the program at once, with this process as its parent."""

    start: bool
    console: socket.socket | None
    pid_file: str | None
    preserved: int
    pivot: bool
    own_keyring: bool


class Made(NamedTuple):
    """master: of its terminal, if this process must keep it, or -1; readiness: of its program, if to be reported."""

    pid: int
    master: int
    readiness: Readiness | None


def create(container: Container, bundle: Bundle, wishes: Wishes, report: Report) -> Made:
    """All or nothing. On return the lock is held, and the record is complete."""
    container.make()
    fault.reach("directory")
    making = _Creation(container, bundle, wishes, report)
    try:
        return making.make()
    except BaseException:
        making.undo()
        raise


class _Creation:
    def __init__(self, container: Container, bundle: Bundle, wishes: Wishes, report: Report) -> None:
        self.container, self.bundle, self.wishes, self.report = container, bundle, wishes, report
        self.group = cgroup.at(
            bundle.cgroup, owner=container.directory.path, annotations=bundle.config.get("annotations")
        )
        self.record = _describe(container, bundle)
        self.grouped = False
        self.pid = 0
        self.first: StartingProcess | None = None
        self.readiness: Readiness | None = None

    def make(self) -> Made:
        rdt = (self.bundle.config.get("linux") or {}).get("intelRdt")
        if rdt is not None:
            from orchestra.linux import resctrl

            classes = resctrl.plan(rdt, self.container.name)
            self.record["resctrl"] = {"groups": classes.directories, "made": classes.missing()}
        self.container.store(self.record)
        fault.reach("record")
        settings = self._store_settings()
        fault.reach("settings")
        self.grouped = True
        self._make_group()
        if rdt is not None:
            resctrl.create(classes)
        fault.reach("cgroup")
        first = self._fork(settings)
        fault.reach("fork")
        if rdt is not None:
            resctrl.enter(classes.directories, self.pid)
        self.record |= {"pid": self.pid, "start_time": process.start_time(self.pid)}
        self.container.store(self.record)
        fault.reach("identified")
        while not first.created and first.hear():
            continue
        self._expect(first.created)
        fault.reach("created")
        if self.wishes.console is not None:
            master = first.take_master()
            console.send_master(self.wishes.console, master)
            os.close(master)
        if self.wishes.pid_file is not None:
            store_pid(self.wishes.pid_file, self.pid)
        fault.reach("pid-file")
        self.record["creator"] = None
        self.container.store(self.record)
        fault.reach("recorded")
        if self.wishes.start:
            # The program may send a signal that must be passed on before this process is ready for it.
            signal.pthread_sigmask(signal.SIG_BLOCK, console.FORWARDED)
        first.channel.send(init.START if self.wishes.start else init.WAIT)
        fault.reach("released")
        if self.wishes.start:
            while first.hear():
                continue
            self._expect(first.executing)
        first.channel.close()
        return Made(self.pid, first.master, self.readiness)

    def _make_group(self) -> None:
        """Make no group for a user other than the machine's root who has no right to the machine's groups."""
        resources = _resources(self.bundle.config)
        if os.geteuid():
            resources.pop("devices", None)  # only root could load them; nodes can only be bound, and keep their mode
        try:
            warnings = self.group.create(resources)
        except OSError as error:
            if error.errno not in (EACCES, EPERM, EROFS) or (os.geteuid() == 0 and user_namespace.is_initial()):
                raise
            self.group = cgroup.Cgroup()
            self.record["cgroup"] = ""
            warnings = [f"no cgroup, so no limits: {error}"] if self.group.create(resources) else []
            self.report.debug(f"no cgroup: {error}")
        for warning in warnings:
            self.report.warning(warning)

    def undo(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        if self.grouped:
            try:
                self.group.kill()
                self.group.remove()
            except OSError as error:
                self.report.warning(f"{error}: left behind")
                return
        self.container.remove_resctrl(self.record)
        self.container.unmount(self.record)
        if self.first is not None and self.first.hooked:
            hooks.run_all(
                read_configuration(self.bundle.config), "poststop", self._describe("stopped"), self.report.warning
            )
        self.container.remove()

    def _store_settings(self) -> Settings:
        config, directory = self.bundle.config, self.container.directory
        filter_file = ""
        profile = (config.get("linux") or {}).get("seccomp")
        if profile:
            from orchestra.linux.security import libseccomp

            with open(directory.file(SECCOMP), "wb") as file:
                file.write(libseccomp.compile_profile(profile))
            filter_file = directory.file(SECCOMP)
        if "NOTIFY_SOCKET" in os.environ:
            from orchestra.oci_cli import readiness

            readiness.offer(directory, config)
            self.readiness = readiness.Readiness(directory) if self.wishes.start else None
        directory.store("config.json", config)
        return Settings(
            seccomp=filter_file,
            inherited_streams=True,
            pivot=self.wishes.pivot,
            preserved=self.wishes.preserved,
            keyring=self.container.name if self.wishes.own_keyring else "",
            unmounted=True,
        )

    def _fork(self, settings: Settings) -> StartingProcess:
        gate = None if self.wishes.start else unix_socket.listen(self.container.gate, kind=socket.SOCK_SEQPACKET)
        config, warn = read_configuration(self.bundle.config), self.report.warning
        self.pid, channel = starting.fork(
            config, settings, self.bundle.path, self.group, warn, gate=gate, let_go=self._let_go
        )
        self.first = StartingProcess(config, channel, self._describe, warn)
        if gate is not None:
            gate.close()
        return self.first

    def _let_go(self, _channel: int) -> None:
        # The lock belongs to the open file: the container's first process would hold it as long as it has the file.
        self.container.unlock()
        if self.wishes.console is not None:
            self.wishes.console.close()

    def _describe(self, status: str) -> dict[str, Any]:
        return describe(Found(self.record, status, 0 if status == "stopped" else self.pid), self.container.name)

    def _expect(self, said: bool) -> None:
        if not said:
            hint = "its first process was killed while it was being set up"
            if self.group.oom_kills():
                hint += ": the memory limit is too small"
            raise SystemCallError(ECANCELED, "create", self.container.name, hint)


def store_pid(path: str, pid: int) -> None:
    """Written completely: a program that watches for the file never reads half a number."""
    temporary = f"{path}.{os.getpid()}.new"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        os.write(fd, str(pid).encode())
    finally:
        os.close(fd)
    os.rename(temporary, path)


def _resources(config: dict[str, Any]) -> dict[str, Any]:
    """As configured, but if there are device rules, the default devices are allowed: a container cannot be made without
    them, and callers leave them out."""
    resources = dict((config.get("linux") or {}).get("resources") or {})
    if resources.get("devices"):
        rules = [
            {"allow": True, "type": kind, "major": major, "minor": minor, "access": access}
            for kind, major, minor, access in DEVICE_RULES
        ]
        resources["devices"] = [*resources["devices"], *rules]
    return resources


def _describe(container: Container, bundle: Bundle) -> dict[str, Any]:
    """The record before there is a process. creator: the process that is making it; None once it has finished."""
    now = time.time_ns()
    own = process.identify(os.getpid())
    return {
        "id": container.name,
        "pid": 0,
        "start_time": 0,
        "creator": {"pid": own.pid, "start_time": own.start_time},
        "bundle": bundle.path,
        "rootfs": os.path.normpath(bundle.rootfs),
        "root_mount": _root_mount(bundle),
        "cgroup": bundle.cgroup,
        "created": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now // 10**9))}.{now % 10**9:09}Z",
        "owner": _owner(os.geteuid()),
        "annotations": bundle.config.get("annotations") or {},
    }


def _root_mount(bundle: Bundle) -> dict[str, int] | None:
    """If the container shares the caller's mounts, what its root was before it mounts anything."""
    if "mount" in isolation.Namespaces(read_linux(bundle.config.get("linux") or {})):
        return None
    from orchestra.oci_cli.root_mount import describe_root

    return describe_root(bundle.rootfs)


def _owner(uid: int) -> str:
    if uid == 0:
        return "root"
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
