"""What this machine offers for containers: each feature is tried, with what its lack costs and how to fix it."""

from __future__ import annotations

import os
import shutil
from enum import StrEnum
from typing import TYPE_CHECKING

from orchestra.driver.local import trial
from orchestra.driver.local.net.mark import home_hash
from orchestra.home import is_rootless
from orchestra.linux import cgroup, namespaces
from orchestra.linux.network import libnftables
from orchestra.linux.security import capabilities
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestra.home import Home

OLDEST = (5, 12)
"""The first kernel with all of pidfd_open, setns by pidfd, openat2, close_range, clone3 and mount_setattr."""
TELLS_EXITS = (6, 15)
SPACE = 1 << 30
INODES = 10_000

ROOT = "run as root: sudo orchestra ..."
KERNEL = "use Linux 5.12 or later"
NESTED = "root is not enough here: allow it for the container, unit or jail that this runs in"


class State(StrEnum):
    OK = "ok"
    LIMITED = "limited"
    LACKING = "lacking"


class Fact(NamedTuple):
    """cost and remedy are empty if nothing is missing. LIMITED: stacks run, with that cost; LACKING: none runs."""

    name: str
    state: State
    detail: str = ""
    cost: str = ""
    remedy: str = ""


class _Trial(NamedTuple):
    """privileged: the result means nothing unless root makes the trial."""

    name: str
    trial: Callable[[], str | None]
    cost: str
    remedy: str
    essential: bool = True
    privileged: bool = True


# Capability: what it is for, what its lack costs, whether nothing works without it.
CAPABILITIES = (
    ("CAP_SYS_ADMIN", "no namespace and no mount can be made", True),
    ("CAP_SYS_CHROOT", "no program can be executed in a running container", True),
    ("CAP_SETUID", "no program can become a container's user", True),
    ("CAP_SETGID", "no program can get a container's groups", True),
    ("CAP_SETPCAP", "capabilities cannot be taken from a container", True),
    ("CAP_CHOWN", "images cannot be unpacked with their owners", True),
    ("CAP_DAC_OVERRIDE", "files of other users in images and volumes cannot be reached", True),
    ("CAP_FOWNER", "modes of other users' files in images cannot be set", True),
    ("CAP_NET_ADMIN", "no networks and no published ports: only network_mode none and host", False),
    ("CAP_NET_BIND_SERVICE", "ports below 1024 cannot be published", False),
    ("CAP_NET_RAW", "containers have no ping", False),
    ("CAP_MKNOD", "no devices for containers, and no whiteouts of image layers", False),
    ("CAP_KILL", "containers of other users cannot be stopped", False),
    ("CAP_SYS_PTRACE", "exit codes of containers whose shim was killed are unknown on kernels before 6.15", False),
    (
        "CAP_SYS_RESOURCE",
        "ulimits cannot be raised, and oom_score_adj cannot be lowered, not even for Orchestra itself",
        False,
    ),
    ("CAP_SETFCAP", "file capabilities of images are lost", False),
    ("CAP_FSETID", "set-group-id bits of images are lost", False),
    ("CAP_AUDIT_WRITE", "containers cannot write audit records", False),
)

NAMESPACES = (
    ("mount", namespaces.CLONE_NEWNS),
    ("pid", namespaces.CLONE_NEWPID),
    ("network", namespaces.CLONE_NEWNET),
    ("ipc", namespaces.CLONE_NEWIPC),
    ("uts", namespaces.CLONE_NEWUTS),
    ("cgroup", namespaces.CLONE_NEWCGROUP),
)

