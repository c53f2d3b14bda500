"""An image of one layer, made of a root file system in a tar archive."""

from __future__ import annotations

import gzip
import hashlib
import json
import tempfile
from typing import IO, TYPE_CHECKING, Any, cast

from orchestra.driver.local.image.content.store import Stored
from orchestra.driver.local.image.documents.manifest import CONFIG, LAYER, MANIFEST
from orchestra.driver.local.image.layers.compression import compression_of, decompressed
from orchestra.driver.local.image.layers.tar import archive_errors

if TYPE_CHECKING:
    import io
    from collections.abc import Mapping

    from orchestra.driver.local.image.content.store import ContentStore
    from orchestra.driver.local.image.naming.platform import Platform
    from orchestra.driver.local.image.store import ImageStore

CHUNK = 1 << 18
# What layers may be compressed with; all else is compressed with gzip, as Docker does when it pushes.
KEPT = {"gzip": "+gzip", "zstd": "+zstd"}


def import_rootfs(
    store: ImageStore,
    stream: io.BufferedReader,
    what: str,
    platform: Platform,
    *,
    created: str,
    config: Mapping[str, Any],
    name: str = "",
    message: str = "",
) -> str:
    """The digest of the image's configuration, which is its id.

    what: the archive, for errors; created: RFC 3339; config: see ``apply_changes``; name: a whole one, or empty for an
    image without. Raises DriverError.
    """
    content = store.content
    with content.held(), archive_errors(what):
        layer, diff_id = _add_layer(content, stream, what)
        document: dict[str, Any] = {
            "created": created,
            "architecture": platform.architecture,
            "os": platform.system,
            **({"variant": platform.variant} if platform.variant else {}),
            "config": dict(config),
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
            "history": [{"created": created, "comment": message or f"Imported from {what}"}],
        }
        described, image_id = add_document(content, document, CONFIG)
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": [layer]}
        top, digest = add_document(content, manifest, MANIFEST)
        store.unpack(digest, what)
        if name:
            content.put_entry(Stored(name, digest, digest, top["size"], str(platform)))
    return image_id


def _add_layer(content: ContentStore, stream: io.BufferedReader, what: str) -> tuple[dict[str, Any], str]:
    """Its descriptor, and the digest of what it is uncompressed."""
    compression = compression_of(stream)
    if compression in KEPT:
        digest, size = content.add(stream, what)
        with content.open(digest) as blob:
            diff_id = _hash(decompressed(blob))
    else:
        with tempfile.TemporaryFile(dir=content.scratch()) as packed:
            # Without a time in it, the same archive always makes the same layer. Level 4 takes half the time of the
            # usual 6 for a few percent more.
            with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0, compresslevel=4) as target:
                diff_id = _hash(decompressed(stream), target)
            packed.seek(0)
            digest, size = content.add(packed, what)
    return {"mediaType": LAYER + KEPT.get(compression, "+gzip"), "digest": digest, "size": size}, diff_id


def _hash(source: IO[bytes], target: gzip.GzipFile | None = None) -> str:
    digest = hashlib.sha256()
    while chunk := source.read(CHUNK):
        digest.update(chunk)
        if target is not None:
            target.write(chunk)
    return f"sha256:{digest.hexdigest()}"


def add_document(content: ContentStore, document: Mapping[str, Any], media_type: str) -> tuple[dict[str, Any], str]:
    data = json.dumps(document).encode()
    digest = content.add_document(data)
    return cast("dict[str, Any]", {"mediaType": media_type, "digest": digest, "size": len(data)}), digest
