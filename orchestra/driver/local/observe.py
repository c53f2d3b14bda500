"""Containers as they are, told by their directories alone: no supervisor is asked. Light to import: ``ps`` does."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestra.driver.local.record import load_health, load_record, load_start, was_stopped
from orchestra.shim.client import Status, state
from orchestra.shim.directory import ContainerDirectory
from orchestra.state.observed import Container, Created, Exited, Running

if TYPE_CHECKING:
    from typing import Any

    from orchestra.home import StackHome
    from orchestra.shim.client import State

ANY = "0.0.0.0"


def observe_containers(stack_home: StackHome) -> dict[str, Container]:
    """Every container of the stack, keyed by name and in its order."""
    try:
        names = sorted(os.listdir(stack_home.containers))
    except FileNotFoundError:
        return {}
    seen = ((name, observe_container(stack_home.container(name))) for name in names)
    return {name: container for name, container in seen if container is not None}


def observe_container(directory: str) -> Container | None:
    """The container of this directory; None when there is none."""
    record = load_record(directory)
    if record is None:
        return None
    restarts, backoff = load_start(directory)
    attachment = ContainerDirectory(directory).load_if_there("network.json") or {}
    return replace(
        record.container,
        status=_status(directory, state(directory)),
        restarts=restarts,
        backoff=backoff,
        addresses={row["network"]: row["address"] for row in attachment.get("interfaces", ())},
        ports=tuple(map(_port, attachment.get("ports", ()))),
    )


def _status(directory: str, seen: State) -> Created | Running | Exited:
    if seen.status is Status.RUNNING:
        return Running(seen.pid, seen.started_at, load_health(directory, seen.started_at))
    if seen.status is not Status.STOPPED:
        return Created()
    stopped = was_stopped(directory, seen.started_at)
    if seen.exit is None:
        return Exited(None, seen.started_at, seen.started_at, stopped=stopped)
    return Exited(seen.exit.exit_code, seen.started_at, seen.exit.finished_at, seen.exit.oom_killed, stopped)


def _port(port: dict[str, Any]) -> str:
    return f"{port.get('host_ip') or ANY}:{port['published']}->{port['target']}/{port.get('protocol', 'tcp')}"
