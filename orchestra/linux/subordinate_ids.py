"""Additional ids of a user: newuidmap(1) and newgidmap(1) map those in /etc/subuid and /etc/subgid."""

from __future__ import annotations

import os
from errno import ENOENT, EPERM

from orchestra.linux.syscall import SystemCallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def write_map(program: str, pid: int, mappings: Iterable[Mapping[str, int]]) -> None:
    """program: ``newuidmap`` or ``newgidmap``; if it fails, its message is the hint of the error."""
    words = [str(row[key]) for row in mappings for key in ("containerID", "hostID", "size")]
    reader, writer = os.pipe()
    try:
        actions = [(os.POSIX_SPAWN_DUP2, writer, 2)]
        child = os.posix_spawnp(program, [program, str(pid), *words], os.environ, file_actions=actions)
    except FileNotFoundError:
        os.close(reader)
        hint = "to map further ids, install newuidmap and newgidmap (Debian's package uidmap)"
        raise SystemCallError(ENOENT, "execve", program, hint) from None
    finally:
        os.close(writer)
    with open(reader, errors="replace") as output:
        said = output.read().strip()
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        raise SystemCallError(EPERM, program, "", said or "see /etc/subuid and /etc/subgid")
