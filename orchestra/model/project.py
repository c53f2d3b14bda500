"""Which file a command means, and which part of it."""

from __future__ import annotations

from collections.abc import Mapping

from orchestra.record import Record


class Project(Record):
    """The file of a stack, as given by Docker Compose's global options, and the runtime of its containers.

    Paths may be relative to the working directory.
    """

    files: tuple[str, ...] = ()
    directory: str | None = None
    name: str | None = None
    profiles: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()
    runtime: str | None = None
    all_resources: bool = False
    compatibility: bool = False


class Chosen(Record):
    """The part of the file that ``up`` uses.

    services: empty for all. no_deps: without their dependencies. scale: number of containers of a service.
    automatic_ports: other host ports may be taken instead of those that are in use.
    """

    services: tuple[str, ...] = ()
    no_deps: bool = False
    scale: Mapping[str, int] = {}
    automatic_ports: bool = False
