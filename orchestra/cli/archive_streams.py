"""Where a command writes an archive: a file that appears as a whole, or standard output that is no terminal."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile

from orchestra.errors import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO


@contextlib.contextmanager
def opened_output(path: str | None) -> Iterator[IO[bytes]]:
    """A file appears as a whole, or not at all."""
    if path is None:
        if sys.stdout.isatty():
            raise UserError("an archive is nothing for a terminal", hint="use -o FILE, or redirect the output")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode):
        with open(path, "wb") as file:
            yield file
        return
    directory = os.path.dirname(path) or "."
    if not os.path.isdir(directory):
        raise UserError(f"{path}: {directory} is not a directory", hint="name another file after -o")
    with tempfile.NamedTemporaryFile(dir=directory, prefix=".orchestra-", delete=False) as temporary:
        try:
            yield temporary
            temporary.flush()
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(temporary.name, 0o666 & ~mask)
            os.replace(temporary.name, path)
        except BaseException:
            os.unlink(temporary.name)
            raise
