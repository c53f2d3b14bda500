"""A command on a terminal of its own, which a test types at."""

from __future__ import annotations

import os
import pty
import select
import termios
import time

from orchestra.linux import tty


class Typed:
    """master: of the terminal; process: the command. Use ``with``."""

    def __init__(self, stack, *arguments, rows=24, columns=80) -> None:
        self.master, slave = pty.openpty()
        tty.set_size(self.master, tty.Size(rows, columns))
        self._before = termios.tcgetattr(self.master)
        streams = {"stdin": slave, "stdout": slave, "stderr": slave}
        self.process = stack.start(*arguments, **streams, start_new_session=True)
        os.close(slave)
        self.seen = ""

    def __enter__(self) -> Typed:
        return self

    def __exit__(self, *_exception) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.master)

    def type(self, text):
        os.write(self.master, text.encode())

    def until(self, text, seconds=30):
        """Read until this has been shown."""
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            left = deadline - time.monotonic()
            assert left > 0, f"{text!r} was not shown: {self.seen!r}"
            assert select.select([self.master], [], [], left)[0], f"{text!r} was not shown: {self.seen!r}"
            self.seen += os.read(self.master, 65536).decode(errors="replace")
        self.seen = self.seen.partition(text)[2]

    def is_as_before(self):
        """Whether the terminal has the settings that it began with."""
        return termios.tcgetattr(self.master) == self._before
