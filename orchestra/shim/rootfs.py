"""The file system a container sees: its root, the mounts of its config, devices, and what is hidden from it.

Runs in the container's own mount namespace, still on the host's root until ``enter``. A target inside the new root is
reached by a descriptor that openat2(2) resolved within that root, never by joining strings.
"""

from __future__ import annotations

import os
import stat
from errno import EEXIST, EINVAL, ENOENT, ENOTDIR, EPERM
from typing import Any

from orchestra.linux import mount, resolve
from orchestra.linux.syscall import SystemCallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestra.linux.cgroup import Cgroup

PAGE = 4096  # mount(2): options are cut off at one page

# OCI runtime spec, config-linux, "Default Devices": name, major, minor.
DEVICES = (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0))
LINKS = (
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
)


def build(config: Mapping[str, Any], layers: Iterable[Mapping[str, Any]], bundle: str, cgroup: Cgroup) -> int:
    """Mount everything. layers: the ``rootfs`` of shim.json. Returns a descriptor of the new root."""
    # What is mounted from here on must not appear on the host, while unmounting there may still reach us.
    mount.mount("", "/", flags=mount.MS_REC | mount.MS_SLAVE)
    root = os.path.join(bundle, config.get("root", {}).get("path") or "rootfs")
    layered = False
    for layer in layers:
        _mount_layer(layer, root)
        layered = True
    if not layered:
        # pivot_root(2) wants a mount point.
        mount.mount(root, root, flags=mount.MS_BIND | mount.MS_REC)
    fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    fresh_dev = False
    for entry in config.get("mounts") or ():
        _mount_entry(fd, entry, bundle, cgroup)
        if entry["destination"].rstrip("/") == "/dev":
            fresh_dev = entry.get("type") == "tmpfs"
    if fresh_dev:
        _make_devices(fd, config.get("linux", {}).get("devices") or ())
    if config.get("root", {}).get("readonly"):
        mount.set_attributes(fd, mount.MOUNT_ATTR_RDONLY, about=root)
    return fd


def enter(root: int, propagation: str = "", *, pivot: bool = True) -> None:
    """Make ``root`` the root of this mount namespace and let go of the host's.

    Old and new root at the same place, then the upper one detached: no directory for the old one is needed
    (pivot_root(2), "pivot_root(".", ".")"). Where the host's root is the initial ramdisk, which cannot be pivoted away
    from, it can only be covered: not ``pivot``.
    """
    os.fchdir(root)
    if pivot:
        mount.pivot_root(".", ".")
        mount.unmount(".", mount.MNT_DETACH)
    else:
        mount.mount(".", "/", flags=mount.MS_MOVE)
        os.chroot(".")
    os.chdir("/")
    os.close(root)
    if propagation:
        mount.mount("", "/", flags=mount.PROPAGATION[propagation])


def _mount_layer(layer: Mapping[str, Any], root: str) -> None:
    options = mount.parse_options(layer.get("options") or ())
    kind, source = layer["type"], layer["source"]
    if kind == "bind" or options.flags & mount.MS_BIND:
        _bind(source, root, options, about=root)
        return
    if len(os.fsencode(options.data)) >= PAGE:
        raise SystemCallError(EINVAL, f"mount {kind} at", root, "its options are longer than a page: too many layers")
    mount.mount(source, root, kind, options.flags, options.data)


def _mount_entry(root: int, entry: Mapping[str, Any], bundle: str, cgroup: Cgroup) -> None:
    options = mount.parse_options(entry.get("options") or ())
    destination, kind = entry["destination"], entry.get("type") or ""
    if kind in ("cgroup", "cgroup2"):
        _mount_cgroup(root, destination, options, cgroup)
        return
    if kind == "bind" or options.flags & mount.MS_BIND:
        source = os.path.join(bundle, entry["source"])
        target = resolve.ensure_in_root(root, destination, directory=os.path.isdir(source))
        try:
            _bind(source, f"/proc/self/fd/{target}", options, about=destination, within=(root, destination))
        finally:
            os.close(target)
        return
    target = resolve.ensure_in_root(root, destination, directory=True)
    try:
        mount.mount(
            entry.get("source") or kind,
            f"/proc/self/fd/{target}",
            kind,
            options.flags,
            options.data,
            about=destination,
        )
    finally:
        os.close(target)
    for flag in options.propagation:
        _propagate(root, destination, flag)


