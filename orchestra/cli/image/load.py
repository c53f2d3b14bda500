"""``orchestra image load``: images of an archive, as ``save``, Docker, Podman and skopeo write it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile

from orchestra.cli.render.say import say
from orchestra.driver.local.image.library import Library
from orchestra.driver.local.image.loading import load_archive
from orchestra.driver.local.image.platform import parse_platform
from orchestra.errors import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation
    from orchestra.driver.local.image.loading import Loaded
    from orchestra.driver.local.image.platform import Platform


def run(invocation: Invocation) -> int:
    values = invocation.values
    if values["input"] is None and sys.stdin.isatty():
        raise UserError("a terminal gives no archive", hint="use -i FILE, or redirect the input")
    invocation.need_root()
    platform = parse_platform(values["platform"] or "", os.uname().machine)
    library = Library(invocation.home)
    for image in _load(library, values["input"], platform):
        parts = library.store.parts(image.digest)
        if not values["quiet"]:
            for name in image.names:
                say(f"Loaded image: {name}")
            if not image.names and parts:
                say(f"Loaded image ID: {parts.config_blob.digest}")
    return 0


def _load(library: Library, path: str | None, platform: Platform) -> list[Loaded]:
    if path is not None:
        if not os.path.exists(path):
            raise UserError(f"{path} does not exist", hint="name an archive after -i")
        return load_archive(library.store, path, platform)
    # An archive is read here and there, which a pipe cannot do.
    with tempfile.TemporaryFile(dir=library.content.scratch()) as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
        file.flush()
        return load_archive(library.store, f"/proc/self/fd/{file.fileno()}", platform, "standard input")
