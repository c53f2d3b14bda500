"""What a load is asked for, and what its result depended on. Standard library only."""

from __future__ import annotations

from orchestra.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


class Passes(Record):
    """The passes of a load. By default all are made; ``config`` can leave some out to show what they start from.

    interpolate: variables; without it the result is not validated either. paths: relative to absolute. environment:
    variables from ``env_file`` and from the process. complete: names, default network, implied dependencies. check:
    consistency between the parts.
    """

    interpolate: bool = True
    paths: bool = True
    environment: bool = True
    complete: bool = True
    check: bool = True


class LoadRequest(Record):
    """One load of a stack.

    files: ``-f`` in order, ``-`` for standard input. environment: the process's. services: the selection, with its
    dependencies unless ``no_deps``; empty for all that the profiles enable. Relative paths are relative to
    ``working_directory``, which must be absolute. runtime: for services that name none. unsupported: attributes that
    have no effect with the driver, by the shape of their path, and why. all_resources: also those that no service uses.
    compatibility: names of containers have ``_`` between their parts. fetch: makes a local file of one that is
    elsewhere, such as ``oci://...``, and returns its path; without it such files are refused. automatic_ports: fixed
    host ports give way to others that use them. note: is told each path that is read or looked for, also if the load
    fails. given: contents instead of those of this machine, by path, None for no such file: of the machine that the
    request comes from, if that is another one.
    """

    environment: Mapping[str, str]
    working_directory: str
    files: tuple[str, ...] = ()
    project_directory: str | None = None
    project_name: str | None = None
    profiles: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    no_deps: bool = False
    scale: Mapping[str, int] = {}
    runtime: str | None = None
    unsupported: Mapping[str, str] = {}
    all_resources: bool = False
    compatibility: bool = False
    fetch: Callable[[str], str] | None = None
    automatic_ports: bool = False
    note: Callable[[str], object] | None = None
    given: Mapping[str, bytes | None] = {}

    def plain(self) -> dict[str, Any]:
        """As plain data, without ``unsupported``, ``given`` and functions: the key of ``compose.remembered``."""
        return {
            "environment": dict(self.environment),
            "working_directory": self.working_directory,
            "files": list(self.files),
            "project_directory": self.project_directory,
            "project_name": self.project_name,
            "profiles": list(self.profiles),
            "env_files": list(self.env_files),
            "services": list(self.services),
            "no_deps": self.no_deps,
            "scale": dict(self.scale),
            "runtime": self.runtime,
            "all_resources": self.all_resources,
            "compatibility": self.compatibility,
            "automatic_ports": self.automatic_ports,
        }


class Inputs(Record):
    """Everything that a result depended on besides the request itself.

    files: each path that was read or looked for, with the sha256 of its content in hexadecimal, None if missing.
    variables: each variable of the process environment that was used, None if unset. ``is_repeatable`` is false if
    something was read that cannot be read again, such as standard input. fetched: the local copy of each file from
    elsewhere, which may have changed there by now.
    """

    files: Mapping[str, str | None]
    variables: Mapping[str, str | None]
    is_repeatable: bool = True
    fetched: Mapping[str, str] = {}
