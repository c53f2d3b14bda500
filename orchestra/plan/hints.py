"""What to do about a clue in a log, from the definition of the container that wrote it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.mount import TmpfsMount
from orchestra.plan.clues import NO_PROCESSES, NO_SPACE, NOT_PERMITTED, READ_ONLY

if TYPE_CHECKING:
    from orchestra.model.container import ContainerSpec
    from orchestra.plan.clues import Clue


def hint_for(spec: ContainerSpec, clue: Clue | None) -> str:
    """Empty if the definition does not explain it."""
    if clue is None:
        return ""
    hints = {
        NO_SPACE: _space,
        READ_ONLY: _read_only,
        NOT_PERMITTED: _permission,
        NO_PROCESSES: _processes,
    }
    find = hints.get(clue.what)
    return find(spec, clue) if find else ""


def _space(spec: ContainerSpec, clue: Clue) -> str:
    mount = next((each for each in spec.mounts if isinstance(each, TmpfsMount) and each.target in clue.line), None)
    return f"{mount.target} is a tmpfs: raise its size, or free memory" if mount else ""


def _read_only(spec: ContainerSpec, clue: Clue) -> str:
    mount = next((each for each in spec.mounts if each.target in clue.line and getattr(each, "read_only", False)), None)
    if mount is not None:
        return f"{mount.target} is mounted read-only"
    return "its root is read_only: give it a volume or a tmpfs where it writes" if spec.read_only else ""


def _permission(spec: ContainerSpec, clue: Clue) -> str:
    if "permitted" in clue.line.lower() or "eperm" in clue.line.lower():
        if spec.cap_drop:
            return f"cap_drop takes {', '.join(spec.cap_drop)} from it: cap_add gives back what it needs"
        return "if it needs a capability or a system call that containers lack, see cap_add and security_opt"
    return f"it runs as user {spec.user}: see who owns what it opens" if spec.user else ""


def _processes(spec: ContainerSpec, _clue: Clue) -> str:
    return f"raise pids_limit, which is {spec.resources.pids}" if spec.resources.pids else ""
