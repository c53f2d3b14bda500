"""Whether a container could start, checked while another one of its name still runs. Makes and changes nothing.

The errors are those that creating or starting it would raise. Where the image cannot tell, as below a mount, only the
start can.
"""

from __future__ import annotations

import os
import posixpath
import stat
import struct
from errno import EACCES, ENOENT, ENOTDIR
from typing import TYPE_CHECKING, Any

from orchestra.driver.local import volume
from orchestra.driver.local.bundle.config import render_bundle
from orchestra.driver.local.bundle.host import observe_host
from orchestra.driver.local.confinement import compile_filter
from orchestra.driver.local.image.failure import file_errors
from orchestra.driver.local.image.layers.lookup import CoveredError, Found, find, has_access_list, read_start
from orchestra.driver.local.net.attachment import Attachment
from orchestra.driver.local.runtime.failure import runtime_errors
from orchestra.errors import FatalError
from orchestra.linux.security import libseccomp
from orchestra.linux.syscall import SystemCallError
from orchestra.model.mount import BindMount, ImageMount, TmpfsMount, VolumeMount
from orchestra.model.sharing import Host

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from orchestra.driver.local.image.store import ReadyImage
    from orchestra.driver.local.user import User
    from orchestra.home import Home
    from orchestra.model.container import ContainerSpec

LONGEST_HOSTNAME = 64  # sethostname(2)
SYSTEM = ("/proc", "/dev", "/sys")  # file systems of every container, over what the image has there
LATE = (
    "/proc/sys/net/ipv4/conf/",
    "/proc/sys/net/ipv6/conf/",
    "/proc/sys/net/ipv4/neigh/",
    "/proc/sys/net/ipv6/neigh/",
)
INTERPRETER = "the program's interpreter or loader does not exist in the container"


def check_start(home: Home, stack: str, spec: ContainerSpec, image: ReadyImage, user: User, *, settled: bool) -> None:
    """spec: including what the image adds. settled: its dependencies have made whatever they make.

    Raises FatalError; TemporaryError while a volume is missing.
    """
    volume.check_sources(home, stack, spec, settled=settled)
    config = render_bundle(
        spec,
        image.config,
        user=user,
        attachment=_attachment(stack, spec),
        mounts=[volume.ResolvedMount(mount.target, "bind", "") for mount in spec.mounts],
        cgroups_path="",
        host=observe_host(spec),
    )
    profile = config["linux"].get("seccomp")
    if profile is not None and libseccomp.is_installed():
        compile_filter(profile, home.filters)
    _check_names(spec)
    _check_processors(spec)
    with runtime_errors(spec.name):
        _check_sysctls(config)
        _check_targets(spec, image.layers)
        _check_program(config["process"], image.layers, _covered(spec), user)


def _attachment(stack: str, spec: ContainerSpec) -> Attachment:
    """With a network namespace where the container will have one: that is all a definition is judged by."""
    hostname = spec.hostname or (os.uname().nodename if isinstance(spec.network_mode, Host) else spec.name)
    path = None if isinstance(spec.network_mode, Host) else "/"
    return Attachment(stack, spec.service, spec.name, "", hostname, path)


def _check_names(spec: ContainerSpec) -> None:
    for attribute in ("hostname", "domainname"):
        if len(os.fsencode(getattr(spec, attribute))) > LONGEST_HOSTNAME:
            message = f"service {spec.service}: the {attribute} is longer than {LONGEST_HOSTNAME} bytes"
            raise FatalError(message, hint="use a shorter name")


def _check_processors(spec: ContainerSpec) -> None:
    wanted = spec.resources.cpuset
    if not wanted:
        return
    with open("/sys/devices/system/cpu/online", encoding="ascii") as file:
        online = file.read().strip()
    try:
        missing = _numbers(wanted) - _numbers(online)
    except ValueError:
        message = f"service {spec.service}: cpuset {wanted} is not a list of processors"
        raise FatalError(message, hint="as in 0-2,4") from None
    if missing:
        message = f"service {spec.service}: cpuset {wanted}: this machine has only the processors {online}"
        raise FatalError(message, hint="choose from these")


