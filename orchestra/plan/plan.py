"""The planner: which actions may begin now, which are blocked and why, and when to plan again.

A plan has preconditions, not edges: every action in ``ready`` may begin at once and in any order, and order emerges
from planning again after each change. There is at most one action per resource, and none on a resource in flight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.desired import NetworkSpec
from orchestra.model.resource import ResourceId
from orchestra.plan.action import CreateNetwork
from orchestra.plan.connection import next_connection
from orchestra.plan.container import plan_container, plan_one_off
from orchestra.plan.earlier import is_to_be_checked
from orchestra.plan.images import plan_image
from orchestra.plan.networks import differs, holds_network, plan_network, plan_network_removal, users_of
from orchestra.plan.removal import find_departures, plan_departures
from orchestra.plan.rolling import failed_updates, failure_of_update, updated_services
from orchestra.plan.situation import Situation
from orchestra.plan.verdict import Blocked, Failed
from orchestra.plan.volumes import plan_volume, plan_volume_removal
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.model.desired import Desired
    from orchestra.model.names import ServiceName
    from orchestra.model.observed import Observed
    from orchestra.plan.action import Action
    from orchestra.plan.rolling import FailedUpdate
    from orchestra.plan.situation import Layout

__all__ = ["Blocked", "Failed", "Plan", "plan"]


class Plan(Record):
    """wake_at: when to plan again even if nothing happens (Unix seconds).

    converged: nothing to do, nothing in flight, and nothing that time or running containers could still change;
    resources in ``failed`` stay as they are. hopeless: resources that have failed or wait for one that has.
    updated, failing: services whose update has succeeded, or failed, and for which that has yet to be written down.
    """

    ready: tuple[Action, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    wake_at: float | None = None
    converged: bool = False
    failed: tuple[Failed, ...] = ()
    hopeless: frozenset[ResourceId] = frozenset()
    updated: tuple[ServiceName, ...] = ()
    failing: tuple[FailedUpdate, ...] = ()


def plan(
    desired: Desired,
    observed: Observed,
    in_flight: Mapping[ResourceId, Action],
    now: float,
    layout: Layout | None = None,
) -> Plan:
    """Make a plan. in_flight: the actions under way, by resource. now: Unix seconds. layout: that of ``desired``, which
    a caller who makes many plans for it keeps.
    """
    situation = Situation(desired, observed, in_flight, now, layout)
    situation.changed_networks = _changed_networks(situation)
    situation.leaving = find_departures(situation)
    for service in desired.failing:
        situation.add(failure_of_update(situation, service))
    for image in desired.images:
        situation.add(plan_image(situation, image))
    for volume in desired.volumes:
        situation.add(plan_volume(situation, volume))
    for network in desired.networks:
        situation.add(plan_network(situation, network))
    _repair_others(situation)
    for replicas in (*situation.replicas.values(), *situation.stand_ins.values()):
        for spec in replicas:
            situation.add(plan_container(situation, spec))
    for spec in situation.one_offs:
        situation.add(plan_one_off(situation, spec))
    _connect_init_containers(situation)
    for departure in plan_departures(situation):
        situation.add(departure)
    _plan_leftovers(situation)
    wake_at = min((b.until for b in situation.blocked if b.until is not None), default=None)
    is_waiting = situation.is_waiting()
    still = not (situation.ready or in_flight or is_waiting)
    return Plan(
        ready=tuple(situation.ready),
        blocked=tuple(situation.blocked),
        wake_at=wake_at,
        converged=still and wake_at is None,
        failed=tuple(situation.failed),
        hopeless=frozenset(situation.hopeless),
        updated=tuple(updated_services(situation)) if situation.updating else (),
        failing=tuple(failed_updates(situation)) if situation.updating else (),
    )


def _changed_networks(situation: Situation) -> frozenset[str]:
    """Networks to recreate now: their definition changed, every image of their containers is ready, and each
    container that has a new definition itself was checked.

    A network that an orphan or the container of a one-off command holds on to cannot be replaced, so nothing is stopped
    for it.
    """
    observed = situation.observed
    changed = {
        spec.name
        for spec in situation.desired.networks
        if spec.name in observed.networks and differs(spec, observed.networks[spec.name])
    }
    if not changed:
        return frozenset()
    differing = frozenset(changed)
    for spec in situation.of_services:
        own = differing.intersection(endpoint.network for endpoint in spec.endpoints)
        if own and is_to_be_checked(situation, spec):
            situation.to_check.add(spec.name)
        if not observed.images.keys() >= set(spec.image_keys) or spec.name in situation.to_check:
            changed -= own
    for name, container in observed.containers.items():
        wanted = situation.specs.get(name)
        if container.one_off:
            stays = holds_network(container)
        elif wanted is None:
            stays = container.service not in situation.declared and not situation.request.remove_orphans
            stays = stays or container.service in situation.disabled
        else:
            stays = situation.is_never_replaced(wanted, container)
        if stays:
            changed -= set(container.networks)
    return frozenset(changed)


def _connect_init_containers(situation: Situation) -> None:
    """Those that have run share the networks of their service, too, so that it can give one up."""
    if not situation.init_containers:
        return
    taken = {verdict.resource for verdict in (*situation.ready, *situation.blocked, *situation.failed)}
    taken.update(situation.in_flight, map(ResourceId.container, situation.leaving))
    for name, init in situation.init_containers.items():
        seen = situation.observed.containers.get(name)
        if seen is None or ResourceId.container(name) in taken or seen.config_hash != init.config_hash:
            continue
        if not situation.wish(init.service).rests:
            situation.add(next_connection(situation, init, seen))


def _repair_others(situation: Situation) -> None:
    """Restore networks in use that the file does not name: a container was connected by hand, or is an orphan."""
    damaged = [seen for seen in situation.observed.networks.values() if seen.loss]
    if not damaged or situation.going_down:
        return
    declared = {spec.name for spec in situation.desired.networks}
    for seen in damaged:
        goes = situation.request.remove_orphans and not seen.external and not users_of(situation, seen.name)
        if seen.name not in declared and not goes and ResourceId.network(seen.name) not in situation.in_flight:
            spec = NetworkSpec(seen.name, seen.name, seen.config_hash, seen.external)
            situation.add(CreateNetwork(spec, seen.loss))


def _plan_leftovers(situation: Situation) -> None:
    """Remove networks and volumes that are no longer needed: last, when nothing uses them."""
    desired, observed = situation.desired, situation.observed
    if situation.going_down or situation.request.remove_orphans:
        declared = {spec.name for spec in desired.networks}
        for network in observed.networks.values():
            if network.name not in declared:
                situation.add(plan_network_removal(situation, network))
    for volume in observed.volumes.values():
        situation.add(plan_volume_removal(situation, volume))
