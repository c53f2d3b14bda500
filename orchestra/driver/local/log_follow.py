"""Following the logs of a stack: containers that come, run, end and go, by inotify alone. Standard library only."""

from __future__ import annotations

import heapq
import os

from orchestra.driver.local.log_handover import Handover
from orchestra.driver.local.logs import LogCursor
from orchestra.driver.local.observe import observe_container
from orchestra.linux import inotify, private_files
from orchestra.linux.inotify import Inotify
from orchestra.model.log import Ended, Gap, Missed, Written, render_stamp
from orchestra.model.observed import Exited, Running

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from orchestra.home import StackHome
    from orchestra.model.log import Happening, Line
    from orchestra.model.observed import Container

    Place = Callable[[LogCursor], Iterable[Line]]

RUN_FILES = frozenset({"state.json", "exit.json", "container.json"})
AT_ONCE = 1 << 20
"""Bytes to read from one log before looking at anything else: some containers write faster than this reads."""

_ENTRIES = inotify.IN_CREATE | inotify.IN_DELETE | inotify.IN_MOVED_TO | inotify.IN_DELETE_SELF | inotify.IN_ONLYDIR
_LOGS = _ENTRIES | inotify.IN_MODIFY | inotify.IN_MOVED_FROM
_RUNS = inotify.IN_MOVED_TO | inotify.IN_DELETE | inotify.IN_ONLYDIR


class _Followed:
    """reported: when the last run began whose end has been reported."""

    def __init__(self, container: Container, cursor: LogCursor) -> None:
        self.container = container
        self.cursor = cursor
        self.reported = 0.0

    @property
    def untold_end(self) -> Exited | None:
        """How its last run ended, unless that has been reported."""
        status = self.container.status
        return status if isinstance(status, Exited) and status.started_at != self.reported else None


