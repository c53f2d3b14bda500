"""``graph``: which services of a stack depend on which, with what their containers are doing."""

from __future__ import annotations

import json
from enum import StrEnum

from orchestra.record import Record
from orchestra.stacks.containers import look_at_containers
from orchestra.stacks.stack_file import StackFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.compose import Loaded
    from orchestra.stacks.containers import ContainerRow
    from orchestra.stacks.context import Context


class Mood(StrEnum):
    """How good a service's state is."""

    GOOD = "good"
    CHANGING = "changing"
    BAD = "bad"
    DONE = "done"
    NONE = "none"


class Node(Record):
    """kind: ``service``, ``volume`` or ``network``. state: in words, '' without containers.

    layer: 0 without dependencies, else one more than the highest layer of its dependencies.
    """

    name: str
    kind: str = "service"
    external: bool = False
    state: str = ""
    mood: Mood = Mood.NONE
    layer: int = 0

    @property
    def key(self) -> str:
        return self.name if self.kind == "service" else f"{self.kind} {self.name}"


class Edge(Record):
    """source, target: keys of nodes. condition: as in ``depends_on``; '' for the use of a volume or network."""

    source: str
    target: str
    condition: str = ""
    required: bool = True


class Graph(Record):
    """nodes: by layer and key; edges: by source and target."""

    stack: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def graph(context: Context, *, volumes: bool = False, networks: bool = False) -> Graph:
    """The graph of the active services. volumes, networks: include named ones. Raises the errors of a load."""
    from orchestra.graph import ranks

    known = json.loads(StackFile(context).render("graph", (), _render))
    edges = [Edge(*row) for row in known["dependencies"]]
    nodes = {name: Node(name) for name in known["services"]}
    for kind in ("volume",) * volumes + ("network",) * networks:
        for service, name, external in known[kind]:
            node = Node(name, kind, external)
            nodes[node.key] = node
            edges.append(Edge(service, node.key))
    targets: dict[str, list[str]] = {key: [] for key in nodes}
    for edge in edges:
        targets[edge.source].append(edge.target)
    layers = ranks(targets)
    rows = look_at_containers(context, known["stack"], tell_restarts=True)
    placed = (_with_state(node, rows, layers[key]) for key, node in nodes.items())
    return Graph(
        known["stack"],
        tuple(sorted(placed, key=lambda node: (node.layer, node.key))),
        tuple(sorted(edges, key=lambda edge: (edge.source, edge.target))),
    )


def _render(loaded: Loaded) -> str:
    services = loaded.stack.services
    dependencies = [
        (name, other, str(edge.condition), edge.required)
        for name, service in services.items()
        for other, edge in (service.depends_on or {}).items()
        if other in services
    ]
    return json.dumps(
        {
            "stack": loaded.desired.stack,
            "services": sorted(services),
            "dependencies": dependencies,
            "volume": _used_volumes(loaded),
            "network": _used_networks(loaded),
        }
    )


def _used_volumes(loaded: Loaded) -> list[tuple[str, str, bool]]:
    from orchestra.model.mount import VolumeMount

    known = {str(spec.name): spec for spec in loaded.desired.volumes}
    return sorted(
        {
            (str(container.service), known[mount.name].key, known[mount.name].external)
            for container in loaded.desired.containers
            for mount in container.mounts
            if isinstance(mount, VolumeMount) and mount.name in known
        }
    )


def _used_networks(loaded: Loaded) -> list[tuple[str, str, bool]]:
    known = {str(spec.name): spec for spec in loaded.desired.networks}
    return sorted(
        {
            (str(container.service), known[endpoint.network].key, known[endpoint.network].external)
            for container in loaded.desired.containers
            for endpoint in container.endpoints
            if endpoint.network in known
        }
    )


def _with_state(node: Node, rows: Sequence[ContainerRow], layer: int) -> Node:
    """The worst state of its containers, with the number of containers in it if they differ."""
    own = [describe_one(row) for row in rows if node.kind == "service" and row.service == node.name]
    if not own:
        return Node(node.name, node.kind, node.external, layer=layer)
    mood, state = min(own, key=lambda each: (WORST_FIRST.index(each[0]), each[1]))
    if len(set(own)) > 1:
        state = f"{own.count((mood, state))} of {len(own)} {state}"
    elif len(own) > 1:
        state = f"{len(own)} {state}"
    return Node(node.name, node.kind, node.external, state, mood, layer)


WORST_FIRST = (Mood.BAD, Mood.CHANGING, Mood.NONE, Mood.GOOD, Mood.DONE)


def describe_one(row: ContainerRow) -> tuple[Mood, str]:
    match row.state, str(row.health.status):
        case "running", "none":
            return Mood.GOOD, "running"
        case "running", "healthy":
            return Mood.GOOD, "healthy"
        case "running", "unhealthy":
            return Mood.BAD, "unhealthy"
        case "running", _:
            return Mood.CHANGING, "starting"
        case "exited", _:
            code = "?" if row.exit_code is None else row.exit_code
            return (Mood.DONE if row.exit_code == 0 else Mood.BAD), f"exited ({code})"
        case _:
            return (Mood.BAD if row.error else Mood.CHANGING), row.state
