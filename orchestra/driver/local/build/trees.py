"""File trees of builds: what they are made of, looking into them, and changing them."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from orchestra.driver.local.build.stack import BUILDS, note_step
from orchestra.driver.local.image.content.parts import EMPTY_LAYER, chain_ids
from orchestra.driver.local.image.failure import file_errors
from orchestra.driver.local.image.removal import tree_size
from orchestra.driver.local.image.tree import tree_of
from orchestra.driver.local.snapshot import Snapshotter
from orchestra.errors import FatalError
from orchestra.linux import namespaces
from orchestra.linux.mounts import mount, mount_tree
from orchestra.linux.own_thread import in_own_thread
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.driver.local.snapshot import LayerMount
    from orchestra.home import Home


class FileTree(Record):
    """diff_ids: of its layers, lowest first. base: the digest of a directory (``image.tree``) below them, or empty."""

    diff_ids: tuple[str, ...] = ()
    base: str = ""


class Change(Record):
    """A writable snapshot. upper: the directory of what is written. hidden: paths that are covered in it, relative."""

    name: str
    mounts: tuple[LayerMount, ...]
    upper: str
    hidden: tuple[str, ...]


class Trees:
    """Safe across threads and processes."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self.snapshots = Snapshotter(home)

    def layers(self, tree: FileTree) -> tuple[str, ...]:
        """Directories, topmost first."""
        found = [self.snapshots.layer(chain) for chain in reversed(chain_ids(tree.diff_ids))] if tree.diff_ids else []
        if tree.base:
            found.append(tree_of(tree.base))
        return tuple(found) or (self.snapshots.commit(EMPTY_LAYER, lambda _: None),)

    def is_whole(self, tree: FileTree) -> bool:
        return not tree.diff_ids or all(map(self.snapshots.has, chain_ids(tree.diff_ids)))

    def top_size(self, tree: FileTree) -> int:
        """Bytes of its topmost layer."""
        return tree_size(self.snapshots.layer(chain_ids(tree.diff_ids)[-1]))

    @contextlib.contextmanager
    def changing(self, tree: FileTree) -> Iterator[Change]:
        """It is removed at the end."""
        name = f"{os.getpid()}-{os.urandom(8).hex()}"
        if self.snapshots.copies:
            hint = "orchestra doctor says why; pull the image, or build it on another machine"
            raise FatalError("images cannot be built here: the kernel refuses to overlay their layers", hint=hint)
        layers = self.layers(tree)
        note_step(self._home)
        try:
            mounts = self.snapshots.prepare(BUILDS, name, layers)
            hidden = tuple(self.snapshots.hidden_below(layers))
            yield Change(name, mounts, self.snapshots.upper(BUILDS, name), hidden)
        finally:
            self.snapshots.remove(BUILDS, name)

    @contextlib.contextmanager
    def opened(self, tree: FileTree) -> Iterator[int]:
        """The root of the tree, to look into: an O_PATH descriptor."""
        with self.changing(tree) as change, opened_root(change) as root:
            yield root

    def add(self, tree: FileTree, diff_id: str, upper: str) -> FileTree:
        """The tree with one more layer: ``upper``, which is taken."""
        grown = FileTree((*tree.diff_ids, diff_id), tree.base)
        self.snapshots.adopt(chain_ids(grown.diff_ids)[-1], upper)
        return grown


@contextlib.contextmanager
def opened_root(change: Change) -> Iterator[int]:
    """An O_PATH descriptor of the mounted snapshot, which is attached nowhere. One at a time."""
    with file_errors("the file system of a step"):
        root = in_own_thread(lambda: _mount(change))
    try:
        yield root
    finally:
        os.close(root)


def _mount(change: Change) -> int:
    from orchestra.container.rootfs import mount_layer

    # Of this thread alone. What is unmounted on the host must not be kept by it, so it stays a slave.
    namespaces.unshare(namespaces.CLONE_NEWNS)
    mount.mount("", "/", flags=mount.MS_REC | mount.MS_SLAVE)
    point = f"{os.path.dirname(change.upper)}/root"
    os.makedirs(point, 0o700, exist_ok=True)
    for layer in change.mounts:
        mount_layer(layer, point)
    return mount_tree.clone(point, about="the file system of a step")
