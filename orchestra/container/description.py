"""The process object of an OCI configuration as a value (runtime specification, config, "Process")."""

from __future__ import annotations

from errno import EINVAL

from orchestra.linux.syscall import SystemCallError
from orchestra.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
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
    """Raises SystemCallError if this is not a process object."""
    try:
        return _parse(process)
    except (AttributeError, KeyError, TypeError) as error:
        raise SystemCallError(EINVAL, "config", "process", f"it cannot be read: {error!r}") from error


def _parse(process: Mapping[str, Any]) -> ProcessDescription:
    get = process.get
    user, console, affinity = get("user") or {}, get("consoleSize"), get("execCPUAffinity") or {}
    return ProcessDescription(
        args=process["args"],
        env=get("env") or (),
        cwd=get("cwd") or "/",
        terminal=bool(get("terminal")),
        size=(console["height"], console["width"]) if console else None,
        uid=user.get("uid", 0),
        gid=user.get("gid", 0),
        groups=user.get("additionalGids") or (),
        umask=user.get("umask", 0o022),
        limits=[Limit(limit["type"], limit["soft"], limit["hard"]) for limit in get("rlimits") or ()],
        capabilities=get("capabilities"),
        no_new_privileges=bool(get("noNewPrivileges")),
        oom_score_adj=get("oomScoreAdj"),
        scheduler=get("scheduler") or None,
        io_priority=get("ioPriority") or None,
        apparmor_profile=get("apparmorProfile") or "",
        selinux_label=get("selinuxLabel") or "",
        initial_cpus=affinity.get("initial") or "",
        final_cpus=affinity.get("final") or "",
    )
