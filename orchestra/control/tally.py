"""How often things have happened to a stack, for metrics: counted from the events on disk, not decoded.

Events are forgotten when their file is replaced. What it held is counted before that, into ``counts.json``: so the
counts only grow, until the stack goes down. Standard library only.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from contextlib import suppress

from orchestra.linux import private_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from orchestra.home import StackHome

    Encoded = dict[str, Any]

ENDS = ("done", "failed", "cancelled")
COUNTED = (b'"ActionEvent"', b'"ContainerEvent"', b'"ConvergedEvent"')


class Tally:
    """actions: by verb and phase. memory_kills: by container, how often it was killed because memory ran out.

    convergences: commands after which everything was as they asked; seconds: that this took, for all of them together.
    last_at: Unix time of the last of them, 0 if there was none; last_seconds: how long that took. wanted_at: Unix time
    of the last command that was counted. failed: resources that could not become as wanted, when that was found last.
    """

    def __init__(self) -> None:
        self.actions: Counter[tuple[str, str]] = Counter()
        self.memory_kills: Counter[str] = Counter()
        self.convergences = 0
        self.seconds = 0.0
        self.last_at = 0.0
        self.last_seconds = 0.0
        self.wanted_at = 0.0
        self.failed = 0

    def add_lines(self, lines: Iterable[bytes]) -> None:
        """Lines that cannot be read, such as one cut off by a crash, are skipped."""
        for line in lines:
            # Most of a file may be snapshots and probes, which are long.
            if line.rstrip(b"}\n").endswith(COUNTED):
                with suppress(ValueError, LookupError, TypeError):
                    self._add(json.loads(line))

    def _add(self, event: Encoded) -> None:
        match event["kind"]:
            case "ActionEvent" if event["phase"] in ENDS:
                self.actions[event["verb"], event["phase"]] += 1
            case "ContainerEvent" if event.get("oom_killed"):
                self.memory_kills[event["container"]] += 1
            case "ConvergedEvent":
                self._converge(event["at"], event.get("wanted_at", 0.0), len(event.get("failed", ())))

    def _converge(self, at: float, wanted_at: float, failed: int) -> None:
        self.failed = failed
        # A container that ended and runs again converges once more: no command waited for that.
        if failed or wanted_at <= self.wanted_at:
            return
        self.wanted_at, self.last_at, self.last_seconds = wanted_at, at, max(0.0, at - wanted_at)
        self.convergences += 1
        self.seconds += self.last_seconds

    def to_data(self) -> Encoded:
        plain = {name: value for name, value in vars(self).items() if not isinstance(value, Counter)}
        actions = [[*key, count] for key, count in self.actions.items()]
        return {**plain, "actions": actions, "memory_kills": dict(self.memory_kills)}


def _from_data(data: Encoded) -> Tally:
    """Raises ValueError, TypeError and LookupError for what is no tally."""
    tally = Tally()
    for name, value in vars(tally).items():
        if not isinstance(value, Counter):
            setattr(tally, name, type(value)(data[name]))
    tally.actions.update({(verb, phase): int(count) for verb, phase, count in data["actions"]})
    tally.memory_kills.update(data["memory_kills"])
    return tally


def count_before_replacing(home: StackHome) -> None:
    """Keep what the earlier file of events holds, which is about to be replaced. Raises OSError."""
    folded, tally = _load(home)
    try:
        with open(home.earlier_events, "rb") as file:
            inode = os.fstat(file.fileno()).st_ino
            # The supervisor may have been killed after this was written, and before the file was replaced.
            if inode == folded:
                return
            tally.add_lines(file)
    except FileNotFoundError:
        return
    content = json.dumps({"folded": inode, **tally.to_data()}, separators=(",", ":")).encode()
    private_files.store(home.counts, content)


def _load(home: StackHome) -> tuple[int, Tally]:
    """The inode of the file that was counted last, and all that was counted. A damaged file counts as none."""
    try:
        with open(home.counts, "rb") as file:
            data = json.loads(file.read())
        return int(data["folded"]), _from_data(data)
    except (FileNotFoundError, ValueError, TypeError, LookupError):
        return 0, Tally()


class Counting:
    """Counts the events of one stack again and again, and reads each only once."""

    def __init__(self, home: StackHome) -> None:
        self._home = home
        self._files: tuple[tuple[int, int] | None, int] | None = None
        self._read = 0
        self._tally = Tally()

    def read(self) -> Tally:
        """Raises PermissionError."""
        files = self._look()
        if files != self._files or files[1] == 0:
            folded, self._tally = _load(self._home)
            self._read = 0
            if files[0] is not None and files[0][0] != folded:
                with suppress(FileNotFoundError), open(self._home.earlier_events, "rb") as earlier:
                    self._tally.add_lines(earlier)
            self._files = files
        with suppress(FileNotFoundError), open(self._home.events, "rb") as file:
            file.seek(self._read)
            content = file.read()
            whole = content[: content.rfind(b"\n") + 1]
            self._tally.add_lines(whole.splitlines())
            self._read += len(whole)
        return self._tally

    def _look(self) -> tuple[tuple[int, int] | None, int]:
        """Which files there are: inode and time of the earlier one, the inode of the newer."""
        earlier, inode = None, 0
        with suppress(FileNotFoundError):
            status = os.stat(self._home.earlier_events)
            earlier = (status.st_ino, status.st_mtime_ns)
        with suppress(FileNotFoundError):
            inode = os.stat(self._home.events).st_ino
        return earlier, inode
