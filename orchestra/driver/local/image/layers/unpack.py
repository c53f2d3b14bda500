"""Unpacking one layer's tar archive into a directory in overlayfs' form.

OCI image-spec, "Image Layer Filesystem Changeset"; kernel, Documentation/filesystems/overlayfs.rst:

    .wh.NAME       hides NAME of lower layers    a character device 0:0 called NAME
    .wh..wh..opq   hides all of lower layers     trusted.overlay.opaque=y on its directory

Archives are not trusted. The kernel resolves every parent with the layer's directory as root (openat2(2)), and
everything else is done relative to its descriptor without following links, so no name leads out.
"""

from __future__ import annotations

import math
import os
import stat
from errno import ELOOP, ENOENT, ENOTDIR, EPERM
from typing import TYPE_CHECKING

from orchestra.driver.local.image.layers.attributes import entry_time, refused, set_attributes, set_open
from orchestra.driver.local.image.layers.compression import decompressed
from orchestra.driver.local.image.layers.digesting import Digesting
from orchestra.driver.local.image.layers.lookup import find, is_whiteout, opaque_attribute
from orchestra.driver.local.image.layers.tar import archive_errors, entries, open_tar
from orchestra.driver.local.image.removal import remove_entry
from orchestra.errors import FatalError
from orchestra.home import is_rootless
from orchestra.linux.mounts.resolve import MAX_SYMBOLIC_LINKS, open_in_root

if TYPE_CHECKING:
    import io
    import tarfile
    from collections.abc import Callable, Iterator, Sequence

CHUNK = 1 << 18
CREATED = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
OPENED = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
WHITEOUT = ".wh."
OPAQUE_MARK = ".wh..wh..opq"
# makedev(3) has 12 and 20 bits.
MAJOR_LIMIT, MINOR_LIMIT = 0xFFF, 0xFFFFF


class BelowNeeded(Exception):
    """The layer goes through a directory that it has no entry for."""


def unpack_layer(
    stream: io.BufferedReader,
    directory: str,
    *,
    below: Sequence[str] | None = (),
    limit: float = math.inf,
    what: str = "layer",
) -> str:
    """Fill the empty ``directory`` and return the digest of the uncompressed archive, its diff id.

    below: the layers under it, topmost first. Directories that the archive goes through without an entry for them get
    their attributes from there, and links are followed there. Few archives need this; if None, BelowNeeded is raised.
    limit: bytes that it may unpack to. Needs root.
    """
    with archive_errors(what):
        plain = Digesting(decompressed(stream), limit)
        root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        layer = _Layer(root, directory, below, what, plain.spend)
        try:
            if plain.begin():
                with open_tar(plain, seekable=False) as tar:  # type: ignore[arg-type]  # tarfile only calls read
                    for entry in entries(tar):
                        layer.apply(tar, entry)
            layer.finish()
        finally:
            layer.close()
            os.close(root)
        # Padding after the end of the archive is part of the diff id.
        while plain.read(CHUNK):
            pass
    return plain.digest()


