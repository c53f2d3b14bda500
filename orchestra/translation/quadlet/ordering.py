"""When containers start, what they wait for, and when they are started again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.named_tuple import NamedTuple
from orchestra.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.translation.ledger import Given
    from orchestra.translation.quadlet.names import Names
    from orchestra.translation.quadlet.unit import Lines

JOBS = frozenset({"replicated-job", "global-job"})
_HEALTHY, _COMPLETED = "service_healthy", "service_completed_successfully"
_CONDITIONS = {"": "no", "no": "no", "none": "no", "any": "always", "always": "always", "unless-stopped": "always"}
_STOPS = "systemd also stops a unit when it stops one that it needs"
_PATIENCE = "900"
"""Seconds that a start may take, with the pull of the image; podman-systemd.unit(5)."""


class Awaited(NamedTuple):
    """Services whose health, or whose end, others wait for. Of the third others only wait for the start."""

    healthy: frozenset[str]
    completed: frozenset[str]
    started: frozenset[str]


def awaited_services(given: Mapping[str, Given]) -> Awaited:
    found: dict[str, set[str]] = {}
    for service in given.values():
        for name, dependency in service.entries("depends_on").items():
            if dependency is not None:
                found.setdefault(dependency.peek("condition"), set()).add(name)
    return Awaited(*(frozenset(found.get(key, ())) for key in (_HEALTHY, _COMPLETED, "service_started")))


def add_order(
    key: str, service: Given, names: Names, awaited: Awaited, unit: Lines, box: Lines, process: Lines
) -> None:
    for name, dependency in service.entries("depends_on").items():
        path = (*service.path, "depends_on", name)
        if dependency is None or name not in names.numbers:
            service.ledger.use(path)
            continue
        condition, required = dependency.take("condition"), dependency.take("required")
        needs = "Requires" if required else "Wants"
        if required and not dependency.take("restart"):
            service.ledger.approximate(path, _STOPS)
        if condition == "service_started" and name in awaited.healthy:
            dependency.approximate("condition", "the unit has started when it is healthy, which others wait for")
        for other in names.units(name):
            add_need(other, unit, needs)
    mode = deploy.peek("mode") if (deploy := service.below("deploy")) else None
    if key in awaited.completed or mode in JOBS:
        process.add("Type", "oneshot")
        process.add("RemainAfterExit", "yes")
        return
    if key in awaited.healthy:
        box.add("Notify", "healthy")
    process.add("TimeoutStartSec", _PATIENCE)


def add_need(other: str, unit: Lines, kind: str = "Requires") -> None:
    """other: a unit that has to be there first."""
    for key in (kind, "After"):
        if f"{other}.service" not in unit.found.get(key, ()):
            unit.add(key, f"{other}.service")


def add_restart(service: Given, unit: Lines, process: Lines) -> None:
    deploy = service.below("deploy")
    policy = deploy.below("restart_policy") if deploy else None
    name, _, number = (service.take("restart") or "").partition(":")
    attempts = int(number) if number else None
    owner, window = service, None
    if policy:
        owner, attempts, window = policy, policy.take("max_attempts"), policy.take("window")
        name = policy.take("condition") or "any"
        if (delay := policy.take("delay")) is not None:
            process.add("RestartSec", f"{delay // 1_000_000}ms")
    kind = _CONDITIONS.get(name, name)
    if process.found.get("Type") == ["oneshot"] and kind == "always":
        kind = "on-failure"  # systemd takes no other for a unit that ends
    if kind != "no":
        process.add("Restart", kind)
        if attempts is None:
            unit.add("StartLimitIntervalSec", "0")  # there is no end to it
        else:
            unit.add("StartLimitBurst", str(attempts + 1))
            unit.add("StartLimitIntervalSec", format_duration(window) if window else "infinity")
            owner.ledger.approximate(
                (*owner.path, "max_attempts" if policy else "restart"), "systemd also counts starts that were asked for"
            )
