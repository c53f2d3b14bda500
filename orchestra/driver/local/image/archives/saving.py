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

from orchestra.driver.local.image.content.indexes import describe_index, members_if_whole
from orchestra.driver.local.image.content.parts import load_parts
from orchestra.driver.local.image.documents.manifest import INDEX, NAMES
from orchestra.driver.local.image.failure import file_errors
from orchestra.driver.local.image.library import name_of, refuse_bound
from orchestra.errors import FatalError
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orchestra.driver.local.image.content.parts import Parts
    from orchestra.driver.local.image.content.store import ContentStore, Stored
    from orchestra.driver.local.image.library import Item
    from orchestra.driver.local.image.naming.name import ImageName


class Output(Protocol):
    """Written only forward."""

    def write(self, data: bytes, /) -> int: ...


def write_archive(content: ContentStore, items: Sequence[tuple[Item, bool]], output: Output) -> None:
    """items: each with whether to save its name. The caller holds the store. Raises DriverError."""
    tops: dict[str, _Top] = {}
    for item, by_name in items:
        if item.parts is None:
            raise FatalError(f"image {item.entry.reference} is damaged", hint="run `orchestra image fsck` for details")
        top = _top_of(content, item, item.parts)
        listed = tops.setdefault(top.row["digest"], top).names
        name = name_of(item.entry.reference) if by_name and item.entry.reference else None
        if name and name.tag and not name.digest and name not in listed:
            listed.append(name)
    blobs = {digest: size for top in tops.values() for digest, size in top.blobs.items()}
    with file_errors("archive"), tarfile.open(fileobj=output, mode="w|", format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]  # it asks for less than typeshed
        for digest, size in sorted(blobs.items()):
            _add_blob(tar, content, digest, size)
        descriptors = [row for top in tops.values() for row in top.descriptors()]
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": descriptors}
        _add(tar, "index.json", index)
        _add(tar, "manifest.json", [_docker_row(top.parts, top.names) for top in tops.values()])
        _add(tar, "oci-layout", {"imageLayoutVersion": "1.0.0"})


class _Top(NamedTuple):
    """A row of ``index.json``. parts: of the image for this machine. blobs: sizes of all that it leads to."""

    row: Mapping[str, Any]
    parts: Parts
    blobs: Mapping[str, int]
    names: list[ImageName]

    def descriptors(self) -> list[dict[str, Any]]:
        tag, whole = NAMES
        plain = dict(self.row)
        return [{**plain, "annotations": {whole: str(name), tag: name.tag}} for name in self.names] or [plain]


def _top_of(content: ContentStore, item: Item, parts: Parts) -> _Top:
    """The index that the name means, if all of it is here, with its platforms and attestations; else the image."""
    entry, what = item.entry, item.entry.reference or item.id
    refuse_bound(parts, what)
    members = members_if_whole(content, entry)
    if not members:
        blobs = {entry.digest: entry.size, **{blob.digest: blob.size for blob in (parts.config_blob, *parts.layers)}}
        return _Top(_row_of(entry), parts, blobs, [])
    index = describe_index(content, entry.source)
    blobs = {index.digest: index.size}
    for member in members:
        if not member.is_attestation and (of_member := load_parts(content, member.manifest.digest)):
            refuse_bound(of_member, what)
        blobs.update((blob.digest, blob.size) for blob in (member.manifest, *member.blobs))
    return _Top({"mediaType": index.media_type, "digest": index.digest, "size": index.size}, parts, blobs, [])


def _row_of(entry: Stored) -> dict[str, Any]:
    system, _, rest = entry.platform.partition("/")
    architecture, _, variant = rest.partition("/")
    platform = {"architecture": architecture, "os": system, **({"variant": variant} if variant else {})}
    return {"mediaType": entry.media_type, "digest": entry.digest, "size": entry.size, "platform": platform}


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
