"""What images are called: as the file says it, with the paths behind a transport made absolute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.compose.paths import resolve_path

if TYPE_CHECKING:
    from orchestra.compose.context import Context
    from orchestra.compose.schema.service import Service

TRANSPORTS = ("oci", "oci-archive", "docker-archive", "rootfs")


def image_reference(key: str, service: Service, context: Context) -> str:
    """The image of a service; of one that is built here, the name it gets."""
    if service.image:
        return locate_image(service.image, context)
    return f"{context.stack.name}{context.project.separator}{key}"


def locate_image(text: str, context: Context) -> str:
    transport, path, tag = split_transport(text)
    if not transport:
        return text
    located = resolve_path(path, context.project.directory, context.project.environment.lookup)
    return f"{transport}:{located}{tag}"


def split_transport(text: str) -> tuple[str, str, str]:
    """Transport, path, and the tag with its colon; empty, and the whole name, for an image without a transport."""
    transport, colon, rest = text.partition(":")
    if not colon or transport not in TRANSPORTS:
        return "", text, ""
    path, tag_colon, tag = (rest, "", "") if transport == "rootfs" else rest.partition(":")
    return transport, path, f"{tag_colon}{tag}"
