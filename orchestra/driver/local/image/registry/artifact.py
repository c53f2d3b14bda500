"""What registries keep beside images: a manifest with a few small files, read whole and written whole.

OCI image-spec, "Guidelines for Artifact Usage": version 1.1 names the kind as ``artifactType``; before it, the media
type of the empty configuration told it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

from orchestra.driver.local.image.documents.manifest import (
    DOCUMENT_LIMIT,
    INDEX,
    INDEXES,
    MANIFEST,
    NAME,
    Descriptor,
    parse_descriptor,
)
from orchestra.driver.local.image.registry.anywhere import Anywhere
from orchestra.driver.local.image.registry.places import find_place
from orchestra.driver.local.image.registry.repository import Repository
from orchestra.driver.local.image.registry.session import Session
from orchestra.errors import FatalError, TemporaryError
from orchestra.model.document import (
    DocumentError,
    check_digest,
    mapping,
    mappings,
    parse_document,
    text,
)
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestra.driver.local.image.naming.name import ImageName
    from orchestra.driver.local.image.registry import Access

EMPTY = b"{}"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
PART_LIMIT = 200
SIZE_LIMIT = 4 * DOCUMENT_LIMIT


class Version(StrEnum):
    """Of the image specification that a manifest follows."""

    V1_0 = "1.0"
    V1_1 = "1.1"


class Kind(Record):
    """What an artifact is. name: its ``artifactType``; config: the type of its configuration in version 1.0."""

    name: str
    config: str


class Part(Record):
    media_type: str
    data: bytes
    annotations: Mapping[str, str] = {}

    @property
    def digest(self) -> str:
        return digest_of(self.data)


class Artifact:
    """One that is there. ``digest``: of what the name means, which may be an index."""

    def __init__(self, anywhere: Anywhere, kind: Kind, what: str, top: Descriptor, data: bytes) -> None:
        self._anywhere = anywhere
        self._kind = kind
        self._what = what
        self._top = top
        self._data = data

    @property
    def digest(self) -> str:
        return self._top.digest

    def read(self) -> tuple[Part, ...]:
        """Raises FatalError for what is of another kind, damaged or too large, and DriverError for a lost registry."""
        try:
            document = parse_document(self._data)
            if self._top.media_type in INDEXES:
                document = parse_document(self._fetch(self._member(document), manifest=True))
            self._check(document)
            layers = [parse_descriptor(layer) for layer in mappings(document, "layers")]
        except DocumentError as error:
            raise FatalError(f"{self._what}: its manifest {error}") from None
        if len(layers) > PART_LIMIT or sum(layer.size for layer in layers) > SIZE_LIMIT:
            limit = f"{PART_LIMIT} files or {SIZE_LIMIT >> 20} MiB"
            raise FatalError(f"{self._what} has more than {limit}")
        return tuple(Part(layer.media_type, self._fetch(layer, manifest=False), layer.annotations) for layer in layers)

    def _fetch(self, descriptor: Descriptor, *, manifest: bool) -> bytes:
        return self._anywhere.ask(lambda repository: repository.document(descriptor, manifest=manifest))

    def _member(self, index: Mapping[str, Any]) -> Descriptor:
        for item in mappings(index, "manifests"):
            if text(item, "artifactType") == self._kind.name:
                return parse_descriptor(item)
        raise self._refused("an image")

    def _check(self, manifest: Mapping[str, Any]) -> None:
        config = text(mapping(manifest, "config"), "mediaType")
        kind = text(manifest, "artifactType")
        if kind != self._kind.name and (kind or config != self._kind.config):
            raise self._refused(kind or config or "something without a type")

    def _refused(self, found: str) -> FatalError:
        return FatalError(f"{self._what} is not of type {self._kind.name}, but {found}")


@contextlib.contextmanager
def opened_artifact(name: ImageName, kind: Kind, access: Access) -> Iterator[Artifact]:
    """Raises DriverError when there is none of this name, or no registry."""
    with Session(access.environment, access.patience) as session:
        anywhere = Anywhere(session, name)
        top, data = anywhere.ask(lambda repository: repository.resolve(name.wanted))
        yield Artifact(anywhere, kind, str(name), top, data)


def push_artifact(
    name: ImageName,
    kind: Kind,
    parts: tuple[Part, ...],
    created: str,
    access: Access,
    version: Version | None = None,
    *,
    insecure: bool = False,
) -> Descriptor:
    """Of its manifest. version: None for 1.1, and 1.0 where the registry refuses that. Raises DriverError."""
    with _opened_target(name, access, insecure=insecure) as repository:
        for data in dict.fromkeys((EMPTY, *(part.data for part in parts))):
            digest = digest_of(data)
            if not repository.has_blob(digest):
                repository.upload(digest, len(data), partial(io.BytesIO, data))
        try:
            return _put(repository, name, render_manifest(kind, parts, created, version or Version.V1_1))
        except TemporaryError:
            raise
        except FatalError:
            if version is not None:
                raise
            return _put(repository, name, render_manifest(kind, parts, created, Version.V1_0))


def push_application(
    name: ImageName,
    kind: Kind,
    artifact: Descriptor,
    images: Mapping[str, Descriptor],
    access: Access,
    *,
    insecure: bool = False,
) -> str:
    """An index of the images that belong to the artifact, which is its subject, all in the repository of ``name``.

    It has no tag. images: by name. Returns its digest. Raises DriverError.
    """
    document = {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "artifactType": kind.name,
        "manifests": [_described(image, {NAME: text}) for text, image in sorted(images.items())],
        "subject": _described(artifact),
    }
    data = _rendered(document)
    with _opened_target(name, access, insecure=insecure) as repository:
        repository.put_manifest(digest_of(data), INDEX, data)
    return digest_of(data)


@contextlib.contextmanager
def _opened_target(name: ImageName, access: Access, *, insecure: bool) -> Iterator[Repository]:
    with Session(access.environment, access.patience) as session:
        yield Repository(session, find_place(name, access.environment, insecure=insecure))


def _put(repository: Repository, name: ImageName, manifest: bytes) -> Descriptor:
    digest = digest_of(manifest)
    repository.put_manifest(name.tag or digest, MANIFEST, manifest)
    return Descriptor(MANIFEST, digest, len(manifest))


def render_manifest(kind: Kind, parts: tuple[Part, ...], created: str, version: Version) -> bytes:
    """created: when, as in RFC 3339."""
    is_old = version is Version.V1_0
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        **({} if is_old else {"artifactType": kind.name}),
        "config": _descriptor(Part(kind.config if is_old else EMPTY_TYPE, EMPTY)),
        "layers": [_descriptor(part) for part in parts],
        "annotations": {"org.opencontainers.image.created": created},
    }
    return _rendered(document)


def _rendered(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _descriptor(part: Part) -> dict[str, object]:
    return _described(Descriptor(part.media_type, part.digest, len(part.data)), part.annotations)


def _described(descriptor: Descriptor, annotations: Mapping[str, str] = {}) -> dict[str, object]:
    found: dict[str, object] = {
        "mediaType": descriptor.media_type,
        "digest": descriptor.digest,
        "size": descriptor.size,
    }
    return {**found, "annotations": dict(annotations)} if annotations else found


def digest_of(data: bytes) -> str:
    return check_digest(f"sha256:{hashlib.sha256(data).hexdigest()}")
