"""Indexes of the content store: a name that means images for several platforms. Those that are here belong to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.driver.local.image.content.parts import load_parts
from orchestra.driver.local.image.documents.manifest import (
    ATTESTATION,
    ATTESTATION_MANIFEST,
    INDEX,
    Descriptor,
    parse_artifact,
    parse_index,
)
from orchestra.errors import FatalError
from orchestra.model.document import DocumentError, parse_document
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestra.driver.local.image.content.store import ContentStore, Stored


class Member(NamedTuple):
    """Of an index. blobs: everything that its manifest refers to."""

    manifest: Descriptor
    blobs: tuple[Descriptor, ...]

    @property
    def is_attestation(self) -> bool:
        return self.manifest.annotations.get(ATTESTATION) == ATTESTATION_MANIFEST


def members_here(content: ContentStore, digest: str) -> list[Member]:
    """Those of the index with this digest that are here completely: images and attestations."""
    found = []
    for one in members_of(content, digest):
        data = content.read_if_sound(one.digest)
        try:
            parsed = parse_artifact(data) if data is not None else None
        except DocumentError:
            continue
        if parsed and all(content.size(blob.digest) == blob.size for blob in (parsed.config, *parsed.layers)):
            found.append(Member(one, (parsed.config, *parsed.layers)))
    return found


def members_if_whole(content: ContentStore, entry: Stored) -> list[Member]:
    """Those of the index that a name means, if all of it is here; none for other images."""
    here = members_here(content, entry.source) if entry.source != entry.digest else []
    return here if len(here) == len(members_of(content, entry.source)) else []


def members_of(content: ContentStore, digest: str) -> tuple[Descriptor, ...]:
    """Of the index with this digest; none if it is not here, or something else."""
    data = content.read_if_sound(digest)
    try:
        return parse_index(data) if data is not None else ()
    except DocumentError:
        return ()


def describe_index(content: ContentStore, digest: str) -> Descriptor:
    """Of an index that is here."""
    document = parse_document(content.read(digest) or b"{}")
    return Descriptor(str(document.get("mediaType") or INDEX), digest, content.size(digest))


def named_images(content: ContentStore, entries: Iterable[Stored]) -> set[str]:
    """The digests of the images that these names lead to, for every platform that is here."""
    found: set[str] = set()
    for entry in entries:
        found.add(entry.digest)
        if entry.source != entry.digest:
            found.update(one.digest for one in members_of(content, entry.source) if _is_image_here(content, one.digest))
    return found


def _is_image_here(content: ContentStore, digest: str) -> bool:
    """Whether the documents of this image are, and all its layers."""
    if content.size(digest) < 0:
        return False
    try:
        parts = load_parts(content, digest)
    except FatalError:
        return False
    return parts is not None and all(content.size(layer.digest) == layer.size for layer in parts.layers)
