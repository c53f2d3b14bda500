"""An image of one layer, made from a root file system in a tar archive."""

from __future__ import annotations

import gzip
import hashlib
import tempfile
from typing import IO, TYPE_CHECKING, Any

from orchestra.driver.local.image.adding import add_image, describe_platform
from orchestra.driver.local.image.documents.manifest import LAYER
from orchestra.driver.local.image.layers.compression import compression_of, decompressed
from orchestra.driver.local.image.layers.tar import archive_errors

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Mapping

    from orchestra.driver.local.image.content.store import ContentStore
    from orchestra.driver.local.image.store import ImageStore
    from orchestra.model.platform import Platform

CHUNK = 1 << 18
# Of gzip: takes half the time of the usual 6 for a few percent more.
LEVEL = 4
# Compressions that layers may have. Other archives are compressed with gzip, as Docker does on push.
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

    what: the archive's name in errors; created: RFC 3339; config: see ``apply_changes``; name: a full name, or empty
    for an image without one. Raises DriverError.
    """
    content = store.content
    with content.held(), archive_errors(what):
        layer, diff_id = _add_archive(content, stream, what)
        document: dict[str, Any] = {
            "created": created,
            **describe_platform(platform),
            "config": dict(config),
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
            "history": [{"created": created, "comment": message or f"Imported from {what}"}],
        }
        return add_image(store, document, [layer], what, names=(name,) if name else ()).image_id


def _add_archive(content: ContentStore, stream: io.BufferedReader, what: str) -> tuple[dict[str, Any], str]:
    """Its descriptor, and the digest of its uncompressed content."""
    compression = compression_of(stream)
    if compression not in KEPT:
        return add_layer(content, lambda output: _copy(decompressed(stream), output), what)
    digest, size = content.add(stream, what)
    hashed = Hashed()
    with content.open(digest) as blob:
        _copy(decompressed(blob), hashed)
    return {"mediaType": LAYER + KEPT[compression], "digest": digest, "size": size}, hashed.digest


def _copy(source: IO[bytes], output: Hashed) -> None:
    while chunk := source.read(CHUNK):
        output.write(chunk)


class Hashed:
    """Hashes and counts bytes on their way to an output, if there is one."""

    def __init__(self, target: IO[bytes] | gzip.GzipFile | None = None) -> None:
        self._target = target
        self._hash = hashlib.sha256()

    def write(self, data: bytes, /) -> int:
        self._hash.update(data)
        if self._target is not None:
            self._target.write(data)
        return len(data)

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


def add_layer(content: ContentStore, fill: Callable[[Hashed], None], what: str) -> tuple[dict[str, Any], str]:
    """A layer of the archive that ``fill`` writes: its descriptor, and the digest of its uncompressed content."""
    with tempfile.TemporaryFile(dir=content.scratch()) as packed:
        # Without a time in it, the same archive always makes the same layer.
        with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0, compresslevel=LEVEL) as target:
            hashed = Hashed(target)
            fill(hashed)
        packed.seek(0)
        digest, size = content.add(packed, what)
    return {"mediaType": f"{LAYER}+gzip", "digest": digest, "size": size}, hashed.digest