def _numbers(text: str) -> set[int]:
    """Of a list as in cpuset(7), "List format"."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, dash, last = part.partition("-")
        found.update(range(int(first), int(last if dash else first) + 1))
    return found


def _check_sysctls(config: Mapping[str, Any]) -> None:
    for key in config["linux"]["sysctl"]:
        path = f"/proc/sys/{key if '/' in key else key.replace('.', '/')}"
        if not path.startswith(LATE) and not os.path.exists(path):
            raise SystemCallError(ENOENT, "sysctl", key)


def _covered(spec: ContainerSpec) -> frozenset[str]:
    return frozenset((*SYSTEM, *(posixpath.normpath(mount.target) for mount in spec.mounts)))


def _check_targets(spec: ContainerSpec, layers: tuple[str, ...]) -> None:
    """Over a file of the image a file is mounted, over a directory a directory, and below a file nothing."""
    others = _covered(spec)
    for mount in spec.mounts:
        target = posixpath.normpath(mount.target)
        if (file := _file_above(target, layers, others - {target})) is not None:
            hint = f"{file} is a file in the image: mount to another place"
            raise SystemCallError(ENOTDIR, "mount", mount.target, hint)
        if isinstance(mount, BindMount) and not os.path.exists(mount.source):
            continue  # it will be made, a directory
        if isinstance(mount, VolumeMount | ImageMount) and mount.subpath:
            continue  # it may be of either kind
        try:
            found = find(layers, target, covered=others - {target})
        except CoveredError:
            continue
        is_directory = isinstance(mount, VolumeMount | TmpfsMount | ImageMount) or (
            isinstance(mount, BindMount) and os.path.isdir(mount.source)
        )
        if found is not None and found.is_directory != is_directory:
            hint = "the source and the target of a mount must both be directories, or both files"
            raise SystemCallError(ENOTDIR, "move_mount", mount.target, hint)


def _file_above(target: str, layers: tuple[str, ...], covered: Collection[str]) -> str | None:
    """What the image has in place of a directory on the way to a target."""
    above = posixpath.dirname(target)
    try:
        while (found := find(layers, above, covered=covered)) is None:
            above = posixpath.dirname(above)
    except CoveredError:
        return None
    return None if found.is_directory else above


def _check_program(process: Mapping[str, Any], layers: tuple[str, ...], covered: Collection[str], user: User) -> None:
    """As execve(2) will look for it: in PATH, or by its path, from the working directory."""
    name, directory = process["args"][0], process["cwd"]
    variables = dict(line.partition("=")[::2] for line in process["env"])
    try:
        place = find(layers, directory, covered=covered)
        if place is not None and not place.is_directory:
            raise SystemCallError(ENOTDIR, "chdir", directory)
        if "/" in name:
            _check_executable(name, find(layers, posixpath.join(directory, name), covered=covered), user)
            candidates = [posixpath.join(directory, name)]
        else:
            candidates = [posixpath.join(directory, where, name) for where in variables.get("PATH", "").split(":")]
        refused = False
        for candidate in candidates:
            found = find(layers, candidate, covered=covered)
            if found is not None and _is_executable(found, user):
                _check_interpreter(candidate, found, layers, covered)
                return
            refused = refused or found is not None
    except CoveredError:
        return
    if refused:
        raise SystemCallError(EACCES, "execve", name, "a file of that name in PATH is not executable")
    raise SystemCallError(ENOENT, "execve", name, "no such program in the container's PATH")


def _check_executable(name: str, found: Found | None, user: User) -> None:
    if found is None:
        raise SystemCallError(ENOENT, "execve", name, "no such program in the container")
    if not _is_executable(found, user):
        raise SystemCallError(EACCES, "execve", name, "not an executable file")


def _is_executable(found: Found, user: User) -> bool:
    mode, status = found.status.st_mode, found.status
    if not stat.S_ISREG(mode):
        return False
    if user.uid == 0 or (mode & 0o111 and has_access_list(found)):
        return bool(mode & 0o111)
    if status.st_uid == user.uid:
        return bool(mode & stat.S_IXUSR)
    return bool(mode & (stat.S_IXGRP if status.st_gid in (user.gid, *user.groups) else stat.S_IXOTH))


def _check_interpreter(path: str, found: Found, layers: tuple[str, ...], covered: Collection[str]) -> None:
    with file_errors(f"{path} of an image"):
        start = read_start(found, 4096)
    interpreter = _interpreter(start)
    if interpreter.startswith("/") and find(layers, interpreter, covered=covered) is None:
        raise SystemCallError(ENOENT, "execve", path, INTERPRETER)


def _interpreter(start: bytes) -> str:
    """Of a script (execve(2), "Interpreter scripts") or a program of 64 bits (elf(5), PT_INTERP); empty for none."""
    if start.startswith(b"#!"):
        words = start[2:].split(b"\n", 1)[0].split()
        return os.fsdecode(words[0]) if words else ""
    if not start.startswith(b"\x7fELF\x02") or len(start) < 64:
        return ""
    order = "<" if start[5] == 1 else ">"
    (offset,) = struct.unpack_from(f"{order}Q", start, 32)
    size, count = struct.unpack_from(f"{order}HH", start, 54)
    for number in range(count):
        at = offset + number * size
        if at + 40 > len(start):
            break
        (kind,) = struct.unpack_from(f"{order}I", start, at)
        where, _, _, length = struct.unpack_from(f"{order}QQQQ", start, at + 8)
        if kind == 3 and where + length <= len(start):
            return os.fsdecode(start[where : where + length].rstrip(b"\0"))
    return ""
