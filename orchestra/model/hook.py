"""Commands that run in a container when it is started and before it is stopped. Standard library only, and light."""

from __future__ import annotations

from collections.abc import Mapping

from orchestra.record import Record


class Hook(Record):
    """One of ``post_start`` or ``pre_stop`` (Compose Specification, services).

    command: an argv. user, working_directory: empty for those of the container. environment: added to the container's.
    privileged: with every capability that this machine can give.
    """

    command: tuple[str, ...]
    user: str = ""
    privileged: bool = False
    working_directory: str = ""
    environment: Mapping[str, str] = {}
