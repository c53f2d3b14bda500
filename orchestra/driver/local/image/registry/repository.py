"""One repository at one place: the calls of the distribution specification."""

from __future__ import annotations

import hashlib
import time
from typing import IO, TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from orchestra.driver.local.image.documents.manifest import DOCUMENT_LIMIT, INDEXES, MANIFESTS, Descriptor
from orchestra.driver.local.image.registry.http import Trouble
from orchestra.driver.local.image.registry.refusal import NotFound
from orchestra.driver.local.image.registry.session import PULL, PUSH, Asked, unreachable
from orchestra.errors import DriverError, FatalError, TemporaryError
from orchestra.model.document import DIGEST, DocumentError, parse_document, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestra.driver.local.image.content.ingest import Ingest
    from orchestra.driver.local.image.registry.http import Reply
    from orchestra.driver.local.image.registry.places import Place
    from orchestra.driver.local.image.registry.session import Session

ACCEPT = ", ".join(sorted(INDEXES | MANIFESTS))
OLD = "application/vnd.docker.distribution.manifest.v1"
CHUNK = 1 << 18


class Repository:
    def __init__(self, session: Session, place: Place) -> None:
        self._session = session
        self.place = place

    def resolve(self, wanted: str) -> tuple[Descriptor, bytes]:
        """The target of a tag or digest: a manifest or an index, with its descriptor."""
        what = f"{self.place}{'@' if DIGEST.fullmatch(wanted) else ':'}{wanted}"
        asked = Asked("GET", self._url(f"manifests/{wanted}"), {"Accept": ACCEPT})
        for attempt in range(self._session.patience.attempts):
            try:
                with self._session.ask(self.place, asked) as reply:
                    return _described(reply, what, wanted)
            except Trouble as error:
                if self._session.patience.is_last(attempt, slow=error.slow):
                    raise unreachable(self.place, error) from error
            self._session.pause(self._session.patience.pause(attempt))
        raise AssertionError(attempt)

    def named(self, wanted: str) -> str:
        """The digest that a tag means now, as cheaply as the registry permits."""
        asked = Asked("HEAD", self._url(f"manifests/{wanted}"), {"Accept": ACCEPT})
        with self._session.ask(self.place, asked) as reply:
            found = reply.header("Docker-Content-Digest")
        return found if DIGEST.fullmatch(found) else self.resolve(wanted)[0].digest

    def document(self, descriptor: Descriptor, *, manifest: bool) -> bytes:
        """A manifest or a configuration, verified. Raises FatalError if it does not match."""
        if manifest:
            return self.resolve(descriptor.digest)[1]
        if descriptor.size > DOCUMENT_LIMIT:
            raise FatalError(f"{self.place}@{descriptor.digest} is longer than {DOCUMENT_LIMIT} bytes")
        asked = Asked("GET", self._url(f"blobs/{descriptor.digest}"), {})
        failures = 0
        while True:
            slow = False
            try:
                with self._session.ask(self.place, asked) as reply:
                    data = reply.read(descriptor.size)
                found = f"sha256:{hashlib.sha256(data).hexdigest()}"
                if found == descriptor.digest:
                    return data
                error: DriverError = _damaged(f"{self.place}@{descriptor.digest}", found)
            except Trouble as trouble:
                error, slow = unreachable(self.place, trouble), trouble.slow
            failures += 1
            if self._session.patience.is_last(failures - 1, slow=slow) or not (error.temporary or failures == 1):
                raise error
            self._session.pause(self._session.patience.pause(failures - 1))

    def fetch(self, descriptor: Descriptor, ingest: Ingest) -> None:
        """A blob, from the current offset of ``ingest``. Leaves it complete, or raises and keeps what has come.

        Attempts are counted from the last one that brought much of it: a connection that breaks often still gets there,
        but not one that brings a few bytes each time.
        """
        patience = self._session.patience
        failures = 0
        started_over = False
        begun = time.monotonic()
        while True:
            self._session.check()
            before = ingest.offset
            error: DriverError
            try:
                if ingest.offset < descriptor.size:
                    self._fetch_on(descriptor, ingest)
                if ingest.digest == descriptor.digest:
                    return
                error = _damaged(f"{self.place}@{descriptor.digest}", ingest.digest)
                resumed = ingest.resumed or before > 0
                ingest.restart()
                if started_over or not resumed:
                    ingest.discard()
                    raise error
                # The pieces may be wrong rather than the blob: try once more, in one piece.
                started_over = True
                continue
            except Trouble as trouble:
                error = unreachable(self.place, trouble)
                elapsed = time.monotonic() - begun
                begun += elapsed
                failures = 1 if ingest.offset - before > patience.rate * elapsed else failures + 1
                if patience.is_last(failures - 1, slow=trouble.slow):
                    raise error from trouble
            self._session.pause(patience.pause(failures - 1))

    def _fetch_on(self, descriptor: Descriptor, ingest: Ingest) -> None:
        headers = {"Range": f"bytes={ingest.offset}-"} if ingest.offset else {}
        asked = Asked("GET", self._url(f"blobs/{descriptor.digest}"), headers)
        with self._session.ask(self.place, asked, (200, 206, 416)) as reply:
            if ingest.offset and not _continues(reply, ingest.offset):
                ingest.restart()
                if reply.status != 200:
                    raise Trouble("it did not continue the download where it was interrupted")
            for chunk in reply.chunks():
                self._session.check()
                if ingest.offset + len(chunk) > descriptor.size:
                    ingest.discard()
                    raise FatalError(
                        f"{self.place}@{descriptor.digest} is damaged: it is longer than {descriptor.size} bytes",
                        hint="the registry, or a proxy on the way, changes the content",
                    )
                ingest.write(chunk)
        if ingest.offset < descriptor.size:
            raise Trouble(f"only {ingest.offset} of {descriptor.size} bytes came")

    def has_blob(self, digest: str) -> bool:
        try:
            with self._session.ask(self.place, Asked("HEAD", self._url(f"blobs/{digest}"), {}, access=PUSH)):
                return True
        except NotFound:
            return False

    def mount(self, digest: str, source: str) -> str:
        """Have the registry take a blob from its repository ``source``.

        Returns '' on success, otherwise where to upload it.
        """
        query = urlencode({"mount": digest, "from": source})
        also = (f"repository:{source}:{PULL}",)
        asked = Asked("POST", self._url(f"blobs/uploads/?{query}"), {}, access=PUSH, also=also)
        with self._session.ask(self.place, asked, (201, 202)) as reply:
            return "" if reply.status == 201 else _location(reply, self.place)

    def upload(self, digest: str, size: int, opened: Callable[[], IO[bytes]], location: str = "") -> None:
        """In one piece: begin, then send. A broken upload is begun anew.

        location: of an upload that was begun already.
        """
        failures = 0
        while True:
            try:
                self._upload(digest, size, opened, location or self._begin())
                return
            except TemporaryError:
                failures += 1
                if failures >= self._session.patience.attempts:
                    raise
            location = ""
            self._session.pause(self._session.patience.pause(failures - 1))

    def put_manifest(self, reference: str, media_type: str, data: bytes) -> None:
        headers = {"Content-Type": media_type, "Content-Length": str(len(data))}
        asked = Asked("PUT", self._url(f"manifests/{reference}"), headers, lambda: data, access=PUSH)
        with self._session.ask(self.place, asked, (201, 200, 202)) as reply:
            found = reply.header("Docker-Content-Digest")
        expected = f"sha256:{hashlib.sha256(data).hexdigest()}"
        if found and found != expected:
            raise FatalError(f"registry {self.place.host} made {found} of {expected}", hint="tell its operators")

    def _begin(self) -> str:
        asked = Asked("POST", self._url("blobs/uploads/"), {"Content-Length": "0"}, access=PUSH)
        with self._session.ask(self.place, asked, (202,)) as reply:
            return _location(reply, self.place)

    def _upload(self, digest: str, size: int, opened: Callable[[], IO[bytes]], location: str) -> None:
        mark = "&" if urlsplit(location).query else "?"
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}

        def content() -> Iterator[bytes]:
            with opened() as file:
                while chunk := file.read(CHUNK):
                    self._session.check()
                    yield chunk

        target = f"{location}{mark}{urlencode({'digest': digest})}"
        asked = Asked("PUT", target, headers, content, access=PUSH)
        with self._session.ask(self.place, asked, (201, 204), once=True):
            pass

    def _url(self, rest: str) -> str:
        return f"/v2/{self.place.path}/{rest}"


