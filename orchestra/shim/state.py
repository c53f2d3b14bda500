"""The state of a container, from its directory and the processes that are named there. Cheap to import."""

from __future__ import annotations

import os
from enum import Enum

from orchestra.container.directory import ContainerDirectory, DamagedFile, named_process
from orchestra.linux import process
from orchestra.named_tuple import NamedTuple


class Status(Enum):
    """The states of the OCI runtime spec, and ``absent`` for a bundle that was never run."""

    ABSENT = "absent"
    CREATING = "creating"
    CREATED = "created"
    RUNNING = "running"
    STOPPED = "stopped"


class Exit(NamedTuple):
    """How a run ended. exit_code: 128 plus the signal's number for a signal, None if it cannot be known.

    memory_peak: in bytes, of one that was killed because memory ran out; 0 if it is not known.
    """

    exit_code: int | None
    oom_killed: bool
    started_at: float
    finished_at: float
    memory_peak: int = 0


class State(NamedTuple):
    """pid: while created or running. exit: once stopped, None if no shim has recorded it (yet)."""

    status: Status
    pid: int = 0
    started_at: float = 0.0
    exit: Exit | None = None


def state(directory: str) -> State:
    """The state right now: records are believed only if the processes they name exist."""
    files = ContainerDirectory(directory)
    exit = _load_exit(files)
    if exit is not None:
        return State(Status.STOPPED, 0, exit.started_at, exit)
    record = files.load_sound("state.json")
    container, started_at = named_process(record), record.get("started_at")
    if container is None:
        return State(Status.CREATING if shim_alive(directory) else Status.ABSENT)
    # While the shim is alive the run has not ended: it is still reading the container's output.
    if process.is_alive(container) or shim_alive(directory):
        status = Status.CREATED if started_at is None else Status.RUNNING
        return State(status, container.pid, started_at or 0.0)
    # Look once more: it may have been written between the first look and the shim's end.
    return State(Status.STOPPED, 0, started_at or 0.0, _load_exit(files))


def _load_exit(files: ContainerDirectory) -> Exit | None:
    """If the file exists, the run is over, even if it is damaged."""
    try:
        record = files.load_if_there("exit.json")
        return None if record is None else Exit(**record)
    except (DamagedFile, TypeError):
        try:
            moment = os.stat(files.file("exit.json")).st_mtime
        except FileNotFoundError:
            return None  # the next run has just begun
        return Exit(None, False, moment, moment)


def shim_alive(directory: str) -> bool:
    """Whether a shim looks after a run of this container. Its process may have other shims as well."""
    if ContainerDirectory(directory).has("exit.json"):
        return False
    shim = ContainerDirectory(directory).load_process("shim.pid")
    return shim is not None and process.is_alive(shim)
