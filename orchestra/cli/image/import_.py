"""``orchestra image import``: create an image of one layer from a root file system in a tar archive."""

from __future__ import annotations

import io
import os
import sys

from orchestra.cli.archive_streams import refuse_terminal_input
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
    else:
        refuse_terminal_input("name a file, or redirect the input")
        stdin = io.FileIO(sys.stdin.fileno(), closefd=False)
        print(import_image(context, io.BufferedReader(stdin), "standard input", options))
    return 0