TRIALS = (
    *(
        _Trial(f"{name} namespaces", trial.namespace(flag), "no container can be made", ROOT)
        for name, flag in NAMESPACES
    ),
    _Trial(
        "user namespaces",
        trial.namespace(namespaces.CLONE_NEWUSER),
        "no stacks without root",
        "see /proc/sys/user/max_user_namespaces and kernel.unprivileged_userns_clone",
        essential=False,
        privileged=False,
    ),
    _Trial("mount of proc", trial.proc_mount, "containers could not see their processes, so none can be made", NESTED),
    _Trial("mount of devpts", trial.terminals, "containers could not have terminals, so none can be made", NESTED),
    _Trial("mount_setattr", trial.mount_setattr, "read-only mounts cannot be made", KERNEL),
    _Trial("openat2", trial.openat2, "paths in containers cannot be opened safely", KERNEL, privileged=False),
    _Trial("close_range", trial.close_range, "containers would inherit open descriptors", KERNEL, privileged=False),
    _Trial(
        "pidfd",
        trial.pidfd,
        "no program can be executed in a running container, and processes cannot be identified safely",
        KERNEL,
        privileged=False,
    ),
    _Trial(
        "seccomp",
        trial.seccomp_filter,
        "containers run without a filter: they may make any system call that their capabilities permit",
        "install the package libseccomp2, and use a kernel with CONFIG_SECCOMP_FILTER",
        essential=False,
        privileged=False,
    ),
    _Trial(
        "bridge and veth",
        trial.links,
        "no networks: only network_mode none and host",
        f"load the modules bridge and veth; {ROOT}",
        essential=False,
    ),
    _Trial(
        "packet filters",
        trial.gates,
        "no networks: they would be open while the firewall is reloaded",
        f"load the modules sch_ingress and cls_bpf; {ROOT}",
        essential=False,
    ),
    _Trial(
        "nf_tables with nat",
        trial.nat,
        "no published ports, and no name resolution between services",
        f"load the modules nf_tables, nft_chain_nat and nft_redir; {ROOT}",
        essential=False,
    ),
    _Trial(
        "forwarding",
        trial.forwarding,
        "containers reach each other, but neither the host's ports nor other machines",
        "mount /proc/sys writable, or set net.ipv4.ip_forward to 1",
        essential=False,
    ),
)


def examine(home: Home) -> Iterator[Fact]:
    """Every fact, as it becomes known. Changes nothing. Only for a process with one thread.

    For a user other than root, outside the namespaces of the home: that, and what can be found out without privileges.
    """
    privileged = os.geteuid() == 0
    yield _kernel()
    if privileged:
        yield from _capabilities()
    else:
        yield _without_root()
    for row in TRIALS:
        if privileged or not row.privileged:
            yield _try(row)
    if privileged:
        yield _overlay(home)
        if not is_rootless(os.environ):
            yield from _cgroups(home)
    yield _nft()
    yield _ip_forward()
    yield from _space(home)


def can_run(facts: list[Fact]) -> bool:
    return all(fact.state is not State.LACKING for fact in facts)


def _kernel() -> Fact:
    release = os.uname().release
    version = tuple(int(part) for part in release.split("-")[0].split(".")[:2] if part.isdecimal())
    if version < OLDEST:
        return Fact("kernel", State.LACKING, release, "system calls are missing: see below for which", KERNEL)
    if version < TELLS_EXITS:
        cost = "exit codes of containers whose shim was killed may be unknown"
        return Fact("kernel", State.LIMITED, release, cost, "use Linux 6.15 or later")
    return Fact("kernel", State.OK, release)


def _without_root() -> Fact:
    cost = "no stack can run: namespaces, mounts, limits and networks could not even be tested"
    return Fact("root", State.LACKING, f"this is user {os.geteuid()}", cost, "sudo orchestra doctor")


def _capabilities() -> Iterator[Fact]:
    held = capabilities.held()
    for name, cost, essential in CAPABILITIES:
        if held >> capabilities.NUMBERS[name] & 1:
            yield Fact(name, State.OK)
        else:
            yield _lack(essential, name, "not held", cost, ROOT)


def _try(row: _Trial) -> Fact:
    works, detail = trial.attempt(row.trial)
    if works:
        return Fact(row.name, State.OK, detail)
    return _lack(row.essential, row.name, detail, row.cost, row.remedy)


