"""An image in an OCI image layout (OCI image-spec, "Image Layout")."""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING

from orchestra.driver.local.image.content.arrival import HERE, Arrival
from orchestra.driver.local.image.documents.manifest import (
    DOCUMENT_LIMIT,
    INDEXES,
    Descriptor,
    parse_artifact,
    parse_index,
    parse_manifest,
)
from orchestra.driver.local.image.documents.selection import Selection
from orchestra.errors import FatalError
from orchestra.model.document import DocumentError

if TYPE_CHECKING:
    from orchestra.driver.local.image.archives.files import Files
    from orchestra.driver.local.image.content.store import ContentStore
    from orchestra.model.platform import Platform


class OciImage:
    """what: the image's name in errors. chosen: the result of ``listed``, instead of a tag."""

    def __init__(self, files: Files, tag: str, what: str, chosen: tuple[Descriptor, ...] = ()) -> None:
        self._files = files
        self._tag = tag
        self._chosen = chosen
        self._what = what
        self._selection = Selection(what, self._read)

    def digest(self) -> str:
        chosen = self._named()
        if len(chosen) == 1:
            return chosen[0].digest
        # Without a tag the layout itself is the index of platforms, and has no digest of its own.
        joined = "\n".join(item.digest for item in chosen)
        return f"sha256:{hashlib.sha256(joined.encode()).hexdigest()}"

    def fetch(self, platform: Platform, content: ContentStore) -> tuple[Descriptor, bytes]:
        """Copy the image for ``platform``. Returns the descriptor of its manifest, and the manifest."""
        descriptor, data = self._selection.manifest(self._named(), platform)
        with self._selection.documents("its manifest"):
            manifest = parse_manifest(data)
        config = self._read(manifest.config)
        self._selection.check_platform(config, platform, stated=descriptor.platform)
        for layer in manifest.layers:
            with self._files.open(_blob(layer)) as stream:
                content.add(stream, f"{self._what}: layer {layer.digest}", digest=layer.digest, size=layer.size)
        content.add_document(config)
        content.add_document(data)
        return descriptor, data

    def add_rest(self, content: ContentStore) -> str:
        """Copy what else of an index is there: images for other platforms, and attestations. Returns the digest of the
        index; empty if the image is in none.
        """
        [*others, top] = self._named()
        if others or top.media_type not in INDEXES:
            return ""
        data = self._read(top)
        with self._selection.documents("its index"):
            members = parse_index(data)
        for member in members:
            # Archives may lack platforms, and what is said of them.
            with contextlib.suppress(DocumentError, FileNotFoundError):
                document = self._read(member)
                manifest = parse_artifact(document)
                for blob in (manifest.config, *manifest.layers):
                    with self._files.open(_blob(blob)) as stream:
                        what = f"{self._what}: {blob.digest}"
                        content.add(stream, what, digest=blob.digest, size=blob.size)
                content.add_document(document)
        content.add_document(data)
        return top.digest

    def arrival(self, digest: str) -> Arrival:
        """All of it was copied at once."""
        return HERE

    def listed(self) -> tuple[Descriptor, ...]:
        """All descriptors of the top level."""
        try:
            with self._files.open("index.json") as file:
                data = file.read(DOCUMENT_LIMIT + 1)
        except (FileNotFoundError, NotADirectoryError):
            hint = "an OCI image layout has index.json and blobs/; for archives of `docker save`, use docker-archive:"
            raise FatalError(f"{self._what}: {self._files.path} has no index.json", hint=hint) from None
        with self._selection.documents("its index.json"):
            return parse_index(data)

    def _named(self) -> tuple[Descriptor, ...]:
        """Descriptors of the top level: one, or several for different platforms."""
        if self._chosen:
            return self._chosen
        listed = self.listed()
        if self._tag:
            chosen = tuple(item for item in listed if self._tag in item.names)
        elif len(listed) == 1 or all(item.platform for item in listed):
            chosen = listed
        else:
            chosen = ()
        if not chosen:
            names = ", ".join(sorted({name for item in listed for name in item.names})) or "no names at all"
            wanted = f"no image called {self._tag!r}" if self._tag else "not exactly one image"
            hint = "name the image after the path, as in oci:DIR:TAG"
            raise FatalError(f"{self._what}: {self._files.path} has {wanted}, but {names}", hint=hint)
        return chosen

    def _read(self, descriptor: Descriptor) -> bytes:
        if descriptor.size > DOCUMENT_LIMIT:
            raise FatalError(f"{self._what}: {descriptor.digest} is longer than {DOCUMENT_LIMIT} bytes")
        with self._files.open(_blob(descriptor)) as file:
            data = file.read(descriptor.size + 1)
        found = f"sha256:{hashlib.sha256(data).hexdigest()}"
        if found != descriptor.digest:
            raise FatalError(
                f"{self._what}: {descriptor.digest} is damaged: its digest is {found}", hint="fetch or make it again"
            )
        return data


def _blob(descriptor: Descriptor) -> str:
    return f"blobs/{descriptor.digest.replace(':', '/', 1)}"
