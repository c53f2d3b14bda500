"""What containers without root need of this machine beside its kernel, and the commands that provide it."""

from __future__ import annotations

import os
import pwd
import shutil
from typing import TYPE_CHECKING

from orchestra.driver.local.doctor import Fact, State
from orchestra.home import OWNER
from orchestra.linux.systemd import lingering
from orchestra.rootless import groups, way_out
from orchestra.rootless.ids import FEW, find_ids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.home import Home

UIDMAP = "sudo apt install uidmap on Debian and Ubuntu; part of shadow-utils on Fedora and of shadow on Arch"
# Setting, the value that forbids, and what allows: for Debian before 11, Ubuntu from 23.10, and any.
SWITCHES = (
    ("user/max_user_namespaces", "0", "sudo sysctl -w user.max_user_namespaces=28633"),
    ("kernel/unprivileged_userns_clone", "0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
)
ALONE = "containers have no user but root"
DELEGATION = "/etc/systemd/system/user@.service.d/"
TUNNELS = "/dev/net/tun"
NO_LIMITS = "limits of memory, CPUs and processes are not applied, usage is not measured, and nothing can be paused"


def examine_rootless() -> Iterator[Fact]:
    """Before or after this process enters the namespaces of its home. Changes nothing."""
    yield from _switches()
    yield _newuidmap()
    uid = int(os.environ.get(OWNER, os.getuid()))
    yield _ids(uid)
    yield _way_out()
    yield _groups(uid)
    if os.path.isdir(lingering.DIRECTORY):
        yield _lingering(uid)


def _switches() -> Iterator[Fact]:
    """A setting may be there and forbid nothing in this case: whether it does is tried afterwards."""
    for name, forbids, command in SWITCHES:
        try:
            with open(f"/proc/sys/{name}", encoding="ascii") as file:
                value = file.read().strip()
        except OSError:
            continue
        if value == forbids:
            cost = "the kernel may refuse the namespaces of a user's home"
            yield Fact(name.replace("/", "."), State.LIMITED, value, cost, command)


def _newuidmap() -> Fact:
    missing = [name for name in ("newuidmap", "newgidmap") if shutil.which(name) is None]
    if missing:
        return Fact("ids by newuidmap", State.LIMITED, f"not in PATH: {', '.join(missing)}", ALONE, UIDMAP)
    return Fact("ids by newuidmap", State.OK)


def _ids(uid: int) -> Fact:
    try:
        entry = pwd.getpwuid(uid)
        name, group = entry.pw_name, entry.pw_gid
    except KeyError:
        name, group = str(uid), uid
    found = find_ids(uid, group, name)
    count = min(sum(row["size"] for row in rows) for rows in found)
    command = f"sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {name}"
    if found.are_alone:
        return Fact("subordinate ids", State.LIMITED, f"none for {name} in /etc/subuid and /etc/subgid", ALONE, command)
    if count < FEW:
        cost = "images may have files of users beyond them, which belong to root then"
        return Fact("subordinate ids", State.LIMITED, f"{count}", cost, command)
    return Fact("subordinate ids", State.OK, f"{count}")


def _groups(uid: int) -> Fact:
    reason = groups.lack(uid)
    if not reason:
        return Fact("control groups", State.OK, "delegated to this user")
    if reason == groups.V1:
        remedy = "boot with systemd.unified_cgroup_hierarchy=1"
    else:
        remedy = "sudo apt install dbus-user-session on Debian and Ubuntu, then log in again"
    return Fact("control groups", State.LIMITED, reason, NO_LIMITS, remedy)


def examine_controllers(home: Home) -> Iterator[Fact]:
    """In the namespaces of the home."""
    if missing := groups.missing_controllers(home.rootless):
        cost = "limits of these controllers are not applied"
        remedy = f"in a file below {DELEGATION}: [Service] Delegate=cpu cpuset io memory pids; then log in again"
        yield Fact("controllers", State.LIMITED, f"not delegated: {', '.join(missing)}", cost, remedy)


def _lingering(uid: int) -> Fact:
    if lingering.lingers(uid):
        return Fact("lingering", State.OK)
    cost = "containers end with this user's last session, and stacks do not come back at boot"
    return Fact("lingering", State.LIMITED, "off", cost, lingering.remedy(uid))


def _way_out() -> Fact:
    program = way_out.find_program()
    if program is None:
        cost = "containers reach nothing outside this machine; names and published ports work"
        return Fact("program pasta", State.LIMITED, "not in PATH", cost, way_out.INSTALL)
    if not os.access(TUNNELS, os.R_OK | os.W_OK):
        cost = "containers reach nothing outside this machine; names and published ports work"
        return Fact(TUNNELS, State.LIMITED, "not for this user", cost, f"sudo chmod 666 {TUNNELS}")
    if program != way_out.PASTA:
        cost = f"{program} is used, which is slower"
        return Fact("program pasta", State.LIMITED, "not in PATH", cost, way_out.INSTALL)
    return Fact("program pasta", State.OK, shutil.which(program) or "")