class _Layer:
    """A layer that is being filled.

    Keeps one directory open, since entries of the same directory mostly come together.
    """

    def __init__(
        self, root: int, directory: str, below: Sequence[str] | None, what: str, spend: Callable[[int], None]
    ) -> None:
        self._root = root
        self._directory = directory
        self._below = None if below is None else tuple(below)
        self._what = what
        self._spend = spend
        self._open: tuple[str, int] | None = None
        # True after a removal: a link may be gone that was part of the open directory's path.
        self._is_stale = False
        # Set at the end, since every entry made in a directory changes its time.
        self._times: dict[str, int] = {}

    def apply(self, tar: tarfile.TarFile, entry: tarfile.TarInfo) -> None:
        parts = self._parts(entry.name)
        if not parts:
            if not entry.isdir():
                raise self._refused(entry, "is the root, but not a directory")
            set_open(self._what, self._root, entry)
            self._times["."] = entry_time(entry)
            return
        *parents, name = parts
        parent = self._parent("/".join(parents))
        if name == OPAQUE_MARK:
            os.setxattr(f"/proc/self/fd/{parent}", opaque_attribute(), b"y")
        elif name.startswith(".wh..wh.") and len(name) > len(".wh..wh."):
            return  # aufs' own files
        elif name.startswith(WHITEOUT):
            self._hide(parent, self._hidden(entry, name))
        else:
            self._make(tar, entry, parent, name, "/".join(parts))

    def finish(self) -> None:
        for path, time in self._times.items():
            try:
                fd = open_in_root(self._root, path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            except (FileNotFoundError, NotADirectoryError):
                continue  # a later entry has replaced it, or its parent
            try:
                os.utime(fd, ns=(time, time))
            finally:
                os.close(fd)

    def close(self) -> None:
        if self._open:
            os.close(self._open[1])
        self._open = None

    def _make(self, tar: tarfile.TarFile, entry: tarfile.TarInfo, parent: int, name: str, path: str) -> None:
        if entry.isreg():
            try:
                file = os.open(name, CREATED, 0o600, dir_fd=parent)
            except FileExistsError:
                self._clear(parent, name, path)
                file = os.open(name, CREATED, 0o600, dir_fd=parent)
            self._write(tar, entry, file)
            return
        existing = _status(parent, name)
        opaque = existing is not None and is_whiteout(existing)
        if existing and not (entry.isdir() and stat.S_ISDIR(existing.st_mode)):
            self._clear(parent, name, path)
            existing = None
        if entry.isdir():
            if existing is None:
                os.mkdir(name, 0o700, dir_fd=parent)
            fd = os.open(name, OPENED, dir_fd=parent)
            try:
                set_open(self._what, fd, entry)
                if opaque:
                    os.setxattr(fd, opaque_attribute(), b"y")
            finally:
                os.close(fd)
            self._times[path] = entry_time(entry)
        elif entry.issym():
            os.symlink(self._target(entry), name, dir_fd=parent)
            set_attributes(self._what, parent, name, entry)
        elif entry.islnk():
            self._link(entry, parent, name)
        elif entry.isfifo() or entry.ischr() or entry.isblk():
            kind = stat.S_IFIFO if entry.isfifo() else stat.S_IFCHR if entry.ischr() else stat.S_IFBLK
            if not (0 <= entry.devmajor <= MAJOR_LIMIT and 0 <= entry.devminor <= MINOR_LIMIT):
                raise self._refused(entry, f"has device number {entry.devmajor}:{entry.devminor}")
            try:
                os.mknod(name, kind | 0o600, os.makedev(entry.devmajor, entry.devminor), dir_fd=parent)
            except PermissionError:
                if not is_rootless(os.environ):
                    raise
                return  # no user namespace may have devices; containers get those that they need in their own /dev
            set_attributes(self._what, parent, name, entry)
        else:
            raise self._refused(entry, f"is of type {entry.type!r}, which is not supported")

    def _clear(self, parent: int, name: str, path: str) -> None:
        remove_entry(parent, name)
        self._times.pop(path, None)
        self._is_stale = True

    def _write(self, tar: tarfile.TarFile, entry: tarfile.TarInfo, file: int) -> None:
        """Also closes ``file``."""
        try:
            for chunk in self._content(tar, entry):
                view = memoryview(chunk)
                while view:
                    view = view[os.write(file, view) :]
            set_open(self._what, file, entry)
        finally:
            os.close(file)

    def _content(self, tar: tarfile.TarFile, entry: tarfile.TarInfo) -> Iterator[bytes]:
        if entry.issparse():
            content = tar.extractfile(entry)
            if content is None:
                raise self._refused(entry, "has no content")
            self._spend(entry.size)
            while chunk := content.read(CHUNK):
                yield chunk
            return
        # The stream is where the content begins; a reader of tarfile's own for each file takes longer than most files.
        assert tar.fileobj is not None
        left = entry.size
        while left:
            chunk = tar.fileobj.read(min(CHUNK, left))
            if not chunk:
                raise EOFError(f"it ends within {entry.name!r}")
            yield chunk
            left -= len(chunk)

    def _link(self, entry: tarfile.TarInfo, parent: int, name: str) -> None:
        *parents, target = self._parts(entry.linkname) or [""]
        try:
            source = open_in_root(self._root, "/".join(parents) or ".", os.O_PATH | os.O_DIRECTORY)
            try:
                os.link(target, name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
            finally:
                os.close(source)
        except (FileNotFoundError, NotADirectoryError):
            raise self._refused(entry, f"is a hard link to {entry.linkname!r}, which is not in this layer") from None
        except PermissionError as error:
            if error.errno != EPERM:
                raise
            raise self._refused(entry, f"is a hard link to {entry.linkname!r}, which cannot be linked to") from None

    def _hide(self, parent: int, name: str) -> None:
        """Whiteouts only hide lower layers: this layer's own entry of that name stays, whichever came first."""
        existing = _status(parent, name)
        if existing is None:
            os.mknod(name, stat.S_IFCHR, os.makedev(0, 0), dir_fd=parent)
        elif stat.S_ISDIR(existing.st_mode):
            fd = os.open(name, OPENED, dir_fd=parent)
            try:
                os.setxattr(fd, opaque_attribute(), b"y")
            finally:
                os.close(fd)

    def _parent(self, path: str) -> int:
        """A descriptor of the directory ``path``, which is made if missing. Good until the next call."""
        if self._open and self._open[0] == path and not self._is_stale:
            return self._open[1]
        self.close()
        self._is_stale = False
        try:
            fd = open_in_root(self._root, path or ".", os.O_PATH | os.O_DIRECTORY)
        except OSError as error:
            if error.errno not in (ENOENT, ENOTDIR):
                raise
            fd = self._make_parents(path)
        self._open = (path, fd)
        return fd

    def _make_parents(self, path: str) -> int:
        """Directories that the archive has no entry for: like those below, so that they do not change anything."""
        pending = list(reversed(path.split("/")))
        done: list[str] = []
        links = 0
        while pending:
            part = pending.pop()
            if part in ("", ".", ".."):
                done = done[:-1] if part == ".." else done
                continue
            here = "/".join([*done, part])
            parent = open_in_root(self._root, "/".join(done) or ".", os.O_PATH | os.O_DIRECTORY)
            try:
                existing = _status(parent, part)
                if existing is None or is_whiteout(existing):
                    existing = self._imply(parent, part, here, hidden=existing is not None)
                if stat.S_ISLNK(existing.st_mode):
                    links += 1
                    if links > MAX_SYMBOLIC_LINKS:
                        raise OSError(ELOOP, os.strerror(ELOOP), path)
                    target = os.readlink(part, dir_fd=parent)
                    pending.extend(reversed(target.split("/")))
                    done = [] if target.startswith("/") else done
                elif stat.S_ISDIR(existing.st_mode):
                    done.append(part)
                else:
                    raise FatalError(f"{self._what}: {here!r} is not a directory, but the archive has entries below it")
            finally:
                os.close(parent)
        return open_in_root(self._root, "/".join(done) or ".", os.O_PATH | os.O_DIRECTORY)

    def _imply(self, parent: int, name: str, path: str, *, hidden: bool) -> os.stat_result:
        """hidden: this layer has a whiteout there, so the new directory must go on hiding what is below."""
        if self._below is None and not hidden:
            raise BelowNeeded
        if hidden:
            os.unlink(name, dir_fd=parent)
        lower = None if hidden else find((self._directory, *(self._below or ())), path, follow=False)
        if lower and stat.S_ISLNK(lower.status.st_mode):
            os.symlink(lower.target, name, dir_fd=parent)
            os.chown(name, lower.status.st_uid, lower.status.st_gid, dir_fd=parent, follow_symlinks=False)
            time = lower.status.st_mtime_ns
            os.utime(name, ns=(time, time), dir_fd=parent, follow_symlinks=False)
            return os.stat(name, dir_fd=parent, follow_symlinks=False)
        os.mkdir(name, 0o755, dir_fd=parent)
        fd = os.open(name, OPENED, dir_fd=parent)
        try:
            os.fchmod(fd, 0o755)  # whatever the umask
            if hidden:
                os.setxattr(fd, opaque_attribute(), b"y")
            if lower and stat.S_ISDIR(lower.status.st_mode):
                os.fchown(fd, lower.status.st_uid, lower.status.st_gid)
                os.fchmod(fd, stat.S_IMODE(lower.status.st_mode))
                self._times.setdefault(path, lower.status.st_mtime_ns)
            return os.fstat(fd)
        finally:
            os.close(fd)

    def _parts(self, name: str) -> list[str]:
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts or "\0" in name:
            raise FatalError(f"{self._what}: the name {name!r} leads out of the image", hint="do not trust this image")
        return parts

    def _hidden(self, entry: tarfile.TarInfo, name: str) -> str:
        hidden = name.removeprefix(WHITEOUT)
        if hidden in ("", ".", "..") or hidden.startswith(WHITEOUT):
            raise self._refused(entry, "hides an impossible name")
        return hidden

    def _target(self, entry: tarfile.TarInfo) -> str:
        if not entry.linkname or "\0" in entry.linkname:
            raise self._refused(entry, f"is a symbolic link to {entry.linkname!r}")
        return entry.linkname

    def _refused(self, entry: tarfile.TarInfo, why: str) -> FatalError:
        return refused(self._what, entry, why)


def _status(parent: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None
