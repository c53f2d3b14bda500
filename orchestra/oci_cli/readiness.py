"""Telling the service manager that started us that a program is ready: sd_notify(3).

A manager checks the sender, and the container's process is not its child. So the program gets a socket of ours, and
only its readiness is passed on: other messages are about processes and descriptors.
"""

from __future__ import annotations

import os
import select
import socket

from orchestra.linux import unix_socket
from orchestra.oci_cli.container import NOTIFY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from orchestra.container.directory import ContainerDirectory

VARIABLE = "NOTIFY_SOCKET"
SOCKET = f"{NOTIFY}/notify"
ELSEWHERE = "/run/notify"  # used if the manager's socket has no path
READY = b"READY=1"
LONGEST = 4096


def offer(directory: ContainerDirectory, config: dict[str, Any]) -> None:
    """Show the program the socket in a directory, since it only exists once we listen.

    It replaces the manager's path.
    """
    address = os.environ[VARIABLE]
    place = address if address.startswith("/") else ELSEWHERE
    source = directory.file(NOTIFY)
    os.mkdir(source)
    os.chmod(source, 0o755)
    options = ["bind", "ro", "nosuid", "nodev", "noexec"]
    entry = {"destination": place, "type": "bind", "source": source, "options": options}
    config["mounts"] = [*(config.get("mounts") or ()), entry]
    description = config["process"]
    description["env"] = [*(description.get("env") or ()), f"{VARIABLE}={place}/{os.path.basename(SOCKET)}"]


class Readiness:
    """Made before the program may run."""

    def __init__(self, directory: ContainerDirectory) -> None:
        self._socket = unix_socket.bind(directory.file(SOCKET), mode=0o777, kind=socket.SOCK_DGRAM)

    def pass_on(self, pidfd: int, warn: Callable[[str], None]) -> None:
        """Return once the program has said that it is ready and the manager knows, or once it has ended."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        poll.register(pidfd, select.POLLIN)
        while self._socket.fileno() in [fd for fd, _events in poll.poll()]:
            if READY in self._socket.recv(LONGEST).split(b"\n"):
                _tell(warn)
                return


def _tell(warn: Callable[[str], None]) -> None:
    address = os.environ[VARIABLE]
    if address.startswith("@"):
        address = f"\0{address[1:]}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        try:
            manager.sendto(READY, address)
        except OSError as error:
            warn(f"cannot report that the program is ready: {os.environ[VARIABLE]}: {error.strerror}")
