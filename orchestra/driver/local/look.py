"""What containers' directories tell, as JSON values: an encoded ``orchestra.model.observed.Container`` for each.

Uses only light parts of the standard library: even making the types of ``state`` costs ``ps`` a third of its time.
Beside the files of the shim (``orchestra.shim``) the driver keeps there, see ``record`` for their writing:

    container.json   what the container was made as; its config_hash stays empty until it is made completely. Of one
                     that could not be made this is all there is, with its error
    start.json       {"restarts", "backoff", "runs_with"} of the current run, written before it begins; "error" if it
                     did not begin
    stop.json        {"started_at"} of the run that was asked to stop, written before the first signal
    hooks.json       {"done"}: how many post_start hooks have succeeded since a command last started it
    pause.json       {"started_at"} of the run that was asked to stand still, written before it does
    health.json      {"started_at", "health", "log"}: what probes of the run that began then have shown, and these
    before.json      how the last run before a reboot ended, of a container that is yet to be made whole
    network.json     its attachment, see ``net.attachment``
"""

from __future__ import annotations

import os

from orchestra.container.directory import ContainerDirectory, DamagedFile
from orchestra.linux import whole_files
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
PAUSE = "pause.json"
HOOKS = "hooks.json"
HEALTH = "health.json"
BEFORE = "before.json"
NETWORK = "network.json"

ANY = "0.0.0.0"
BUNDLE = ("config.json", "shim.json")
COUNTS = ("restarts", "backoff")
ALWAYS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("name", "service", "id", "config_hash", "image", "image_digest"), str),
    "index": int,
    "created_at": (int, float),
}
"""The fields of every container, by type. We wrote the records: this notices a file that is no longer one."""


def look_at_containers(stack_home: StackHome) -> list[Encoded]:
    """Every container of the stack, in the order of names."""
    try:
        names = sorted(os.listdir(stack_home.containers))
    except FileNotFoundError:
        return []
    seen = (look_at_container(stack_home.container(name)) for name in names)
    return [container for container in seen if container is not None]


def look_at_container(directory: str) -> Encoded | None:
    """The container of this directory; None when there is none, or only one that began to be made or removed.

    One of which a file is damaged has a ``damage`` that says so, and no config_hash: it is to be replaced. Where that
    is its record, all that is known of it is what its directory is called, and what its processes tell.
    """
    files = ContainerDirectory(directory)
    try:
        record = files.load_if_there(RECORD)
        if record is None:
            return None
        container = _checked(files, record)
    except DamagedFile as error:
        return _damaged(files, _unknown(files), error)
    try:
        return _look(files, container)
    except DamagedFile as error:
        return _damaged(files, container, error)


def _look(files: ContainerDirectory, container: Encoded) -> Encoded:
    status = _status(files, state(files.path))
    # One without a hash is replaced anyway; one that does not run may be giving up its network.
    for name in BUNDLE if container["config_hash"] else ():
        _check_whole(files, name)
    if status["kind"] == "Running":
        _check_whole(files, NETWORK)
    attachment = files.load_if_there(NETWORK)
    if attachment is not None and not attachment.get("container_id"):
        raise DamagedFile(files.file(NETWORK), "it holds no container_id")
    attachment = attachment or {}
    try:
        interfaces = attachment.get("interfaces", ())
        addresses = {row["network"]: row["address"] or row.get("ipv6_address", "") for row in interfaces}
        endpoints = {row["network"]: row.get("config_hash", "") for row in interfaces}
        ports = [_port(row) for row in attachment.get("ports", ())]
    except (LookupError, TypeError, AttributeError) as error:
        raise DamagedFile(files.file(NETWORK), f"{error!r}") from error
    if status["kind"] == "Created" and not container["config_hash"]:
        before = files.load_sound(BEFORE)
        if isinstance(before.get("finished_at"), (int, float)):
            status["before"] = before
    start = files.load_sound(START)
    # One that gives up its network still says which networks it was made for.
    connected = {"networks": list(endpoints), "endpoints": endpoints, "left": attachment.get("left", {})}
    return {
        **container,
        **(connected if attachment else {}),
        **{key: start[key] for key in COUNTS if isinstance(start.get(key), int)},
        **({"error": start["error"]} if isinstance(start.get("error"), str) else {}),
        **({"runs_with": start["runs_with"]} if isinstance(start.get("runs_with"), dict) else {}),
        **({"drained_at": attachment["drained_at"]} if attachment.get("drained_at") else {}),
        **({"hooks_done": _hooks_done(files)} if container.get("post_start") else {}),
        "status": status,
        "addresses": addresses,
        "ports": ports,
    }


