"""The content store: an OCI image layout on disk, whose blobs were verified when they came in.

``index.json`` says which manifest each reference led to, in annotations that other tools pass over. Blobs get their
name when they are whole; ``index.json`` is changed under a lock and replaced whole.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import json
import os
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from orchestra.driver.local.image.document import DocumentError
from orchestra.driver.local.image.failure import file_errors
from orchestra.driver.local.image.manifest import DOCUMENT_LIMIT, MANIFEST, NAME, parse_index
from orchestra.errors import FatalError

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 1 << 18
SOURCE = "io.orchestra.image.source"
PLATFORM = "io.orchestra.image.platform"
STAMP = "io.orchestra.image.stamp"


@dataclass(frozen=True, slots=True)
class Stored:
    """What a reference led to when it was last pulled.

    source: digest of what it named then, see ``source.Source``; digest: of the manifest for ``platform``; stamp: of
    the archive it was in, see ``source.Stamp``.
    """

    reference: str
    source: str
    digest: str
    size: int
    platform: str
    stamp: str = ""
    media_type: str = MANIFEST


class ContentStore:
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
        """Copy a blob in; its digest and size, which must be those given. A blob that is there is not read again."""
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

    def add_document(self, data: bytes) -> str:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        return self.add(io.BytesIO(data), "a document", digest=digest, size=len(data))[0]

    def open(self, digest: str) -> io.BufferedReader:
        return open(self.path(digest), "rb")

    def read(self, digest: str) -> bytes | None:
        """A document, or None when it is not there. Raises FatalError when the disk has changed it."""
        with file_errors(f"content store {self._path}"):
            try:
                with self.open(digest) as file:
                    data = file.read(DOCUMENT_LIMIT)
            except FileNotFoundError:
                return None
        if f"sha256:{hashlib.sha256(data).hexdigest()}" != digest:
            raise FatalError(f"{self.path(digest)} is damaged", hint="remove that file and run `up` again")
        return data

    def entry(self, reference: str) -> Stored | None:
        return self.entries().get(reference)

    def entries(self) -> dict[str, Stored]:
        """All of them by reference."""
        with file_errors(f"content store {self._path}"):
            try:
                with open(f"{self._path}/index.json", "rb") as file:
                    data = file.read()
            except FileNotFoundError:
                return {}
        try:
            descriptors = parse_index(data)
        except DocumentError as error:
            path = f"{self._path}/index.json"
            raise FatalError(f"{path} {error}", hint="remove that file: the images are then pulled again") from error
        found = {}
        for item in descriptors:
            notes = item.annotations
            if NAME in notes and SOURCE in notes:
                found[notes[NAME]] = Stored(
                    reference=notes[NAME],
                    source=notes[SOURCE],
                    digest=item.digest,
                    size=item.size,
                    platform=notes.get(PLATFORM, ""),
                    stamp=notes.get(STAMP, ""),
                    media_type=item.media_type,
                )
        return found

    def put_entry(self, entry: Stored) -> None:
        """Replace what the reference led to."""
        with file_errors(f"content store {self._path}"), self._locked():
            entries = {**self.entries(), entry.reference: entry}
            document = {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.index.v1+json",
                "manifests": [_render(item) for _, item in sorted(entries.items())],
            }
            # The lock makes the temporary name ours; what a crash leaves there is written over.
            temporary = f"{self._path}/index.json.new"
            with open(temporary, "wb") as file:
                file.write(json.dumps(document, indent=1).encode())
                file.flush()
                os.fsync(file.fileno())
            os.rename(temporary, f"{self._path}/index.json")

    def _size(self, digest: str) -> int:
        try:
            return os.stat(self.path(digest)).st_size
        except FileNotFoundError:
            return -1

    def _make(self) -> None:
        if os.path.exists(f"{self._path}/oci-layout"):
            return
        os.makedirs(self._path, mode=0o700, exist_ok=True)
        os.makedirs(self._blobs, exist_ok=True)
        with self._unnamed() as file:
            file.write(b'{"imageLayoutVersion": "1.0.0"}')
            self._name(file, f"{self._path}/oci-layout")

    def _unnamed(self) -> io.BufferedWriter:
        """A file that a crash leaves nothing of."""
        return open(os.open(self._path, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb")

    def _name(self, file: io.BufferedWriter, path: str) -> None:
        """Make it appear as a whole, in place of anything else that is there."""
        # Without fsync(2) the name could survive a power failure and the content not.
        file.flush()
        os.fsync(file.fileno())
        directory = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for _ in range(2):
                # Only linkat(2) with AT_SYMLINK_FOLLOW can do it, which os.link() uses when given a directory.
                with contextlib.suppress(FileExistsError):
                    os.link(f"/proc/self/fd/{file.fileno()}", path, src_dir_fd=directory, follow_symlinks=True)
                    return
                if os.stat(path).st_size == os.fstat(file.fileno()).st_size:
                    return  # somebody else was faster
                os.unlink(path)
        finally:
            os.close(directory)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self._make()
        fd = os.open(f"{self._path}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)


def _copy(source: IO[bytes], target: IO[bytes], limit: int) -> tuple[str, int]:
    """limit: stop soon after so many bytes, when it is not negative: the digest is then another anyway."""
    digest = hashlib.sha256()
    count = 0
    while chunk := source.read(CHUNK):
        digest.update(chunk)
        target.write(chunk)
        count += len(chunk)
        if 0 <= limit < count:
            break
    return f"sha256:{digest.hexdigest()}", count


def _render(entry: Stored) -> dict[str, object]:
    notes = {NAME: entry.reference, SOURCE: entry.source, PLATFORM: entry.platform, STAMP: entry.stamp}
    return {
        "mediaType": entry.media_type,
        "digest": entry.digest,
        "size": entry.size,
        "annotations": {key: value for key, value in notes.items() if value},
    }
