"""A run of the tests takes place in a network and a mount namespace of its own.

There no stack, packet rule, subnet or port of the machine is in its way, and the directories that real use fills are
empty. Without the privilege for that (CAP_SYS_ADMIN) it takes place where it is.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from errno import EPERM
from pathlib import Path
from typing import TYPE_CHECKING

from orchestra.linux import namespaces
from orchestra.linux.mounts import mount
from orchestra.linux.syscall import SystemCallError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.run import Run

EMPTY = {
    "/run/orchestra": 0o700,
    "/var/lib/orchestra": 0o700,
    "/run/orchestra-runtime": 0o700,
    "/run/netns": 0o755,
    "/run/sshd": 0o755,
}
"""Directories of real use: their modes."""
OUTSIDE = "ORCHESTRA_TEST_OUTSIDE"
"""Variable with a file of the machine's own network namespace, for what has to be downloaded."""


def make_directories(run: Run, wanted: Mapping[str, int] = EMPTY) -> None:
    """Make those that are not there: something must be there to be mounted on. ``run.remove_made`` removes them."""
    made = []
    with run.turn():
        for path, mode in wanted.items() if os.geteuid() == 0 else ():
            with suppress(FileExistsError):
                os.mkdir(path, mode)
                made.append(path)
        run.note_made(made)


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
    _mount_anew("sysfs", "/sys", run.base / "sys")
    _mount_anew("proc", "/proc", run.base / "proc")
    run.mark.mkdir()
    mount.mount("tmpfs", str(run.mark), "tmpfs")
    for path, mode in EMPTY.items():
        mount.mount("tmpfs", path, "tmpfs", data=f"mode={mode:o}")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=False)


def outside(*command: str | Path) -> list[str | Path]:
    """The command line that runs a command in the machine's own network."""
    namespace = os.environ.get(OUTSIDE)
    return ["nsenter", f"--net={namespace}", *command] if namespace else list(command)


def _mount_anew(kind: str, place: str, work: Path) -> None:
    """A file system of the kernel's in place of what is mounted there; what is mounted below it stays as it is.

    sysfs shows the interfaces of the network in which it was mounted. procfs may lie on another one.
    """
    below = sorted({path for path in _mounted(Path("/proc")) if path.startswith(f"{place}/")})
    topmost = [path for path in below if not any(path.startswith(f"{other}/") for other in below)]
    work.mkdir()
    mount.mount(kind, str(work), kind)
    for path in topmost:
        mount.mount(path, f"{work}{path.removeprefix(place)}", flags=mount.MS_BIND | mount.MS_REC)
    while place in _mounted(work if kind == "proc" else Path("/proc")):
        mount.unmount(place, mount.MNT_DETACH)
    mount.mount(str(work), place, flags=mount.MS_MOVE)


def _mounted(proc: Path) -> list[str]:
    return [line.split()[4] for line in (proc / "self/mountinfo").read_text().splitlines()]
