"""An image in an OCI image layout (OCI image-spec, "Image Layout")."""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING

from orchestra.driver.local.image.document import DocumentError, parse_document
from orchestra.driver.local.image.manifest import (
    DOCUMENT_LIMIT,
    INDEXES,
    MANIFESTS,
    Descriptor,
    choose_platform,
    parse_index,
    parse_manifest,
)
from orchestra.driver.local.image.platform import platform_of
from orchestra.errors import FatalError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestra.driver.local.image.content import ContentStore
    from orchestra.driver.local.image.files import Files
    from orchestra.driver.local.image.platform import Platform

# An index of indexes of indexes is nobody's image.
NESTING_LIMIT = 5


class OciImage:
    """what: words for the image, for errors."""

    def __init__(self, files: Files, tag: str, what: str) -> None:
        self._files = files
        self._tag = tag
        self._what = what

    def digest(self) -> str:
        chosen = self._named()
        if len(chosen) == 1:
            return chosen[0].digest
        # Without a tag the layout itself is the index of platforms, and has no digest of its own.
        joined = "\n".join(item.digest for item in chosen)
        return f"sha256:{hashlib.sha256(joined.encode()).hexdigest()}"

    def fetch(self, platform: Platform, content: ContentStore) -> tuple[Descriptor, bytes]:
        """Copy the image for ``platform``; the descriptor of its manifest, and the manifest."""
        descriptor, data = self._manifest(platform)
        with self._documents("its manifest"):
            manifest = parse_manifest(data)
        config = self._read(manifest.config)
        self._check_platform(config, platform, stated=descriptor.platform)
        for layer in manifest.layers:
            with self._files.open(_blob(layer)) as stream:
                content.add(stream, f"{self._what}: layer {layer.digest}", digest=layer.digest, size=layer.size)
        content.add_document(config)
        content.add_document(data)
        return descriptor, data

    def _named(self) -> tuple[Descriptor, ...]:
        """Descriptors of the top level: one, or several of which the platform will choose."""
        try:
            with self._files.open("index.json") as file:
                data = file.read(DOCUMENT_LIMIT + 1)
        except (FileNotFoundError, NotADirectoryError):
            hint = "an OCI image layout has index.json and blobs/; what `docker save` writes is a docker-archive:"
            raise FatalError(f"{self._what}: {self._files.path} has no index.json", hint=hint) from None
        with self._documents("its index.json"):
            listed = parse_index(data)
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

    def _manifest(self, platform: Platform) -> tuple[Descriptor, bytes]:
        candidates = self._named()
        for _ in range(NESTING_LIMIT):
            chosen = choose_platform(candidates, platform) if len(candidates) > 1 else candidates[0]
            if chosen is None:
                raise self._unsuitable(platform, [str(item.platform) for item in candidates if item.platform])
            data = self._read(chosen)
            if chosen.media_type in MANIFESTS:
                return chosen, data
            if chosen.media_type not in INDEXES:
                raise FatalError(
                    f"{self._what}: its manifest is of type {chosen.media_type!r}, which is not supported",
                    hint="convert it with `skopeo copy --format oci`",
                )
            with self._documents("its index"):
                candidates = parse_index(data)
            if not candidates:
                raise FatalError(f"{self._what}: its index is empty", hint="make the image again")
            if choose_platform(candidates, platform) is None and all(item.platform for item in candidates):
                raise self._unsuitable(platform, [str(item.platform) for item in candidates])
        raise FatalError(f"{self._what}: its indexes are nested too deep", hint="make the image again")

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

    def _check_platform(self, config: bytes, wanted: Platform, *, stated: Platform | None) -> None:
        """What an index says of the image counts more than what the configuration does."""
        with self._documents("its config"):
            own = platform_of(parse_document(config))
        platform = stated or own
        if platform and not platform.suits(wanted):
            raise self._unsuitable(wanted, [str(platform)])

    def _unsuitable(self, wanted: Platform, there: Sequence[str]) -> FatalError:
        return FatalError(
            f"{self._what} is not for {wanted}, but for {', '.join(there) or 'nothing that it states'}",
            hint="where the machine can run it, say so with `platform:`",
        )

    @contextlib.contextmanager
    def _documents(self, which: str) -> Iterator[None]:
        try:
            yield
        except DocumentError as error:
            raise FatalError(f"{self._what}: {which} {error}", hint="make the image again") from error


def _blob(descriptor: Descriptor) -> str:
    return f"blobs/{descriptor.digest.replace(':', '/', 1)}"
