"""What is said of an image in the index that its name means: in-toto statements, in manifests of their own.

They come with an image that was built or loaded here. Pulling leaves them in the registry, since only few ask for them.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from orchestra.driver.local.image.content.indexes import members_here, members_of
from orchestra.driver.local.image.documents.manifest import ATTESTED, IN_TOTO, parse_artifact
from orchestra.errors import FatalError
from orchestra.model.document import DocumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.driver.local.image.content.store import ContentStore, Stored
    from orchestra.driver.local.image.documents.manifest import Descriptor
    from orchestra.driver.local.image.naming.name import ImageName
    from orchestra.driver.local.image.registry import Access
    from orchestra.driver.local.image.registry.anywhere import Anywhere

LIMIT = 64 << 20
"""Bytes of a statement. Bills of materials of large images have some 10 MiB."""


def read_statements(
    content: ContentStore, entry: Stored, name: ImageName | None, access: Access | None
) -> list[dict[str, Any]]:
    """Statements about the image of this entry. name: where those that are not here are fetched from.

    Raises DriverError.
    """
    if entry.source == entry.digest:
        return []
    wanted = [one for one in members_of(content, entry.source) if one.annotations.get(ATTESTED) == entry.digest]
    with content.held():
        here = {one.manifest.digest for one in members_here(content, entry.source)}
        missing = [one for one in wanted if one.digest not in here]
        if missing and name is not None:
            _fetch(content, missing, name, access)
        about = [one for one in members_here(content, entry.source) if one.manifest in wanted]
        blobs = [blob for one in about for blob in one.blobs if blob.media_type == IN_TOTO and blob.size <= LIMIT]
        return [_read(content, blob) for blob in blobs]


def _read(content: ContentStore, blob: Descriptor) -> dict[str, Any]:
    with content.open(blob.digest) as file:
        data = file.read(LIMIT)
    if f"sha256:{hashlib.sha256(data).hexdigest()}" != blob.digest:
        hint = "remove it with `orchestra image fsck --repair`"
        raise FatalError(f"attestation {content.path(blob.digest)} is damaged", hint=hint)
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FatalError(f"attestation {blob.digest} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise FatalError(f"attestation {blob.digest} is not a statement")
    return found


def _fetch(content: ContentStore, manifests: Sequence[Descriptor], name: ImageName, access: Access | None) -> None:
    from orchestra.driver.local.image.registry import Access
    from orchestra.driver.local.image.registry.anywhere import Anywhere
    from orchestra.driver.local.image.registry.session import Session

    access = access or Access()
    with Session(access.environment, access.patience) as session:
        anywhere = Anywhere(session, name)
        for one in manifests:
            data = anywhere.ask(lambda repository, one=one: repository.document(one, manifest=True))  # type: ignore[misc]
            try:
                manifest = parse_artifact(data)
            except DocumentError as error:
                raise FatalError(f"image {name}: attestation {one.digest} {error}") from None
            for blob in (manifest.config, *manifest.layers):
                _fetch_blob(content, blob, name, anywhere)
            content.add_document(data)


def _fetch_blob(content: ContentStore, blob: Descriptor, name: ImageName, anywhere: Anywhere) -> None:
    what = f"image {name}: attestation {blob.digest}"
    if blob.size > LIMIT:
        raise FatalError(f"{what} has {blob.size} bytes, which is too much")
    with content.ingest(blob.digest, blob.size, what) as ingest:
        if ingest is not None:
            anywhere.ask(lambda repository: repository.fetch(blob, ingest))
