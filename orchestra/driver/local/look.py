"""What containers' directories tell, as JSON values: an encoded ``orchestra.state.observed.Container`` for each.

The standard library's lightest parts only: to make even the types of ``state`` costs ``ps`` a third of its time.
Beside the files of the shim (``orchestra.shim``) the driver keeps there, see ``record`` for their writing:

    container.json   what the container was made as; its config_hash stays empty until it is made completely. Of one
                     that could not be made this is all there is, with its error
    start.json       {"restarts", "backoff"} of the current run, written before it begins; "error" if it did not begin
    stop.json        {"started_at"} of the run that was asked to stop, written before the first signal
    health.json      {"started_at", "health"}: what probes have shown of the run that began then
    network.json     its attachment, see ``net.attachment``
"""

from __future__ import annotations

import os

from orchestra.shim.directory import ContainerDirectory
from orchestra.shim.state import Status, state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.home import StackHome
    from orchestra.shim.state import State

    Encoded = dict[str, Any]

RECORD = "container.json"
START = "start.json"
STOP = "stop.json"
HEALTH = "health.json"
NETWORK = "network.json"

ANY = "0.0.0.0"


def look_at_containers(stack_home: StackHome) -> list[Encoded]:
    """Every container of the stack, in the order of names."""
    try:
        names = sorted(os.listdir(stack_home.containers))
    except FileNotFoundError:
        return []
    seen = (look_at_container(stack_home.container(name)) for name in names)
    return [container for container in seen if container is not None]


def look_at_container(directory: str) -> Encoded | None:
    """The container of this directory; None when there is none, or only one that began to be made or removed."""
    files = ContainerDirectory(directory)
    record = files.load_if_there(RECORD)
    if record is None:
        return None
    attachment = files.load_if_there(NETWORK) or {}
    return {
        **record["container"],
        **(files.load_if_there(START) or {}),
        "status": _status(files, state(directory)),
        "addresses": {row["network"]: row["address"] for row in attachment.get("interfaces", ())},
        "ports": [_port(row) for row in attachment.get("ports", ())],
    }


def _status(files: ContainerDirectory, seen: State) -> Encoded:
    if seen.status is Status.RUNNING:
        health = _of_run(files, HEALTH, seen.started_at).get("health", {})
        return {"kind": "Running", "pid": seen.pid, "started_at": seen.started_at, "health": health}
    if seen.status is not Status.STOPPED:
        return {"kind": "Created"}
    ended = seen.exit
    return {
        "kind": "Exited",
        "exit_code": ended.exit_code if ended else None,
        "started_at": seen.started_at,
        "finished_at": ended.finished_at if ended else seen.started_at,
        "oom_killed": bool(ended and ended.oom_killed),
        "stopped": bool(_of_run(files, STOP, seen.started_at)),
    }


def _of_run(files: ContainerDirectory, name: str, started_at: float) -> Encoded:
    content = files.load_if_there(name)
    return content if content is not None and content["started_at"] == started_at else {}


def _port(port: Encoded) -> str:
    return f"{port.get('host_ip') or ANY}:{port['published']}->{port['target']}/{port.get('protocol', 'tcp')}"
