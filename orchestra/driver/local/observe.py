"""Containers as they are, told by their directories alone: no supervisor is asked. Light to import: ``ps`` does.

Beside the files of the shim (``orchestra.shim``) the driver keeps there, see ``record`` for their writing:

    container.json   what the container was made as; its config_hash stays empty until it is made completely
    start.json       {"restarts", "backoff"} of the current run, written before it begins
    stop.json        {"started_at"} of the run that was asked to stop, written before the first signal
    health.json      {"started_at", "health"}: what probes have shown of the run that began then
    network.json     its attachment, see ``net.attachment``
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestra.shim.directory import ContainerDirectory
from orchestra.shim.state import Status, state
from orchestra.state.observed import Container, Created, Exited, Health, HealthStatus, Running

if TYPE_CHECKING:
    from typing import Any

    from orchestra.home import StackHome
    from orchestra.shim.state import State

RECORD = "container.json"
START = "start.json"
STOP = "stop.json"
HEALTH = "health.json"
NETWORK = "network.json"

ANY = "0.0.0.0"
SEQUENCES = ("command", "networks", "volumes", "depends_on")


def observe_containers(stack_home: StackHome) -> dict[str, Container]:
    """Every container of the stack, keyed by name and in its order."""
    try:
        names = sorted(os.listdir(stack_home.containers))
    except FileNotFoundError:
        return {}
    seen = ((name, observe_container(stack_home.container(name))) for name in names)
    return {name: container for name, container in seen if container is not None}


def observe_container(directory: str) -> Container | None:
    """The container of this directory; None when there is none, or only one that began to be made or removed.

    The record is taken apart by hand: the codec, and all the types it would have to know, cost more than the rest.
    """
    files = ContainerDirectory(directory)
    record = files.load_if_there(RECORD)
    if record is None:
        return None
    attachment = files.load_if_there(NETWORK) or {}
    fields: dict[str, Any] = {
        **{key: tuple(value) if key in SEQUENCES else value for key, value in record["container"].items()},
        **(files.load_if_there(START) or {}),
        "status": _status(files, state(directory)),
        "addresses": {row["network"]: row["address"] for row in attachment.get("interfaces", ())},
        "ports": tuple(map(_port, attachment.get("ports", ()))),
    }
    return Container(**fields)


def _status(files: ContainerDirectory, seen: State) -> Created | Running | Exited:
    if seen.status is Status.RUNNING:
        return Running(seen.pid, seen.started_at, _health(files, seen.started_at))
    if seen.status is not Status.STOPPED:
        return Created()
    stopped = _of_run(files, STOP, seen.started_at) is not None
    if seen.exit is None:
        return Exited(None, seen.started_at, seen.started_at, stopped=stopped)
    return Exited(seen.exit.exit_code, seen.started_at, seen.exit.finished_at, seen.exit.oom_killed, stopped)


def _health(files: ContainerDirectory, started_at: float) -> Health:
    content = _of_run(files, HEALTH, started_at)
    if content is None:
        return Health()
    fields = content["health"]
    return Health(**{**fields, "status": HealthStatus(fields.get("status", HealthStatus.NONE))})


def _of_run(files: ContainerDirectory, name: str, started_at: float) -> dict[str, Any] | None:
    content = files.load_if_there(name)
    return content if content is not None and content["started_at"] == started_at else None


def _port(port: dict[str, Any]) -> str:
    return f"{port.get('host_ip') or ANY}:{port['published']}->{port['target']}/{port.get('protocol', 'tcp')}"
