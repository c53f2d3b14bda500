"""The file system a container sees: its root, the mounts of its config, devices, and what is hidden from it.

Runs in the container's own mount namespace, still on the host's root until ``enter``. A target inside the new root is
reached by a descriptor that openat2(2) resolved within that root, never by joining strings.
"""

from __future__ import annotations

import os
import stat
from errno import EEXIST, EINVAL, ELOOP, ENODEV, ENOENT, ENOTDIR, EPERM
from typing import Any

from orchestra.linux import devices, mount, mount_tree, namespaces, procfs, resolve, user_namespace
from orchestra.linux.syscall import SystemCallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orchestra.linux.cgroup import Cgroup

    Owners = tuple[Sequence[Mapping[str, int]], Sequence[Mapping[str, int]]]

PAGE = 4096  # mount(2): options are cut off at one page

HIDDEN = mount.MOUNT_ATTR_RDONLY | mount.MOUNT_ATTR_NOSUID | mount.MOUNT_ATTR_NODEV | mount.MOUNT_ATTR_NOEXEC

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
    linux = config.get("linux") or {}
    fresh_dev = False
    for entry in config.get("mounts") or ():
        _mount_entry(fd, entry, linux, bundle, cgroup)
        if entry["destination"].rstrip("/") == "/dev":
            fresh_dev = entry.get("type") == "tmpfs"
    if fresh_dev:
        _make_devices(fd, linux.get("devices") or ())
    if config.get("root", {}).get("readonly"):
        mount.set_attributes(fd, mount.MOUNT_ATTR_RDONLY, about=root)
    return fd


def enter(root: int, propagation: str = "", *, pivot: bool = True) -> None:
    """Make ``root`` the root of this mount namespace and let go of the host's.

    Old and new root at the same place, then the upper one detached: no directory for the old one is needed
    (pivot_root(2), "pivot_root(".", ".")"). Where the host's root is the initial ramdisk, which cannot be pivoted away
    from, it can only be covered: not ``pivot``.

    Where we live in a chroot(2), the root of the namespace is further up: joining the namespace that we are in leads
    there. Left standing, it would be what every later setns(2) into the container arrives at.
    """
    namespaces.join("/proc/self/ns/mnt", namespaces.CLONE_NEWNS)
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
        target = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _bind(source, target, options, about=root)
        finally:
            os.close(target)
        return
    if len(os.fsencode(options.data)) >= PAGE:
        raise SystemCallError(EINVAL, f"mount {kind} at", root, "its options are longer than a page: too many layers")
    mount.mount(source, root, kind, options.flags, options.data)


def _mount_entry(root: int, entry: Mapping[str, Any], linux: Mapping[str, Any], bundle: str, cgroup: Cgroup) -> None:
    options = mount.parse_options(entry.get("options") or ())
    destination, kind = entry["destination"], entry.get("type") or ""
    if kind in ("cgroup", "cgroup2"):
        _mount_cgroup(root, destination, options, cgroup)
        return
    if kind == "bind" or options.flags & mount.MS_BIND:
        source = os.path.join(bundle, entry["source"])
        target = resolve.ensure_in_root(root, destination, directory=os.path.isdir(source))
        try:
            _bind(source, target, options, about=destination, owners=_owners(entry, options, linux))
        finally:
            os.close(target)
        return
    if options.copies_up or options.owners is not None:
        hint = "tmpcopyup is not supported, and only a bind can show other owners"
        raise SystemCallError(EINVAL, "config", destination, hint)
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


