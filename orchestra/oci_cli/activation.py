"""Descriptors that a service manager has opened for the program: sd_listen_fds(3)."""

from __future__ import annotations

import os

FIRST_PROCESS = 1


def passed_on(process: dict[str, object]) -> int:
    """How many there are, from 3 up, for the program of ``process``, which is told that they are for the first process.

    0 if LISTEN_PID says that they are for another process.
    """
    count = os.environ.get("LISTEN_FDS", "")
    if not count.isdigit() or os.environ.get("LISTEN_PID", str(os.getpid())) != str(os.getpid()):
        return 0
    told = {"LISTEN_FDS": count, "LISTEN_PID": str(FIRST_PROCESS), "LISTEN_FDNAMES": os.environ.get("LISTEN_FDNAMES")}
    environment = process.get("env") or []
    assert isinstance(environment, list)
    process["env"] = [*environment, *(f"{name}={value}" for name, value in told.items() if value is not None)]
    return int(count)
