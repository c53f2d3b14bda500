"""The world after a successful action: the model for previews, the fake driver and real drivers."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from orchestra.model.names import VolumeName
from orchestra.model.observed import Check, Container, Created, Exited, Image, Network, Running, Volume
from orchestra.plan.action import (
    CheckContainer,
    ConnectContainer,
    CreateContainer,
    CreateNetwork,
    CreateVolume,
    DisconnectContainer,
    DrainContainer,
    PullImage,
    RemoveContainer,
    RemoveNetwork,
    RemoveVolume,
    RunHooks,
    StartContainer,
    StopContainer,
)
from orchestra.plan.health import effective_healthcheck
from orchestra.plan.volumes import named_volumes
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestra.model.container import ContainerSpec, Endpoint
    from orchestra.model.names import ContainerName
    from orchestra.model.observed import Observed
    from orchestra.plan.action import Action

KILLED = 137
"""How a program reacts to its stop signal is unknown; this only says that it was ended."""


def predict(observed: Observed, action: Action, now: float) -> Observed:
    """The world after ``action`` has succeeded at ``now``.

    Values that cannot be known beforehand stay empty: ids, addresses, pids (0), and digests of images never seen.
    """
    return predict_all(observed, (action,), now)


def predict_all(observed: Observed, actions: Iterable[Action], now: float) -> Observed:
    """The world after all of these have succeeded at ``now``."""
    containers, networks = dict(observed.containers), dict(observed.networks)
    volumes, images = dict(observed.volumes), dict(observed.images)
    checked = dict(observed.checked)
    for action in actions:
        match action:
            case PullImage(image=image):
                seen = images.get(image.key, Image(image.key, ""))
                images[image.key] = replace(seen, pulled_at=now)
            case CreateNetwork(spec=network):
                networks[network.name] = Network(network.name, network.config_hash, network.external)
            case RemoveNetwork(name=name):
                networks.pop(name, None)
            case CreateVolume(spec=volume):
                volumes.setdefault(volume.name, Volume(volume.name, volume.config_hash))
            case RemoveVolume(name=name):
                volumes.pop(name, None)
            case CheckContainer(spec=spec, image_digest=digest):
                checked[spec.name] = Check(spec.config_hash, digest, now)
            case CreateContainer(spec=spec, image_digest=digest):
                origin = replace(images.get(spec.image_key, Image(spec.image_key, "")), digest=digest)
                if spec.name not in containers or not containers[spec.name].config_hash:
                    mounted = {key: images[key].digest for key in spec.mounted_image_keys if key in images}
                    containers[spec.name] = created(spec, origin, now, mounted, _made_with(spec, containers))
            case StartContainer(name=name) | RunHooks(name=name) | StopContainer(name=name):
                if name in containers:
                    containers[name] = _after(containers[name], action, now)
            case ConnectContainer(name=name, endpoint=endpoint):
                if name in containers:
                    containers[name] = _connected(containers[name], endpoint)
            case DisconnectContainer(name=name, network=left):
                if name in containers:
                    containers[name] = _disconnected(containers[name], left)
            case DrainContainer(name=name):
                if name in containers:
                    containers[name] = replace(containers[name], drained_at=containers[name].drained_at or now)
            case RemoveContainer(name=name):
                containers.pop(name, None)
            case _:
                assert_never(action)
    return replace(observed, containers=containers, networks=networks, volumes=volumes, images=images, checked=checked)


def with_container(observed: Observed, name: str, container: Container | None) -> Observed:
    """A copy of the world with this container, or without it."""
    containers = dict(observed.containers)
    if container is not None:
        containers[name] = container
    else:
        containers.pop(name, None)
    return replace(observed, containers=containers)


def created(
    spec: ContainerSpec,
    image: Image,
    now: float,
    mounted_images: Mapping[str, str],
    made_with: Mapping[ContainerName, str],
) -> Container:
    """The container that ``create`` makes from a specification and images."""
    return Container(
        name=spec.name,
        service=spec.service,
        index=spec.index,
        id="",
        config_hash=spec.config_hash,
        image=spec.image,
        image_digest=image.digest,
        status=Created(),
        created_at=now,
        command=(spec.entrypoint or ()) + (spec.command or ()),
        exposed=tuple(dict.fromkeys(spec.expose)),
        networks=tuple(endpoint.network for endpoint in spec.endpoints),
        endpoints={endpoint.network: endpoint.config_hash for endpoint in spec.endpoints},
        volumes=tuple(VolumeName(name) for name in named_volumes(spec)),
        depends_on=tuple(dependency.service for dependency in spec.depends_on),
        stop_signal=spec.stop_signal,
        stop_grace_period=spec.stop_grace_period,
        healthcheck=effective_healthcheck(spec, image.healthcheck),
        mounted_images=mounted_images,
        one_off=spec.one_off is not None or bool(spec.initializes),
        initializes=spec.initializes,
        post_start=spec.post_start,
        pre_stop=spec.pre_stop,
        stand_in=spec.stand_in,
        made_with=made_with,
    )


def _made_with(spec: ContainerSpec, containers: Mapping[str, Container]) -> dict[ContainerName, str]:
    if not (spec.initializes or spec.lenders):
        return {}
    firsts = (each for each in containers.values() if each.service in spec.lenders and each.index == 1)
    owners = [each for each in firsts if not each.stand_in]
    owners += [containers[spec.initializes]] if spec.initializes in containers else []
    return {owner.name: owner.id for owner in owners}


def _connected(container: Container, endpoint: Endpoint) -> Container:
    return replace(
        container,
        networks=tuple(dict.fromkeys((*container.networks, endpoint.network))),
        endpoints={**container.endpoints, endpoint.network: endpoint.config_hash},
        left={network: at for network, at in container.left.items() if network != endpoint.network},
    )


def _disconnected(container: Container, network: str) -> Container:
    return replace(
        container,
        networks=tuple(name for name in container.networks if name != network),
        endpoints={name: digest for name, digest in container.endpoints.items() if name != network},
    )


def _after(container: Container, action: StartContainer | RunHooks | StopContainer, now: float) -> Container:
    status = container.status
    match action:
        case StartContainer(restarts=restarts, backoff=backoff, runs_with=runs_with) if not isinstance(status, Running):
            container = replace(container, restarts=restarts, backoff=backoff, runs_with=runs_with)
            return replace(container, status=Running(0, now), hooks_done=container.hooks_done if restarts else 0)
        case RunHooks(hooks=hooks) if isinstance(status, Running):
            return replace(container, hooks_done=len(hooks))
        case StopContainer() if isinstance(status, Running):
            return replace(container, status=Exited(KILLED, status.started_at, now, stopped=True))
        case _:
            return container
