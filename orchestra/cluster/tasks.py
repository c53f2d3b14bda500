"""The tasks of a service of a Swarm, and how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.cluster.view import Pod
from orchestra.errors import UserError
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.cluster.kinds import Object
    from orchestra.cluster.manager import Manager

NAMESPACE = "com.docker.stack.namespace"
SERVICE, _TASK = "com.docker.swarm.service.name", "com.docker.swarm.task.name"
_BROKEN = frozenset({"failed", "rejected", "orphaned"})
_STOPPED = frozenset({"paused", "rollback_started", "rollback_paused", "rollback_completed"})
_WITHDRAWN = frozenset({"shutdown", "remove"})
_STARTING = frozenset({"starting", "running", "complete"})


class State(NamedTuple):
    """started: all its tasks have begun. done: all run, and are healthy where that is checked, or have completed.

    failed: why it will never be, or empty. trouble: what was wrong with its last task that broke.
    """

    started: bool
    done: bool
    completed: bool
    failed: str
    trouble: str
    text: str

    @property
    def settled(self) -> str:
        """How far it is when it is done."""
        return "completed" if self.completed else "ready"


def progress(service: Object, tasks: Sequence[Object], digest: str, label: str) -> State:
    """digest, label: of the tasks of the newest specification. A task runs only when its health check succeeds."""
    current = [
        task
        for task in tasks
        if (task["Spec"]["ContainerSpec"].get("Labels") or {}).get(label) == digest and not _is_withdrawn(task)
    ]
    states = [(task.get("Status") or {}).get("State", "") for task in _newest(current)]
    wanted = _wanted(service, current)
    running, complete = states.count("running"), states.count("complete")
    others = sorted({state for state in states if state not in ("running", "complete")})
    update = service.get("UpdateStatus") or {}
    failed = str(update.get("Message") or "its update was stopped") if update.get("State") in _STOPPED else ""
    broken = [task for task in current if (task.get("Status") or {}).get("State") in _BROKEN]
    broken.sort(key=lambda task: (task.get("Status") or {}).get("Timestamp", ""))
    trouble = _error(broken[-1]) if broken else ""
    policy = (service["Spec"]["TaskTemplate"].get("RestartPolicy") or {}).get("Condition", "any")
    if broken and policy == "none":
        failed = failed or trouble
    # What it says of an older update does not matter once all tasks are of the newest specification.
    done = running + complete >= wanted and update.get("State") != "updating"
    return State(
        started=sum(state in _STARTING for state in states) >= wanted,
        done=done,
        completed=complete >= wanted,
        failed="" if done else failed,
        trouble=trouble,
        text=f"{running + complete} of {wanted} tasks running" + (f" ({', '.join(others)})" if others else ""),
    )


def _is_withdrawn(task: Object) -> bool:
    """Whether it was to end, as on a node that is drained or down, and not by itself."""
    ended = {*_BROKEN, "complete"}
    return task.get("DesiredState") in _WITHDRAWN and (task.get("Status") or {}).get("State") not in ended


def _newest(tasks: Sequence[Object]) -> list[Object]:
    """One of each slot, or node: predecessors may be of the same specification, and still run, or have completed."""
    found: dict[object, Object] = {}
    for task in sorted(tasks, key=lambda task: task.get("CreatedAt", "")):
        found[task.get("Slot") or task.get("NodeID")] = task
    return [*found.values()]


def _wanted(service: Object, current: Sequence[Object]) -> int:
    mode = service["Spec"]["Mode"]
    if "Replicated" in mode:
        return int(mode["Replicated"].get("Replicas", 1))
    if "ReplicatedJob" in mode:
        return int(mode["ReplicatedJob"].get("TotalCompletions", 1))
    # One for each node that takes it: those that there are, once there are any.
    return max(1, len({task.get("NodeID") for task in current}))


def _error(task: Object) -> str:
    status = task["Status"]
    code = (status.get("ContainerStatus") or {}).get("ExitCode")
    return str(status.get("Err") or status.get("Message") or "") + (f" (exit code {code})" if code else "")


def tasks(manager: Manager, stack: str, services: Sequence[str] = ()) -> tuple[Pod, ...]:
    """Those that should run, by name. services: of the file, empty for all."""
    label = f"{NAMESPACE}={stack}"
    names = {item["ID"]: item["Spec"]["Name"] for item in manager.get("/services", filters={"label": [label]})}
    nodes = {item["ID"]: (item.get("Description") or {}).get("Hostname", "") for item in manager.get("/nodes")}
    found = []
    wanted = {"label": [label], "desired-state": ["running"]}
    for task in manager.get("/tasks", filters=wanted):
        name, status = names.get(task.get("ServiceID"), ""), task.get("Status") or {}
        service = name.removeprefix(f"{stack}_")
        if services and service not in services:
            continue
        state = str(status.get("State") or "")
        found.append(
            Pod(
                name=f"{name}.{task.get('Slot') or task.get('NodeID') or ''}",
                service=service,
                status=": ".join(filter(None, (state, status.get("Err")))),
                ready=int(state == "running"),
                containers=1,
                restarts=0,
                node=nodes.get(task.get("NodeID"), ""),
                started_at=str(status.get("Timestamp") or ""),
            )
        )
    return tuple(sorted(found))


def find_container(manager: Manager, stack: str, service: str, index: int | None) -> str:
    """The running container of a task on the node of this engine, which need not be a manager. Raises UserError."""
    full = f"{stack}_{service}"
    labels = [f"{NAMESPACE}={stack}", f"{SERVICE}={full}"]
    found = {item["Labels"][_TASK]: item["Id"] for item in manager.get("/containers/json", filters={"label": labels})}
    chosen = sorted(name for name in found if index is None or name.startswith(f"{full}.{index}."))
    if chosen:
        return str(found[chosen[0]])
    elsewhere: list[str] = []
    if (manager.get("/info").get("Swarm") or {}).get("ControlAvailable"):
        elsewhere = [task.node for task in tasks(manager, stack, (service,)) if task.ready]
    what = f'service "{service}"' + ("" if index is None else f", container {index},")
    if elsewhere:
        nodes = ", ".join(sorted(set(elsewhere)))
        raise UserError(
            f"{what} does not run on this node, but on {nodes}", hint="name the engine there with --manager"
        )
    raise UserError(f"{what} does not run on the node of {manager.host}", hint="see orchestra ps --driver swarm")
