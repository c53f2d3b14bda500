"""Images of the content store without a name: a tag moved away from them, or they never had one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestra.driver.local.image.content.indexes import named_images
from orchestra.driver.local.image.content.parts import Parts, load_parts
from orchestra.driver.local.image.content.store import Stored
from orchestra.driver.local.image.documents.manifest import DOCUMENT_LIMIT, MANIFEST
from orchestra.driver.local.image.documents.platform import platform_of
from orchestra.errors import FatalError
from orchestra.model.document import DocumentError, parse_document, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.driver.local.image.content.store import ContentStore


def find_nameless(content: ContentStore) -> Iterator[tuple[Stored, Parts]]:
    """Each with an empty reference. Skips damaged and incomplete images."""
    named = named_images(content, content.entries().values())
    for digest in content.blobs():
        if digest in named or not 0 < content.size(digest) <= DOCUMENT_LIMIT or not _is_object(content, digest):
            continue
        data = content.read_if_sound(digest)
        try:
            document = parse_document(data) if data is not None else {}
            if "config" not in document or "layers" not in document:
                continue
            media_type = text(document, "mediaType") or MANIFEST
            parts = load_parts(content, digest)
        except (DocumentError, FatalError):
            continue
        if parts is not None and data is not None:
            platform = str(platform_of(parts.document) or "")
            yield Stored("", digest, digest, len(data), platform, media_type=media_type), parts


def _is_object(content: ContentStore, digest: str) -> bool:
    """Whether it looks like a JSON object: small layers need not be read."""
    try:
        descriptor = os.open(content.path(digest), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return os.read(descriptor, 1) == b"{"
    finally:
        os.close(descriptor)
