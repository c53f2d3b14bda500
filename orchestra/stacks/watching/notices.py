"""The kernel's notices of changed files, by watchfiles (inotify(7)).

Directories are watched one by one, by a watcher that is made anew when there are others. Both exist for a moment: what
happens between the two is told by the old one.
"""

from __future__ import annotations

import os

from orchestra.errors import EnvironmentLack
from orchestra.stacks.watching.tree import by_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from watchfiles._rust_notify import AbstractEvent, RustNotify

    from orchestra.stacks.watching.tree import Notice

QUIET = 20
"""Milliseconds without another notice that end a batch."""
LONGEST = 200
"""Milliseconds after which a batch ends all the same."""
LATE = 100
"""Milliseconds for which a watcher that was replaced is asked too."""
_POLLING = 1000  # asked for, but only used by watchers that poll


class Notices:
    """Use ``with``."""

    def __init__(self) -> None:
        self._watcher: RustNotify | None = None
        self._replaced: list[RustNotify] = []

    def __enter__(self) -> Notices:
        return self

    def __exit__(self, *_exception: object) -> None:
        for watcher in (*self._replaced, *filter(None, (self._watcher,))):
            watcher.close()

    def watch(self, directories: Iterable[str]) -> bool:
        """Whether all of these are watched from now on, and nothing else: one of them may just have been removed.

        Raises EnvironmentLack if the kernel allows no more watches.
        """
        from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

        paths = [path for path in dict.fromkeys(directories) if _is_text(path)]
        paths = [path for path in paths if os.access(path, os.R_OK)]
        try:
            watcher = RustNotify(paths, False, False, _POLLING, False, False)
        except (FileNotFoundError, PermissionError):
            return False
        except (OSError, WatchfilesRustInternalError) as error:
            raise EnvironmentLack(
                f"{len(paths)} directories cannot be watched: {error}",
                hint="ignore large directories in the rules, or raise fs.inotify.max_user_watches and "
                "fs.inotify.max_user_instances with sysctl",
            ) from error
        if self._watcher is not None:
            self._replaced.append(self._watcher)
        self._watcher = watcher
        return True

    def wait(self, stop: AbstractEvent) -> dict[str, set[Notice]]:
        """A batch of notices, by absolute path; empty if ``stop`` is set."""
        assert self._watcher is not None
        while True:
            found = self._watcher.watch(LONGEST, QUIET, LATE if self._replaced else 0, stop)
            notices = set() if isinstance(found, str) else found
            for watcher in self._replaced:
                late = watcher.watch(1, 1, 1, None)
                notices |= set() if isinstance(late, str) else late
                watcher.close()
            self._replaced.clear()
            if notices or found == "stop":
                return by_path(notices)


def _is_text(path: str) -> bool:
    """Whether watchfiles can be told of it: it takes only names in UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
