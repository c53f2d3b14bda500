"""What the world looks like after an action that succeeds: the model for previews, the fake driver, and real ones."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar, assert_never

from orchestra.plan.action import (
    CreateContainer,
    CreateNetwork,
    CreateVolume,
    PullImage,
    RemoveContainer,
    RemoveNetwork,
    RemoveVolume,
    StartContainer,
    StopContainer,
)
from orchestra.plan.volumes import named_volumes
from orchestra.state.names import VolumeName
from orchestra.state.observed import Container, Created, Exited, Image, Network, Running, Volume

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.plan.action import Action
    from orchestra.state.desired import ContainerSpec
    from orchestra.state.observed import Observed

V = TypeVar("V")

KILLED = 137
"""128 + SIGTERM is 143, but what a program makes of its stop signal is its own affair; this says only: it was ended."""


def predict(observed: Observed, action: Action, now: float) -> Observed:
    """The world after ``action`` has succeeded at ``now``.

    What cannot be known beforehand stays empty: ids, addresses, pids (0), and digests of images never seen.
    """
    match action:
        case PullImage(image=image):
            seen = observed.images.get(image.reference, Image(image.reference, ""))
            return replace(observed, images=_with(observed.images, image.reference, replace(seen, pulled_at=now)))
        case CreateNetwork(spec=network):
            made = Network(network.name, network.config_hash)
            return replace(observed, networks=_with(observed.networks, network.name, made))
        case RemoveNetwork(name=name):
            return replace(observed, networks=_without(observed.networks, name))
        case CreateVolume(spec=volume):
            if volume.name in observed.volumes:
                return observed
            new = Volume(volume.name, volume.config_hash)
            return replace(observed, volumes=_with(observed.volumes, volume.name, new))
        case RemoveVolume(name=name):
            return replace(observed, volumes=_without(observed.volumes, name))
        case CreateContainer(spec=spec, image_digest=digest):
            if spec.name in observed.containers:
                return observed
            return with_container(observed, spec.name, created(spec, digest, now))
        case StartContainer() | StopContainer() | RemoveContainer():
            container = observed.containers.get(action.name)
            if container is None:
                return observed
            return with_container(observed, action.name, _after(container, action, now))
        case _:
            assert_never(action)


def with_container(observed: Observed, name: str, container: Container | None) -> Observed:
    """The same world with this container, or without it."""
    if container is None:
        return replace(observed, containers=_without(observed.containers, name))
    return replace(observed, containers=_with(observed.containers, name, container))


def created(spec: ContainerSpec, image_digest: str, now: float) -> Container:
    """The container that ``create`` makes of a specification."""
    return Container(
        name=spec.name,
        service=spec.service,
        index=spec.index,
        id="",
        config_hash=spec.config_hash,
        image=spec.image,
        image_digest=image_digest,
        status=Created(),
        created_at=now,
        command=(spec.entrypoint or ()) + (spec.command or ()),
        networks=tuple(endpoint.network for endpoint in spec.endpoints),
        volumes=tuple(VolumeName(name) for name in named_volumes(spec)),
        depends_on=tuple(dependency.service for dependency in spec.depends_on),
        stop_signal=spec.stop_signal,
        stop_grace_period=spec.stop_grace_period,
    )


def _after(
    container: Container, action: StartContainer | StopContainer | RemoveContainer, now: float
) -> Container | None:
    status = container.status
    match action:
        case StartContainer(restarts=restarts, backoff=backoff):
            if isinstance(status, Running):
                return container
            return replace(container, status=Running(0, now), restarts=restarts, backoff=backoff)
        case StopContainer():
            if isinstance(status, Running):
                return replace(container, status=Exited(KILLED, status.started_at, now, stopped=True))
            return container
        case RemoveContainer():
            return None


def _with(items: Mapping[str, V], key: str, value: V) -> dict[str, V]:
    return {**items, key: value}


def _without(items: Mapping[str, V], key: str) -> dict[str, V]:
    return {name: value for name, value in items.items() if name != key}
