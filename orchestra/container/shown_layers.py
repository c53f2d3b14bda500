"""Layers of a root whose files are shown with the owners that they have in the container's user namespace.

Each layer becomes an ID-mapped mount (mount_setattr(2)); overlayfs takes such layers since Linux 5.19. The writable
layer is one too, so what the container writes has the owners on the disk that the container sees. For that, overlayfs
must work as a user who is mapped there: the container's root.
"""

from __future__ import annotations

import contextlib
import os
from errno import EINVAL

from orchestra.linux import file_identity, user_namespace
from orchestra.linux.mounts import mount, mount_tree
from orchestra.linux.syscall import SystemCallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestra.container.configuration import Linux

SHOWN = "shown-owners"
"""Option of an overlayfs among the layers of a root: its own layers are to be shown so."""


@contextlib.contextmanager
def shown(words: Sequence[str], linux: Linux) -> Iterator[list[str]]:
    """The options of an overlayfs for its mount, which is to be made meanwhile.

    The layers are attached to a temporary file system over the current directory, since overlayfs takes detached ones
    only since Linux 6.15. Paths must lead elsewhere by a descriptor.
    """
    users, groups = linux.uid_mappings, linux.gid_mappings
    root, roots = user_namespace.to_host(users, 0), user_namespace.to_host(groups, 0)
    if root is None or roots is None:
        raise SystemCallError(EINVAL, "config", "linux.uidMappings", "root of the container is not mapped")
    options = dict(word.partition("=")[::2] for word in words if word != SHOWN)
    lower = options["lowerdir"].split(":")
    above = os.path.dirname(options["upperdir"])
    space = user_namespace.make(users, groups)
    opened: list[int] = []
    try:
        trees = [mount_tree.clone(path) for path in (above, *(each for each in lower if not is_descriptor(each)))]
        opened += trees
        for tree in trees:
            mount_tree.map_owners(tree, space, about="a layer")
        store = mount_tree.make("tmpfs", ("mode=700",))
        opened.append(store)
        here = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        opened.append(here)
        mount_tree.attach(store, here, about="layers")
        try:
            for number, tree in enumerate(trees):
                os.mkdir(str(number), dir_fd=store)
                place = os.open(str(number), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=store)
                opened.append(place)
                mount_tree.attach(tree, place, about="a layer")
            numbers = iter(range(1, len(trees)))
            shown_lower = [each if is_descriptor(each) else _reach(store, next(numbers)) for each in lower]
            options["lowerdir"] = ":".join(shown_lower)
            for name in ("upperdir", "workdir"):
                options[name] = f"{_reach(store, 0)}/{os.path.basename(options[name])}"
            with file_identity.of(root, roots):
                yield [f"{name}={value}" if value else name for name, value in options.items()]
        finally:
            mount.unmount(f"/proc/self/fd/{store}", mount.MNT_DETACH)
    finally:
        for fd in (*opened, space):
            os.close(fd)


def is_descriptor(path: str) -> bool:
    return path.startswith("/proc/self/fd/")


def _reach(store: int, number: int) -> str:
    return f"/proc/self/fd/{store}/{number}"
