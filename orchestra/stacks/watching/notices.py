"""The kernel's notices of changed files, by watchfiles (inotify(7)).

Directories are watched one by one. When there are others to watch, another watcher takes over. The first one stays for
a moment, and reports what has changed before the other was ready.

A watcher that is told to stop, or that waits only for a time, drops the changes that it has seen at that moment. So
neither is used: to be woken, it watches a file without a name.
"""

from __future__ import annotations

import os
import tempfile

from orchestra.errors import EnvironmentLack
from orchestra.stacks.watching.tree import by_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from watchfiles._rust_notify import RustNotify

    from orchestra.stacks.watching.tree import Notice

QUIET = 10
"""Milliseconds without another notice that end a batch."""
LONGEST = 200
"""Milliseconds after which a batch ends all the same."""
_POLLING = 1000  # asked for, but only used by watchers that poll


class Notices:
    """Use ``with``. Only ``wake`` may be called from another thread."""

    def __init__(self) -> None:
        self._watcher: RustNotify | None = None
        self._replaced: list[RustNotify] = []

    def __enter__(self) -> Notices:
        self._bell = tempfile.TemporaryFile(buffering=0)
        self._bell_path = f"/proc/{os.getpid()}/fd/{self._bell.fileno()}"
        return self

    def __exit__(self, *_exception: object) -> None:
        for watcher in (*self._replaced, *filter(None, (self._watcher,))):
            watcher.close()
        self._bell.close()

    def wake(self) -> None:
        """Have ``wait`` return, now or when it is called next."""
        if not self._bell.closed:
            os.pwrite(self._bell.fileno(), b"\0", 0)

    def watch(self, directories: Iterable[str]) -> bool:
        """Whether all of these are watched from now on, and nothing else: one of them may just have been removed.

        Raises EnvironmentLack if the kernel allows no more watches.
        """
        from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

        paths = [path for path in dict.fromkeys(directories) if _is_text(path) and os.access(path, os.R_OK)]
        try:
            watcher = RustNotify([self._bell_path, *paths], False, False, _POLLING, False, False)
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
            self.wake()  # so that the old one is soon asked for the last time
        self._watcher = watcher
        return True

    def wait(self) -> dict[str, set[Notice]]:
        """A batch of notices, by absolute path: empty if there was only a call of ``wake``."""
        assert self._watcher is not None
        notices = _heard(self._watcher.watch(LONGEST, QUIET, 0, None))
        for watcher in self._replaced:
            notices |= _heard(watcher.watch(1, 1, 1, None))
            watcher.close()
        self._replaced.clear()
        found = by_path(notices)
        found.pop(self._bell_path, None)
        return found


def _heard(found: set[tuple[int, str]] | str) -> set[tuple[int, str]]:
    """Instead of notices there may be a word for why there are none."""
    return set() if isinstance(found, str) else found


def _is_text(path: str) -> bool:
    """Whether watchfiles can be told of it: it takes only names in UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