def _described(reply: Reply, what: str, wanted: str) -> tuple[Descriptor, bytes]:
    data = reply.read(DOCUMENT_LIMIT)
    if len(data) > DOCUMENT_LIMIT:
        raise FatalError(f"{what}: its manifest is longer than {DOCUMENT_LIMIT} bytes")
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    stated = wanted if DIGEST.fullmatch(wanted) else reply.header("Docker-Content-Digest")
    if DIGEST.fullmatch(stated) and stated != digest:
        raise _damaged(what, digest, stated)
    try:
        media_type = text(parse_document(data), "mediaType") or reply.header("Content-Type").partition(";")[0].strip()
    except DocumentError as error:
        raise FatalError(
            f"{what}: its manifest {error}", hint="check whether there is a registry at this address"
        ) from error
    if media_type.startswith(OLD) or (media_type in ("application/json", "") and b'"fsLayers"' in data):
        hint = "push the image again with a tool from 2016 or later"
        raise FatalError(f"{what} is in the format of Docker before 1.10, which is not supported", hint=hint)
    return Descriptor(media_type, digest, len(data)), data


def _damaged(what: str, found: str, expected: str = "") -> FatalError:
    hint = "the registry, or a proxy on the way, changes the content"
    return FatalError(
        f"{what} is damaged: its digest is {found}" + (f", not {expected}" if expected else ""), hint=hint
    )


def _continues(reply: Reply, offset: int) -> bool:
    """RFC 9110, 14.4."""
    return reply.status == 206 and reply.header("Content-Range").startswith(f"bytes {offset}-")


def _location(reply: Reply, place: Place) -> str:
    location = reply.header("Location")
    if not location:
        raise FatalError(
            f"registry {place.host} accepted an upload without giving its address", hint="tell its operators"
        )
    return location
