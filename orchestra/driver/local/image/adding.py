"""Images of layers that are in the store already: their documents, and the names that mean them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from orchestra.driver.local.image.content.store import Stored
from orchestra.driver.local.image.documents.manifest import CONFIG, MANIFEST
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestra.driver.local.image.content.store import ContentStore
    from orchestra.driver.local.image.store import ImageStore
    from orchestra.model.platform import Platform


class Added(NamedTuple):
    """image_id: the digest of the configuration. digest: of the manifest."""

    image_id: str
    digest: str


def add_image(
    store: ImageStore,
    document: Mapping[str, Any],
    layers: Sequence[Mapping[str, Any]],
    what: str,
    *,
    names: Sequence[str] = (),
) -> Added:
    """document: the configuration; layers: the descriptors of its layers. names: full ones. Raises DriverError.

    Call this while the content is held.
    """
    content = store.content
    described, image_id = add_document(content, document, CONFIG)
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": list(layers)}
    top, digest = add_document(content, manifest, MANIFEST)
    store.unpack(digest, what)
    for name in names:
        place = "/".join(filter(None, (document.get(key) for key in ("os", "architecture", "variant"))))
        content.put_entry(Stored(name, digest, digest, top["size"], place))
    return Added(image_id, digest)


def add_document(content: ContentStore, document: Mapping[str, Any], media_type: str) -> tuple[dict[str, Any], str]:
    data = json.dumps(document).encode()
    digest = content.add_document(data)
    return cast("dict[str, Any]", {"mediaType": media_type, "digest": digest, "size": len(data)}), digest


def describe_platform(platform: Platform) -> dict[str, str]:
    """The platform as an image configuration describes it."""
    variant = {"variant": platform.variant} if platform.variant else {}
    return {"architecture": platform.architecture, "os": platform.system, **variant}
