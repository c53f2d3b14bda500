"""A stack of hand-made bundles on a real fork server. The root of each container is busybox under an overlay.

Every test has a home and a cgroup of its own; when it ends, nothing of either may be left on the machine.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import struct
import time
from contextlib import suppress
from pathlib import Path

import pytest

from orchestra.home import Home
from orchestra.linux import cgroup, process, unix_socket
from orchestra.shim import client, launch
from tests.run import word

LACK = "needs root to make containers" if os.geteuid() != 0 else ""
LACK = LACK or ("" if shutil.which("busybox") else "needs the program busybox (Debian: busybox-static)")

# Ends with 0 when somebody connects to the control socket, or when the fork server is gone.
SUPERVISOR = """
import os, select, socket
control, parent = (int(os.environ[f"ORCHESTRA_{name}_FD"]) for name in ("CONTROL", "PARENT"))
if control in select.select([control, parent], [], [])[0]:
    socket.socket(fileno=control).accept()
"""

APPLETS = """
cat chmod chown cp date dd df echo env false find grep groups head hostname id kill ln ls mkdir mknod mount nc nproc ps
printf pwd readlink rm seq setsid sh sleep sort stat stty sync tail test touch tr true tty uniq wc yes
"""
CAPABILITIES = (
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
)

MOUNTS = (
    {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=64k"]},
    {
        "destination": "/dev/pts",
        "type": "devpts",
        "source": "devpts",
        "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
    },
    {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
)
NAMESPACES = ("pid", "mount", "ipc", "uts", "network", "cgroup")


def eventually(condition, seconds=30.0):
    """The first true value of ``condition``, looked at again and again; fails when there is none in time.

    It pauses for as long as the last look took, which may have been a whole command.
    """
    end = time.monotonic() + seconds
    while (began := time.monotonic()) < end:
        if value := condition():
            return value
        time.sleep(max(0.003, time.monotonic() - began))
    raise AssertionError("it does not come about")


def wait_for_exit(pid_or_pidfd):
    """Until a pidfd is readable."""
    assert select.select([pid_or_pidfd], [], [], 30)[0], "it does not end"


@pytest.fixture(scope="session")
def tree(tmp_path_factory):
    """What containers see as their root, below their own writable layer."""
    root = tmp_path_factory.mktemp("tree")
    root.chmod(0o755)
    for name in ("usr/bin", "etc", "proc", "dev", "sys", "tmp", "run", "root"):
        (root / name).mkdir(parents=True)
    (root / "bin").symlink_to("usr/bin")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/:/bin/sh\n")
    (root / "etc/secret").write_text("secret\n")
    shutil.copy(shutil.which("busybox"), root / "usr/bin/busybox")
    for applet in APPLETS.split():
        (root / "usr/bin" / applet).symlink_to("busybox")
    return root


class Container:
    """One container directory and what a test asks of it."""

    def __init__(self, stack, name, config, settings) -> None:
        self.stack = stack
        self.name = name
        self.directory = stack.home.container(name)
        self.config = config
        self.settings = settings
        self.log = Path(stack.home.logs, f"{name}.log")

    @property
    def cgroup(self):
        return cgroup.at(self.config["linux"]["cgroupsPath"])

    def write(self):
        Path(self.directory, "config.json").write_text(json.dumps(self.config))
        Path(self.directory, "shim.json").write_text(json.dumps(self.settings))

    def run(self):
        return client.run(self.stack.home.fork_socket, self.directory)

    def create(self):
        return client.create(self.stack.home.fork_socket, self.directory)

    def state(self):
        return client.state(self.directory)

    def wait(self):
        """How the run ended, when somebody has recorded that."""
        return eventually(lambda: client.wait(self.directory, 30))

    def finish(self):
        """Run to the end; what it wrote to standard output, in lines."""
        self.run()
        ended = self.wait()
        assert ended.exit_code == 0, self.texts("stderr")
        return self.texts("stdout")

    def records(self):
        """Of the log; one may just be written, and is not yet."""
        whole, _newline, _rest = self.log.read_text(errors="surrogateescape").rpartition("\n")
        return [line.split(" ", 3) for line in whole.splitlines()]

    def texts(self, stream):
        """The lines of one stream, partial records joined."""
        lines, rest = [], ""
        for _stamp, name, tag, text in self.records():
            if name == stream:
                rest += text
                if tag == "F":
                    lines.append(rest)
                    rest = ""
        return [*lines, rest] if rest else lines

    def execute(self, *args, stdio=None, tied=False, **process_keys):
        """An execution with its streams on /dev/null unless told otherwise; to be closed by the caller."""
        description = {**self.config["process"], "args": list(args), **process_keys}
        with open("/dev/null", "r+b") as null:
            streams = () if description.get("terminal") else stdio or [null.fileno()] * 3
            return client.exec_(self.stack.home.fork_socket, self.directory, description, streams, tied=tied)

    def output_of(self, *args, **process_keys):
        """Exit code and standard output (with standard error in it) of an execution."""
        reader, writer = os.pipe()
        with open("/dev/null", "rb") as null, os.fdopen(reader, "rb") as output:
            try:
                execution = self.execute(*args, stdio=[null.fileno(), writer, writer], **process_keys)
            finally:
                os.close(writer)
            with execution:
                return execution.wait(), output.read().decode()

    def delete(self):
        client.delete(self.directory)

    @property
    def shim(self):
        record = json.loads(Path(self.directory, "shim.pid").read_text())
        return process.Process(record["pid"], record["start_time"])

    def kill_shim(self):
        process.send_signal(self.shim, signal.SIGKILL)

    def leftovers(self):
        """Files of a run, cgroup directories and processes that are still there."""
        files = {*os.listdir(self.directory)} - {"config.json", "shim.json", "exit.json", "state.json", "shim.pid"}
        files -= {"rootfs", "upper", "work"}
        return [*sorted(files), *self.cgroup.processes(), *self.stack.groups(self.name)]


class Stack:
    def __init__(self, path, tree) -> None:
        self.path = path
        self.tree = tree
        self.home = Home(f"{path}/data", f"{path}/run").stack("s")
        self.group = f"/orchestra/{word()}"
        self.containers = []

    def launch(self, program=SUPERVISOR):
        file = self.path / "supervisor.py"
        file.write_text(program)
        launch.launch(self.home, [str(file)])

    @property
    def fork_server(self):
        """The process that listens on the fork socket (SO_PEERCRED)."""
        with unix_socket.connect(self.home.fork_socket) as connection:
            credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        return process.identify(struct.unpack("iii", credentials)[0])

    def kill_fork_server(self):
        server = self.fork_server
        process.send_signal(server, signal.SIGKILL)
        eventually(lambda: not process.is_alive(server))

    def children(self, parent=None):
        """Process ids of the fork server's children."""
        pid = parent or self.fork_server.pid
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def container(self, *args, name="web", stdin=False, log=None, resources=None, linux=None, mounts=(), **keys):
        """A bundle. keys: of the process object, or of the whole config where they are known there."""
        name = f"s-{name}-1"
        config_keys = {key: keys.pop(key) for key in ("annotations", "hostname", "root") if key in keys}
        sets = dict.fromkeys(("bounding", "effective", "permitted"), CAPABILITIES)
        container = Container(
            self,
            name,
            {
                "ociVersion": "1.2.0",
                "process": {
                    "args": list(args),
                    "env": ["PATH=/usr/bin"],
                    "cwd": "/",
                    "user": {"uid": 0, "gid": 0},
                    "capabilities": {**sets, "inheritable": [], "ambient": []},
                    "noNewPrivileges": True,
                    **keys,
                },
                "root": {"path": "rootfs"},
                "hostname": name,
                "mounts": [*MOUNTS, *mounts],
                "linux": {
                    "cgroupsPath": f"{self.group}/{name}",
                    "namespaces": [{"type": kind} for kind in NAMESPACES],
                    "resources": resources or {},
                    **(linux or {}),
                },
                **config_keys,
            },
            {
                "rootfs": [],
                "log": {"path": f"{self.home.logs}/{name}.log", **(log or {})},
                "stdin": stdin,
            },
        )
        directory = Path(container.directory)
        for part in ("rootfs", "upper", "work"):
            (directory / part).mkdir(parents=True)
        os.makedirs(self.home.logs, exist_ok=True)
        options = [f"lowerdir={self.tree}", f"upperdir={directory}/upper", f"workdir={directory}/work"]
        container.settings["rootfs"] = [{"type": "overlay", "source": "overlay", "options": options}]
        container.write()
        self.containers.append(container)
        return container

    def shell(self, script, **keys):
        return self.container("sh", "-c", script, **keys)

    def groups(self, name=""):
        """Directories of this stack's cgroup, or of one container's, in any tree.

        Walked by hand: groups of others vanish while one looks, and os.walk passes over those.
        """
        wanted = self.group.rpartition("/")[2]
        found = [f"{here}/{wanted}" for here, below, _files in os.walk("/sys/fs/cgroup") if wanted in below]
        return [path for group in found if os.path.isdir(path := f"{group}/{name}".rstrip("/"))]

    def finish_supervisor(self):
        with suppress(FileNotFoundError, ConnectionRefusedError):
            unix_socket.connect(self.home.control_socket).close()

    def close(self):
        """Delete every container, let the supervisor end, and with it the fork server."""
        for container in self.containers:
            container.delete()
        if launch.is_running(self.home):
            self.finish_supervisor()
            eventually(lambda: not launch.is_running(self.home))
        # Whatever process of ours stumbles says so there, and is replaced: nobody else would notice.
        said = Path(self.home.supervisor_log).read_text()
        assert "Traceback" not in said, said


@pytest.fixture
def stack(tmp_path, tree):
    made = Stack(tmp_path, tree)
    made.launch()
    try:
        yield made
    finally:
        made.close()
    assert made.groups() == []


def pytest_itemcollected(item):
    """Called for the tests of this directory."""
    item.add_marker(pytest.mark.root)
    if LACK:
        item.add_marker(pytest.mark.skip(reason=LACK))
