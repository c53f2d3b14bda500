"""The content store: an OCI image layout on disk, with blobs that were verified when they came in.

``index.json`` records which manifest each reference led to, in annotations that other tools ignore. It is changed under
a lock and replaced as a whole.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from typing import TYPE_CHECKING

from orchestra.driver.local.image.content.blobs import BlobStore
from orchestra.driver.local.image.documents.manifest import MANIFEST, NAME, parse_index
from orchestra.driver.local.image.failure import file_errors
from orchestra.errors import FatalError
from orchestra.model.document import DocumentError
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SOURCE = "io.orchestra.image.source"
PLATFORM = "io.orchestra.image.platform"
STAMP = "io.orchestra.image.stamp"
PULLED = "io.orchestra.image.pulled"


class Stored(Record):
    """What a reference led to when it was last pulled.

    source: digest of what it named then, see ``source.Source``; digest: of the manifest for ``platform``; stamp: of
    the archive it was in, see ``source.Stamp``; pulled_at: Unix time of the last comparison with its registry.
    """

    reference: str
    source: str
    digest: str
    size: int
    platform: str
    stamp: str = ""
    media_type: str = MANIFEST
    pulled_at: float = 0.0


class ContentStore(BlobStore):
    """Safe across threads and processes."""

    def entry(self, reference: str) -> Stored | None:
        return self.entries().get(reference)

    def entries(self) -> dict[str, Stored]:
        """All entries, by reference."""
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
            raise FatalError(f"{path} {error}", hint="remove that file; the images are then pulled again") from error
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
                    pulled_at=_time(notes.get(PULLED, "")),
                )
        return found

    def put_entry(self, entry: Stored) -> None:
        """Replace what the reference led to."""
        with file_errors(f"content store {self._path}"), self._locked("lock"):
            self._write({**self.entries(), entry.reference: entry})

    def remove_entry(self, reference: str) -> Stored | None:
        """Forget the reference. Returns what it led to, if anything. Its content stays until ``collect``."""
        with file_errors(f"content store {self._path}"), self._locked("lock"):
            entries = self.entries()
            entry = entries.pop(reference, None)
            if entry is not None:
                self._write(entries)
        return entry

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """In this context nothing is collected: there may be content that nothing refers to yet."""
        with file_errors(f"content store {self._path}"):
            fd = self._lock("collection.lock", fcntl.LOCK_SH)
        try:
            yield
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def collecting(self, wait: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Runs alone: no caller is in ``held``, or enters it. wait: called before waiting for a caller that is."""
        with file_errors(f"content store {self._path}"):
            try:
                fd = self._lock("collection.lock", fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                wait()
                fd = self._lock("collection.lock", fcntl.LOCK_EX)
        try:
            yield
        finally:
            os.close(fd)

    def _write(self, entries: dict[str, Stored]) -> None:
        """With the lock held."""
        document = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [_render(item) for _, item in sorted(entries.items())],
        }
        # The lock makes the temporary name ours; a file that a crash has left there is overwritten.
        temporary = f"{self._path}/index.json.new"
        with open(temporary, "wb") as file:
            file.write(json.dumps(document, indent=1).encode())
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, f"{self._path}/index.json")

    @contextlib.contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        fd = self._lock(name, fcntl.LOCK_EX)
        try:
            yield
        finally:
            os.close(fd)

    def _lock(self, name: str, kind: int) -> int:
        """A descriptor; closing it releases the lock."""
        self._make()
        fd = os.open(f"{self._path}/{name}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, kind)
        except BaseException:
            os.close(fd)
            raise
        return fd


def _time(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _render(entry: Stored) -> dict[str, object]:
    notes = {NAME: entry.reference, SOURCE: entry.source, PLATFORM: entry.platform, STAMP: entry.stamp}
    notes[PULLED] = str(entry.pulled_at) if entry.pulled_at else ""
    return {
        "mediaType": entry.media_type,
        "digest": entry.digest,
        "size": entry.size,
        "annotations": {key: value for key, value in notes.items() if value},
    }
