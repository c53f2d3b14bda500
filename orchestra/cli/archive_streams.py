"""Where a command reads or writes an archive: a file that is written completely, or a stream but not a terminal."""

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


def refuse_terminal_input(hint: str) -> None:
    """Raises UserError if standard input is a terminal."""
    if sys.stdin.isatty():
        raise UserError("cannot read an archive from a terminal", hint=hint)


def refuse_terminal_output(hint: str) -> None:
    """Raises UserError if standard output is a terminal."""
    if sys.stdout.isatty():
        raise UserError("cannot write an archive to a terminal", hint=hint)


@contextlib.contextmanager
def opened_output(path: str | None) -> Iterator[IO[bytes]]:
    """Open the output. A file appears complete, or not at all."""
    if path is None:
        refuse_terminal_output("use -o FILE, or redirect the output")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode):
        with open(path, "wb") as file:
            yield file
        return
    directory = os.path.dirname(path) or "."
    if not os.path.isdir(directory):
        raise UserError(f"{path}: {directory} is not a directory", hint="choose another file for -o")
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
