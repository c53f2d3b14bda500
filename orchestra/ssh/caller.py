"""The side that asked for the command which this process runs, if that is another machine. Cheap: all commands ask."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.ssh.calling import Caller

_asking: list[Caller] = []


def set_caller(caller: Caller) -> None:
    """For the rest of this process."""
    _asking[:] = [caller]


def caller() -> Caller | None:
    return _asking[0] if _asking else None
