"""``mounts`` of a configuration: sources are opened where the host's paths exist, and attached inside the container.

A target inside the new root is reached by a descriptor that openat2(2) resolved within that root, never by joining
strings. A source is a copy of a mount that gets its options before any other process can see it (open_tree(2)): inside
a user namespace its path could no longer be reached, nor its owners be mapped.
"""

from __future__ import annotations

import os
import stat
from errno import EEXIST, EINVAL, ENOENT, EPERM

from orchestra.container import device_nodes, mount_points, proc_mounts
from orchestra.container.copy_up import copy_up
from orchestra.container.mapped_owners import open_owners
from orchestra.linux import user_namespace
from orchestra.linux.mounts import mount, mount_tree, resolve
from orchestra.linux.syscall import SystemCallError
from orchestra.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestra.container.configuration import Linux, Mount
    from orchestra.linux.cgroup import Cgroup

CGROUP = ("cgroup", "cgroup2")
PROTECTING = mount.MS_RDONLY | mount.MS_NOSUID | mount.MS_NODEV | mount.MS_NOEXEC
UNLABELLED = ("proc", "sysfs", "mqueue")  # the kernel labels their files itself
# A container in a user namespace can mount these only with a namespace of its own of that kind.
HOSTS_OWN = {"sysfs": ("network", "/sys"), "mqueue": ("ipc", "/dev/mqueue"), "proc": ("pid", "/proc")}


class Source(NamedTuple):
    """A detached mount, and its path below the root."""

    tree: int
    target: str
    options: mount.Options

    def attach(self, root: int) -> None:
        directory = stat.S_ISDIR(os.fstat(self.tree).st_mode)
        target = resolve.ensure_in_root(root, self.target, directory=directory)
        try:
            proc_mounts.check(root, target, self.target, self.tree)
            attach(self.tree, target, self.options, about=self.target)
        finally:
            os.close(target)
            os.close(self.tree)


class Link(NamedTuple):
    """A symbolic link to make below the root. If one exists already, it must lead to the same place."""

    text: str
    target: str

    def attach(self, root: int) -> None:
        above, _, name = self.target.rstrip("/").rpartition("/")
        parent = resolve.ensure_in_root(root, above or "/", directory=True)
        try:
            os.symlink(self.text, name, dir_fd=parent)
        except FileExistsError:
            if not _leads_to(name, parent, self.text):
                raise SystemCallError(EEXIST, "symlink", self.target, "something else is there") from None
        finally:
            os.close(parent)


def _leads_to(name: str, parent: int, text: str) -> bool:
    status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    return stat.S_ISLNK(status.st_mode) and os.readlink(name, dir_fd=parent) == text


def open_sources(entry: Mount, linux: Linux, bundle: str, cgroup: Cgroup) -> list[Source | Link]:
    """What an entry of ``mounts`` binds: nothing, one source, or one for each controller of a cgroup of version 1."""
    options = mount.parse_options(entry.options)
    destination, kind = entry.destination, entry.type
    if kind in CGROUP:
        # The container's own groups and nothing above them, with or without a cgroup namespace.
        plain = options._replace(flags=options.flags & ~mount.MS_REC, data="")
        return [
            Source(clone(directory, plain, about=destination), f"{destination}/{name}" if name else destination, plain)
            for name, directory in cgroup.views().items()
        ]
    if kind == "bind" or options.flags & mount.MS_BIND:
        if entry.source is None:
            raise SystemCallError(EINVAL, "config", destination, "a bind needs a source")
        owners = open_owners(entry, options, linux)
        below = -1
        try:
            source = os.path.join(bundle, entry.source)
            if options.copies_link and os.path.islink(source):
                return [Link(os.readlink(source), destination)]
            if entry.subpath is not None:
                below = open_below(source, entry.subpath, about=destination)
            tree = clone(source if below < 0 else below, options, about=destination, owners=owners)
            return [Source(tree, destination, options)]
        finally:
            for fd in (owners, below):
                if fd >= 0:
                    os.close(fd)
    if options.owners is not None:
        raise SystemCallError(EINVAL, "config", destination, "only a bind can show other owners")
    if options.copies_up and kind != "tmpfs":
        raise SystemCallError(EINVAL, "config", destination, "tmpcopyup is for a tmpfs")
    return []


