"""The sources of images: what a reference names there now, and the content to copy.

A *source digest* identifies what a reference names: for OCI layouts the digest of the descriptor in ``index.json``, for
Docker archives the digest of the image's configuration, which Docker calls the image's id.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Protocol, assert_never

from orchestra.driver.local.image.failure import file_errors
from orchestra.driver.local.image.naming.reference import DockerArchive, OciArchive, OciDirectory
from orchestra.errors import FatalError
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.driver.local.image.content.arrival import Arrival
    from orchestra.driver.local.image.content.store import ContentStore
    from orchestra.driver.local.image.documents.manifest import Descriptor
    from orchestra.model.platform import Platform

Local = OciDirectory | OciArchive | DockerArchive

# Coarser than the clock of any file system: a file that changes again within it may look unchanged.
SETTLED = 2_000_000_000


class Source(Protocol):
    def digest(self) -> str:
        """The source digest."""
        ...

    def fetch(self, platform: Platform, content: ContentStore) -> tuple[Descriptor, bytes]:
        """Copy everything that the image for ``platform`` needs. Returns its manifest, with the descriptor.

        Layers may still be arriving when it returns.
        """
        ...

    def arrival(self, digest: str) -> Arrival:
        """The arrival of the layer with this digest."""
        ...


@contextlib.contextmanager
def opened_source(reference: Local, text: str, scratch: str) -> Iterator[Source]:
    """text: the reference as it was written, for errors; scratch: see ``opened_archive``."""
    # A stack whose images are ready opens no source, and its supervisor starts sooner without these imports.
    from orchestra.driver.local.image.archives.docker import DockerImage
    from orchestra.driver.local.image.archives.files import Directory, opened_archive
    from orchestra.driver.local.image.archives.oci import OciImage

    what = f"image {text}"
    with file_errors(what):
        match reference:
            case OciDirectory(path, tag):
                if not os.path.isdir(path):
                    hint = "for a file, write oci-archive: or docker-archive:"
                    raise FatalError(f"{what}: {path} is not a directory", hint=hint)
                yield OciImage(Directory(path), tag, what)
            case OciArchive(path, tag):
                with opened_archive(path, scratch) as archive:
                    yield OciImage(archive, tag, what)
            case DockerArchive(path, name, index):
                with opened_archive(path, scratch) as archive:
                    yield DockerImage(archive, name, index, what)
            case _:
                assert_never(reference)


class Stamp(NamedTuple):
    """What changes about a file when its content does. text: comparable and storable."""

    text: str
    settled: bool


def stamp_of(path: str) -> Stamp:
    """settled: any later change will show in the stamp.

    ctime cannot be set back like mtime, but it ticks: a change in the same tick as one just seen would not show.
    """
    now = time.time_ns()
    status = os.stat(path)
    parts = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return Stamp(":".join(map(str, parts)), now - status.st_ctime_ns > SETTLED)