def _check_whole(files: ContainerDirectory, name: str) -> None:
    """By its ends: to parse all of it would cost ``ps`` too much, and what is cut short lacks one."""
    try:
        content = whole_files.read(files.file(name))
    except FileNotFoundError:
        raise DamagedFile(files.file(name), "it is gone") from None
    if not (content.startswith(b"{") and content.endswith(b"}")):
        raise DamagedFile(files.file(name), "it is empty, or no JSON object")


def _checked(files: ContainerDirectory, record: Encoded) -> Encoded:
    """The container of a record, when it has everything that every container has."""
    container = record.get("container")
    if not isinstance(container, dict):
        raise DamagedFile(files.file(RECORD), "it holds no container")
    for key, kind in ALWAYS.items():
        if not isinstance(container.get(key), kind):
            raise DamagedFile(files.file(RECORD), f"it holds no {key}")
    return container


def _damaged(files: ContainerDirectory, container: Encoded, error: DamagedFile) -> Encoded:
    return {**container, "config_hash": "", "status": _status(files, state(files.path)), "damage": str(error)}


def _unknown(files: ContainerDirectory) -> Encoded:
    # The name is ``STACK-SERVICE-INDEX`` unless the file gives another.
    stack = os.path.basename(os.path.dirname(os.path.dirname(files.path)))
    service, _, index = files.name.removeprefix(f"{stack}-").rpartition("-")
    return {
        "name": files.name,
        "service": service if index.isdecimal() else files.name,
        "index": int(index) if index.isdecimal() else 1,
        "id": "",
        "image": "",
        "image_digest": "",
        "created_at": os.stat(files.path).st_ctime,
    }


def _status(files: ContainerDirectory, seen: State) -> Encoded:
    if seen.status is Status.RUNNING:
        health = of_run(files, HEALTH, seen.started_at).get("health")
        health = health if isinstance(health, dict) else {}
        running = {"kind": "Running", "pid": seen.pid, "started_at": seen.started_at, "health": health}
        marks = {"paused": PAUSE, "stopping": STOP}
        return {**running, **{mark: True for mark, name in marks.items() if of_run(files, name, seen.started_at)}}
    if seen.status is not Status.STOPPED:
        return {"kind": "Created"}
    ended = seen.exit
    return {
        "kind": "Exited",
        "exit_code": ended.exit_code if ended else None,
        "started_at": seen.started_at,
        "finished_at": ended.finished_at if ended else seen.started_at,
        "oom_killed": bool(ended and ended.oom_killed),
        "memory_peak": ended.memory_peak if ended else 0,
        "stopped": bool(of_run(files, STOP, seen.started_at)),
    }


def _hooks_done(files: ContainerDirectory) -> int:
    done = files.load_sound(HOOKS).get("done")
    return done if isinstance(done, int) else 0


def of_run(files: ContainerDirectory, name: str, started_at: float) -> Encoded:
    """What a file says of the run that began then; empty if it is about another one."""
    content = files.load_sound(name)
    return content if content.get("started_at") == started_at else {}


def _port(port: Encoded) -> str:
    host = port.get("host_ip") or ANY
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{port['published']}->{port['target']}/{port.get('protocol', 'tcp')}"
