"""What is watched of one rule's path. Notices only say where to look: what is there by then counts.

So notices may come twice, late or out of order; a file that was written, renamed and removed at once is simply gone.
A directory is watched by itself; so what is ignored costs nothing, and symbolic links are never followed.
"""

from __future__ import annotations

import os
import stat
from enum import Enum

from orchestra.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from orchestra.stacks.watching.patterns import Patterns

    Identity = tuple[int, int]


class Notice(Enum):
    """The kinds of watchfiles."""

    ADDED = 1
    MODIFIED = 2
    DELETED = 3


class Changes(Record):
    """Paths below a rule's path; empty for that itself.

    removed: what is no longer there, or was replaced by another directory; changed: what is there, each by itself:
    a directory stands for itself and not for what it holds.
    """

    removed: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.removed or self.changed)


class Tree:
    """path: absolute; top: where that is, all links followed.

    ``directories`` are to be watched. Those that ``look`` and ``update`` find have to be looked at once more when they
    are: see ``settle``.
    """

    def __init__(self, path: str, patterns: Patterns) -> None:
        self.path = path
        self.unreadable: set[str] = set()
        self._patterns = patterns
        self.top = path
        self._known: dict[str, Identity] = {}
        self._fresh: set[str] = set()
        self._is_top_fresh = False
        self._gates: list[str] = []

    def look(self) -> frozenset[str]:
        """Everything that the rule is about."""
        self._known.clear()
        self._fresh.clear()
        self._is_top_fresh = True
        self.top = os.path.realpath(self.path)
        return frozenset(self._find(""))

    def everything(self) -> frozenset[str]:
        """The same without a change of what is watched."""
        return Tree(self.path, self._patterns).look()

    @property
    def directories(self) -> list[str]:
        """What has to be watched to learn of every change: also where the path itself is, or would be."""
        self._gates = self._find_gates()
        return [*self._gates, *(self._at(path) for path in self._known)]

    @property
    def is_fresh(self) -> bool:
        """Whether ``directories`` have to be watched anew."""
        return self._is_top_fresh or bool(self._fresh)

    def settle(self) -> frozenset[str]:
        """Look once more at what was not watched when it was first looked at."""
        fresh, self._fresh = self._fresh, set()
        found = {path for directory in fresh for path in self._entries(directory)}
        if self._is_top_fresh:
            self._is_top_fresh = self._gates != self._find_gates()
            if not self._known and self._status("") is not None:
                found.update(self._find(""))
        return frozenset(found)

    def drop_missing(self) -> None:
        """Forget directories that are no longer there: a notice of them is on its way."""
        for path in [path for path in self._known if self._status(path) is None]:
            self._forget(path)

    def update(self, notices: Mapping[str, AbstractSet[Notice]]) -> Changes:
        """notices: by absolute path; those of other places are left out."""
        leading = [kinds for path, kinds in notices.items() if self._leads_here(path)]
        if leading and (found := self._update_top(frozenset().union(*leading))) is not None:
            return found
        removed: set[str] = set()
        changed: set[str] = set()
        for path in sorted(filter(None, map(self._relative, notices))):
            self._update(path, notices[self._at(path)], removed, changed)
        return Changes(frozenset(removed), frozenset(changed))

    def sort(self, paths: Iterable[str]) -> Changes:
        """What is there of these paths by now, and what is not."""
        gone = frozenset(path for path in paths if self._status(path) is None)
        return Changes(gone, frozenset(paths) - gone)

    def _update_top(self, kinds: AbstractSet[Notice]) -> Changes | None:
        """None if the same directory is still there."""
        before = self._known.get("")
        self.top = os.path.realpath(self.path)
        status = self._status("")
        if status is None or not stat.S_ISDIR(status.st_mode):
            self._known.clear()
            self._fresh.clear()
            self._is_top_fresh = True
            return Changes(frozenset(("",))) if status is None else Changes(changed=frozenset(("",)))
        if before == _identity(status) and not kinds & {Notice.ADDED, Notice.DELETED}:
            return None
        return Changes(frozenset(("",) if before else ()), self.look())

    def _update(self, path: str, kinds: AbstractSet[Notice], removed: set[str], changed: set[str]) -> None:
        covered = self._patterns.covers(path)
        if not covered and not self._patterns.may_enter(path):
            return
        if path.rpartition("/")[0] not in self._known:
            return  # what is above it has changed too, and is looked at with all that it holds
        status = self._status(path)
        is_directory = status is not None and stat.S_ISDIR(status.st_mode)
        was_directory = path in self._known
        if status is None:
            removed.add(path)
        elif is_directory:
            same = was_directory and self._known[path] == _identity(status)
            if same and not kinds & {Notice.ADDED, Notice.DELETED}:
                changed.update([path] if covered else ())
                return
            removed.update([path] if was_directory else ())
        elif covered:
            changed.add(path)
            removed.update([path] if was_directory else ())
        if was_directory:
            self._forget(path)
        if is_directory and self._patterns.may_enter(path):
            changed.update(self._find(path))

    def _find(self, path: str) -> Iterator[str]:
        """The path, and everything below it."""
        status = self._status(path)
        if status is None:
            return
        if self._patterns.covers(path):
            yield path
        if stat.S_ISDIR(status.st_mode) and self._patterns.may_enter(path):
            self._known[path] = _identity(status)
            self._fresh.add(path)
            yield from self._entries(path)

    def _entries(self, directory: str) -> Iterator[str]:
        pending = [directory]
        while pending:
            current = pending.pop()
            try:
                with os.scandir(self._at(current)) as found:
                    entries = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in found]
            except PermissionError:
                self.unreadable.add(self._at(current))
                self._known.pop(current, None)
                continue
            except (FileNotFoundError, NotADirectoryError):
                self._known.pop(current, None)
                continue
            for name, is_directory in entries:
                path = f"{current}/{name}" if current else name
                if self._patterns.covers(path):
                    yield path
                if is_directory and path not in self._known and self._patterns.may_enter(path):
                    status = self._status(path)
                    if status is not None and stat.S_ISDIR(status.st_mode):
                        self._known[path] = _identity(status)
                        self._fresh.add(path)
                        pending.append(path)

    def _forget(self, path: str) -> None:
        for known in [each for each in self._known if each == path or each.startswith(f"{path}/")]:
            del self._known[known]
            self._fresh.discard(known)

    def _find_gates(self) -> list[str]:
        """The directory with the path's last part, and with that of what a link there leads to; of a path that does not
        exist, the nearest directory that does.
        """
        found = []
        for path in dict.fromkeys((self.path, self.top)):
            above = os.path.dirname(path)
            while not os.path.isdir(above):
                above = os.path.dirname(above)
            found.append(os.path.realpath(above))
        return found

    def _leads_here(self, path: str) -> bool:
        """Whether a notice of this path says that another thing may be at the rule's own path."""
        if path == self.top:
            return True
        own = os.path.join(os.path.realpath(os.path.dirname(self.path)), os.path.basename(self.path))
        return any(each == path or each.startswith(f"{path}/") for each in (own, self.top))

    def _relative(self, path: str) -> str:
        return path[len(self.top) + 1 :] if path.startswith(f"{self.top.rstrip('/')}/") else ""

    def _at(self, path: str) -> str:
        return os.path.join(self.top, path) if path else self.top

    def _status(self, path: str) -> os.stat_result | None:
        try:
            return os.lstat(self._at(path))
        except (FileNotFoundError, NotADirectoryError):
            return None


def by_path(notices: Iterable[tuple[int, str]]) -> dict[str, set[Notice]]:
    """What watchfiles reports, by path."""
    found: dict[str, set[Notice]] = {}
    for kind, path in notices:
        found.setdefault(path, set()).add(Notice(kind))
    return found


def _identity(status: os.stat_result) -> Identity:
    return status.st_dev, status.st_ino
