"""What the driver keeps in a container's directory, beside what the shim keeps there. Light to import: ``ps`` does.

    container.json   what the container was made as; its config_hash stays empty until it is made completely
    start.json       {"restarts", "backoff"} of the current run, written before it begins
    stop.json        {"started_at"} of the run that was asked to stop, written before the first signal
    health.json      {"started_at", "health"}: what probes have shown of the run that began then
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestra.shim.directory import ContainerDirectory
from orchestra.state.codec import decode, encode
from orchestra.state.desired import Port  # noqa: TC001 - read at run time by the codec
from orchestra.state.observed import Container, Health

if TYPE_CHECKING:
    from orchestra.state.observed import Running

RECORD = "container.json"
START = "start.json"
STOP = "stop.json"
HEALTH = "health.json"


@dataclass(frozen=True, slots=True)
class Record:
    """container: as created, status and what changes from run to run left out. ports: as asked for.

    joins: kind of namespace to the container of the stack whose namespace of that kind it shares.
    """

    container: Container
    ports: tuple[Port, ...] = ()
    joins: tuple[tuple[str, str], ...] = ()


def load_record(directory: str) -> Record | None:
    """None where no container was made, or only begun to be removed."""
    content = ContainerDirectory(directory).load_if_there(RECORD)
    return None if content is None else decode(Record, content)


def store_record(directory: str, record: Record) -> None:
    ContainerDirectory(directory).store(RECORD, encode(record))


def store_start(directory: str, restarts: int, backoff: int) -> None:
    files = ContainerDirectory(directory)
    files.store(START, {"restarts": restarts, "backoff": backoff})
    files.remove(STOP, HEALTH)


def load_start(directory: str) -> tuple[int, int]:
    """How often it was restarted, and how many of those in a row came after a short run."""
    content = ContainerDirectory(directory).load_if_there(START) or {}
    return content.get("restarts", 0), content.get("backoff", 0)


def store_stop(directory: str, started_at: float) -> None:
    ContainerDirectory(directory).store(STOP, {"started_at": started_at})


def was_stopped(directory: str, started_at: float) -> bool:
    """Whether the run that began at ``started_at`` was asked to stop."""
    return _of_run(directory, STOP, started_at) is not None


def store_health(directory: str, running: Running, health: Health) -> None:
    content = {"started_at": running.started_at, "health": encode(health)}
    ContainerDirectory(directory).store(HEALTH, content)


def load_health(directory: str, started_at: float) -> Health:
    content = _of_run(directory, HEALTH, started_at)
    return Health() if content is None else decode(Health, content["health"])


def _of_run(directory: str, name: str, started_at: float) -> dict[str, Any] | None:
    content = ContainerDirectory(directory).load_if_there(name)
    return content if content is not None and content["started_at"] == started_at else None