def _lack(essential: bool, name: str, detail: str, cost: str, remedy: str) -> Fact:
    """If this process is root already, do not tell the user to become root."""
    if os.geteuid() == 0:
        remedy = remedy.replace(ROOT, NESTED)
    return Fact(name, State.LACKING if essential else State.LIMITED, detail, cost, remedy)


def _overlay(home: Home) -> Fact:
    rootless = is_rootless(os.environ)
    cost = "no container can have a root of its own"
    if rootless:
        cost = "containers get copies of their images, which takes time and space, and no images can be built"
    try:
        with trial.temporary_directory(home.data) as place:
            outcome = trial.attempt(trial.overlay(place, rootless=rootless))
    except OSError as error:
        return _lack(True, "overlayfs", str(error), cost, f"make {home.data} writable; {ROOT}")
    if outcome.works:
        return Fact("overlayfs", State.OK, f"at {trial.nearest(home.data)}")
    remedy = f"load the module overlay, or move ORCHESTRA_HOME to a file system such as ext4, xfs or tmpfs; {ROOT}"
    return _lack(not rootless, "overlayfs", outcome.detail, cost, remedy)


def _cgroups(home: Home) -> Iterator[Fact]:
    hierarchy = cgroup.machine_hierarchy()
    cost = "limits of memory, CPUs and processes are not applied, and usage is not measured"
    if hierarchy.version == 0:
        yield Fact("cgroups", State.LIMITED, "none is mounted", cost, "mount -t cgroup2 none /sys/fs/cgroup")
        return
    names = sorted(hierarchy.v1) if hierarchy.version == 1 else _controllers(hierarchy.v2)
    detail = f"version {hierarchy.version}: {', '.join(names) or 'no controllers'}"
    works, problem = trial.attempt(trial.limits(f"/orchestra/{home_hash(home)}/doctor/{os.getpid()}", hierarchy))
    if not works:
        yield _lack(True, "cgroups", f"{detail}; {problem}", "no container can be put in a group", ROOT)
    elif problem:
        remedy = "enable the controllers for this part of the tree (cgroup.subtree_control, or Delegate= of systemd)"
        yield Fact("cgroups", State.LIMITED, f"{detail}; {problem}", "these limits are not applied", remedy)
    else:
        yield Fact("cgroups", State.OK, detail)
    if hierarchy.version == 2:
        yield _try(_Trial("clone3", trial.clone3, "no process can be started in its group", KERNEL))


def _controllers(root: str) -> list[str]:
    try:
        with open(f"{root}/cgroup.controllers") as file:
            return sorted(file.read().split())
    except OSError:
        return []


def _nft() -> Fact:
    found = libnftables.LIBRARY if libnftables.is_installed() else shutil.which(libnftables.PROGRAM)
    if found is None:
        cost = "no published ports, and no connections from networks to the outside: nftables applies these rules"
        return Fact("nftables", State.LIMITED, "not installed", cost, "install the package nftables")
    return Fact("nftables", State.OK, found)


def _ip_forward() -> Fact:
    try:
        with open("/proc/sys/net/ipv4/ip_forward") as file:
            on = file.read().strip() == "1"
    except OSError as error:
        return Fact("ip_forward", State.LIMITED, str(error), "whether packets are forwarded is unknown", "mount /proc")
    detail = "on for the whole host" if on else "off; turned on for single interfaces while a network needs it"
    return Fact("ip_forward", State.OK, detail)


def _space(home: Home) -> Iterator[Fact]:
    for what, path in (("data", home.data), ("run", home.run)):
        there = trial.nearest(path)
        status = os.statvfs(there)
        free, inodes = status.f_bavail * status.f_frsize, status.f_favail
        detail = f"{free / SPACE:.1f} GiB free at {there}"
        low = what == "data" and free < SPACE
        # Some file systems do not count inodes, and say that there are none at all.
        if low or (status.f_files and inodes < INODES):
            detail += f", {inodes} inodes"
            cost = "images and containers may not fit"
            yield Fact(f"space for {what}", State.LIMITED, detail, cost, "free some space, or move ORCHESTRA_HOME")
        else:
            yield Fact(f"space for {what}", State.OK, detail)
