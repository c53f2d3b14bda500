"""The parts of an image, from the documents of the content store."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from orchestra.driver.local.image.documents.config import ImageConfig, parse_config
from orchestra.driver.local.image.documents.manifest import Descriptor, parse_diff_ids, parse_manifest
from orchestra.errors import FatalError
from orchestra.model.document import DocumentError, parse_document
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestra.driver.local.image.content.store import ContentStore

# The layer of an image that has none: overlayfs needs something below the writable directory.
EMPTY_LAYER = f"sha256:{hashlib.sha256(b'').hexdigest()}"


BASE = "io.orchestra.base"
"""Key of an image configuration: see ``Parts.base``. Such an image cannot leave the machine."""


class Parts(Record):
    """layers and diff_ids: lowest layer first, of equal length. config: of which ``document`` is the whole file."""

    config_blob: Descriptor
    layers: tuple[Descriptor, ...]
    diff_ids: tuple[str, ...]
    config: ImageConfig
    document: Mapping[str, Any]

    @property
    def base(self) -> str:
        """The digest of a directory of this machine that its layers lie on (``image.tree``); empty for none."""
        return str(self.document.get(BASE) or "")

    @property
    def blobs(self) -> tuple[str, ...]:
        return tuple(layer.digest for layer in self.layers)

    def chain_ids(self) -> tuple[str, ...]:
        return chain_ids(self.diff_ids)


def chain_ids(diff_ids: Iterable[str]) -> tuple[str, ...]:
    """OCI image-spec, "Layer ChainID": it identifies a layer together with all layers below it, lowest first."""
    chain: list[str] = []
    for diff_id in diff_ids:
        joined = f"{chain[-1]} {diff_id}".encode() if chain else b""
        chain.append(f"sha256:{hashlib.sha256(joined).hexdigest()}" if joined else diff_id)
    return tuple(chain) or (EMPTY_LAYER,)


def load_parts(content: ContentStore, digest: str) -> Parts | None:
    """The parts of the manifest with this digest; None if its documents are missing.

    Raises FatalError if they are invalid.
    """
    data = content.read(digest)
    try:
        manifest = parse_manifest(data) if data is not None else None
        config = content.read(manifest.config.digest) if manifest else None
        if manifest is None or config is None:
            return None
        document = parse_document(config)
        diff_ids = parse_diff_ids(document)
        if len(diff_ids) != len(manifest.layers):
            raise DocumentError(f"has {len(manifest.layers)} layers, but its config {len(diff_ids)}")
        return Parts(manifest.config, manifest.layers, diff_ids, parse_config(document), document)
    except DocumentError as error:
        raise FatalError(f"image {digest}: {error}", hint="make the image again") from error
