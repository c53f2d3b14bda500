"""Containers that run although their directory is gone or damaged, found by their control groups.

Without root there may be no such groups. Then they are found by their network namespaces, which are pinned under their
ids, and by the addresses that they have on networks of the stack; and by the snapshots that their roots are made of,
if the whole run directory was removed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING

from orchestra.container.directory import DamagedFile
from orchestra.driver.local.net import lease_file
from orchestra.driver.local.net.endpoint import detach, pin_path
from orchestra.driver.local.net.mark import home_hash
from orchestra.driver.local.record import load_record
from orchestra.home import is_rootless
from orchestra.linux import cgroup, namespaces
from orchestra.linux.mounts.roots import processes_over
from orchestra.linux.network.namespace import is_pinned
from orchestra.linux.readiness import readable
from orchestra.model.names import short_id

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from orchestra.home import Home

KILLED = "is killed: its directory is missing or damaged"


def stack_group(home: Home, stack: str) -> str:
    """Below the root of each hierarchy. It names the home, to tell a crash's leftovers from other homes' containers."""
    return f"{_parent(home) or ''}/orchestra/{home_hash(home)}/{stack}"


def container_group(home: Home, stack: str, container_id: str) -> str:
    """The control group that one container gets; '' if this user may not begin processes in one."""
    if is_rootless(os.environ):
        from orchestra.rootless.groups import is_below

        parent = _parent(home)
        if parent is None or not is_below(parent):
            return ""
    return f"{stack_group(home, stack)}/{container_id}"


def _parent(home: Home) -> str | None:
    """The group above ours, '' for the topmost; None without root, if no group was delegated."""
    if not is_rootless(os.environ):
        return ""
    from orchestra.rootless.groups import find_parent

    return find_parent(home.rootless)


def group_roots() -> list[str]:
    """The mount points of the hierarchies in which containers have groups."""
    hierarchy = cgroup.machine_hierarchy()
    if hierarchy.version == 1:
        return list(dict.fromkeys(hierarchy.v1.values()))
    return [hierarchy.v2] if hierarchy.v2 else []


def find_strays(home: Home, stack: str) -> list[str]:
    """The ids of containers of the stack that have a group, or else an address, but no record."""
    if not container_group(home, stack, "any"):
        return _find_addressed(home, stack)
    above = stack_group(home, stack)
    # Groups first: a container that is just being made has its record before it has a group.
    groups = {name for root in group_roots() for name in _directories(f"{root}{above}")}
    return sorted(groups - _recorded(home, stack)) if groups else []


def _find_addressed(home: Home, stack: str) -> list[str]:
    """Any stack may have containers on a network of this one: leases first, then the records of all."""
    leases = [lease for lease in lease_file.load(home).networks.values() if lease.stack == stack]
    ids = {container_id for lease in leases for container_id in lease.containers}
    found = sorted(each for each in ids if is_pinned(pin_path(home, each)))
    recorded = {each for name in _directories(home.stacks_run) for each in _recorded(home, name)} if found else set()
    return [each for each in found if each not in recorded]


def are_there_remains(home: Home, stack: str) -> bool:
    """Whether the stack has containers or networks although its directories were removed by hand."""
    if find_strays(home, stack) or _find_rooted(home, stack):
        return True
    return any(lease.stack == stack for lease in lease_file.load(home).networks.values())


def end_strays(home: Home, stack: str) -> None:
    """Kill them, and remove their groups, network namespaces and addresses. Raises OSError or DriverError."""
    for container_id in find_strays(home, stack):
        _end(home, stack, container_id)
        detach(home, stack, container_id)
    while found := _find_rooted(home, stack):
        for pid, name in found.items():
            print(f"container {name} {KILLED}", file=sys.stderr, flush=True)
            _kill(pid, partial(_find_rooted, home, stack))


def _find_rooted(home: Home, stack: str) -> dict[int, str]:
    """Processes, and the container of each, that have the snapshot of a container without a record as their root.

    Only without root, and without groups: there may be no other trace of them.
    """
    if container_group(home, stack, "any"):
        return {}
    above = f"{home.snapshots}/containers/{stack}"
    lost = [f"{above}/{name}/fs" for name in _directories(above) if not _has_record(home, stack, name)]
    return {pid: os.path.basename(os.path.dirname(path)) for pid, path in processes_over(lost).items()}


def _has_record(home: Home, stack: str, name: str) -> bool:
    try:
        return load_record(home.stack(stack).container(name)) is not None
    except DamagedFile:
        return False


def end_if_left(home: Home, stack: str, container_id: str) -> None:
    """The same for one container, once the files of its directory can no longer tell its end.

    A creation that was killed may have made a part of its groups, or only those above.
    """
    if _parent(home) is None:
        return
    path = f"{stack_group(home, stack)}/{container_id}"
    if any(os.path.exists(f"{root}{path}") for root in group_roots()[:1]):
        _end(home, stack, container_id)
    else:
        cgroup.at(path).remove()


def _end(home: Home, stack: str, container_id: str) -> None:
    if not container_group(home, stack, container_id):
        _end_apart(stack, container_id, pin_path(home, container_id))
        return
    group = cgroup.at(f"{stack_group(home, stack)}/{container_id}")
    if group.processes():
        _tell(stack, container_id)
    group.kill()
    group.remove()


def _end_apart(stack: str, container_id: str, namespace_path: str) -> None:
    """Processes in the container's network namespace and in a PID namespace of their own, which ends with the first."""
    if namespaces.apart_in(namespace_path, "network"):
        _tell(stack, container_id)
    while pids := namespaces.apart_in(namespace_path, "network"):
        for pid in pids:
            _kill(pid, partial(namespaces.apart_in, namespace_path, "network"))


def _kill(pid: int, find: Callable[[], Container[int]]) -> None:
    """Returns when it has ended. find: asked for all that are meant once its number cannot become another process's."""
    with contextlib.suppress(ProcessLookupError):
        pidfd = os.pidfd_open(pid)
        try:
            if pid in find():
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                readable(pidfd)
        finally:
            os.close(pidfd)


def _tell(stack: str, container_id: str) -> None:
    print(f"container {short_id(container_id)} of stack {stack} {KILLED}", file=sys.stderr, flush=True)


def _recorded(home: Home, stack: str) -> set[str]:
    stack_home = home.stack(stack)
    found: set[str] = set()
    for name in _directories(stack_home.containers):
        try:
            record = load_record(stack_home.container(name))
        except DamagedFile:
            continue
        if record is not None:
            found.add(record.container.id)
    return found


def _directories(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []
