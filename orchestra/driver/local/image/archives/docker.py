"""An image in the format of ``docker save``: ``manifest.json`` beside configurations and layers.

Layers are ``ID/layer.tar`` up to Docker 24 and ``blobs/sha256/HEX`` since; both may be compressed. The archive has no
manifest with digests, so an OCI manifest is made from it: the same archive always makes the same one.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from typing import TYPE_CHECKING, Any

from orchestra.driver.local.image.content.arrival import HERE, Arrival
from orchestra.driver.local.image.documents.manifest import CONFIG, DOCUMENT_LIMIT, LAYER, MANIFEST, Descriptor
from orchestra.driver.local.image.documents.platform import platform_of
from orchestra.driver.local.image.layers.compression import compression_of
from orchestra.errors import FatalError
from orchestra.model.document import DocumentError, mappings, parse_document, strings, text

if TYPE_CHECKING:
    import io
    from collections.abc import Mapping

    from orchestra.driver.local.image.archives.files import Files
    from orchestra.driver.local.image.content.store import ContentStore
    from orchestra.model.platform import Platform

SUFFIXES = {"": "", "gzip": "+gzip", "zstd": "+zstd"}


class DockerImage:
    """what: words for the image, for errors."""

    def __init__(self, files: Files, name: str, index: int | None, what: str) -> None:
        self._files = files
        self._name = name
        self._index = index
        self._what = what

    def digest(self) -> str:
        return f"sha256:{hashlib.sha256(self._config(self._chosen())).hexdigest()}"

    def names(self) -> list[tuple[str, ...]]:
        """The names of every image in the archive, as they are written there."""
        return [self._strings(image, "RepoTags") for image in self._images()]

    def fetch(self, platform: Platform, content: ContentStore) -> tuple[Descriptor, bytes]:
        """Copy the image. Returns the descriptor of the manifest made for it, and that manifest."""
        chosen = self._chosen()
        config = self._config(chosen)
        self._check_platform(config, platform)
        layers = [self._copy(name, content) for name in self._strings(chosen, "Layers")]
        digest = content.add_document(config)
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": digest, "size": len(config)},
            "layers": layers,
        }
        data = json.dumps(document, sort_keys=True).encode()
        return Descriptor(MANIFEST, content.add_document(data), len(data)), data

    def arrival(self, digest: str) -> Arrival:
        """All of it was copied at once."""
        return HERE

    def _copy(self, name: str, content: ContentStore) -> dict[str, object]:
        with self._open(name) as stream:
            compression = compression_of(stream)
            digest, size = content.add(stream, f"{self._what}: layer {name}")
        if compression not in SUFFIXES:
            raise FatalError(f"{self._what}: layer {name} is compressed with {compression}, which is not supported")
        return {"mediaType": LAYER + SUFFIXES[compression], "digest": digest, "size": size}

    def _chosen(self) -> Mapping[str, Any]:
        images = self._images()
        if self._index is not None:
            if self._index >= len(images):
                hint = f"use @0 to @{len(images) - 1}"
                raise FatalError(f"{self._what}: the archive has {len(images)} images", hint=hint)
            return images[self._index]
        names = self.names()
        if not self._name:
            if len(images) == 1:
                return images[0]
            found = []
        else:
            wanted = self._name if ":" in posixpath.basename(self._name) else f"{self._name}:latest"
            found = [image for image, tags in zip(images, names, strict=True) if wanted in tags]
            # Podman writes full names where Docker shortens those of its own registry.
            found = found or [
                image
                for image, tags in zip(images, names, strict=True)
                if any(tag.endswith(f"/{wanted}") for tag in tags)
            ]
        if len(found) == 1:
            return found[0]
        there = ", ".join(tag for tags in names for tag in tags) or f"{len(images)} without a name"
        why = f"no single image called {self._name!r}" if self._name else "not exactly one image"
        hint = "name one after the path, as in docker-archive:FILE:NAME or docker-archive:FILE:@0"
        raise FatalError(f"{self._what}: the archive has {why}, but {there}", hint=hint)

    def _images(self) -> tuple[Mapping[str, Any], ...]:
        try:
            with self._files.open("manifest.json") as file:
                data = file.read(DOCUMENT_LIMIT + 1)
        except FileNotFoundError:
            hint = "write it with `docker save` of Docker 1.10 or later; for an OCI layout use oci-archive:"
            raise FatalError(f"{self._what}: {self._files.path} has no manifest.json", hint=hint) from None
        try:
            # Its top level is a list, while all other documents are objects.
            return mappings(parse_document(b'{"images": %s}' % data), "images")
        except DocumentError as error:
            raise FatalError(f"{self._what}: its manifest.json {error}", hint="make the archive again") from error

    def _config(self, image: Mapping[str, Any]) -> bytes:
        try:
            name = text(image, "Config")
        except DocumentError as error:
            raise FatalError(f"{self._what}: in its manifest.json {error}", hint="make the archive again") from error
        with self._open(name) as file:
            data = file.read(DOCUMENT_LIMIT + 1)
        if len(data) > DOCUMENT_LIMIT:
            raise FatalError(f"{self._what}: its config is longer than {DOCUMENT_LIMIT} bytes")
        return data

    def _open(self, name: str) -> io.BufferedReader:
        try:
            return self._files.open(posixpath.normpath(name))
        except FileNotFoundError:
            hint = "make the archive again"
            raise FatalError(f"{self._what}: {self._files.path} has no {name}", hint=hint) from None

    def _check_platform(self, config: bytes, wanted: Platform) -> None:
        try:
            own = platform_of(parse_document(config))
        except DocumentError as error:
            raise FatalError(f"{self._what}: its config {error}", hint="make the archive again") from error
        if own is not None and not own.suits(wanted):
            hint = "if this machine can run it, set `platform:`"
            raise FatalError(f"{self._what} is for {own}, not for {wanted}", hint=hint)

    def _strings(self, image: Mapping[str, Any], key: str) -> tuple[str, ...]:
        try:
            return strings(image, key)
        except DocumentError as error:
            raise FatalError(f"{self._what}: in its manifest.json {error}", hint="make the archive again") from error
