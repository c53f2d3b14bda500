"""What a bundle depends on beyond what the file says: facts about the host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestra.linux.security.capabilities import NAMES
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping


class HostDevice(Record):
    """A device node of the host. kind: ``c`` or ``b``; mode: permission bits."""

    path: str
    kind: str
    major: int
    minor: int
    mode: int = 0o666
    uid: int = 0
    gid: int = 0


class HostFacts(Record):
    """capabilities: all that can be granted. swap_accounting: whether memory and swap can be limited together.

    devices: the node at each path of the host that the container names as a device; for a directory, all nodes in it.
    every_device: all of the host's, for a privileged container. machine, kernel: as uname(2) tells them.
    seccomp_profile: the content of the file that ``security_opt`` names. only_root: whether containers have no ids but
    root's. every_group: whether all group IDs exist, as in the machine's own user namespace.
    """

    capabilities: tuple[str, ...] = NAMES
    swap_accounting: bool = True
    devices: Mapping[str, tuple[HostDevice, ...]] = {}
    every_device: tuple[HostDevice, ...] = ()
    machine: str = "x86_64"
    kernel: str = "6.1"
    seccomp_profile: Mapping[str, Any] | None = None
    only_root: bool = False
    every_group: bool = True
