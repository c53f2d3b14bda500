"""Writing items into a directory of a container or of the host.

A file that is in the way is replaced as a whole, by rename(2): until the new one is complete, the old one stays.
A directory is never replaced by anything else, nor the other way round, and an existing one keeps its owner and mode
unless these are to be copied.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import stat
from copy import copy
from errno import EEXIST, ELOOP, ENOENT, ENOTDIR, EROFS, EXDEV
from typing import TYPE_CHECKING

from orchestra.driver.local.copying.item import FileContent
from orchestra.driver.local.image.layers.attributes import XATTR, entry_time, set_attributes, set_open
from orchestra.driver.local.image.removal import mount_of
from orchestra.errors import OrchestraError, UserError
from orchestra.record import Record

if TYPE_CHECKING:
    import tarfile
    from collections.abc import Callable, Iterable, Sequence

    from orchestra.driver.local.copying.item import Item
    from orchestra.driver.local.copying.place import Destination

CREATED = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
SPECIAL = stat.S_ISUID | stat.S_ISGID
READ_ONLY = "it is on a read-only file system"
READ_ONLY_HINT = "see `read_only` of the service or of the mount"


class Ownership(Record):
    """kept: copy owners, set-user-id bits, capabilities and devices, as with ``cp --archive``.

    Otherwise everything belongs to uid and gid. trusted: it comes from the host, so a file whose owner does not change
    may keep its set-user-id bit and its capabilities.
    """

    kept: bool
    trusted: bool
    uid: int = 0
    gid: int = 0


class Writer:
    def __init__(self, destination: Destination, ownership: Ownership, warn: Callable[[str], None]) -> None:
        """Raises UserError if nothing can be written."""
        self._world = destination.world
        self._base = destination.base
        self._top = destination.top
        self._ownership = ownership
        self._warn = warn
        # Set at the end, since every entry made in a directory changes its time.
        self._times: dict[str, int] = {}
        self._parent: tuple[str, int] | None = None
        self._pending: tuple[int, str, str] | None = None
        self._fd = self._world.open(self._base, os.O_PATH | os.O_DIRECTORY)
        try:
            self._refuse_read_only(self._fd, "")
        except UserError:
            os.close(self._fd)
            raise

    def close(self) -> None:
        self._forget_parent()
        os.close(self._fd)

    def check(self, entry: tarfile.TarInfo) -> None:
        """Raises UserError if what exists already could not become this entry. Changes nothing."""
        path = self._path(entry.name)
        try:
            fd = self._world.open_below(self._base, self._fd, path or ".", os.O_PATH | os.O_NOFOLLOW)
        except OSError as error:
            if error.errno in (ENOENT, ENOTDIR, ELOOP):
                return
            raise
        try:
            self._refuse_read_only(fd, path)
            self._refuse_other_kind(entry, os.fstat(fd), path)
        finally:
            os.close(fd)

    def begin(self, entry: tarfile.TarInfo) -> int | None:
        """Make the entry. Of a file with content: an empty one for it, which ``end`` completes."""
        path = self._path(entry.name)
        owners = self._world.owners
        try:
            with contextlib.nullcontext() if owners is None else owners.as_root():
                return self._begin(self._adapted(entry), path)
        except OrchestraError:
            raise
        except OSError as error:
            raise self._refusal(error, path) from error

    def end(self, entry: tarfile.TarInfo) -> None:
        if self._pending is None:
            return
        fd, temporary, path = self._pending
        try:
            set_open(self._about(path), fd, self._adapted(entry))
            if temporary != posixpath.basename(path):
                self._replace(fd, temporary, path)
        except OSError as error:
            if isinstance(error, OrchestraError):
                raise
            raise self._refusal(error, path) from error
        self._pending = None
        os.close(fd)

    def abandon(self) -> None:
        """Remove a file that is not complete."""
        if self._pending is not None:
            fd, temporary, path = self._pending
            self._pending = None
            os.close(fd)
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=self._open_parent(posixpath.dirname(path)))

    def finish(self) -> None:
        """The times of directories."""
        for path, time in self._times.items():
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                fd = self._world.open_below(self._base, self._fd, path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
                try:
                    os.utime(fd, ns=(time, time))
                finally:
                    os.close(fd)

    def _begin(self, entry: tarfile.TarInfo, path: str) -> int | None:
        if not path:
            if not entry.isdir():
                raise UserError(f"{self._about(path)} is a directory, and only a directory can replace it")
            return None
        parent, name = self._open_parent(posixpath.dirname(path)), posixpath.basename(path)
        existing = entry_status(parent, name)
        if existing is not None:
            self._refuse_other_kind(entry, existing, path)
        if entry.isdir():
            self._make_directory(entry, parent, path, exists=existing is not None)
            return None
        if (entry.ischr() or entry.isblk()) and not self._ownership.kept:
            self._warn(f"{self._about(path)}: skipped: devices are copied only with --archive")
            return None
        temporary = name if existing is None else f".orchestra-copy-{os.urandom(8).hex()}"
        if entry.isreg():
            fd = os.open(temporary, CREATED, 0o600, dir_fd=parent)
            self._pending = (fd, temporary, path)
            return fd
        if entry.islnk():
            self._link(entry, parent, temporary)
        elif entry.issym():
            os.symlink(entry.linkname, temporary, dir_fd=parent)
            set_attributes(self._about(path), parent, temporary, entry)
        elif entry.isfifo() or entry.ischr() or entry.isblk():
            kind = stat.S_IFIFO if entry.isfifo() else stat.S_IFCHR if entry.ischr() else stat.S_IFBLK
            device = 0 if entry.isfifo() else os.makedev(entry.devmajor, entry.devminor)
            os.mknod(temporary, kind | 0o600, device, dir_fd=parent)
            set_attributes(self._about(path), parent, temporary, entry)
        else:
            raise UserError(f"{entry.name!r} is of type {entry.type!r}, which cannot be copied")
        if temporary != name:
            self._replace(None, temporary, path)
        return None

    def _make_directory(self, entry: tarfile.TarInfo, parent: int, path: str, *, exists: bool) -> None:
        name = posixpath.basename(path)
        if not exists:
            os.mkdir(name, 0o700, dir_fd=parent)
        elif not self._ownership.kept:
            return
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        try:
            set_open(self._about(path), fd, entry)
        finally:
            os.close(fd)
        self._times[path] = entry_time(entry)

    def _link(self, entry: tarfile.TarInfo, parent: int, name: str) -> None:
        target = self._path(entry.linkname)
        source = self._world.open_below(
            self._base, self._fd, posixpath.dirname(target) or ".", os.O_PATH | os.O_DIRECTORY
        )
        try:
            os.link(posixpath.basename(target), name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
        finally:
            os.close(source)

    def _replace(self, fd: int | None, temporary: str, path: str) -> None:
        """Give it its name. If a single file is mounted there, the mount has to stay, so only its content is replaced.

        rename(2) would take such a mount away: the kernel protects mounts of the caller's own mount namespace only.
        """
        parent, name = self._open_parent(posixpath.dirname(path)), posixpath.basename(path)
        try:
            if not is_mount(parent, name):
                os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
            elif fd is not None:
                self._overwrite(fd, parent, name, path)
            else:
                raise UserError(f"{self._about(path)} is mounted: only a file can be copied there")
        finally:
            # It still exists after an error, and after rename(2) of one of two hard links to the other.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=parent)

    def _overwrite(self, fd: int, parent: int, name: str, path: str) -> None:
        found = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        try:
            if not stat.S_ISREG(os.fstat(found).st_mode):
                raise UserError(f"{self._about(path)}: a mount there is not a file")
            target = os.open(f"/proc/self/fd/{found}", os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
        finally:
            os.close(found)
        try:
            FileContent(fd, os.fstat(fd).st_size).copy_to([target])
        finally:
            os.close(target)

    def _open_parent(self, path: str) -> int:
        """Good until the next call. Makes missing directories: an archive may leave them out."""
        if self._parent is not None and self._parent[0] == path:
            return self._parent[1]
        self._forget_parent()
        fd = self._ensure(path)
        self._parent = (path, fd)
        return fd

    def _ensure(self, path: str) -> int:
        try:
            return self._world.open_below(self._base, self._fd, path or ".", os.O_PATH | os.O_DIRECTORY)
        except OSError as error:
            if error.errno != ENOENT or not path:
                raise
        above, name = posixpath.split(path)
        parent = self._ensure(above)
        try:
            os.mkdir(name, 0o755, dir_fd=parent)
            os.chown(name, self._ownership.uid, self._ownership.gid, dir_fd=parent, follow_symlinks=False)
        except FileExistsError:
            pass  # a link that leads nowhere: opening it again raises the error
        finally:
            os.close(parent)
        return self._world.open_below(self._base, self._fd, path, os.O_PATH | os.O_DIRECTORY)

    def _forget_parent(self) -> None:
        if self._parent is not None:
            os.close(self._parent[1])
            self._parent = None

    def _path(self, name: str) -> str:
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts or "\0" in name:
            raise UserError(f"the name {name!r} leads out of the directory", hint="do not trust this archive")
        return "/".join([self._top, *parts] if self._top else parts)

    def _about(self, path: str) -> str:
        return self._world.name(posixpath.join(self._base, path) if path else self._base)

    def _adapted(self, entry: tarfile.TarInfo) -> tarfile.TarInfo:
        """With its new owner, and without what must not be copied to another owner."""
        rule = self._ownership
        if rule.kept:
            return self._placed(copy(entry)) if self._world.owners is not None else entry
        adapted = copy(entry)
        adapted.uid, adapted.gid = rule.uid, rule.gid
        keeps = rule.trusted and (entry.uid, entry.gid) == (rule.uid, rule.gid)
        if not keeps:
            adapted.mode &= ~SPECIAL
        adapted.pax_headers = {
            key: value
            for key, value in entry.pax_headers.items()
            if not key.startswith(XATTR) or key.startswith(f"{XATTR}user.") or keeps
        }
        return self._placed(adapted)

    def _placed(self, entry: tarfile.TarInfo) -> tarfile.TarInfo:
        """With the owner that this process gives it, if it has another one in the container."""
        if self._world.owners is not None:
            entry.uid, entry.gid = self._world.owners.outside(entry.uid, entry.gid)
        return entry

    def _refuse_read_only(self, fd: int, path: str) -> None:
        if os.fstatvfs(fd).f_flag & os.ST_RDONLY:
            raise UserError(f"{self._about(path)} cannot be written: {READ_ONLY}", hint=READ_ONLY_HINT)

    def _refuse_other_kind(self, entry: tarfile.TarInfo, existing: os.stat_result, path: str) -> None:
        if stat.S_ISDIR(existing.st_mode) != entry.isdir():
            there, new = ("a directory", "a file") if not entry.isdir() else ("not a directory", "a directory")
            raise UserError(f"{self._about(path)} is {there}, and {new} is to be copied there", hint="remove it first")

    def _refusal(self, error: OSError, path: str) -> UserError:
        if error.errno == EROFS:
            return UserError(f"{self._about(path)} cannot be written: {READ_ONLY}", hint=READ_ONLY_HINT)
        if error.errno in (ELOOP, ENOENT, ENOTDIR, EEXIST, EXDEV):
            return UserError(f"{self._about(path)}: a link, or something other than a directory, is on the way to it")
        return UserError(f"{self._about(path)} cannot be written: {error.strerror}")


def write(items: Iterable[Item], writers: Sequence[Writer]) -> None:
    """Each item into every one of them. Raises UserError."""
    try:
        for entry, content in items:
            files = [writer.begin(entry) for writer in writers]
            if content is not None:
                content.copy_to([fd for fd in files if fd is not None])
            for writer in writers:
                writer.end(entry)
        for writer in writers:
            writer.finish()
    except BaseException:
        for writer in writers:
            writer.abandon()
        raise


def entry_status(parent: int, name: str) -> os.stat_result | None:
    """Of the entry itself, if it is there; a link is not followed."""
    try:
        return os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None


def is_mount(parent: int, name: str) -> bool:
    """Whether something is mounted at an existing entry of this directory."""
    fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        return mount_of(fd) != mount_of(parent)
    finally:
        os.close(fd)
