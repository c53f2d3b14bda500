"""Becoming the process that an OCI process object describes: limits, user, capabilities, directory, program.

Shared by a container's first process and by those that are executed in it later; both call ``prepare`` while they are
still outside, and ``become`` as root inside the container's namespaces, as their last act before execve(2).
"""

from __future__ import annotations

import os
import resource
from errno import EACCES, EINVAL, EIO, ENOENT, ENOEXEC, EPERM

from orchestra.linux import oom_score, passwd, process
from orchestra.linux.security import capabilities, seccomp
from orchestra.linux.syscall import SystemCallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

    from orchestra.container.configuration import Configuration
    from orchestra.container.description import ProcessDescription
    from orchestra.linux.security.security_label import ExecLabel

KEEP_GROUPS_ANNOTATION = "run.oci.keep_original_groups"  # what podman's --group-add keep-groups becomes
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Program:
    """A process object taken apart: what to execute, with which arguments and environment, under which confinement."""

    __slots__ = ("arguments", "environment", "filter", "granted", "labels", "path")

    def __init__(self, description: ProcessDescription) -> None:
        self.arguments = description.args
        self.environment = dict(word.partition("=")[::2] for word in description.env)
        self.path = ""
        self.filter: seccomp.Filter | None = None
        self.granted: tuple[capabilities.Sets, int] | None = None
        self.labels: list[ExecLabel] = []

    def confine(self, hand_over: Callable[[int], None]) -> None:
        """The last step before ``execute``, since from here on the filter decides what may be done. A second call does
        nothing.

        Without ``no_new_privs`` a filter needs CAP_SYS_ADMIN, which is given up only then. hand_over: gets the listener
        of a filter that asks another process.
        """
        labels, self.labels = self.labels, []
        for label in labels:
            label.set()
        wanted, self.filter = self.filter, None
        if wanted is not None:
            listener = seccomp.load(wanted)
            if wanted.flags & seccomp.SECCOMP_FILTER_FLAG_NEW_LISTENER:
                hand_over(listener)
                os.close(listener)
        granted, self.granted = self.granted, None
        if granted is not None:
            capabilities.apply(*granted)

    def find(self) -> None:
        """Look the program up in the container's PATH, from its working directory. Called inside the container."""
        name = self.arguments[0]
        if "/" in name:
            self.path = name
            _check_executable(name)
            return
        refused = False
        for directory in self.environment.get("PATH", DEFAULT_PATH).split(":"):
            candidate = f"{directory or '.'}/{name}"
            try:
                _check_executable(candidate)
            except OSError as error:
                refused = refused or error.errno == EACCES
                continue
            self.path = candidate
            return
        if refused:
            raise SystemCallError(EACCES, "execve", name, "a file of that name in PATH is not executable")
        raise SystemCallError(ENOENT, "execve", name, "no such program in the container's PATH")

    def execute(self) -> NoReturn:
        try:
            os.execve(self.path, self.arguments, self.environment)
        except OSError as error:
            hint = {
                ENOENT: "the program's interpreter or loader does not exist in the container",
                ENOEXEC: "not a program for this machine's architecture, nor a script that begins with #!",
            }.get(error.errno or 0, "")
            raise SystemCallError(error.errno or 0, "execve", self.path, hint) from error


def _check_executable(path: str) -> None:
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        hint = "no such program in the container" if error.errno == ENOENT else ""
        raise SystemCallError(error.errno or 0, "execve", path, hint) from error
    if not mode & 0o100000 or not mode & 0o111 or not os.access(path, os.X_OK, effective_ids=True):
        raise SystemCallError(EACCES, "execve", path, "not an executable file")


def prepare(description: ProcessDescription, warn: Callable[[str], None]) -> None:
    """What cannot be done later, as root of a user namespace or with the container's /proc.

    Raises hard limits as far as they are asked for; ``become`` sets them once they no longer hinder our own work.
    """
    if description.oom_score_adj is not None:
        _adjust_oom_score(description.oom_score_adj, warn)
    else:
        oom_score.restore()
    for limit in description.limits:
        process.raise_hard_limit(limit.type, limit.hard)
    # Import it here if it is needed: inside the container no module can be imported.
    if description.scheduler or description.io_priority:
        import orchestra.linux.scheduling  # noqa: F401
    labels = _labels(description)
    if labels:
        from orchestra.linux.security import security_label

        for module, label in labels:
            security_label.require(module, label)