def _bind(source: str, target: int, options: mount.Options, *, about: str, owners: Owners | None = None) -> None:
    """A copy of the source's mount, made as the options want it before anybody can see it, and then put on ``target``.

    Only what they ask for is changed: a bind of a nosuid mount stays nosuid.
    """
    try:
        tree = mount_tree.clone(source, recursive=bool(options.flags & mount.MS_REC), about=source)
    except SystemCallError as error:
        if error.errno == ENOENT:
            hint = f"the source of the mount at {about} does not exist"
            raise SystemCallError(ENOENT, "bind", source, hint) from None
        raise
    try:
        attributes, cleared = mount.attributes_of(options.flags), mount.attributes_of(options.cleared)
        if attributes or cleared:
            mount.set_attributes(tree, attributes, cleared=cleared & ~attributes, about=about)
        if options.recursive or options.recursively_cleared:
            mount.set_attributes(
                tree, options.recursive, cleared=options.recursively_cleared, recursive=True, about=about
            )
        if owners is not None:
            namespace = user_namespace.make(*owners)
            try:
                mount_tree.map_owners(tree, namespace, recursive=options.owners is True, about=about)
            finally:
                os.close(namespace)
        mount_tree.attach(tree, target, about=about)
        for flag in options.propagation or (mount.MS_PRIVATE | mount.MS_REC,):
            kind, recursive = flag & ~mount.MS_REC, bool(flag & mount.MS_REC)
            mount.set_attributes(tree, 0, propagation=kind, recursive=recursive, about=about)
    finally:
        os.close(tree)


def _owners(entry: Mapping[str, Any], options: mount.Options, linux: Mapping[str, Any]) -> Owners | None:
    """The maps of a mount whose files are shown with other owners; without its own they are the container's."""
    users, groups = entry.get("uidMappings") or (), entry.get("gidMappings") or ()
    if not users and not groups:
        if options.owners is None:
            return None
        users, groups = linux.get("uidMappings") or (), linux.get("gidMappings") or ()
    if not users or not groups:
        hint = "an id-mapped mount needs uidMappings and gidMappings"
        raise SystemCallError(EINVAL, "config", entry["destination"], hint)
    return users, groups


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
            _bind(directory, target, plain, about=path)
        finally:
            os.close(target)


def _make_devices(root: int, extra: Iterable[Mapping[str, Any]]) -> None:
    dev = resolve.open_in_root(root, "/dev", os.O_RDONLY | os.O_DIRECTORY)
    mask = os.umask(0)
    try:
        for name, major, minor in DEVICES:
            _make_device(dev, name, stat.S_IFCHR | 0o666, os.makedev(major, minor))
        for name, target in LINKS:
            os.symlink(target, name, dir_fd=dev)
        for device in extra:
            kind = {"b": stat.S_IFBLK, "p": stat.S_IFIFO}.get(device["type"], stat.S_IFCHR)
            parent, _, name = device["path"].rpartition("/")
            fd = resolve.ensure_in_root(root, parent or "/", directory=True)
            try:
                number = os.makedev(device.get("major", 0), device.get("minor", 0))
                if _make_device(fd, name, kind | device.get("fileMode", 0o666), number):
                    os.chown(name, device.get("uid", 0), device.get("gid", 0), dir_fd=fd, follow_symlinks=False)
            finally:
                os.close(fd)
    finally:
        os.umask(mask)
        os.close(dev)


def _make_device(directory: int, name: str, mode: int, number: int) -> bool:
    """mknod(2), or where that is not permitted the host's own node, bound. Whether the node is ours to change."""
    try:
        os.mknod(name, mode, number, dir_fd=directory)
        return True
    except OSError as error:
        if error.errno == EEXIST:
            return True
        if error.errno != EPERM:
            raise
    source = devices.find_node(stat.S_IFMT(mode), number)
    if not source:
        major, minor = os.major(number), os.minor(number)
        hint = f"neither may it be made here, nor does the host's /dev have one with the numbers {major}:{minor}"
        raise SystemCallError(EPERM, "mknod", name, hint)
    os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666, dir_fd=directory))
    target = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        tree = mount_tree.clone(source)
        try:
            mount_tree.attach(tree, target, about=name)
        finally:
            os.close(tree)
    finally:
        os.close(target)
    return False


