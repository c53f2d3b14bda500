"""The process object of an OCI configuration as a value (runtime specification, config, "Process")."""

from __future__ import annotations

from errno import EINVAL

from orchestra.linux.syscall import SystemCallError
from orchestra.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any


class Limit(Record):
    """An entry of ``rlimits``. type: as in RLIMIT_NOFILE."""

    type: str
    soft: int
    hard: int


class ProcessDescription(Record):
    """What a process is to be: program, user, limits, confinement.

    size: height and width of its terminal. capabilities: the five sets by name; None where they are not decided.
    initial_cpus, final_cpus: of one that is executed, before it enters the container's group and after.
    """

    args: list[str]
    env: Sequence[str] = ()
    cwd: str = "/"
    terminal: bool = False
    size: tuple[int, int] | None = None
    uid: int = 0
    gid: int = 0
    groups: Sequence[int] = ()
    umask: int = 0o022
    limits: Sequence[Limit] = ()
    capabilities: Mapping[str, Sequence[str]] | None = None
    no_new_privileges: bool = False
    oom_score_adj: int | None = None
    scheduler: Mapping[str, Any] | None = None
    io_priority: Mapping[str, Any] | None = None
    apparmor_profile: str = ""
    selinux_label: str = ""
    initial_cpus: str = ""
    final_cpus: str = ""


def parse_process(process: Mapping[str, Any]) -> ProcessDescription:
    """Raises SystemCallError for what is no process object."""
    try:
        return _parse(process, process.get)
    except (AttributeError, KeyError, TypeError) as error:
        raise SystemCallError(EINVAL, "config", "process", f"it cannot be read: {error!r}") from error


def _parse(process: Mapping[str, Any], get: Callable[[str], Any]) -> ProcessDescription:
    user, console, affinity = get("user") or {}, get("consoleSize"), get("execCPUAffinity") or {}
    return ProcessDescription(
        process["args"],
        get("env") or (),
        get("cwd") or "/",
        bool(get("terminal")),
        (console["height"], console["width"]) if console else None,
        user.get("uid", 0),
        user.get("gid", 0),
        user.get("additionalGids") or (),
        user.get("umask", 0o022),
        [Limit(limit["type"], limit["soft"], limit["hard"]) for limit in get("rlimits") or ()],
        get("capabilities"),
        bool(get("noNewPrivileges")),
        get("oomScoreAdj"),
        get("scheduler") or None,
        get("ioPriority") or None,
        get("apparmorProfile") or "",
        get("selinuxLabel") or "",
        affinity.get("initial") or "",
        affinity.get("final") or "",
    )
