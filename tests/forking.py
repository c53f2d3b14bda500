"""Forks in tests: a worker of pytest-xdist has a second thread, and a fork copies the one that calls alone."""

from __future__ import annotations

import os
import signal
import warnings
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.linux.cgroup import Cgroup


def fork() -> int:
    """os.fork: the C library and the interpreter put their own locks in order in the child.

    Python 3.12 and newer warn of it where there are threads: code in the child must take no lock that they may hold.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


class Inside(NamedTuple):
    """A process in a control group, whose parent is a process of one thread that waits for it: ``relay``."""

    pid: int
    relay: int

    def wait(self) -> int:
        """Its exit code, or minus the signal that ended it."""
        return os.waitstatus_to_exitcode(os.waitpid(self.relay, 0)[1])


def fork_in(group: Cgroup, body: Callable[[], object]) -> Inside:
    """Do ``body`` in a process that is born in the group; its exit code is 99 if that raises.

    ``Cgroup.fork`` is clone3(2) itself, which leaves the C library's locks as other threads held them: from a process
    with threads the child could wait for one of them for ever.
    """
    reader, writer = os.pipe()
    relay = fork()
    if relay == 0:
        pid = group.fork()
        if pid == 0:
            try:
                os.close(writer)
                group.enter()
                body()
                os._exit(0)
            finally:
                os._exit(99)
        os.write(writer, str(pid).encode())
        os.close(writer)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if status < 0:
            signal.signal(-status, signal.SIG_DFL) if -status not in (signal.SIGKILL, signal.SIGSTOP) else None
            os.kill(os.getpid(), -status)
        os._exit(status)
    os.close(writer)
    with open(reader) as told:
        return Inside(int(told.read()), relay)
