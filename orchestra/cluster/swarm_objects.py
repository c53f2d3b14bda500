"""The objects of a stack in a Swarm: how they are found, and taken away."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from orchestra.cluster.change import PAUSE, Effect
from orchestra.cluster.kinds import Key
from orchestra.cluster.tasks import NAMESPACE
from orchestra.errors import FatalError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from orchestra.cluster.kinds import Object
    from orchestra.cluster.manager import Manager


def of_stack(manager: Manager, stack: str) -> dict[str, dict[str, Object]]:
    """All objects of a stack, by kind and name, in the order in which they are removed."""
    found = {}
    for kind in ("services", "secrets", "configs", "networks"):
        items = manager.get(f"/{kind}", filters={"label": [f"{NAMESPACE}={stack}"]}) or ()
        found[kind] = {(item.get("Spec") or item)["Name"]: item for item in items}
    return found


def identity_of(item: Object) -> str:
    return str(item.get("ID") or item.get("Id"))


def key_of(kind: str, name: str) -> Key:
    return Key(kind.removesuffix("s"), name)


def take_away(
    manager: Manager,
    stack: str,
    items: Mapping[str, Mapping[str, Object]],
    tell: Callable[[str, str], object],
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], object] = time.sleep,
    seconds: float = 60.0,
) -> None:
    """And wait until the containers of its services are gone. Raises FatalError for what is left after that time, and
    the time that the services have to stop.

    A node that is down removes its containers when it comes back: that is told instead of waited for.
    """
    left = [(kind, name, identity_of(item)) for kind, those in items.items() for name, item in those.items()]
    services, named = items.get("services", {}), {"label": [f"{NAMESPACE}={stack}"]}
    found = manager.get("/services", filters=named) if services else ()
    ending = [item for item in found if item["Spec"]["Name"] in services]
    removed = {item["ID"] for item in ending}
    seconds += max(map(_grace, ending), default=0.0)
    deadline = clock() + seconds
    while left:
        kept = []
        for kind, name, identity in left:
            path = f"/{kind}/{identity}"
            # A network is there until each node has taken it down: until then another cannot have its name.
            if manager.delete(path) and not (kind == "networks" and manager.exists(path)):
                tell(str(key_of(kind, name)), Effect.REMOVED)
            else:
                kept.append((kind, name, identity))
        left = kept
        if left and clock() >= deadline:
            raise FatalError(f"{', '.join(name for _kind, name, _id in left)} still in use after {seconds:g} seconds")
        if left:
            pause(PAUSE)
    lost: set[str] = set()
    while names := _nodes_with_tasks(manager, stack, removed, lost) if removed else ():
        if clock() >= deadline:
            raise FatalError(f"containers on {', '.join(names)} still run after {seconds:g} seconds")
        pause(PAUSE)
    for name in sorted(lost):
        tell(f"node/{name}", "is down: containers on it are removed when it comes back")


def _grace(service: Object) -> float:
    """Seconds that a container has to stop."""
    return float(service["Spec"]["TaskTemplate"]["ContainerSpec"].get("StopGracePeriod") or 0) / 1e9


def _nodes_with_tasks(manager: Manager, stack: str, services: Collection[str], lost: set[str]) -> list[str]:
    """Names of nodes with containers of these services. lost: gets those that are down."""
    label = f"{NAMESPACE}={stack}"
    left = [task for task in manager.get("/tasks", filters={"label": [label]}) if task["ServiceID"] in services]
    if not left:
        return []
    nodes = {node["ID"]: node for node in manager.get("/nodes")}
    found: set[str] = set()
    for node in (nodes.get(task.get("NodeID", "")) for task in left):
        if node is not None:
            down = (node.get("Status") or {}).get("State") == "down"
            (lost if down else found).add((node.get("Description") or {}).get("Hostname") or node["ID"])
    return sorted(found)
