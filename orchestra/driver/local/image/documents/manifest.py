"""Descriptors, manifests and indexes of OCI and of Docker (schema 2). Pure.

OCI image-spec: "Content Descriptors", "Image Manifest", "Image Index"; Docker's types differ by name only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestra.driver.local.image.documents.platform import platform_of
from orchestra.model.document import (
    DocumentError,
    check_digest,
    integer,
    mapping,
    mappings,
    parse_document,
    strings,
    text,
)
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestra.model.platform import Platform

OCI = "application/vnd.oci.image"
DOCKER = "application/vnd.docker"

INDEX = f"{OCI}.index.v1+json"
MANIFEST = f"{OCI}.manifest.v1+json"
CONFIG = f"{OCI}.config.v1+json"
LAYER = f"{OCI}.layer.v1.tar"

INDEXES = frozenset((INDEX, f"{DOCKER}.distribution.manifest.list.v2+json"))
MANIFESTS = frozenset((MANIFEST, f"{DOCKER}.distribution.manifest.v2+json"))
CONFIGS = frozenset((CONFIG, f"{DOCKER}.container.image.v1+json"))
LAYERS = frozenset(
    (
        *(
            f"{kind}{suffix}"
            for kind in (LAYER, f"{OCI}.layer.nondistributable.v1.tar")
            for suffix in ("", "+gzip", "+zstd")
        ),
        *(
            f"{DOCKER}.image.rootfs.{kind}{suffix}"
            for kind in ("diff.tar", "foreign.diff.tar")
            for suffix in ("", ".gzip", ".zstd")
        ),
    )
)


ATTESTATION = "vnd.docker.reference.type"
ATTESTATION_MANIFEST = "attestation-manifest"
ATTESTED = "vnd.docker.reference.digest"
IN_TOTO = "application/vnd.in-toto+json"
PREDICATE = "in-toto.io/predicate-type"
"""What says that a member of an index holds attestations, and of which (BuildKit, docs/attestations)."""


def is_foreign(media_type: str) -> bool:
    """Whether such a layer is not in the registry, but at the addresses in the manifest."""
    return "nondistributable" in media_type or "foreign" in media_type


NAME = "org.opencontainers.image.ref.name"
# Where the tools that write layouts put names.
NAMES = (NAME, "io.containerd.image.name")

# Documents are read whole, so their size is limited, as by registries.
DOCUMENT_LIMIT = 4 << 20


class Descriptor(Record):
    media_type: str
    digest: str
    size: int
    platform: Platform | None = None
    annotations: Mapping[str, str] = {}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.annotations[key] for key in NAMES if key in self.annotations)


class Manifest(Record):
    config: Descriptor
    layers: tuple[Descriptor, ...]


def parse_descriptor(document: Mapping[str, Any]) -> Descriptor:
    size = integer(document, "size")
    if size < 0:
        raise DocumentError("a size is negative")
    annotations = mapping(document, "annotations")
    return Descriptor(
        media_type=text(document, "mediaType"),
        digest=check_digest(text(document, "digest")),
        size=size,
        platform=platform_of(mapping(document, "platform")),
        annotations={key: text(annotations, key) for key in annotations},
    )


def parse_index(data: bytes) -> tuple[Descriptor, ...]:
    document = parse_document(data)
    if "manifests" not in document:
        raise DocumentError("has no manifests")
    return tuple(parse_descriptor(item) for item in mappings(document, "manifests"))


def parse_manifest(data: bytes) -> Manifest:
    """Raises DocumentError even for known media types of something other than an image, and says what it is."""
    manifest = parse_artifact(data)
    if manifest.config.media_type not in CONFIGS:
        raise DocumentError(f"is not a container image: its config is of type {manifest.config.media_type!r}")
    for layer in manifest.layers:
        if layer.media_type not in LAYERS:
            raise DocumentError(f"has a layer of type {layer.media_type!r}, which is not supported")
    return manifest


def parse_artifact(data: bytes) -> Manifest:
    """A manifest whose config and layers may be of any type."""
    document = parse_document(data)
    if "config" not in document:
        raise DocumentError("has no config: it is not an image manifest of OCI or Docker schema 2")
    config = parse_descriptor(mapping(document, "config"))
    return Manifest(config, tuple(parse_descriptor(item) for item in mappings(document, "layers")))


def parse_diff_ids(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Digests of the uncompressed layers, lowest first."""
    rootfs = mapping(config, "rootfs")
    if text(rootfs, "type") not in ("layers", ""):
        raise DocumentError(f"has a rootfs of type {text(rootfs, 'type')!r}, not layers")
    return tuple(check_digest(item) for item in strings(rootfs, "diff_ids"))


def choose_platform(candidates: Iterable[Descriptor], wanted: Platform) -> Descriptor | None:
    """The most suitable manifest, the first of equals; one without a platform only if it is the only one."""
    listed = tuple(candidates)
    if len(listed) == 1 and listed[0].platform is None:
        return listed[0]
    suiting = [(item.platform.suits(wanted), item) for item in listed if item.platform]
    score, best = max(suiting, key=lambda pair: pair[0], default=(0, None))
    return best if score else None
