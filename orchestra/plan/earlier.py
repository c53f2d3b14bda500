"""Takes a container back to its earlier definition if the new one cannot be started.

``CheckContainer`` checks as much as possible beforehand, while the container runs. If the new definition is refused
then, or by the kernel after the container was removed, the earlier one holds until the next command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.desired import Earlier
from orchestra.model.observed import Created, Running, Verb
from orchestra.plan.action import CheckContainer, CreateContainer, StartContainer
from orchestra.plan.images import ready_digest
from orchestra.plan.replace import replacement_reason
from orchestra.plan.situation import GIVE_UP
from orchestra.plan.verdict import Failed
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.model.container import ContainerSpec
    from orchestra.model.desired import Desired
    from orchestra.model.observed import Container, Failure, Observed
    from orchestra.plan.action import Action
    from orchestra.plan.situation import Situation

UNCHANGED = ("missing", "never", "if_not_present", "build")
"""Pull policies under which an image that is present is not updated."""


def with_earlier(desired: Desired, before: Desired, observed: Observed) -> Desired:
    """``desired`` with the definitions of the running containers, if they are going to change.

    before: the desired state until now.
    """
    hashes = {network.name: network.config_hash for network in desired.networks}
    networks = {network.name: network for network in (*before.earlier_networks, *before.networks)}
    return replace(
        desired,
        earlier=tuple(_find_earlier(desired, before, observed)),
        earlier_networks=tuple(
            network
            for name, network in networks.items()
            if hashes.get(name, network.config_hash) != network.config_hash
        ),
    )


def _find_earlier(desired: Desired, before: Desired, observed: Observed) -> Iterator[Earlier]:
    known: dict[str, list[ContainerSpec]] = {}
    for spec in (*before.containers, *(earlier.spec for earlier in before.earlier)):
        known.setdefault(spec.name, []).append(spec)
    policies = {image.key: image.pull_policy for image in desired.images}
    for spec in desired.of_services:
        container = observed.containers.get(spec.name)
        if container is None or not isinstance(container.status, Running):
            # Another command may have just stopped it, to replace it or to take it back.
            yield from (earlier for earlier in before.earlier if earlier.spec.name == spec.name)
            continue
        image = observed.images.get(spec.image_key)
        stays = policies.get(spec.image_key) in UNCHANGED and (not image or image.digest == container.image_digest)
        if container.config_hash == spec.config_hash and stays:
            if spec.update is not None:  # an update that was paused or asked for again may still go back
                yield from (each for each in before.earlier if _leads_back(each, spec))
            continue
        for old in known.get(spec.name, ()):
            if old.config_hash == container.config_hash:
                yield Earlier(old, container.image_digest)
                break


def _leads_back(earlier: Earlier, spec: ContainerSpec) -> bool:
    return earlier.spec.name == spec.name and earlier.spec.config_hash != spec.config_hash


def is_made_from(container: Container, earlier: Earlier) -> bool:
    return (container.config_hash, container.image_digest) == (earlier.spec.config_hash, earlier.image_digest)


def is_refusal(desired: Desired, observed: Observed, action: Action, failure: Failure) -> bool:
    """Whether this failure of an action means that a container goes back to its earlier definition."""
    if failure.temporary and failure.attempts < GIVE_UP:
        return False
    if not isinstance(action, (CheckContainer, CreateContainer, StartContainer)):
        return False
    name = action.resource.name
    earlier = next((earlier for earlier in desired.earlier if earlier.spec.name == name), None)
    if earlier is None:
        return False
    match action:
        case CheckContainer(spec=spec, image_digest=digest) | CreateContainer(spec=spec, image_digest=digest):
            return (spec.config_hash, digest) != (earlier.spec.config_hash, earlier.image_digest)
        case StartContainer():
            container = observed.containers.get(name)
            never_ran = container is not None and isinstance(container.status, Created)
            return container is not None and never_ran and not is_made_from(container, earlier)


def is_checked(situation: Situation, spec: ContainerSpec) -> bool:
    """Whether a check since the last command found that the definition can start, with the current image."""
    seen = situation.observed.checked.get(spec.name)
    digest = ready_digest(situation, spec.image_key)
    return (
        seen is not None
        and (seen.config_hash, seen.image_digest) == (spec.config_hash, digest)
        and seen.at >= situation.replica_wish(spec).at
    )


def is_to_be_checked(situation: Situation, spec: ContainerSpec) -> bool:
    """Whether the container is running, has to be replaced, and must not be stopped for that yet."""
    container = situation.observed.containers.get(spec.name)
    return (
        container is not None
        and isinstance(container.status, Running)
        and replacement_reason(situation, spec, container) is not None
        and not is_checked(situation, spec)
    )


def find_refusal(desired: Desired, observed: Observed, spec: ContainerSpec) -> Failure | None:
    """Why the definition was refused, if it was refused since the last command."""
    failure = observed.refused.get(spec.name)
    return None if failure is None or failure.at < desired.wish_of(spec).at else failure


def refusal_of(situation: Situation, spec: ContainerSpec) -> Failed | None:
    """The refusal for a container that can go back, and what happened to that container."""
    failure = find_refusal(situation.desired, situation.observed, spec)
    if failure is None or spec.name not in situation.earlier:
        return None
    container = situation.observed.containers.get(spec.name)
    runs = container is not None and isinstance(container.status, Running)
    if failure.verb is Verb.CHECK:
        said = "the container with the earlier definition was left alone"
    elif runs:
        said = "the container was started again with its earlier definition"
    else:
        said = "the container goes back to its earlier definition"
    hint = f"{failure.hint}; {said}" if failure.hint else said
    return Failed(failure.resource, failure.error, hint, location=failure.location)


def inits_of_earlier(situation: Situation) -> dict[str, ContainerSpec]:
    """By name, the init containers of those that go back."""
    if not situation.observed.refused:
        return {}
    return {
        init.name: init
        for earlier in situation.earlier.values()
        if find_refusal(situation.desired, situation.observed, earlier.spec) is not None
        for init in earlier.spec.pre_start
    }


def go_back(desired: Desired, observed: Observed) -> Desired:
    """``desired`` with the earlier definition of each container whose new one was refused; the same if there is none.

    So the next supervisor does not try the new one again unasked. Networks that were not recreated for it stay.
    """
    earlier = {earlier.spec.name: earlier.spec for earlier in desired.earlier}
    refused = {
        spec.name: earlier[spec.name]
        for spec in desired.containers
        if spec.name in earlier
        and earlier[spec.name].config_hash != spec.config_hash
        and find_refusal(desired, observed, spec)
    }
    if not refused:
        return desired
    held = {endpoint.network for spec in refused.values() for endpoint in spec.endpoints}
    networks = {
        network.name: network
        for network in desired.earlier_networks
        if network.name in held
        and network.name in observed.networks
        and observed.networks[network.name].config_hash == network.config_hash
    }
    return replace(
        desired,
        networks=tuple(networks.get(network.name, network) for network in desired.networks),
        containers=tuple(refused.get(spec.name, spec) for spec in desired.containers),
        earlier=tuple(earlier for earlier in desired.earlier if earlier.spec.name not in refused),
    )
