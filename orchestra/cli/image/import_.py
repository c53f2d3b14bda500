"""``orchestra image import``: an image of one layer from a root file system in a tar archive."""

from __future__ import annotations

import io
import os
import sys
import time

from orchestra.driver.local.image.changes import apply_changes
from orchestra.driver.local.image.library import Library
from orchestra.driver.local.image.name import parse_name
from orchestra.driver.local.image.platform import parse_platform
from orchestra.driver.local.image.rootfs import import_rootfs
from orchestra.errors import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    values = invocation.values
    name = parse_name(values["name"]) if values["name"] else None
    if name and name.digest:
        raise UserError(f"{name} has a digest, which cannot be given", hint="name a tag")
    config = apply_changes(values["changes"])
    platform = parse_platform(values["platform"] or "", os.uname().machine)
    invocation.need_root()
    store = Library(invocation.home).store

    def take(stream: io.BufferedReader, what: str) -> str:
        return import_rootfs(
            store,
            stream,
            what,
            platform,
            created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            config=config,
            name=str(name or ""),
            message=values["message"] or "",
        )

    path = values["file"]
    if path != "-":
        if not os.path.isfile(path):
            raise UserError(f"{path} is not a file", hint="name an archive, or - for standard input")
        with open(path, "rb") as file:
            print(take(file, path))
    elif sys.stdin.isatty():
        raise UserError("a terminal gives no archive", hint="name a file, or redirect the input")
    else:
        print(take(io.BufferedReader(io.FileIO(sys.stdin.fileno(), closefd=False)), "standard input"))
    return 0