def hide(root: int, masked: Iterable[str], read_only: Iterable[str]) -> None:
    """root: a descriptor of the container's. What is not there need not be hidden.

    Each path is looked up once, and what it leads to is covered by descriptor: nothing that is exchanged meanwhile can
    lead the mount elsewhere, and what covers a file is surely the null device.
    """
    null = directory = -1
    try:
        for path in masked:
            target = _find(root, path)
            if target < 0:
                continue
            try:
                if stat.S_ISDIR(os.fstat(target).st_mode):
                    if directory < 0:
                        directory = mount_tree.make("tmpfs", ("nr_inodes=2", "mode=755", "ro"), HIDDEN)
                        mount_tree.attach(directory, target, about=path)
                        continue
                    # Of one that is attached by now: others cannot be cloned before Linux 6.15.
                    cover = mount_tree.clone(directory, about=path)
                else:
                    if null < 0:
                        null = _open_null(root)
                    cover = mount_tree.clone(null, about="/dev/null")
                try:
                    mount_tree.attach(cover, target, about=path)
                finally:
                    os.close(cover)
            finally:
                os.close(target)
    finally:
        for fd in (null, directory):
            if fd >= 0:
                os.close(fd)
    for path in read_only:
        target = _find(root, path)
        if target < 0:
            continue
        try:
            cover = mount_tree.clone(target, recursive=True, about=path)
            try:
                mount.set_attributes(cover, mount.MOUNT_ATTR_RDONLY, about=path)
                mount_tree.attach(cover, target, about=path)
            finally:
                os.close(cover)
        finally:
            os.close(target)


def mount_console(root: int, terminal: int) -> None:
    """The terminal that ``terminal`` is open on at /dev/console, which is only a mount point where an image brings one.

    By descriptors on both sides: neither a name in /dev/pts nor a link at /dev/console can lead elsewhere.
    """
    dev = resolve.open_in_root(root, "/dev", os.O_PATH | os.O_DIRECTORY)
    try:
        try:
            flags = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY | os.O_CLOEXEC
            os.close(os.open("console", flags, 0o600, dir_fd=dev))
        except FileExistsError:
            pass
        target = os.open("console", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dev)
        try:
            if stat.S_ISLNK(os.fstat(target).st_mode):
                raise SystemCallError(ELOOP, "mount", "/dev/console", "the image has a symbolic link there")
            tree = mount_tree.clone(terminal, about="/dev/console")
            try:
                mount_tree.attach(tree, target, about="/dev/console")
            finally:
                os.close(tree)
        finally:
            os.close(target)
    finally:
        os.close(dev)


def _find(root: int, path: str) -> int:
    try:
        return resolve.open_in_root(root, path)
    except SystemCallError as error:
        if error.errno in (ENOENT, ENOTDIR):
            return -1
        raise


def _open_null(root: int) -> int:
    """An image may bring a /dev/null of its own: a file or a link there would be shown wherever something is masked."""
    fd = resolve.open_in_root(root, "/dev/null", os.O_PATH | os.O_NOFOLLOW)
    status = os.fstat(fd)
    if not stat.S_ISCHR(status.st_mode) or status.st_rdev != os.makedev(1, 3):
        os.close(fd)
        raise SystemCallError(ENODEV, "mount", "/dev/null", "it is not the null device, so no file can be masked by it")
    return fd


def set_sysctls(root: int, values: Mapping[str, str]) -> None:
    """root: a descriptor of the container's, whose /proc/sys is not read-only yet.

    They are written to a kernel's own file or not at all: neither a link nor another mount at /proc/sys is followed.
    """
    if not values:
        return
    proc = procfs.open_root(root, "sys")
    try:
        for key, value in values.items():
            try:
                procfs.write(proc, key if "/" in key else key.replace(".", "/"), value)
            except OSError as error:
                raise SystemCallError(error.errno or 0, "sysctl", key) from error
    finally:
        os.close(proc)
