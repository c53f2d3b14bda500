"""From the directory of what a step wrote to an archive, its digests, and a blob of it that is compressed."""

from __future__ import annotations

import contextlib
import gzip
import os
import posixpath
import re
import stat
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, TYPE_CHECKING

from orchestra.driver.local.copying.archive import write_archive
from orchestra.driver.local.copying.commit import changed
from orchestra.driver.local.copying.place import STRICT
from orchestra.driver.local.image.archives.rootfs import LEVEL, Hashed
from orchestra.driver.local.image.content.parts import chain_ids
from orchestra.driver.local.image.documents.manifest import LAYER
from orchestra.driver.local.image.failure import file_errors
from orchestra.driver.local.image.layers.lookup import find, is_opaque
from orchestra.errors import FatalError
from orchestra.linux.mounts.resolve import open_with

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from orchestra.driver.local.build.layer import Descriptor
    from orchestra.driver.local.build.records import BlobRecords
    from orchestra.driver.local.build.trees import Change, FileTree, Trees
    from orchestra.driver.local.copying.item import Item
    from orchestra.driver.local.image.content.store import ContentStore

CHUNK = 1 << 18
NANOSECONDS = 1_000_000_000


class LayerArchives:
    """Those of one build. epoch: the newest time that a file may have, in seconds, or None."""

    def __init__(self, trees: Trees, content: ContentStore, records: BlobRecords, epoch: int | None) -> None:
        self._trees, self._content, self._records, self._epoch = trees, content, records, epoch
        self._pool = ThreadPoolExecutor(len(os.sched_getaffinity(0)), "compress")
        self._coming: dict[str, Future[Descriptor]] = {}

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def commit(self, tree: FileTree, change: Change, *, exported: bool) -> FileTree:
        """The tree with what was written; the same if nothing was. exported: its blob is soon asked for."""
        with file_errors("a layer"):
            uncover(change)
            if not os.listdir(change.upper):
                return tree
            with tempfile.TemporaryFile(dir=self._content.scratch()) as spool:
                hashed = Hashed(spool if exported else None)
                self._write(change.upper, hashed)
                grown = self._trees.add(tree, hashed.digest, change.upper)
                if exported and hashed.digest not in self._coming:
                    self._coming[hashed.digest] = self._pool.submit(self._pack, _reopened(spool), hashed.digest)
        return grown

    def coming(self, diff_id: str) -> Descriptor | None:
        """The blob of a layer of this build that was to be exported."""
        coming = self._coming.get(diff_id)
        return coming.result() if coming else None

    def pack_again(self, tree: FileTree, number: int) -> Descriptor:
        """The blob of a layer of an earlier build, from its directory. number: among the tree's."""
        diff_id = tree.diff_ids[number]
        directory = self._trees.snapshots.layer(chain_ids(tree.diff_ids[: number + 1])[-1])
        with file_errors("a layer"), tempfile.TemporaryFile(dir=self._content.scratch()) as spool:
            hashed = Hashed(spool)
            self._write(directory, hashed)
            if hashed.digest != diff_id:
                hint = "run `orchestra image prune --build-cache`, and build again"
                raise FatalError(f"{directory} has changed since it was made", hint=hint)
            return self._pack(_reopened(spool), diff_id)

    def _pack(self, spool: IO[bytes], diff_id: str) -> Descriptor:
        with file_errors("a layer"), spool, tempfile.TemporaryFile(dir=self._content.scratch()) as packed:
            with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0, compresslevel=LEVEL) as target:
                hashed = Hashed(target)
                while chunk := spool.read(CHUNK):
                    hashed.write(chunk)
            if hashed.digest != diff_id:
                raise FatalError(f"the layer {diff_id} was cut short while it was written", hint="build again")
            packed.seek(0)
            digest, size = self._content.add(packed, "a layer")
        descriptor = {"mediaType": f"{LAYER}+gzip", "digest": digest, "size": size}
        self._records.store(diff_id, descriptor)
        return descriptor

    def _write(self, directory: str, target: Hashed) -> None:
        # If the disk is full, the error would keep the files open.
        with contextlib.closing(self._items(directory)) as items:
            write_archive(items, target, "")

    def _items(self, directory: str) -> Generator[Item, None, None]:
        top = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for item in changed(top, ()):
                # Whole seconds, as in layers of other builders: fractions would take two more blocks for each file.
                entry = item.entry
                entry.pax_headers = {key: value for key, value in entry.pax_headers.items() if key != "mtime"}
                if self._epoch is not None:
                    _clamp(top, item, self._epoch)
                yield item
        finally:
            os.close(top)


def _reopened(spool: IO[bytes]) -> IO[bytes]:
    """The same file without a name, from its beginning, for another thread that closes it."""
    spool.flush()
    spool.seek(0)
    return os.fdopen(os.dup(spool.fileno()), "rb")


def _clamp(top: int, item: Item, epoch: int) -> None:
    """Make it no newer than that, in the archive and on disk."""
    entry = item.entry
    if entry.islnk() or entry.mtime < epoch:
        return
    entry.mtime = epoch
    above, name = posixpath.split(entry.name.rstrip("/"))
    parent = open_with(top, above or ".", os.O_PATH | os.O_DIRECTORY, STRICT)
    try:
        os.utime(name or ".", ns=(epoch * NANOSECONDS,) * 2, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return  # a mark of a layer, which overlayfs keeps in another form
    finally:
        os.close(parent)


def uncover(change: Change) -> None:
    """Remove the empty directories that cover this home's own, and those above that were made only for them."""
    for path in change.hidden:
        while path:
            here = os.path.join(change.upper, path)
            try:
                if os.listdir(here):
                    break
                os.rmdir(here)
            except FileNotFoundError:
                break
            path = os.path.dirname(path)


def remove_stubs(change: Change, stubs: list[str], layers: Sequence[str]) -> None:
    """Remove the files and directories that mounts of a command were attached to, if nothing else is in them; and
    directories that overlayfs has copied only because something was made in them. layers: those below.
    """
    above = {posixpath.dirname(path) for path in stubs} - set(stubs)
    for path in list(above):
        above |= {path[: match.start()] for match in re.finditer("/", path) if match.start()}
    top = os.open(change.upper, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for path in sorted(stubs, key=len, reverse=True):
            _remove_if_empty(top, path, None)
        for path in sorted(above - {"/"}, key=len, reverse=True):
            found = find(layers, path)
            if found is not None:
                _remove_if_empty(top, path, found.status)
    finally:
        os.close(top)


def _remove_if_empty(top: int, path: str, original: os.stat_result | None) -> None:
    """original: what a directory has to be like, apart from its times, to be removed."""
    parent, name = posixpath.split(path.strip("/"))
    with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
        fd = open_with(top, parent or ".", os.O_PATH | os.O_DIRECTORY, STRICT)
        stack.callback(os.close, fd)
        found = os.stat(name, dir_fd=fd, follow_symlinks=False)
        if original is not None and (found.st_mode, found.st_uid, found.st_gid) != (
            original.st_mode,
            original.st_uid,
            original.st_gid,
        ):
            return
        if stat.S_ISREG(found.st_mode) and not found.st_size:
            os.unlink(name, dir_fd=fd)
        elif stat.S_ISDIR(found.st_mode):
            here = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
            stack.callback(os.close, here)
            if not is_opaque(here):
                os.rmdir(name, dir_fd=fd)
