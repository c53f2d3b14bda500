"""The whole translation to Kubernetes, from its oldest supported version to the newest."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from orchestra.translation.kubernetes.cluster import Cluster
from orchestra.translation.kubernetes.files import file_names, file_objects
from orchestra.translation.kubernetes.names import labels
from orchestra.translation.kubernetes.policies import policies
from orchestra.translation.kubernetes.ports import aliases, services
from orchestra.translation.kubernetes.reasons import REASONS
from orchestra.translation.kubernetes.storage import claim_objects
from orchestra.translation.kubernetes.workload import workload
from orchestra.translation.ledger import Given, Ledger
from orchestra.translation.reading import links
from orchestra.translation.result import Translation

if TYPE_CHECKING:
    from orchestra.translation.source import Source

_COMPLETED = "service_completed_successfully"
_APPLIED = ("profiles", "env_file", "label_file")
"""By the load itself."""
_RENAMED = "is called {} in Kubernetes, also by those that look it up"


def translate(source: Source) -> Translation:
    """Objects in the order in which they should be applied: settings and storage first, then what uses them."""
    ledger = Ledger(source.place, REASONS)
    stack = Given(source.stack, (), ledger)
    cluster = _cluster(stack, source)
    given = {
        key: service
        for key, service in stack.entries("services").items()
        if service is not None and service.peek("provider") is None
    }
    writers = _writers(given)
    awaited = {
        name
        for service in given.values()
        for name, dependency in service.entries("depends_on").items()
        if dependency and dependency.peek("condition") == _COMPLETED
    }
    workloads, reached = [], []
    taken, linked = set(cluster.names.values()), links(given)
    for key, service in given.items():
        alone = any(writers[volume] == 1 for volume in _written(service))
        if cluster.names[key] != key:
            ledger.approximate(service.path, _RENAMED.format(cluster.names[key]), "use letters, digits and hyphens")
        for attribute in _APPLIED:
            service.take(attribute)
        workloads.append(workload(key, service, cluster, writes_alone=alone, completes=key in awaited))
        reached += services(key, service, cluster, aliases(key, service, cluster, taken, linked))
    settings = [*file_objects(stack, cluster, source.contents), *claim_objects(stack, cluster, writers)]
    objects = (*settings, *policies(stack, cluster), *reached, *workloads)
    stack.take("name")
    stack.take("version")
    return Translation(objects, ledger.settle(source.stack))


def _cluster(stack: Given, source: Source) -> Cluster:
    claims = labels(stack.entries("volumes"))
    external = {
        key: volume.peek("name") or key
        for key, volume in stack.entries("volumes").items()
        if volume and volume.peek("external")
    }
    return Cluster(
        stack=source.stack.name or "",
        names=labels(stack.entries("services")),
        claims={**claims, **external},
        files=file_names(stack, source.contents),
        networks=labels(stack.entries("networks")),
    )


def _written(service: Given) -> set[str]:
    """Named volumes that a service writes to."""
    return {
        entry.peek("source")
        for entry in service.each("volumes")
        if entry.peek("type") == "volume" and entry.peek("source") and not entry.peek("read_only")
    }


def _writers(given: dict[str, Given]) -> Counter[str]:
    """By volume, how many pods have it at the same time."""
    found: Counter[str] = Counter()
    for service in given.values():
        deploy = service.below("deploy")
        number = service.peek("scale") or (deploy.peek("replicas") if deploy else None) or 1
        everywhere = deploy is not None and deploy.peek("mode") == "global"
        for volume in {entry.peek("source") for entry in service.each("volumes") if entry.peek("type") == "volume"}:
            if volume:
                found[volume] += 2 if everywhere else number
    return found
