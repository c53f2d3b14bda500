"""Shows the menu as the last line of a terminal, and reads its keys."""

from __future__ import annotations

import contextlib
import os
import signal
import sys

from orchestra.linux import tty

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestra.cli.invocation import Invocation
    from orchestra.cli.menu import Menu
    from orchestra.cli.relay import Signals
    from orchestra.cli.render.outlet import Outlet
    from orchestra.stacks.keys import Key

_CLEAR = b"\r\033[J"  # from the beginning of the line to the end of the screen (ECMA-48)


def has_room_for_menu(invocation: Invocation) -> bool:
    """Whether there is a terminal to show it on and to type at, and nothing speaks against it."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return (
        bool(invocation.values["menu"])
        and invocation.shared["ansi"] != "never"
        and invocation.shared["progress"] in ("auto", "tty")
        and all(stream.isatty() for stream in streams)
        and os.environ.get("TERM") != "dumb"
        and tty.is_in_foreground(0)
    )


class MenuLine:
    """Logs are written above it, in ``aside``. Use ``with``: afterwards the terminal is as before."""

    def __init__(self, menu: Menu, outlet: Outlet, *, color: bool) -> None:
        self.is_over = False
        self._menu = menu
        self._outlet = outlet
        self._color = color
        self._shows = False
        self._mode = tty.KeyMode(0)

    def __enter__(self) -> MenuLine:
        self._mode.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
        self._mode.__exit__(*exception)

    def fileno(self) -> int:
        return 0

    def read(self) -> Sequence[Key]:
        """What the keys that were pressed ask for."""
        if not tty.is_in_foreground(0):
            return ()
        try:
            typed = os.read(0, 4096)
        except OSError:  # the terminal is gone
            typed = b""
        self.is_over = not typed
        keys = list(self._menu.take(typed.decode(errors="ignore")))
        self.draw()
        return keys

    def show(self) -> None:
        self._shows = True
        self.draw()

    def refresh(self) -> None:
        """After the terminal has another size, or a shell has changed its settings."""
        if tty.is_in_foreground(0):
            self._mode.set()
            self.draw()

    def set_watching(self, watches: bool) -> None:
        self._menu.watches = watches

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """While something else is written."""
        if self._shows:
            self._write(_CLEAR)
        try:
            yield
        finally:
            self.draw()

    def draw(self) -> None:
        """The last column stays free: a terminal that has no room for the cursor would go to the next line."""
        if self._shows:
            text = self._menu.render(tty.get_size(1).columns - 1)
            self._write(_CLEAR + (f"\033[2m{text}\033[0m" if self._color else text).encode())

    def close(self) -> None:
        if self._shows:
            self._shows = False
            self._write(_CLEAR)

    def _write(self, data: bytes) -> None:
        self._outlet.write(data)
        self._outlet.flush()


class Interruptions:
    """Signals that end the command; others concern only the menu. ``line``: set when there is one."""

    def __init__(self, signals: Signals) -> None:
        self.line: MenuLine | None = None
        self._signals = signals

    def fileno(self) -> int:
        return self._signals.fileno()

    def read(self) -> list[int]:
        numbers = self._signals.read()
        if self.line is not None and {signal.SIGWINCH, signal.SIGCONT} & set(numbers):
            self.line.refresh()
        return [number for number in numbers if number not in (signal.SIGWINCH, signal.SIGCONT)]
