"""Device nodes of a container: the default ones, those of its configuration, and its console."""

from __future__ import annotations

import contextlib
import os
import stat
from errno import EEXIST, EIO, ELOOP, EPERM

from orchestra.linux import devices, user_namespace
from orchestra.linux.mounts import mount, mount_tree, resolve
from orchestra.linux.syscall import SystemCallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestra.container.configuration import Device, Linux, Mount

# OCI runtime spec, config-linux, "Default Devices": name, major, minor.
DEVICES = (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0))
LINKS = (
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
)


def is_dev(entry: Mount) -> bool:
    """Whether an entry of ``mounts`` is an empty /dev to be filled."""
    return entry.destination.rstrip("/") == "/dev" and entry.type == "tmpfs"


def finish(root: int, entries: Iterable[Mount]) -> None:
    """Make /dev read-only, if that is asked for, once devices, terminals and other mounts are in it."""
    for entry in entries:
        if is_dev(entry) and "ro" in entry.options:
            dev = resolve.open_in_root(root, "/dev")
            mount.set_attributes(dev, mount.MOUNT_ATTR_RDONLY, about="/dev")
            os.close(dev)


def prepare(linux: Linux) -> dict[str, int]:
    """What ``linux.devices`` asks for as detached mounts, by path: for a user namespace, in which no device can be
    made.

    They are on a temporary file system that is mounted on the current directory only while they are made. Their owners
    are numbers of the namespace. Empty if this process may not make devices either, or the numbers are not known.
    """
    wanted, users, groups = linux.devices, linux.uid_mappings, linux.gid_mappings
    if not wanted or not users or not groups:
        return {}
    here = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    store = mount_tree.make("tmpfs", ("mode=700",))
    mount_tree.attach(store, here, about="devices")
    os.close(here)
    mask = os.umask(0)
    try:
        nodes: dict[str, int] = {}
        for device in wanted:
            name = str(len(nodes))
            os.mknod(name, _mode(device), _number(device), dir_fd=store)
            owner, group = user_namespace.to_host(users, device.uid), user_namespace.to_host(groups, device.gid)
            os.chown(name, owner or 0, group or 0, dir_fd=store, follow_symlinks=False)
            node = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=store)
            nodes[device.path] = mount_tree.clone(node, about=device.path)
            os.close(node)
        return nodes
    except PermissionError:
        return {}
    finally:
        os.umask(mask)
        mount.unmount(f"/proc/self/fd/{store}", mount.MNT_DETACH)
        os.close(store)


def make_devices(root: int, extra: Iterable[Device], nodes: Mapping[str, int]) -> None:
    """nodes: what ``prepare`` made from ``extra``. What exists already is left as it is."""
    dev = resolve.ensure_in_root(root, "/dev", directory=True)
    mask = os.umask(0)
    try:
        for device in extra:
            parent, _, name = device.path.rstrip("/").rpartition("/")
            fd = resolve.ensure_in_root(root, parent or "/", directory=True)
            try:
                if device.path in nodes:
                    _bind(fd, name, nodes[device.path])
                elif _make_device(fd, name, _mode(device), _number(device)):
                    os.chown(name, device.uid, device.gid, dir_fd=fd, follow_symlinks=False)
            finally:
                os.close(fd)
        for name, major, minor in DEVICES:
            _make_device(dev, name, stat.S_IFCHR | 0o666, os.makedev(major, minor))
        for name, target in LINKS:
            with contextlib.suppress(FileExistsError):
                os.symlink(target, name, dir_fd=dev)
    finally:
        os.umask(mask)
        os.close(dev)


def _mode(device: Device) -> int:
    kind = {"b": stat.S_IFBLK, "p": stat.S_IFIFO}.get(device.type, stat.S_IFCHR)
    return kind | device.file_mode


def _number(device: Device) -> int:
    return os.makedev(device.major, device.minor)


def _make_device(directory: int, name: str, mode: int, number: int) -> bool:
    """Call mknod(2) or, if that is not permitted, bind the host's node.

    Returns whether the node is new and ours to change.
    """
    try:
        os.mknod(name, mode, number, dir_fd=directory)
        return True
    except OSError as error:
        if error.errno == EEXIST:
            return False
        if error.errno != EPERM:
            raise SystemCallError(error.errno or EIO, "mknod", name) from None
    source = devices.find_node(stat.S_IFMT(mode), number)
    if not source:
        major, minor = os.major(number), os.minor(number)
        hint = f"neither may it be made here, nor does the host's /dev have one with the numbers {major}:{minor}"
        raise SystemCallError(EPERM, "mknod", name, hint)
    _bind(directory, name, mount_tree.clone(source))
    return False


def _bind(directory: int, name: str, tree: int) -> None:
    """Attach a detached mount of a node, and close it."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666, dir_fd=directory))
    target = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        mount_tree.attach(tree, target, about=name)
    finally:
        os.close(target)
        os.close(tree)


def mount_console(root: int, terminal: int) -> None:
    """Mount the terminal that ``terminal`` refers to on /dev/console. If the image has a console, it is only a mount
    point.

    Both sides are descriptors, so neither a name in /dev/pts nor a link at /dev/console can lead elsewhere.
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
