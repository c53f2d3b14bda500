"""Blobs by digest, in the form of an OCI image layout. They get their names once they are complete and verified."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
from typing import IO, TYPE_CHECKING

from orchestra.driver.local.image.content.ingest import (
    Ingest,
    ingest_path,
    ingested,
    ingested_of,
    open_ingest,
    remove_ingests,
)
from orchestra.driver.local.image.documents.manifest import DOCUMENT_LIMIT
from orchestra.driver.local.image.failure import file_errors
from orchestra.errors import FatalError
from orchestra.linux import private_files

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 1 << 18


class BlobStore:
    """Safe across threads and processes."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._blobs = f"{path}/blobs/sha256"

    def scratch(self) -> str:
        """A directory on the same file system, for files without a name."""
        self._make()
        return self._path

    def path(self, digest: str) -> str:
        return f"{self._blobs}/{digest.removeprefix('sha256:')}"

    def add(self, stream: IO[bytes], what: str, *, digest: str = "", size: int = -1) -> tuple[str, int]:
        """Copy a blob in. Returns digest and size, which must be the given ones.

        Does not read a blob that exists already.
        """
        with file_errors(f"content store {self._path}"):
            if digest and size >= 0 and self._size(digest) == size:
                return digest, size
            self._make()
        with file_errors(what), self._unnamed() as file:
            found, count = _copy(stream, file, size)
            if digest and found != digest:
                raise FatalError(
                    f"{what} is damaged: its digest is {found}, not {digest}", hint="fetch or make the image again"
                )
            self._name(file, self.path(found))
        return found, count

    @contextlib.contextmanager
    def ingest(self, digest: str, size: int, what: str) -> Iterator[Ingest | None]:
        """A blob to be fetched, or continued from another writer; None if it exists. It gets its name on success.

        The writer must check the digest.
        """
        with file_errors(what):
            if self._size(digest) == size:
                yield None
                return
            self._make()
            with open_ingest(f"{self._path}/ingest", digest, size, self.path(digest)) as ingest:
                yield ingest
                if ingest is not None:
                    if ingest.digest != digest:
                        raise ValueError(f"{what} has {ingest.digest}")
                    ingest.name(self.path(digest))

    @contextlib.contextmanager
    def passing(self, digest: str, size: int, what: str) -> Iterator[tuple[Ingest | None, str]]:
        """A blob that is only needed for now, and the path of its content; no ingest if it is here anyway.

        If it was fetched for this, it goes at the end, but stays for the next writer if the process is killed.
        """
        with file_errors(what):
            self._make()
            with open_ingest(f"{self._path}/ingest", digest, size, self.path(digest)) as ingest:
                yield ingest, self.path(digest) if ingest is None else ingest.path
                if ingest is not None:
                    ingest.discard()

    def add_document(self, data: bytes) -> str:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        return self.add(io.BytesIO(data), "a document", digest=digest, size=len(data))[0]

    def open(self, digest: str) -> io.BufferedReader:
        return open(self.path(digest), "rb")

    def open_arriving(self, digest: str) -> io.FileIO:
        """A file that grows until the blob is complete, or the complete blob."""
        partial = ingest_path(f"{self._path}/ingest", digest)
        for path in (self.path(digest), partial):
            with contextlib.suppress(FileNotFoundError):
                return io.FileIO(path)
        return io.FileIO(self.path(digest))  # it became complete in between

    def read(self, digest: str) -> bytes | None:
        """A document, or None if it is missing. Raises FatalError if the disk has changed it."""
        with file_errors(f"content store {self._path}"):
            try:
                with self.open(digest) as file:
                    data = file.read(DOCUMENT_LIMIT)
            except FileNotFoundError:
                return None
        if f"sha256:{hashlib.sha256(data).hexdigest()}" != digest:
            raise FatalError(f"{self.path(digest)} is damaged", hint="remove that file and run `up` again")
        return data

    def read_if_sound(self, digest: str) -> bytes | None:
        """The same, but None if the disk has changed it: it is about to be fetched anyway."""
        try:
            return self.read(digest)
        except FatalError:
            return None

    def blobs(self) -> list[str]:
        """The digests of all stored blobs."""
        with file_errors(f"content store {self._path}"):
            try:
                return [f"sha256:{name}" for name in sorted(os.listdir(self._blobs))]
            except FileNotFoundError:
                return []

    def size(self, digest: str) -> int:
        """-1 if it is missing."""
        with file_errors(f"content store {self._path}"):
            return self._size(digest)

    def arrived(self, digest: str) -> int:
        """How many of its bytes are here, whether it is complete or not."""
        with file_errors(f"content store {self._path}"):
            size = self._size(digest)
            return size if size >= 0 else ingested_of(f"{self._path}/ingest", digest)

    def remove(self, digest: str) -> int:
        """The number of bytes freed. The caller must be ``collecting``, or know that the blob is damaged."""
        with file_errors(f"content store {self._path}"):
            size = self._size(digest)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path(digest))
        return max(0, size)

    def unfinished(self) -> int:
        """Bytes of blobs that are not complete yet."""
        with file_errors(f"content store {self._path}"):
            return ingested(f"{self._path}/ingest")

    def remove_ingests(self) -> int:
        with file_errors(f"content store {self._path}"):
            return remove_ingests(f"{self._path}/ingest")

    def _size(self, digest: str) -> int:
        try:
            return os.stat(self.path(digest)).st_size
        except FileNotFoundError:
            return -1

    def _make(self) -> None:
        if os.path.exists(f"{self._path}/oci-layout"):
            return
        private_files.make_directories(self._blobs)
        with self._unnamed() as file:
            file.write(b'{"imageLayoutVersion": "1.0.0"}')
            self._name(file, f"{self._path}/oci-layout")

    def _unnamed(self) -> io.BufferedWriter:
        """A file that leaves nothing behind after a crash."""
        return open(os.open(self._path, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb")

    def _name(self, file: io.BufferedWriter, path: str) -> None:
        """Make it appear complete, in place of anything else there."""
        # Without fsync(2) the name could survive a power failure without the content.
        file.flush()
        os.fsync(file.fileno())
        directory = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for _ in range(2):
                # Only linkat(2) with AT_SYMLINK_FOLLOW can do this. os.link() uses it if it is given a directory.
                with contextlib.suppress(FileExistsError):
                    os.link(f"/proc/self/fd/{file.fileno()}", path, src_dir_fd=directory, follow_symlinks=True)
                    return
                if os.stat(path).st_size == os.fstat(file.fileno()).st_size:
                    return  # another writer was faster
                os.unlink(path)
        finally:
            os.close(directory)


def _copy(source: IO[bytes], target: IO[bytes], limit: int) -> tuple[str, int]:
    """limit: stop soon after so many bytes, unless negative: the digest is wrong then anyway."""
    digest = hashlib.sha256()
    count = 0
    while chunk := source.read(CHUNK):
        digest.update(chunk)
        target.write(chunk)
        count += len(chunk)
        if 0 <= limit < count:
            break
    return f"sha256:{digest.hexdigest()}", count
