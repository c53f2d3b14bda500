"""Waiting for changes of containers: each change of a run is a file renamed into the container's directory."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from orchestra.linux.inotify import IN_IGNORED, IN_MOVED_TO, IN_ONLYDIR, IN_Q_OVERFLOW, Inotify

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.home import StackHome

END = "exit.json"
RUN_FILES = ("state.json", END, "shim.pid")


class Watch:
    """Reports changes of runs. Add a container once its directory exists; it leaves when that is removed.

    tell: called with the name of a container whose run has ended or may have, or whose directory is gone. Use ``with``,
    and let ``run`` run inside.
    """

    def __init__(self, stack_home: StackHome, tell: Callable[[str], None]) -> None:
        self._home = stack_home
        self._tell = tell
        self._names: dict[int, str] = {}
        self._changes: defaultdict[str, anyio.Event] = defaultdict(anyio.Event)

    def __enter__(self) -> Watch:
        self._inotify = Inotify()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._inotify.close()

    def add(self, name: str) -> None:
        """Watch a container; a second call changes nothing, nor does one after its directory is gone."""
        with suppress(FileNotFoundError):
            watch = self._inotify.add(self._home.container(name), IN_MOVED_TO | IN_ONLYDIR)  # and its removal
            self._names[watch] = name

    def change(self, name: str) -> anyio.Event:
        """Set at the next change of a run of this container: ask first, then look, then wait."""
        return self._changes[name]

    async def run(self) -> None:
        while True:
            await anyio.wait_readable(self._inotify)
            for event in self._inotify.read():
                if event.mask & IN_Q_OVERFLOW:
                    for name in self._names.values():
                        self._happened(name, END)
                elif event.mask & IN_IGNORED:
                    self._happened(self._names.pop(event.watch, ""), END)
                elif event.name in RUN_FILES and event.watch in self._names:
                    self._happened(self._names[event.watch], event.name)

    def _happened(self, name: str, file: str) -> None:
        changed = self._changes.pop(name, None)
        if changed is not None:
            changed.set()
        # A caller that begins a run checks the result itself; only the end of a run comes unasked.
        if file == END and name:
            self._tell(name)
