"""The hooks ``pre_start`` of a service: init containers, which run to their end before it starts for the first time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.compose.image_references import locate_image
from orchestra.model.container import Restart
from orchestra.model.names import ContainerName
from orchestra.record import replace

if TYPE_CHECKING:
    from orchestra.compose.context import Context
    from orchestra.compose.schema.process import Hook
    from orchestra.compose.schema.service import Service
    from orchestra.model.container import ContainerSpec, Endpoint


def init_containers(
    service: Service, replica: ContainerSpec, first: ContainerSpec, context: Context
) -> tuple[ContainerSpec, ...]:
    """Those of one replica, in their order. Without ``per_replica``, all replicas share those of the first."""
    separator = context.project.separator
    found = []
    for step, hook in enumerate(service.pre_start):
        owner = replica if hook.per_replica else first
        stem = owner.name if hook.per_replica else f"{context.stack.name}{separator}{owner.service}"
        name = ContainerName(f"{stem}{separator}pre_start{separator}{step}")
        found.append(_init_container(hook, step, owner, name, context))
    return tuple(found)


def _init_container(
    hook: Hook, step: int, owner: ContainerSpec, name: ContainerName, context: Context
) -> ContainerSpec:
    """Like its owner, except for what the hook gives, and without what only one container can have."""
    own = {key: value for key, value in (hook.environment or {}).items() if value is not None}
    labels = {key: value for key, value in owner.labels.items() if not key.endswith(".container-number")}
    return replace(
        owner,
        name=name,
        index=0,
        step=step,
        initializes=owner.name,
        image=locate_image(hook.image, context) if hook.image else owner.image,
        location=context.location(("services", owner.service, "pre_start", step)),
        command=hook.command,
        environment={**owner.environment, **own},
        working_directory=hook.working_dir or owner.working_directory,
        user=hook.user or owner.user,
        privileged=hook.privileged or owner.privileged,
        labels={**labels, "com.docker.compose.hook": "pre_start"},
        endpoints=tuple(_endpoint(each, owner, name) for each in owner.endpoints),
        ports=(),
        healthcheck=None,
        healthcheck_disabled=True,
        restart=Restart(),
        stdin_open=False,
        pre_start=(),
        post_start=(),
        pre_stop=(),
    )


def _endpoint(endpoint: Endpoint, owner: ContainerSpec, name: ContainerName) -> Endpoint:
    """No other container reaches it by a name of the service, and its addresses are kept for the service."""
    fixed = filter(None, (endpoint.ipv4_address, endpoint.ipv6_address))
    reserved = tuple(dict.fromkeys((*endpoint.reserved, *fixed)))
    return replace(endpoint, aliases=(name,), ipv4_address="", ipv6_address="", mac_address="", reserved=reserved)