def _bind(
    source: str, target: str, options: mount.Options, *, about: str, within: tuple[int, str] | None = None
) -> None:
    """Bind, then set what the options ask for on the new mount alone: a remount would drop the source's nosuid."""
    try:
        mount.mount(source, target, flags=mount.MS_BIND | options.flags & mount.MS_REC, about=about)
    except SystemCallError as error:
        if error.errno == ENOENT:
            raise SystemCallError(
                ENOENT, "bind", source, f"the source of the mount at {about} does not exist"
            ) from None
        raise
    attributes = mount.attributes_of(options.flags)
    if not attributes and not options.recursive and within is None:
        return
    fd = os.open(target, os.O_PATH | os.O_CLOEXEC) if within is None else resolve.open_in_root(*within)
    try:
        if attributes:
            mount.set_attributes(fd, attributes, about=about)
        if options.recursive:
            mount.set_attributes(fd, options.recursive, recursive=True, about=about)
        for flag in options.propagation or (mount.MS_PRIVATE | mount.MS_REC,):
            mount.mount("", f"/proc/self/fd/{fd}", flags=flag, about=about)
    finally:
        os.close(fd)


def _propagate(root: int, destination: str, flag: int) -> None:
    fd = resolve.open_in_root(root, destination)
    try:
        mount.mount("", f"/proc/self/fd/{fd}", flags=flag, about=destination)
    finally:
        os.close(fd)


def _mount_cgroup(root: int, destination: str, options: mount.Options, cgroup: Cgroup) -> None:
    """The container's own groups and nothing above them, by binding: alike with and without a cgroup namespace."""
    target = resolve.ensure_in_root(root, destination, directory=True)
    views = cgroup.views()
    try:
        if "" not in views:
            flags = mount.MS_NOSUID | mount.MS_NODEV | mount.MS_NOEXEC
            mount.mount("tmpfs", f"/proc/self/fd/{target}", "tmpfs", flags, "mode=755,size=64k", about=destination)
    finally:
        os.close(target)
    for name, directory in views.items():
        path = f"{destination}/{name}" if name else destination
        target = resolve.ensure_in_root(root, path, directory=True)
        try:
            plain = options._replace(flags=options.flags & ~mount.MS_REC, data="")
            _bind(directory, f"/proc/self/fd/{target}", plain, about=path, within=(root, path))
        finally:
            os.close(target)


def _make_devices(root: int, extra: Iterable[Mapping[str, Any]]) -> None:
    dev = resolve.open_in_root(root, "/dev", os.O_RDONLY | os.O_DIRECTORY)
    mask = os.umask(0)
    try:
        for name, major, minor in DEVICES:
            _make_device(dev, name, stat.S_IFCHR | 0o666, os.makedev(major, minor), f"/dev/{name}")
        for name, target in LINKS:
            os.symlink(target, name, dir_fd=dev)
        for device in extra:
            kind = {"b": stat.S_IFBLK, "p": stat.S_IFIFO}.get(device["type"], stat.S_IFCHR)
            parent, _, name = device["path"].rpartition("/")
            fd = resolve.ensure_in_root(root, parent or "/", directory=True)
            try:
                number = os.makedev(device.get("major", 0), device.get("minor", 0))
                _make_device(fd, name, kind | device.get("fileMode", 0o666), number, device["path"])
                os.chown(name, device.get("uid", 0), device.get("gid", 0), dir_fd=fd, follow_symlinks=False)
            finally:
                os.close(fd)
    finally:
        os.umask(mask)
        os.close(dev)


def _make_device(directory: int, name: str, mode: int, number: int, host_path: str) -> None:
    """mknod(2), or where that is not permitted the host's own node, bound."""
    try:
        os.mknod(name, mode, number, dir_fd=directory)
    except OSError as error:
        if error.errno == EEXIST:
            return
        if error.errno != EPERM:
            raise
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o666, dir_fd=directory))
        mount.mount(host_path, f"/proc/self/fd/{directory}/{name}", flags=mount.MS_BIND, about=host_path)


def hide(masked: Iterable[str], read_only: Iterable[str]) -> None:
    """Inside the container. What is not there need not be hidden."""
    empty = ""
    for path in masked:
        try:
            mount.mount("/dev/null", path, flags=mount.MS_BIND)
        except SystemCallError as error:
            if error.errno == ENOENT:
                continue
            if error.errno != ENOTDIR:
                raise
            if empty:
                mount.mount(empty, path, flags=mount.MS_BIND)
            else:
                mount.mount("tmpfs", path, "tmpfs", mount.MS_RDONLY, "nr_inodes=2,mode=755")
                empty = path
    for path in read_only:
        try:
            mount.mount(path, path, flags=mount.MS_BIND | mount.MS_REC)
        except SystemCallError as error:
            if error.errno == ENOENT:
                continue
            raise
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            mount.set_attributes(fd, mount.MOUNT_ATTR_RDONLY, about=path)
        finally:
            os.close(fd)


def set_sysctls(values: Mapping[str, str]) -> None:
    """Inside the container, before /proc/sys becomes read-only."""
    for key, value in values.items():
        path = f"/proc/sys/{key.replace('.', '/')}" if "/" not in key else f"/proc/sys/{key}"
        try:
            with open(path, "w") as file:
                file.write(value)
        except OSError as error:
            raise SystemCallError(error.errno or 0, "sysctl", key) from error