def open_below(source: str, path: str, *, about: str) -> int:
    """Open the SUBPATH of a bind.

    Links in it, which another container may just have made, do not lead out of the source.
    """
    top = os.open(source, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return resolve.open_in_root(top, path)
    except SystemCallError as error:
        hint = f"it is to be mounted at {about}"
        raise SystemCallError(error.errno or EINVAL, "bind", f"{source}/{path}", hint) from None
    finally:
        os.close(top)


def place(root: int, entry: Mount, sources: list[Source | Link], linux: Linux) -> None:
    """Attach what ``open_sources`` found, or mount a new file system."""
    options = mount.parse_options(entry.options)
    destination, kind = entry.destination, entry.type
    proc_mounts.check_name(destination)
    holder = kind in CGROUP and not any(source.target == destination for source in sources)
    if holder:
        flags = mount.MS_NOSUID | mount.MS_NODEV | mount.MS_NOEXEC
        target = resolve.ensure_in_root(root, destination, directory=True)
        try:
            proc_mounts.check(root, target, destination)
            mount.mount("tmpfs", reach(target), "tmpfs", flags, "mode=755,size=64k", about=destination)
        finally:
            os.close(target)
    elif not sources:
        _mount(root, entry, options, linux)
    for source in sources:
        source.attach(root)
    if holder and options.flags & mount.MS_RDONLY:
        _change(root, destination, mount.MOUNT_ATTR_RDONLY)


def reach(fd: int) -> str:
    return f"/proc/self/fd/{fd}"


def _mount(root: int, entry: Mount, options: mount.Options, linux: Linux) -> None:
    destination, kind = entry.destination, entry.type
    data = options.data
    label = linux.mount_label
    if label and kind not in UNLABELLED:
        data = ",".join([*([data] if data else ()), f'context="{label}"'])
    flags = options.flags
    if options.copies_up or device_nodes.is_dev(entry):
        flags &= ~mount.MS_RDONLY  # something will be put in it
    if kind == "tmpfs":
        words = mount_points.inherited(root, destination, data, owner=options.copies_up)
        known = [word for word in words if not _unmapped_owner(word, linux)]
        data = ",".join([*([data] if data else ()), *known])
    if kind in ("proc", "sysfs"):
        mount_points.check_is_no_link(root, destination)
    target = resolve.ensure_in_root(root, destination, directory=True)
    try:
        if kind != "proc":
            proc_mounts.check(root, target, destination)
        mount.mount(entry.source or kind, reach(target), kind, flags, data, about=destination)
        if options.copies_up:
            _copy_up(root, destination, target, read_only=bool(options.flags & mount.MS_RDONLY))
    except SystemCallError as error:
        owner = _unmapped_owner(options.data, linux) if error.errno == EINVAL else ""
        if owner:
            hint = f"{owner}: the container's maps have no such id"
            raise SystemCallError(EINVAL, error.call, destination, hint) from None
        if error.errno != EPERM or not _is_hosts_own(kind, linux) or not os.path.isdir(HOSTS_OWN[kind][1]):
            raise
        # A new one would have nothing below it: what is below the host's must be no less protected.
        everywhere = options.recursive | mount.attributes_of(options.flags & PROTECTING)
        whole = options._replace(flags=options.flags | mount.MS_REC, recursive=everywhere)
        tree = clone(HOSTS_OWN[kind][1], whole, about=destination)
        try:
            mount_tree.attach(tree, target, about=destination)
        finally:
            os.close(tree)
    finally:
        os.close(target)
    if options.recursive or options.recursively_cleared:
        _change(root, destination, options.recursive, options.recursively_cleared)
    for flag in options.propagation:
        _propagate(root, destination, flag)


def _unmapped_owner(data: str, linux: Linux) -> str:
    """The option of a file system that names an owner who is not mapped in the container, such as devpts' ``gid=5``."""
    for word in data.split(","):
        name, _, number = word.partition("=")
        maps = {"uid": linux.uid_mappings, "gid": linux.gid_mappings}.get(name, ())
        if maps and number.isdecimal() and user_namespace.to_host(maps, int(number)) is None:
            return word
    return ""


def _change(root: int, destination: str, attributes: int, cleared: int = 0) -> None:
    """Change the attributes of what is mounted there, and of everything below it."""
    top = resolve.open_in_root(root, destination)
    try:
        mount.set_attributes(top, attributes, cleared=cleared, recursive=True, about=destination)
    finally:
        os.close(top)


def _copy_up(root: int, destination: str, covered: int, *, read_only: bool) -> None:
    """covered: the directory below the new mount."""
    below = os.open(reach(covered), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    above = resolve.open_in_root(root, destination, os.O_RDONLY | os.O_DIRECTORY)
    try:
        copy_up(below, above)
        if read_only:
            mount.set_attributes(above, mount.MOUNT_ATTR_RDONLY, about=destination)
    finally:
        os.close(below)
        os.close(above)


def _is_hosts_own(kind: str, linux: Linux) -> bool:
    """Whether the container sees the host's anyway.

    A network namespace made beforehand has no sysfs of its own either.
    """
    paths = {space.type: space.path for space in linux.namespaces}
    return kind in HOSTS_OWN and (HOSTS_OWN[kind][0] not in paths or (kind == "sysfs" and bool(paths["network"])))


def clone(source: str | int, options: mount.Options, *, about: str, owners: int = -1) -> int:
    """A detached copy of what is at ``source``, a path or a descriptor. owners: a user namespace that maps them, or -1.

    Only what the options ask for is changed: a bind of a nosuid mount stays nosuid.
    """
    try:
        name = source if isinstance(source, str) else about
        tree = mount_tree.clone(source, recursive=bool(options.flags & mount.MS_REC), about=name)
    except SystemCallError as error:
        if error.errno == ENOENT:
            hint = f"the source of the mount at {about} does not exist"
            raise SystemCallError(ENOENT, "bind", name, hint) from None
        raise
    try:
        attributes, cleared = mount.attributes_of(options.flags), mount.attributes_of(options.cleared)
        if attributes or cleared:
            mount.set_attributes(tree, attributes, cleared=cleared & ~attributes, about=about)
        if options.recursive or options.recursively_cleared:
            mount.set_attributes(
                tree, options.recursive, cleared=options.recursively_cleared, recursive=True, about=about
            )
        if owners >= 0:
            mount_tree.map_owners(tree, owners, recursive=options.owners is True, about=about)
    except OSError:
        os.close(tree)
        raise
    return tree


def attach(tree: int, target: int, options: mount.Options, *, about: str) -> None:
    mount_tree.attach(tree, target, about=about)
    for flag in options.propagation or (mount.MS_PRIVATE | mount.MS_REC,):
        kind, recursive = flag & ~mount.MS_REC, bool(flag & mount.MS_REC)
        mount.set_attributes(tree, 0, propagation=kind, recursive=recursive, about=about)


def _propagate(root: int, destination: str, flag: int) -> None:
    fd = resolve.open_in_root(root, destination)
    try:
        mount.mount("", reach(fd), flags=flag, about=destination)
    finally:
        os.close(fd)


def check_label(linux: Linux) -> None:
    """EOPNOTSUPP for a ``mountLabel`` where no SELinux is active to understand it."""
    label = linux.mount_label
    if label:
        from orchestra.linux.security import security_label

        security_label.require(security_label.SELINUX, label)


def mount_all(root: int, entries: Iterable[Mount], sources: Iterable[list[Source | Link]], linux: Linux) -> bool:
    """In order. Returns whether there are to be devices in /dev: unless that is a bind, or already has some."""
    bare = True
    for entry, found in zip(entries, sources, strict=True):
        place(root, entry, found, linux)
        if entry.destination.rstrip("/") == "/dev":
            bare = device_nodes.is_dev(entry)
    return bare
