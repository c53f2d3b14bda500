"""Short words for desired stacks and observed worlds, so that tests read like tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.container import (
    Condition,
    ContainerSpec,
    Dependency,
    Endpoint,
    HealthcheckSpec,
    OneOff,
    Restart,
    RestartPolicy,
)
from orchestra.model.desired import Desired, ImageSpec, NetworkSpec, Request, VolumeSpec
from orchestra.model.mount import VolumeMount
from orchestra.record import replace

if TYPE_CHECKING:
    from orchestra.model.observed import Observed

CONDITIONS = {"": Condition.STARTED, "healthy": Condition.HEALTHY, "completed": Condition.COMPLETED}
PROBE = HealthcheckSpec(("true",), interval=10.0, retries=3)


def needs(text: str) -> tuple[Dependency, ...]:
    """``"db:healthy cache migrate:completed?"``: a trailing ``?`` is not required, ``!`` restarts with it."""
    dependencies = []
    for word in text.split():
        service, _, condition = word.rstrip("?!").partition(":")
        dependencies.append(
            Dependency(service, CONDITIONS[condition], restart=word.endswith("!"), required=not word.endswith("?"))
        )
    return tuple(dependencies)


def service(name: str, depends_on: str = "", *, replicas: int = 1, restart: str = "no", **fields):
    """The containers of one service, as a function of the stack's name and the service's rank."""
    policy, _, limit = restart.partition(":")
    healthy = fields.pop("healthy", False)
    volumes = fields.pop("volumes", ())
    networks = fields.pop("networks", ("default",))
    fields.setdefault("image", "app")
    fields.setdefault("config_hash", f"{name} v1")

    def make(stack: str, rank: int) -> list[ContainerSpec]:
        return [
            ContainerSpec(
                name=f"{stack}-{name}-{index}",
                service=name,
                index=index,
                rank=rank,
                depends_on=needs(depends_on),
                restart=Restart(RestartPolicy(policy), int(limit) if limit else None),
                healthcheck=PROBE if healthy is True else healthy or None,
                mounts=tuple(VolumeMount(f"/{v}", f"{stack}_{v}") for v in volumes),
                endpoints=tuple(Endpoint(f"{stack}_{network}") for network in networks),
                **fields,
            )
            for index in range(1, replicas + 1)
        ]

    make.service = name
    make.needs = [dependency.service for dependency in needs(depends_on)]
    return make


def stack(*services, at: float = 100.0, name: str = "s", **request) -> Desired:
    """A whole stack; networks, volumes and images follow from the containers."""
    edges = {make.service: make.needs for make in services}

    def rank(service_name: str) -> int:
        return 1 + max((rank(needed) for needed in edges.get(service_name, ())), default=-1)

    containers = tuple(spec for make in services for spec in make(name, rank(make.service)))
    networks = sorted({endpoint.network for spec in containers for endpoint in spec.endpoints})
    volumes = sorted({mount.name for spec in containers for mount in spec.mounts})
    images = sorted({(spec.image, spec.platform) for spec in containers})
    return Desired(
        stack=name,
        services=tuple(edges),
        containers=containers,
        networks=tuple(NetworkSpec(n.partition("_")[2], n, "net v1") for n in networks),
        volumes=tuple(VolumeSpec(v.partition("_")[2], v) for v in volumes),
        images=tuple(ImageSpec(*image) for image in images),
        request=Request(at=at, **request),
    )


def with_run(desired: Desired, service: str, *, name: str = "", at: float = 100.0, **fields) -> Desired:
    """The same stack with the container of a one-off command of a service. fields: of ``OneOff``."""
    template = next(spec for spec in desired.containers if spec.service == service)
    name = name or f"{desired.stack}-{service}-run"
    one_off = OneOff(fields.pop("id", name), at, **fields)
    spec = replace(template, name=name, index=0, restart=Restart(), one_off=one_off, pre_start=())
    return replace(desired, containers=(*desired.containers, spec))


def going_down(desired: Desired, at: float = 1000.0, **request) -> Desired:
    return Desired(desired.stack, services=desired.services, request=Request(at=at, **request))


def asked(desired: Desired, at: float, **request) -> Desired:
    """The same stack, asked for again."""
    return replace(desired, request=Request(at=at, **request), wishes={})


def wished(desired: Desired, *services: str, **fields) -> Desired:
    """The same stack with something further asked of these services. fields: of ``Wish``."""
    wishes = {service: replace(desired.wish(service), **fields) for service in services}
    return replace(desired, wishes={**desired.wishes, **wishes})


def changed(observed: Observed, name: str, **fields) -> Observed:
    """The same world with one container changed."""
    container = replace(observed.containers[name], **fields)
    return replace(observed, containers={**observed.containers, name: container})
