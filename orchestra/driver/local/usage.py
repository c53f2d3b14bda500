"""What a running container uses right now: its processes, and the counters of its control group and its network."""

from __future__ import annotations

import os
import time

from orchestra.container.directory import ContainerDirectory
from orchestra.linux import whole_files
from orchestra.linux.namespaces import is_ours, processes_beside
from orchestra.model.usage import Usage
from orchestra.shim.finding import group_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.home import StackHome
    from orchestra.linux.cgroup import Cgroup

LOOPBACK = b"lo"


def find_group(stack_home: StackHome, name: str) -> Cgroup:
    """The control group of a container, for repeated measurement."""
    return group_of(ContainerDirectory(stack_home.container(name)))


def processes_of(stack_home: StackHome, name: str, pid: int) -> list[int]:
    """All processes of the container, including those of exec, sorted by pid. pid: of its first one.

    Without a control group, those in its PID namespace.
    """
    return find_group(stack_home, name).processes() or processes_beside(pid)


def measure(group: Cgroup, pid: int) -> Usage:
    """pid: of the container's first process. The network of one that has just ended cannot be measured."""
    from orchestra.linux.cgroup.usage import load_usage

    used = load_usage(group)
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    received, sent = _network(pid)
    return Usage(
        at=time.monotonic(),
        processor=used.processor,
        memory=used.memory - used.reclaimable if used.reclaimable < used.memory else used.memory,
        memory_limit=machine if used.memory_limit is None else min(used.memory_limit, machine),
        received=received,
        sent=sent,
        read=used.read,
        written=used.written,
        processes=used.processes,
    )


def _network(pid: int) -> tuple[int, int]:
    """Bytes received and sent by all interfaces but the loopback; none for a container in the host's own network."""
    try:
        if is_ours("network", pid):
            return 0, 0
        lines = whole_files.read_pages(f"/proc/{pid}/net/dev").splitlines()[2:]
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0, 0
    received = sent = 0
    for line in lines:
        name, _, words = line.rpartition(b":")
        if name.strip() != LOOPBACK:
            counts = words.split(None, 9)
            received, sent = received + int(counts[0]), sent + int(counts[8])
    return received, sent
