"""Where a user without root may make control groups: below one of version 2 that was delegated (cgroups(7)).

The user's own systemd delegates a scope to the keeper. Where there is none, the group above the first command may have
been made over to the user by hand. Either is remembered in a file of the home, since only processes that are below it
may begin others there ("Delegation Containment"): the keeper and fork servers go there before anything else.
"""

from __future__ import annotations

import contextlib
import os
from errno import EACCES, EPERM, EPROTO

from orchestra.linux import cgroup, private_files
from orchestra.linux.cgroup.joining import group_of
from orchestra.linux.syscall import SystemCallError
from orchestra.rootless.scope import scope_of

V1 = "control groups of version 1 are for root alone"
NOT_DELEGATED = (
    "no group is delegated to this user: a systemd of the user's own would do that (package dbus-user-session)"
)
KEEPERS = "keepers"
"""Our own processes; a group that has others below it has none itself ("No Internal Process Constraint")."""
CONTROLLERS = frozenset({"cpu", "cpuset", "io", "memory", "pids"})
GONE = ("org.freedesktop.systemd1.NoSuchUnit", "org.freedesktop.systemd1.UnitNotLoaded")


def find_parent(directory: str) -> str | None:
    """The path of the delegated group below the root of the hierarchy; None if the home has none.

    directory: ``Home.rootless``.
    """
    try:
        with open(group_file(directory), encoding="utf-8") as file:
            parent = file.read()
    except FileNotFoundError:
        return None
    return parent if os.path.isdir(f"{cgroup.machine_hierarchy().v2}{parent}") else None


def missing_controllers(directory: str) -> list[str]:
    """Those that limits of Compose need, and that the home's group does not have. Empty without a group."""
    parent = find_parent(directory)
    if parent is None:
        return []
    with open(f"{cgroup.machine_hierarchy().v2}{parent}/cgroup.controllers", encoding="ascii") as file:
        return sorted(CONTROLLERS.difference(file.read().split()))


def is_a_scope(directory: str) -> bool:
    """Whether the group is one that the user's systemd has made, and ends."""
    return os.path.basename(find_parent(directory) or "") == scope_of(directory)


def is_below(parent: str) -> bool:
    """Whether this process is, so that it may begin processes there."""
    return f"{group_of('self')}/".startswith(f"{parent}/")


def establish(directory: str, uid: int) -> str:
    """Find a group and enter it. Returns why there is none; empty if there is one.

    uid: as known outside the user namespace.
    """
    if cgroup.machine_hierarchy().version != 2:
        return V1 if cgroup.machine_hierarchy().version == 1 else "no control groups are mounted"
    parent, reason = find_parent(directory), ""
    try:
        if parent is None or not _enter(parent, directory, uid):
            parent = _make_scope(directory, uid)
            _enter(parent, directory, uid)
    except OSError as error:
        parent, reason = _made_over(), str(error)
    if parent is None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(group_file(directory))
        return f"{NOT_DELEGATED}: {reason}"
    private_files.store(group_file(directory), parent.encode())
    return ""


def enter(directory: str, uid: int) -> None:
    """Go to the home's group, if it has one. Raises OSError if that is not permitted."""
    if (parent := find_parent(directory)) is not None:
        _enter(parent, directory, uid)


def is_available(uid: int) -> bool:
    """Whether ``establish`` would find one, as far as can be seen without changing anything."""
    if cgroup.machine_hierarchy().version != 2:
        return False
    if _made_over() is not None:
        return True
    from orchestra.linux.systemd import manager

    try:
        manager.connect(uid).close()
    except OSError:
        return False
    return True


def lack(uid: int) -> str:
    """Why there are no groups; empty if there are."""
    if is_available(uid):
        return ""
    return V1 if cgroup.machine_hierarchy().version == 1 else NOT_DELEGATED


def group_file(directory: str) -> str:
    return f"{directory}/group"


def _made_over() -> str | None:
    """The group above this process's, if it is this user's."""
    parent = cgroup.own_parent()
    above = f"{cgroup.machine_hierarchy().v2}{parent}"
    return parent if all(os.access(path, os.W_OK) for path in (above, f"{above}/cgroup.procs")) else None


def _enter(parent: str, directory: str, uid: int) -> bool:
    """False if systemd knows nothing of the scope any more."""
    if is_below(f"{parent}/{KEEPERS}"):
        return True
    group = f"{cgroup.machine_hierarchy().v2}{parent}/{KEEPERS}"
    with contextlib.suppress(FileExistsError):
        os.mkdir(group)
    try:
        with open(f"{group}/cgroup.procs", "w", encoding="ascii") as file:
            file.write(str(os.getpid()))
    except PermissionError:
        if os.path.basename(parent) != scope_of(directory):
            raise
        return _attach(directory, uid)
    return True


def _attach(directory: str, uid: int) -> bool:
    """Have systemd move this process, which only the machine's own may do."""
    from orchestra.linux.systemd import manager
    from orchestra.linux.systemd.dbus import BusError

    with manager.connect(uid) as bus:
        try:
            manager.call(bus, "AttachProcessesToUnit", "ssau", scope_of(directory), f"/{KEEPERS}", [os.getpid()])
        except BusError as error:
            if error.name in GONE:
                return False
            raise SystemCallError(EPERM, "AttachProcessesToUnit", scope_of(directory), str(error)) from error
    return True


def _make_scope(directory: str, uid: int) -> str:
    """Have the user's systemd make a scope with this process in it, or move this process to the one it has.

    Returns the path of its group.
    """
    from orchestra.linux.systemd import manager
    from orchestra.linux.systemd.dbus import BusError, Variant

    name = scope_of(directory)
    properties = [
        ("Description", Variant("s", "Containers of orchestra")),
        ("PIDs", Variant("au", [os.getpid()])),
        ("Delegate", Variant("b", True)),
        ("CollectMode", Variant("s", "inactive-or-failed")),
    ]
    with manager.connect(uid) as bus:
        try:
            job = manager.call(bus, "StartTransientUnit", "ssa(sv)a(sa(sv))", name, "fail", properties, [])[0]
        except BusError as error:
            raise SystemCallError(EPROTO, "StartTransientUnit", name, str(error)) from error
        if (result := manager.wait_for_job(bus, job)) != "done":
            raise SystemCallError(EPROTO, "StartTransientUnit", name, f"systemd says: {result}")
    path = group_of("self")
    if os.path.basename(path) != name:
        raise SystemCallError(EACCES, "StartTransientUnit", name, f"this process is still in {path}")
    return path
