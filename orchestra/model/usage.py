"""What a running container has used so far, and uses right now."""

from __future__ import annotations

from orchestra.record import Record


class Usage(Record):
    """at: seconds of the monotonic clock. processor: nanoseconds so far. memory and everything below: bytes.

    memory: without files that the kernel could drop at once, as Docker counts it. memory_limit: the machine's memory if
    the container has no limit. received, sent: by its own network, so far; read, written: by block devices, so far;
    None if the kernel counts none for this group.
    """

    at: float = 0.0
    processor: int = 0
    memory: int = 0
    memory_limit: int = 0
    received: int = 0
    sent: int = 0
    read: int | None = 0
    written: int | None = 0
    processes: int = 0
