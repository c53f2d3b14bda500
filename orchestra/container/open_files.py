"""How many files a process may have open: the maximum for the processes of a stack, the original limit for programs.

A fork server keeps three descriptors for each container, the process of their shims from six to ten.
"""

from __future__ import annotations

import resource

_GIVEN = resource.getrlimit(resource.RLIMIT_NOFILE)
MOST = _GIVEN[1]
SHIMS_OF_ONE_PROCESS = MOST // 16
FREE = 32  # descriptors of a fork server for everything besides the containers'


def allow_many() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (MOST, MOST))


def allow_as_given() -> None:
    """Restore the limit that the fork server was started with: programs may rely on it (select(2) ends at 1,024)."""
    resource.setrlimit(resource.RLIMIT_NOFILE, _GIVEN)
