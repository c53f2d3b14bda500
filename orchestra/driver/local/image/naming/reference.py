"""Where an image comes from, in the notation of containers-transports(5), and our own ``rootfs:``. Pure.

    oci:DIR[:TAG]                        OCI image layout in a directory
    oci-archive:FILE[:TAG]               the same as a tar file
    docker-archive:FILE[:NAME|:@INDEX]   what ``docker save`` writes
    rootfs:DIR                           any directory tree, as it is; ``rootfs:/`` is this machine's own userland
    NAME[:TAG][@DIGEST]                  a name at a registry

The first colon after the transport ends the path, as in containers-transports(5); ``rootfs:`` takes the rest whole.
"""

from __future__ import annotations

from orchestra.errors import FatalError
from orchestra.record import Record


class OciDirectory(Record):
    path: str
    tag: str = ""


class OciArchive(Record):
    path: str
    tag: str = ""


class DockerArchive(Record):
    """name and index select one of several images in the archive; at most one of them is set."""

    path: str
    name: str = ""
    index: int | None = None


class Tree(Record):
    path: str


class Registry(Record):
    name: str


Reference = OciDirectory | OciArchive | DockerArchive | Tree | Registry

TRANSPORTS = ("oci", "oci-archive", "docker-archive", "rootfs")
_FORMS = "oci:, oci-archive:, docker-archive: or rootfs:"
# Transports of other tools: otherwise they would look like names at a registry.
FOREIGN = frozenset(("docker", "docker-daemon", "containers-storage", "dir", "sif", "ostree", "tarball"))


def parse_reference(text: str) -> Reference:
    """Raises FatalError if this is none of the forms above; paths must be absolute already."""
    transport, colon, rest = text.partition(":")
    match transport if colon else "":
        case "rootfs":
            return Tree(_path(text, rest))
        case "oci":
            path, _, tag = rest.partition(":")
            return OciDirectory(_path(text, path), tag)
        case "oci-archive":
            path, _, tag = rest.partition(":")
            return OciArchive(_path(text, path), tag)
        case "docker-archive":
            path, _, name = rest.partition(":")
            if not name.startswith("@"):
                return DockerArchive(_path(text, path), name)
            if not (name[1:].isascii() and name[1:].isdigit()):
                raise FatalError(f"image {text}: {name} is not the number of an image", hint="count from @0")
            return DockerArchive(_path(text, path), index=int(name[1:]))
        case name if name in FOREIGN:
            raise FatalError(f"image {text}: transport {name}: is not supported", hint=f"use {_FORMS}")
        case _:
            if not text or any(not character.isprintable() or character.isspace() for character in text):
                raise FatalError(f"image {text!r} is not a reference", hint=f"write a name, or one of {_FORMS}")
            return Registry(text)


def _path(text: str, path: str) -> str:
    if "\0" in path or not path.startswith("/"):
        raise FatalError(f"image {text}: {path!r} is not an absolute path", hint="give the path after the transport")
    return path
