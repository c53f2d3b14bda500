"""Images as one archive that Docker, Podman, skopeo and Orchestra read: an OCI image layout in a tar file, together
with Docker's ``manifest.json`` (like ``docker save`` since Docker 25).

Blobs are written as they are stored, so digests do not change, and the same images always make the same archive.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import IO, TYPE_CHECKING, Any, Protocol

from orchestra.driver.local.image.documents.manifest import INDEX, NAMES
from orchestra.driver.local.image.failure import file_errors
from orchestra.driver.local.image.library import name_of, refuse_bound
from orchestra.errors import FatalError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from orchestra.driver.local.image.content.parts import Parts
    from orchestra.driver.local.image.content.store import ContentStore
    from orchestra.driver.local.image.library import Item
    from orchestra.driver.local.image.naming.name import ImageName


class Output(Protocol):
    """Written only forward."""

    def write(self, data: bytes, /) -> int: ...


def write_archive(content: ContentStore, items: Sequence[tuple[Item, bool]], output: Output) -> None:
    """items: each with whether to save its name. The caller holds the store. Raises DriverError."""
    names: dict[str, list[ImageName]] = {}
    images: dict[str, tuple[Item, Parts]] = {}
    for item, by_name in items:
        if item.parts is None:
            raise FatalError(f"image {item.entry.reference} is damaged", hint="run `orchestra image fsck` for details")
        refuse_bound(item.parts, item.entry.reference or item.id)
        images[item.entry.digest] = (item, item.parts)
        listed = names.setdefault(item.entry.digest, [])
        name = name_of(item.entry.reference) if by_name and item.entry.reference else None
        if name and name.tag and not name.digest and name not in listed:
            listed.append(name)
    blobs: dict[str, int] = {}
    for item, parts in images.values():
        blobs[item.entry.digest] = item.entry.size
        blobs.update((blob.digest, blob.size) for blob in (parts.config_blob, *parts.layers))
    with file_errors("archive"), tarfile.open(fileobj=output, mode="w|", format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]  # it asks for less than typeshed
        for digest, size in sorted(blobs.items()):
            _add_blob(tar, content, digest, size)
        descriptors = [row for item, _ in images.values() for row in _descriptors(item, names[item.entry.digest])]
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": descriptors}
        _add(tar, "index.json", index)
        _add(tar, "manifest.json", [_docker_row(parts, names[digest]) for digest, (_, parts) in images.items()])
        _add(tar, "oci-layout", {"imageLayoutVersion": "1.0.0"})


def _descriptors(item: Item, names: Iterable[ImageName]) -> list[dict[str, Any]]:
    entry = item.entry
    system, _, rest = entry.platform.partition("/")
    architecture, _, variant = rest.partition("/")
    platform = {"architecture": architecture, "os": system, **({"variant": variant} if variant else {})}
    plain = {"mediaType": entry.media_type, "digest": entry.digest, "size": entry.size, "platform": platform}
    tag, whole = NAMES
    return [{**plain, "annotations": {whole: str(name), tag: name.tag}} for name in names] or [plain]


def _docker_row(parts: Parts, names: Iterable[ImageName]) -> dict[str, Any]:
    return {
        "Config": _path(parts.config_blob.digest),
        "RepoTags": [f"{name.familiar}:{name.tag}" for name in names] or None,
        "Layers": [_path(layer.digest) for layer in parts.layers],
    }


def _path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/', 1)}"


def _add(tar: tarfile.TarFile, name: str, document: object) -> None:
    data = json.dumps(document).encode()
    tar.addfile(_header(name, len(data)), io.BytesIO(data))


def _add_blob(tar: tarfile.TarFile, content: ContentStore, digest: str, size: int) -> None:
    if content.size(digest) != size:
        raise FatalError(f"{digest} is incomplete on this machine", hint="run `orchestra image fsck` for details")
    with content.open(digest) as file:
        hashed = _Hashed(file)
        tar.addfile(_header(_path(digest), size), hashed)  # type: ignore[arg-type]  # it only reads
    if hashed.digest != digest:
        raise FatalError(f"{content.path(digest)} is damaged", hint="remove it with `orchestra image fsck --repair`")


class _Hashed:
    """Hashes the bytes that are read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self._hash.update(data)
        return data

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


def _header(name: str, size: int) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.size = size
    header.mode = 0o644
    return header