class Follower:
    """The logs of those containers of a stack that are ``wanted``. Use ``with``; ``fileno`` is readable on news."""

    def __init__(self, stack_home: StackHome, wanted: Callable[[Container], bool]) -> None:
        self._home = stack_home
        self._wanted = wanted
        self._followed: dict[str, _Followed] = {}
        self._inotify = Inotify()
        self._handover = Handover(stack_home)
        self._directories: dict[int, str] = {}
        self._unwanted: set[str] = set()
        self._is_blind = False
        self._containers_watch = self._logs_watch = -1

    def __enter__(self) -> Follower:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._inotify.close()
        self._handover.close()
        for followed in self._followed.values():
            followed.cursor.close()

    def fileno(self) -> int:
        return self._inotify.fileno()

    @property
    def containers(self) -> list[Container]:
        return [followed.container for followed in self._followed.values()]

    @property
    def is_behind(self) -> bool:
        """Whether there is more to read already, even if ``fileno`` does not say so."""
        return any(followed.cursor.behind for followed in self._followed.values())

    @property
    def is_over(self) -> bool:
        """Whether no container runs, or will run by itself."""
        return not self.any_runs and not any(map(self._runs_again, self.containers))

    @property
    def any_runs(self) -> bool:
        return any(isinstance(container.status, Running) for container in self.containers)

    def begin(self, place: Place) -> Iterator[Written | Missed]:
        """Start with the existing containers: ``place`` sets each one's cursor and returns its first lines.

        Ends that have happened already are not reported.
        """
        self._watch_all()
        self._handover.open()
        self._look_for_containers()
        firsts = []
        for followed in self._followed.values():
            if isinstance(followed.container.status, Exited):
                followed.reported = followed.container.status.started_at
            firsts.append([Written(followed.container, line) for line in place(followed.cursor)])
        yield from heapq.merge(*firsts, key=_stamp)
        yield from heapq.merge(*map(self._lines_of, self._followed.values()), key=_stamp)

    def read(self) -> Iterator[Happening]:
        """What has happened since, without waiting."""
        touched = {name for name, followed in self._followed.items() if followed.cursor.behind}
        changed: set[str] = set()
        look = False
        for event in self._inotify.read():
            if event.mask & inotify.IN_IGNORED:
                self._is_blind = self._is_blind or event.watch in (self._logs_watch, self._containers_watch)
            elif event.mask & inotify.IN_Q_OVERFLOW:
                look = True
                touched.update(self._followed)
                changed.update(self._followed)
            elif event.watch == self._logs_watch:
                touched.add(_container_of(event.name))
            elif event.watch == self._containers_watch:
                look = True
            elif event.name in RUN_FILES and event.watch in self._directories:
                changed.add(self._directories[event.watch])
        removed = self._look_for_containers() if look else []
        for name in changed:
            self._look_at(name)
        self._refuse_unwanted()
        touched |= changed
        fresh = [followed for name, followed in self._followed.items() if name in touched or followed.untold_end]
        yield from self._happenings(fresh, AT_ONCE)
        for gone in removed:
            followed = self._followed.pop(gone)
            yield from self._happenings([followed])
            followed.cursor.close()

    def read_all(self) -> Iterator[Happening]:
        """Like ``read``, but looks at everything again, to see what existed only for a moment."""
        if self._is_blind and os.path.isdir(self._home.containers):
            # The stack has been down, and is up again: these are other directories.
            self._watch_all()
            self._handover.close()
            self._handover.open()
            self._look_for_containers()
        for name in list(self._followed):
            self._look_at(name)
        yield from self._happenings(list(self._followed.values()))
        yield from self.read()

    def _watch_all(self) -> None:
        self._is_blind = False
        for path in (self._home.logs, self._home.containers):
            private_files.make_directories(path)
        self._logs_watch = self._inotify.add(self._home.logs, _LOGS)
        self._containers_watch = self._inotify.add(self._home.containers, _ENTRIES)

    def _look_for_containers(self) -> list[str]:
        """Add the new containers; returns the names of those that are gone."""
        try:
            names = sorted(os.listdir(self._home.containers))
        except FileNotFoundError:
            names = []
        for name in names:
            try:
                # Adding a watch twice is harmless; but a container that was made anew has another directory.
                watch = self._inotify.add(self._home.container(name), _RUNS)
            except (FileNotFoundError, NotADirectoryError):
                continue
            if self._directories.get(watch) != name:
                self._directories[watch] = name
                self._look_at(name)
        return [name for name in self._followed if name not in names]

    def _look_at(self, name: str) -> None:
        container = observe_container(self._home.container(name))
        if container is None:
            return
        followed = self._followed.get(name)
        if followed is not None:
            followed.container = container
        elif self._wanted(container):
            handed = self._handover.of(f"{name}.log")
            self._followed[name] = _Followed(container, LogCursor(f"{self._home.logs}/{name}.log", handed))
        else:
            self._unwanted.add(f"{name}.log")

    def _refuse_unwanted(self) -> None:
        """Shims hand over every log; one that is not read here would only keep its files on the disk."""
        for log in self._handover.accept():
            if log in self._unwanted:
                self._handover.refuse(log)

    def _happenings(self, chosen: Iterable[_Followed], most: int | None = None) -> Iterator[Happening]:
        """Lines and ends merged by time, as far as each log goes now.

        most: bytes to read from a log that still grows.
        """
        yield from heapq.merge(*(self._of_one(followed, most) for followed in chosen), key=_stamp)

    def _of_one(self, followed: _Followed, most: int | None) -> Iterator[Happening]:
        exited = followed.untold_end
        yield from self._lines_of(followed, most if exited is None else None)
        if exited is not None:
            followed.reported = exited.started_at
            yield from (Written(followed.container, line) for line in followed.cursor.finish())
            yield Ended(followed.container, exited, self._runs_again(followed.container))

    @staticmethod
    def _lines_of(followed: _Followed, most: int | None = None) -> Iterator[Written | Missed]:
        for line in followed.cursor.lines(most):
            yield Missed(followed.container, line) if isinstance(line, Gap) else Written(followed.container, line)

    def _runs_again(self, container: Container) -> bool:
        if not isinstance(container.status, Exited):
            return False
        from orchestra.driver.local.restarting import find_next_run

        return find_next_run(self._home, container) is not None


def _container_of(file: str) -> str:
    """The container whose log, rotated perhaps, has this name."""
    return file[:-4] if file.endswith(".log") else file.rpartition(".log.")[0]


def _stamp(happened: Happening) -> bytes:
    if isinstance(happened, Ended):
        return render_stamp(int(happened.exited.finished_at * 10**9))
    return happened.line.stamp
