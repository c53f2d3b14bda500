"""The file system a container sees: its root, what is mounted in it, and how it becomes the root.

Runs in the container's mount namespace, still on the host's root until ``enter``. For a container in a new user
namespace, ``prepare`` runs before that is entered, in a mount namespace that exists for this work only.
"""

from __future__ import annotations

import os
from errno import EINVAL, EPERM

from orchestra.container import device_nodes, mounts, shown_layers
from orchestra.linux import namespaces
from orchestra.linux.mounts import mount, mount_tree, resolve
from orchestra.linux.mounts.mountinfo import load_mounts
from orchestra.linux.syscall import SystemCallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from orchestra.container.configuration import Configuration, Linux
    from orchestra.container.mounts import Link, Source
    from orchestra.linux.cgroup import Cgroup

BELOW = "over-root"
"""Option of an overlayfs among the layers of a root: what is mounted there already is its lowest layer."""

PAGE = 4096  # mount(2): options are cut off at one page


def prepare(
    config: Configuration,
    layers: Iterable[Mapping[str, Any]],
    bundle: str,
    cgroup: Cgroup,
    *,
    apart: bool = True,
) -> Iterator[list[Source | Link]]:
    """Mount the layers and make the root the current directory. Returns what each entry of ``mounts`` binds. Each is
    opened only when it is asked for: one mount after the other, in the order they are listed.

    layers: the ``rootfs`` of shim.json; apart: this mount namespace is not the host's. A namespace made after this
    takes the current directory along; without the host's privileges no path would lead there.
    """
    mounts.check_label(config.linux)
    if apart:
        # What is mounted from here on must not appear on the host, while an unmount there may still reach this
        # namespace.
        mount.mount("", "/", flags=mount.MS_REC | mount.MS_SLAVE)
    root = os.path.join(bundle, config.root.path or "rootfs")
    for layer in layers:
        mount_layer(layer, root, config.linux)
    os.chdir(root)
    return (mounts.open_sources(entry, config.linux, bundle, cgroup) for entry in config.mounts)


def build(config: Configuration, sources: Iterable[list[Source | Link]], nodes: Mapping[str, int]) -> int:
    """Mount everything. Returns a descriptor of the new root. nodes: devices that exist already."""
    # pivot_root(2) needs a mount point, made in this mount namespace.
    here = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    root = mount_tree.clone(here, recursive=True, about="the root")
    mount_tree.attach(root, here, about="the root")
    os.close(here)
    if mounts.mount_all(root, config.mounts, sources, config.linux):
        device_nodes.make_devices(root, config.linux.devices, nodes)
    # Docker makes WORKDIR too. Programs that are executed later must have their directory already.
    os.close(resolve.ensure_in_root(root, config.process.get("cwd") or "/", directory=True))
    if config.root.readonly:
        mount.set_attributes(root, mount.MOUNT_ATTR_RDONLY, about="the root")
    return root


def enter(root: int, propagation: str = "", *, pivot: bool = True, apart: bool = True) -> None:
    """Make ``root`` the root of this mount namespace and let go of the host's. If not ``apart``, of this process alone.

    Old and new root at the same place, then the upper one detached: no directory for the old one is needed
    (pivot_root(2), "pivot_root(".", ".")"). Where the host's root is the initial ramdisk, which cannot be pivoted away
    from, it can only be covered: not ``pivot``.

    If this process lives in a chroot(2), the root of the namespace is further up: joining our own namespace again leads
    there. Otherwise every later setns(2) into the container would arrive at that root.
    """
    if apart:
        namespaces.join("/proc/self/ns/mnt", namespaces.CLONE_NEWNS)
    os.fchdir(root)
    if not apart:
        os.chroot(".")
    elif pivot:
        mount.pivot_root(".", ".")
        mount.unmount(".", mount.MNT_DETACH)
    else:
        _uncover_host()
        mount.mount(".", "/", flags=mount.MS_MOVE)
        os.chroot(".")
    os.chdir("/")
    os.close(root)
    if propagation:
        mount.mount("", "/", flags=mount.PROPAGATION[propagation])


def _uncover_host() -> None:
    """Let go of the host's proc and sysfs, which stay below a root that only covers them.

    As long as the kernel can see those, even if no process can, a user namespace in the container could mount new ones
    without masks (mount_namespaces(7): a new procfs must not reveal what is masked in those that exist).
    """
    own = os.getcwd()
    for found in reversed(load_mounts()):
        if found.kind not in ("proc", "sysfs") or f"{found.point}/".startswith(f"{own}/"):
            continue
        try:
            mount.unmount(found.point, mount.MNT_DETACH)
        except SystemCallError as error:
            if error.errno not in (EINVAL, EPERM):
                raise
            # In a user namespace it is locked to the mounts it was copied with; covered, it reveals as little.
            mount.mount("none", found.point, "tmpfs", about=found.point)


def mount_layer(layer: Mapping[str, Any], root: str, linux: Linux | None = None) -> None:
    """Mount it over the directory ``root``, or over its ``target`` there. linux: of the container, for its owners."""
    if target := layer.get("target"):
        above = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        below = resolve.open_in_root(above, target, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        os.close(above)
        try:
            mount_layer({**layer, "target": ""}, f"/proc/self/fd/{below}", linux)
        finally:
            os.close(below)
        return
    words = list(layer.get("options") or ())
    if BELOW in words:
        words.remove(BELOW)
        below = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            words = [f"{word}:/proc/self/fd/{below}" if word.startswith("lowerdir=") else word for word in words]
            mount_layer({**layer, "options": words}, root, linux)
        finally:
            os.close(below)
        return
    if linux is not None and shown_layers.SHOWN in words:
        top = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with shown_layers.shown(words, linux) as shown:
                mount_layer({**layer, "options": shown}, f"/proc/self/fd/{top}")
        finally:
            os.close(top)
        return
    options = mount.parse_options(words)
    kind, source = layer["type"], layer["source"]
    if kind == "bind" or options.flags & mount.MS_BIND:
        target = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            tree = mounts.clone(source, options, about=root)
            try:
                mounts.attach(tree, target, options, about=root)
            finally:
                os.close(tree)
        finally:
            os.close(target)
        return
    if len(os.fsencode(options.data)) >= PAGE:
        raise SystemCallError(EINVAL, f"mount {kind} at", root, "its options are longer than a page: too many layers")
    mount.mount(source, root, kind, options.flags, options.data)