def become(
    description: ProcessDescription,
    config: Configuration,
    labels: list[ExecLabel],
    warn: Callable[[str], None],
    wanted: seccomp.Filter | None = None,
    *,
    dumpable: bool = False,
) -> Program:
    """Give up everything the process object does not grant. Returns the program, found and ready to be executed.

    config: that of the container; labels, wanted: what ``Program.confine`` is to set and to load; dumpable: whether
    others of the container may look into this process (ptrace(2)).
    """
    uid, gid, granted = description.uid, description.gid, description.capabilities
    _limit(description, warn)
    program = Program(description)
    _schedule(description)
    domain = config.linux.personality.domain
    if domain is not None:
        process.set_personality(domain)
    program.labels = labels
    enter_directory(description.cwd)
    sets = capabilities.Sets(granted or {})
    for name in sets.unknown:
        warn(f"unknown capability {name}")
    available = capabilities.held()
    if granted is not None:
        missing = sets.bounding & ~available & (1 << capabilities.LAST + 1) - 1
        for number in (n for n in range(capabilities.LAST + 1) if missing >> n & 1):
            warn(f"{capabilities.NAMES[number]} cannot be granted: this process does not hold it")
        capabilities.limit_bounding(sets.bounding)
    process.prctl(process.PR_SET_KEEPCAPS, 1)
    if config.annotations.get(KEEP_GROUPS_ANNOTATION) != "1":
        _set_groups(description.groups)
    _change_user(uid, gid)
    process.prctl(process.PR_SET_KEEPCAPS, 0)
    # The change of user set it to fs.suid_dumpable; it holds until execve(2).
    process.prctl(process.PR_SET_DUMPABLE, int(dumpable))
    program.filter = wanted
    if wanted is not None and not description.no_new_privileges:
        if granted is not None or uid:
            program.granted = (sets, available)
            capabilities.apply(sets.with_("CAP_SYS_ADMIN"), available)
    elif granted is not None:
        capabilities.apply(sets, available)
    if description.no_new_privileges:
        process.prctl(process.PR_SET_NO_NEW_PRIVS, 1)
    os.umask(description.umask)
    if not program.environment.get("HOME"):
        program.environment["HOME"] = passwd.home_of(uid)
    program.find()
    return program


def _schedule(description: ProcessDescription) -> None:
    if description.scheduler or description.io_priority:
        from orchestra.linux import scheduling

        if description.io_priority:
            scheduling.set_io_priority(description.io_priority)
        if description.scheduler:
            scheduling.set_scheduler(description.scheduler)


def _labels(description: ProcessDescription) -> list[tuple[str, str]]:
    """Module and label of each label that is asked for."""
    wanted = ("apparmor", description.apparmor_profile), ("selinux", description.selinux_label)
    return [(module, label) for module, label in wanted if label]


def open_labels(description: ProcessDescription, root: int) -> list[ExecLabel]:
    """root: a descriptor of the container's root."""
    labels = _labels(description)
    if not labels:
        return []
    from orchestra.linux.security import security_label

    return [security_label.ExecLabel(module, label, root) for module, label in labels]


def _change_user(uid: int, gid: int) -> None:
    try:
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    except OSError as error:
        hint = "the user namespace does not map this id" if error.errno == EINVAL else ""
        raise SystemCallError(error.errno or EIO, "setresuid", f"{uid}:{gid}", hint) from None


def _set_groups(groups: Sequence[int]) -> None:
    try:
        os.setgroups(groups)
    except PermissionError:
        # In a user namespace made without privileges, setgroups(2) is denied: groups can be neither dropped nor added.
        if groups:
            raise


def _limit(description: ProcessDescription, warn: Callable[[str], None]) -> None:
    for limit in description.limits:
        try:
            process.set_rlimit(limit.type, limit.soft, limit.hard)
        except OSError as error:
            if error.errno != EPERM:
                raise
            now = resource.getrlimit(getattr(resource, limit.type))
            warn(f"{limit.type} stays at {now[0]}:{now[1]}: raising a hard limit needs CAP_SYS_RESOURCE")


def _adjust_oom_score(score: int, warn: Callable[[str], None]) -> None:
    try:
        fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, str(score).encode())
        finally:
            os.close(fd)
    except PermissionError:
        warn(f"oom_score_adj {score} is not applied: lowering it needs CAP_SYS_RESOURCE")


def enter_directory(path: str) -> None:
    """chdir(2).

    A path through /proc/self/fd could lead out of the container by a descriptor that is still open: getcwd(2) has no
    name for such a place.
    """
    try:
        os.chdir(path)
    except OSError as error:
        raise SystemCallError(error.errno or EACCES, "chdir", path) from error
    try:
        os.getcwd()
    except FileNotFoundError as error:
        raise SystemCallError(EACCES, "chdir", path, "it leads outside the container") from error
