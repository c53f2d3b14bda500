"""Recording what the driver knows of a container in its directory: ``look`` lists the files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

from orchestra.container.directory import ContainerDirectory, DamagedFile
from orchestra.driver.local.look import HEALTH, HOOKS, PAUSE, RECORD, START, STOP, of_run
from orchestra.model.codec import decode, encode
from orchestra.model.container import Port  # noqa: TC001 - read at run time by the codec
from orchestra.model.health import Health, HealthStatus, Probed
from orchestra.model.observed import Container  # noqa: TC001 - the same
from orchestra.record import Record
from orchestra.shim.state import Status, state

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestra.driver.local.net.attachment import Attachment
    from orchestra.model.names import ContainerName

T = TypeVar("T")

PROBES_KEPT = 5
"""The number of probes whose results are kept, as in Docker."""


class Range(Record):
    """Ids of users and groups of the stack; size 0 for none."""

    first: int = 0
    size: int = 0


class ContainerRecord(Record):
    """container: as created, without its status and what changes from run to run. ports: as asked for.

    joins: kind of namespace to the container of the stack whose namespace of that kind it shares. ids: that no other
    container has, for ``userns_mode: auto``.
    """

    container: Container
    ports: tuple[Port, ...] = ()
    joins: tuple[tuple[str, str], ...] = ()
    ids: Range = Range()


def load_record(directory: str) -> ContainerRecord | None:
    """None if no container was made, or its removal has begun. Raises DamagedFile."""
    files = ContainerDirectory(directory)
    content = files.load_if_there(RECORD)
    try:
        return None if content is None else decode(ContainerRecord, content)
    except ValueError as error:
        raise DamagedFile(files.file(RECORD), str(error)) from error


def sound(load: Callable[[str], T], directory: str) -> T | None:
    """Also None if the file is damaged."""
    try:
        return load(directory)
    except DamagedFile:
        return None


def find_id(directory: str, record: ContainerRecord | None, attachment: Attachment | None) -> str:
    """The id of the container, from the first of its files that is sound; empty if none is."""
    if record is not None:
        return record.container.id
    if attachment is not None:
        return attachment.container_id
    try:
        group = ContainerDirectory(directory).load_config()["linux"]["cgroupsPath"]
    except (DamagedFile, FileNotFoundError, LookupError, TypeError):
        return ""
    return os.path.basename(str(group))


def store_record(directory: str, record: ContainerRecord) -> None:
    ContainerDirectory(directory).store(RECORD, encode(record))


def store_start(directory: str, restarts: int, backoff: int, runs_with: Mapping[ContainerName, str]) -> None:
    """Before a run: what was known of the last run says nothing about it. Hooks belong to commands, not to runs.

    One that has a health check is not well until the first probe says so.
    """
    files = ContainerDirectory(directory)
    files.store(START, {"restarts": restarts, "backoff": backoff, "runs_with": dict(runs_with)})
    files.remove(STOP, PAUSE, *(() if restarts else (HOOKS,)))
    if files.load_sound(RECORD).get("container", {}).get("healthcheck"):
        files.store(HEALTH, {"health": {"status": HealthStatus.STARTING}})
    else:
        files.remove(HEALTH)


def store_error(directory: str, error: str) -> None:
    """Why a run could not begin: the last request stays."""
    files = ContainerDirectory(directory)
    if files.load_if_there(RECORD) is not None:
        files.store(START, {**files.load_sound(START), "error": error})


def store_stop(directory: str, started_at: float) -> None:
    ContainerDirectory(directory).store(STOP, {"started_at": started_at})


def store_hooks(directory: str, done: int) -> None:
    ContainerDirectory(directory).store(HOOKS, {"done": done})


def store_pause(directory: str, started_at: float) -> None:
    ContainerDirectory(directory).store(PAUSE, {"started_at": started_at})


def store_health(directory: str, health: Health, probed: Probed | None) -> None:
    """For the current run, with its last probes; does nothing if there is none."""
    seen = state(directory)
    if seen.status is Status.RUNNING:
        files = ContainerDirectory(directory)
        before = of_run(files, HEALTH, seen.started_at).get("log", ())
        log = [*before, *(() if probed is None else (encode(probed),))][-PROBES_KEPT:]
        files.store(HEALTH, {"started_at": seen.started_at, "health": encode(health), "log": log})
