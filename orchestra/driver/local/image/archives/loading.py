"""Storing all images of an archive: an OCI image layout, or the format of ``docker save`` and ``podman save``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.driver.local.image.archives.docker import DockerImage
from orchestra.driver.local.image.archives.files import opened_archive
from orchestra.driver.local.image.archives.oci import OciImage
from orchestra.driver.local.image.content.store import Stored
from orchestra.driver.local.image.documents.manifest import ATTESTATION
from orchestra.driver.local.image.naming.name import parse_name
from orchestra.errors import FatalError
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from orchestra.driver.local.image.archives.files import Archive
    from orchestra.driver.local.image.documents.manifest import Descriptor
    from orchestra.driver.local.image.source import Source
    from orchestra.driver.local.image.store import ImageStore
    from orchestra.model.platform import Platform

WHOLE_NAME = "io.containerd.image.name"


class Loaded(NamedTuple):
    """names: full names, perhaps none; digest: of the manifest."""

    names: tuple[str, ...]
    digest: str


def load_archive(store: ImageStore, path: str, platform: Platform, what: str = "") -> list[Loaded]:
    """what: the archive's name in errors, if not its path. Raises DriverError."""
    what = what or path
    content = store.content
    loaded = []
    with content.held(), opened_archive(path, content.scratch(), what) as archive:
        for names, source in _sources(archive, what):
            manifest, _ = source.fetch(platform, content)
            store.unpack(manifest.digest, what)
            top = source.add_rest(content) if isinstance(source, OciImage) else ""
            for name in names:
                content.put_entry(
                    Stored(
                        reference=name,
                        source=top or manifest.digest,
                        digest=manifest.digest,
                        size=manifest.size,
                        platform=str(platform),
                        media_type=manifest.media_type,
                    )
                )
            loaded.append(Loaded(names, manifest.digest))
    return loaded


def _sources(archive: Archive, what: str) -> Iterator[tuple[tuple[str, ...], Source]]:
    """The layout first, if there are both: it keeps the digests of manifests."""
    if archive.has("index.json") and archive.has("oci-layout"):
        for names, descriptors in _images(OciImage(archive, "", what).listed()):
            yield names, OciImage(archive, "", what, descriptors)
        return
    if not archive.has("manifest.json"):
        raise FatalError(
            f"{what} contains no image: it has neither index.json nor manifest.json",
            hint="to import a root file system, use `orchestra image import`",
        )
    for index, written in enumerate(DockerImage(archive, "", None, what).names()):
        yield tuple(str(parse_name(name)) for name in written), DockerImage(archive, "", index, what)


def _images(listed: Iterable[Descriptor]) -> list[tuple[tuple[str, ...], tuple[Descriptor, ...]]]:
    """Names and descriptors of each image. Descriptors with the same name are its platforms; so are those without a
    name if each states another platform.
    """
    by_name: dict[str, list[Descriptor]] = {}
    for item in listed:
        if ATTESTATION not in item.annotations:
            by_name.setdefault(_name(item), []).append(item)
    nameless = by_name.pop("", [])
    names: dict[tuple[str, ...], list[str]] = {}
    for name, items in by_name.items():
        names.setdefault(tuple(item.digest for item in items), []).append(name)
    named = ((tuple(found), tuple(by_name[found[0]])) for found in names.values())
    platforms = {item.platform for item in nameless}
    is_one = len(platforms) == len(nameless) and None not in platforms
    groups = [tuple(nameless)] if is_one else [(item,) for item in nameless]
    return [*named, *(((), group) for group in groups if group)]


def _name(descriptor: Descriptor) -> str:
    """The full name; empty if there is only a tag, which names no repository."""
    whole = descriptor.annotations.get(WHOLE_NAME, "")
    written = whole or next((name for name in descriptor.names if ":" in name or "/" in name), "")
    return str(parse_name(written)) if written else ""
