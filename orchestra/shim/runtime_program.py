"""Another OCI runtime, run by runc's command line: crun, runc, youki and others take the same bundle.

Its state is kept in the container's directory, below ``runtime``. So is its bundle, since it may know an older version
of the specification than we write, and needs paths that do not depend on the current directory.
"""

from __future__ import annotations

import json
import os
import signal
import stat
from errno import EACCES, ECANCELED, ENOENT, ENOEXEC
from typing import Any, NoReturn

from orchestra.container import rootfs
from orchestra.container.configuration import SUBPATH
from orchestra.container.directory import RUNTIME_STATE
from orchestra.container.init import REAPER_ANNOTATION
from orchestra.container.mounts import open_below
from orchestra.linux import cgroup, namespaces, oom_score, process
from orchestra.linux.mounts import mount, mount_tree
from orchestra.linux.readiness import first_readable
from orchestra.linux.syscall import SystemCallError
from orchestra.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable, Mapping, Sequence

    from orchestra.container.directory import ContainerDirectory

OCI_VERSION = "1.0.2"  # every runtime knows it, and what newer versions added is passed on all the same
FAILED = 127
# Runtimes report errors only as text; these are the words that decide a command's exit code.
WORDS = (("no such file", ENOENT), ("not found", ENOENT), ("permission denied", EACCES), ("exec format", ENOEXEC))


def adapt(config: Mapping[str, Any], directory: str) -> dict[str, Any]:
    """The bundle's configuration, for a runtime that gets another directory as its bundle."""
    mounts = []
    for number, entry in enumerate(config.get("mounts") or ()):
        options = list(entry.get("options") or ())
        if entry.get("type") == "bind" and not {"bind", "rbind"}.intersection(options):
            options.append("rbind")
        bound = {"bind", "rbind"}.intersection(options)
        source = os.path.join(directory, entry["source"]) if bound else entry.get("source") or entry["type"]
        if SUBPATH in entry:
            source = _place(directory, number)
        if bound and not os.path.isdir(source):
            # For a file they mean the same without the recursive part, and crun accepts those for directories only.
            options = [option[1:] if option in mount.RECURSIVE else option for option in options]
        mounts.append({**entry, "source": source, "options": options})
    root = {**config["root"], "path": os.path.join(directory, config["root"]["path"])}
    return {**config, "ociVersion": OCI_VERSION, "root": root, "mounts": mounts}


def _place(directory: str, number: int) -> str:
    return f"{directory}/{RUNTIME_STATE}/subpaths/{number}"


class Subpath(NamedTuple):
    """The part of a bind's source to attach at ``place``: a runtime would follow links out of the source."""

    source: str
    path: str
    place: str
    destination: str

    def make_place(self) -> None:
        fd = open_below(self.source, self.path, about=self.destination)
        try:
            is_directory = stat.S_ISDIR(os.fstat(fd).st_mode)
        finally:
            os.close(fd)
        os.makedirs(self.place if is_directory else os.path.dirname(self.place), mode=0o700, exist_ok=True)
        if not is_directory:
            os.close(os.open(self.place, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))

    def attach(self) -> None:
        fd = open_below(self.source, self.path, about=self.destination)
        target = os.open(self.place, os.O_PATH | os.O_CLOEXEC)
        mount_tree.attach(mount_tree.clone(fd, recursive=True), target, about=self.destination)


