"""What a running container uses right now: its processes, and the counters of its control group and its network."""

from __future__ import annotations

import os
import time

from orchestra.container.directory import ContainerDirectory
from orchestra.linux.namespaces import is_ours, processes_beside
from orchestra.model.usage import Usage
from orchestra.shim.finding import group_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.home import StackHome
    from orchestra.linux.cgroup import Cgroup

LOOPBACK = "lo"


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
    from orchestra.linux.cgroup.stats import load_stats

    stats = load_stats(group)
    memory, used = stats["memory"], stats["memory"]["usage"].get("usage", 0)
    reclaimable = memory["raw"].get("total_inactive_file", memory["raw"].get("inactive_file", 0))
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    received, sent = _network(pid)
    return Usage(
        at=time.monotonic(),
        processor=stats["cpu"]["usage"].get("total", 0),
        memory=used - reclaimable if reclaimable < used else used,
        memory_limit=min(memory["usage"].get("limit", machine), machine),
        received=received,
        sent=sent,
        read=_block_bytes(group, stats, "R"),
        written=_block_bytes(group, stats, "W"),
        processes=stats["pids"].get("current", 0),
    )


def _block_bytes(group: Cgroup, stats: dict[str, dict[str, list[dict[str, int | str]]]], operation: str) -> int | None:
    """operation: the first letter of the kernel's name for it.

    Version 2 counts for every group. Version 1 has rows only where a scheduler or a limit counts: newer kernels start
    the counting of limits with the first of them (block/blk-throttle.c).
    """
    rows = stats["blkio"].get("ioServiceBytesRecursive", ())
    if not rows and not os.path.exists(f"{group.directory('blkio')}/io.stat"):
        return None
    return sum(int(row["value"]) for row in rows if str(row["op"]).startswith(operation))


def _network(pid: int) -> tuple[int, int]:
    """Bytes received and sent by all interfaces but the loopback; none for a container in the host's own network."""
    try:
        if is_ours("network", pid):
            return 0, 0
        with open(f"/proc/{pid}/net/dev") as file:
            lines = file.read().splitlines()[2:]
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0, 0
    counts = [(name.strip(), words.split()) for name, _, words in (line.rpartition(":") for line in lines)]
    others = [words for name, words in counts if name != LOOPBACK]
    return sum(int(words[0]) for words in others), sum(int(words[8]) for words in others)
