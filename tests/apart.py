"""A run of the tests takes place in a network and a mount namespace of its own.

There no stack, packet rule, subnet or port of the machine is in its way, and the directories that real use fills are
empty. Without the privilege for that (CAP_SYS_ADMIN) it takes place where it is.
"""

from __future__ import annotations

import os
import subprocess
from errno import EPERM
from pathlib import Path
from typing import TYPE_CHECKING

from orchestra.linux import mount, namespaces
from orchestra.linux.syscall import SystemCallError

if TYPE_CHECKING:
    from tests.run import Run

EMPTY = {"/run/orchestra": 0o700, "/var/lib/orchestra": 0o700, "/run/orchestra-runtime": 0o700, "/run/netns": 0o755}
"""Directories of real use: their modes."""
OUTSIDE = "ORCHESTRA_TEST_OUTSIDE"
"""Variable with a file of the machine's own network namespace, for what has to be downloaded."""


def make_directories() -> list[str]:
    """Those of ``EMPTY`` that were not there: something must be there to be mounted on."""
    made = []
    for path, mode in EMPTY.items() if os.geteuid() == 0 else ():
        if not os.path.isdir(path):
            os.mkdir(path, mode)
            made.append(path)
    return made


def move_apart(run: Run) -> None:
    """Move the calling process, which has one thread, and all its children to come."""
    outside = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        namespaces.unshare(namespaces.CLONE_NEWNS | namespaces.CLONE_NEWNET)
    except SystemCallError as error:
        os.close(outside)
        if error.errno != EPERM:
            raise
        return
    os.environ[OUTSIDE] = f"/proc/{os.getpid()}/fd/{outside}"
    mount.mount("", "/", flags=mount.MS_REC | mount.MS_PRIVATE)
    (run.base / "sys").mkdir()
    _mount_sysfs(run.base / "sys")
    run.mark.mkdir()
    mount.mount("tmpfs", str(run.mark), "tmpfs")
    for path, mode in EMPTY.items():
        mount.mount("tmpfs", path, "tmpfs", data=f"mode={mode:o}")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=False)


def outside(*command: str | Path) -> list[str | Path]:
    """The command line that runs a command in the machine's own network."""
    namespace = os.environ.get(OUTSIDE)
    return ["nsenter", f"--net={namespace}", *command] if namespace else list(command)


def _mount_sysfs(work: Path) -> None:
    """/sys shows the interfaces of the network in which it was mounted; what is mounted below it stays as it is."""
    lines = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    below = sorted({path for path in lines if path.startswith("/sys/")})
    topmost = [path for path in below if not any(path.startswith(f"{other}/") for other in below)]
    mount.mount("sysfs", str(work), "sysfs")
    for path in topmost:
        mount.mount(path, f"{work}/{path.removeprefix('/sys/')}", flags=mount.MS_BIND | mount.MS_REC)
    mount.mount(str(work), "/sys", flags=mount.MS_MOVE)