class RuntimeProgram(NamedTuple):
    """path: absolute."""

    path: str
    directory: ContainerDirectory

    def file(self, name: str) -> str:
        return self.directory.file(f"{RUNTIME_STATE}/{name}")

    def create(
        self, config: Mapping[str, Any], layers: Iterable[Mapping[str, Any]], streams: Sequence[int], console: str
    ) -> int:
        """The pid of the first process, whose parent is the nearest subreaper. console: path of a socket, or empty."""
        os.makedirs(self.file("bundle"), mode=0o700, exist_ok=True)
        subpaths = [
            Subpath(entry["source"], entry[SUBPATH], _place(self.directory.path, number), entry["destination"])
            for number, entry in enumerate(config.get("mounts") or ())
            if SUBPATH in entry
        ]
        for subpath in subpaths:
            subpath.make_place()
        with open(self.file("bundle/config.json"), "w") as file:
            json.dump(adapt(config, self.directory.path), file)
        options = ["--console-socket", console] if console else []
        words = ["create", "--bundle", self.file("bundle"), "--pid-file", self.file("pid"), *options]
        program = config["process"]["args"][0]
        self._call([*words, self.directory.name], streams, layers, subpaths, program=program)
        return self._load_pid("pid")

    def start(self) -> None:
        self._call(["start", self.directory.name])

    def delete(self) -> None:
        """Delete whatever exists of it. Does nothing if nothing exists."""
        try:
            if os.path.isdir(self.file("state")):
                self._call(["delete", "--force", self.directory.name], tied=True)
        except OSError:
            # A shim that was killed may have begun the same: what it has done already is not a failure.
            if os.path.isdir(self.file(f"state/{self.directory.name}")):
                raise
        self.directory.remove_tree(RUNTIME_STATE)

    def execute(
        self, description: Mapping[str, Any], streams: Sequence[int], console: str, requester: socket.socket
    ) -> int:
        """The pid of one more program, whose parent is the nearest subreaper.

        Processes of the container may stop it on its way: if the requester hangs up, it and the runtime are killed.
        """
        own = f"exec-{os.getpid()}"
        with open(self.file(own), "w") as file:
            json.dump(dict(description), file)
        options = ["--console-socket", console] if console else []
        words = ["exec", "--process", self.file(own), "--pid-file", self.file(f"{own}.pid"), "--detach", *options]
        try:
            self._call([*words, self.directory.name], streams, program=description["args"][0], requester=requester)
            return self._load_pid(f"{own}.pid")
        finally:
            self.directory.remove(f"{RUNTIME_STATE}/{own}", f"{RUNTIME_STATE}/{own}.pid")

    def _load_pid(self, name: str) -> int:
        with open(self.file(name)) as file:
            return int(file.read())

    def _call(
        self,
        words: Sequence[str],
        streams: Sequence[int] = (),
        layers: Iterable[Mapping[str, Any]] = (),
        subpaths: Iterable[Subpath] = (),
        *,
        program: str = "",
        requester: socket.socket | None = None,
        tied: bool = False,
    ) -> None:
        """program: what to execute; errors about it read as if they were ours. tied: it dies with this process."""
        log = f"{RUNTIME_STATE}/log-{os.getpid()}"
        arguments = [self.path, "--root", self.file("state"), "--log", self.directory.file(log), "--log-format", "json"]
        own_pid = os.getpid()
        pid = os.fork()
        if pid == 0:
            if tied:
                process.prctl(process.PR_SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() != own_pid:
                    os._exit(1)
            if requester is not None:
                os.setsid()  # not every runtime gives the program a session of its own
            oom_score.restore()
            _become([*arguments, *words], streams, layers, self.directory.file("rootfs"), subpaths)
        if requester is not None and not _ends_before(pid, requester):
            _kill_with_children(pid)
        code = process.exit_code(os.waitpid(pid, 0)[1])
        said = _load_errors(self.directory.file(log))
        self.directory.remove(log)
        if code:
            name = os.path.basename(self.path)
            number = next((number for text, number in WORDS if text in said.lower()), ECANCELED)
            hint = said or f"{name} ended with {code}"
            if number != ECANCELED and program and (program in said or "executable" in said):
                raise SystemCallError(number, "execve", program, f"{name}: {said}")
            raise SystemCallError(number, f"{name} {words[0]}", self.directory.name, hint)


def _ends_before(pid: int, requester: socket.socket) -> bool:
    """Whether the process ends before the other side hangs up."""
    pidfd = os.pidfd_open(pid)
    try:
        return pidfd in first_readable([pidfd, requester.fileno()])
    finally:
        os.close(pidfd)


def _kill_with_children(pid: int) -> None:
    """For a process below a subreaper: what it has started becomes our child, and is killed as well."""
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        for child in file.read().split():
            os.kill(int(child), signal.SIGKILL)


def _become(
    arguments: Sequence[str],
    streams: Sequence[int],
    layers: Iterable[Mapping[str, Any]],
    root: str,
    subpaths: Iterable[Subpath],
) -> NoReturn:
    """Become the runtime, in a mount namespace of its own: the host never sees what is mounted for it."""
    try:
        process.restore_signals()
        namespaces.unshare(namespaces.CLONE_NEWNS)
        mount.mount("", "/", flags=mount.MS_REC | mount.MS_SLAVE)
        hierarchy = cgroup.machine_hierarchy()
        if hierarchy.version == 1 and hierarchy.v2:
            # It holds no controllers, but crun rejects a machine that has both versions, and runc leaves directories
            # there.
            mount.mount("tmpfs", hierarchy.v2, "tmpfs")
        for layer in layers:
            rootfs.mount_layer(layer, root)
        for subpath in subpaths:
            subpath.attach()
        null = os.open(os.devnull, os.O_RDWR)
        for number, fd in enumerate(streams or (null, null, null)):
            os.dup2(fd, number)
        process.close_on_exec_from(3)
        os.execv(arguments[0], list(arguments))
    except OSError as error:
        log = arguments[arguments.index("--log") + 1]
        with open(log, "w") as file:
            json.dump({"level": "error", "msg": f"{arguments[0]}: {error}"}, file)
    finally:
        os._exit(FAILED)


def _load_errors(path: str) -> str:
    """The errors in its log, the last one first: that one made the command fail."""
    try:
        with open(path, errors="replace") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return ""
    found = []
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if row.get("level") == "error" and row.get("msg") not in found:
            found.append(row.get("msg"))
    return "; ".join(reversed(found))


def lacks(config: Mapping[str, Any]) -> list[str]:
    """Sentences about features that only our own runtime has."""
    if (config.get("annotations") or {}).get(REAPER_ANNOTATION) == "true":
        return ["`init` is not applied: this runtime brings no reaper"]
    return []
