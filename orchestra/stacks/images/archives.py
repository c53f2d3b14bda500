"""Reads images from archives, and writes them to archives."""

from __future__ import annotations

import os
import shutil
import tempfile
import time

from orchestra.errors import FatalError, UserError
from orchestra.record import Record
from orchestra.stacks.images.library import open_library, reference_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from typing import IO

    from orchestra.stacks.context import Context


class LoadedImage(Record):
    """names: the image's names; without any, its id identifies it, if its platform is there."""

    names: tuple[str, ...]
    id: str


class ImportOptions(Record):
    """name: with a tag; empty for an image with only an id. changes: lines of a Dockerfile."""

    name: str | None = None
    platform: str | None = None
    message: str | None = None
    changes: tuple[str, ...] = ()


def load_images(
    context: Context, archive: str | IO[bytes], platform: str | None = None, what: str = ""
) -> list[LoadedImage]:
    """archive: a file from ``save``, Docker, Podman or skopeo, as a path or open. what: its name in messages.

    Raises UserError if it is not an archive or missing, and EnvironmentLack if this user may not keep images.
    """
    from orchestra.driver.local.image.archives.loading import load_archive
    from orchestra.model.platform import parse_platform

    context.need_privileges()
    library, wanted = open_library(context), parse_platform(platform or "", os.uname().machine)
    if isinstance(archive, str):
        if not os.path.exists(archive):
            raise UserError(f"{archive} does not exist", hint="check the path after -i")
        found = load_archive(library.store, archive, wanted)
    else:
        # Reading an archive needs seeking, which a pipe does not support.
        with tempfile.TemporaryFile(dir=library.content.scratch()) as file:
            shutil.copyfileobj(archive, file)
            file.flush()
            found = load_archive(library.store, f"/proc/self/fd/{file.fileno()}", wanted, what)
    ids = (parts.config_blob.digest if (parts := library.store.parts(image.digest)) else "" for image in found)
    return [LoadedImage(tuple(map(str, image.names)), id_) for image, id_ in zip(found, ids, strict=True)]


def save_images(
    context: Context, references: Sequence[str], open_output: Callable[[], AbstractContextManager[IO[bytes]]]
) -> None:
    """Write one archive of all, for ``load`` and others. Opens the output once all images have been found.

    Raises UserError for an image that does not exist, and BrokenPipeError.
    """
    from orchestra.driver.local.image.archives.saving import write_archive

    library = open_library(context)
    with library.content.held():
        items = [library.find(text) for text in references]
        named = [item.entry.reference == reference_key(text) for item, text in zip(items, references, strict=True)]
        with open_output() as output:
            try:
                write_archive(library.content, list(zip(items, named, strict=True)), output)
            except FatalError as error:
                if isinstance(error.__cause__, BrokenPipeError):
                    raise error.__cause__ from None  # nothing is wrong: the reader has seen enough
                raise


def import_image(context: Context, archive: io.BufferedReader, what: str, options: ImportOptions) -> str:
    """Create an image of one layer from a root file system in a tar archive. Returns its id."""
    from orchestra.driver.local.image.archives.rootfs import import_rootfs
    from orchestra.driver.local.image.documents.changes import apply_changes
    from orchestra.driver.local.image.naming.name import parse_name
    from orchestra.model.platform import parse_platform

    name = parse_name(options.name) if options.name else None
    if name and name.digest:
        raise UserError(f"{name} has a digest, which cannot be assigned", hint="use a tag")
    config = apply_changes(options.changes)
    platform = parse_platform(options.platform or "", os.uname().machine)
    context.need_privileges()
    return import_rootfs(
        open_library(context).store,
        archive,
        what,
        platform,
        created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        config=config,
        name=str(name or ""),
        message=options.message or "",
    )
