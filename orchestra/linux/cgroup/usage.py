"""The few counters of a control group that are asked for again and again, read from as few files as possible.

Sources: the kernel's admin-guide/cgroup-v1 and cgroup-v2. A file that is not there belongs to the other version, or to
a controller that is missing.
"""

from __future__ import annotations

from orchestra.linux import whole_files
from orchestra.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.linux.cgroup import Cgroup

# What a scheduler counts for its weights, or what is counted for throttling.
BLOCK_V1 = ("blkio.bfq.io_service_bytes_recursive", "blkio.throttle.io_service_bytes_recursive")


class GroupUsage(NamedTuple):
    """processor: nanoseconds. The rest except processes: bytes. reclaimable: files that the kernel could drop at once,
    counted in memory. memory_limit: None for none. read, written: None if they are not counted for this group.
    """

    processor: int
    memory: int
    reclaimable: int
    memory_limit: int | None
    read: int | None
    written: int | None
    processes: int


def load_usage(group: Cgroup) -> GroupUsage:
    """What cannot be read counts as nothing."""
    memory, block = group.directory("memory"), group.directory("blkio")
    statistics = _read(f"{memory}/memory.stat")
    read, written = _block_v1(block) or _block_v2(block)
    inactive = _value(statistics, b"total_inactive_file")
    return GroupUsage(
        processor=_processor(group),
        memory=_first_number(f"{memory}/memory.usage_in_bytes", f"{memory}/memory.current") or 0,
        reclaimable=_value(statistics, b"inactive_file") or 0 if inactive is None else inactive,
        memory_limit=_first_number(f"{memory}/memory.limit_in_bytes", f"{memory}/memory.max"),
        read=read,
        written=written,
        processes=_first_number(f"{group.directory('pids')}/pids.current") or 0,
    )


def _processor(group: Cgroup) -> int:
    total = _first_number(f"{group.directory('cpuacct')}/cpuacct.usage")
    if total is None:
        total = (_value(_read(f"{group.directory('cpu')}/cpu.stat"), b"usage_usec") or 0) * 1000
    return total


def _block_v1(directory: str) -> tuple[int, int] | None:
    for name in BLOCK_V1:
        rows = [line.split() for line in _read(f"{directory}/{name}").splitlines()]
        counted = [(row[1], int(row[2])) for row in rows if len(row) == 3]
        if counted:
            return _sum(counted, b"Read"), _sum(counted, b"Write")
    return None


def _sum(counted: list[tuple[bytes, int]], operation: bytes) -> int:
    return sum(value for word, value in counted if word == operation)


def _block_v2(directory: str) -> tuple[int | None, int | None]:
    """Version 2 counts for every group. Version 1 has rows only where a scheduler or a limit counts: newer kernels
    start the counting of limits with the first of them (block/blk-throttle.c).
    """
    content = _read_if_there(f"{directory}/io.stat")
    if content is None:
        return None, None
    return sum(_values(content, b"rbytes=")), sum(_values(content, b"wbytes="))


def _values(content: bytes, key: bytes) -> Iterator[int]:
    return (int(word.removeprefix(key)) for word in content.split() if word.startswith(key))


def _value(content: bytes, name: bytes) -> int | None:
    """Of a file of lines of a name and a number."""
    _, found, rest = (b"\n" + content).partition(b"\n" + name + b" ")
    word = rest[:20].partition(b"\n")[0]
    return int(word) if found and word.isdigit() else None


def _first_number(*paths: str) -> int | None:
    """Of the first file that is there; None also for ``max``, which means no limit."""
    for path in paths:
        content = _read_if_there(path)
        if content is not None:
            word = content.strip()
            return int(word) if word.isdigit() else None
    return None


def _read(path: str) -> bytes:
    return _read_if_there(path) or b""


def _read_if_there(path: str) -> bytes | None:
    try:
        return whole_files.read_pages(path)
    except OSError:
        return None
