"""``orchestra image import``: an image of one layer from a root file system in a tar archive."""

from __future__ import annotations

import io
import os
import sys

from orchestra.errors import UserError
from orchestra.stacks.images.archives import ImportOptions, import_image

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    context, options = invocation.context, invocation.options(ImportOptions)
    path = invocation.values["file"]
    if path != "-":
        if not os.path.isfile(path):
            raise UserError(f"{path} is not a file", hint="name an archive, or - for standard input")
        with open(path, "rb") as file:
            print(import_image(context, file, path, options))
    elif sys.stdin.isatty():
        raise UserError("cannot read an archive from a terminal", hint="name a file, or redirect the input")
    else:
        stdin = io.FileIO(sys.stdin.fileno(), closefd=False)
        print(import_image(context, io.BufferedReader(stdin), "standard input", options))
    return 0
