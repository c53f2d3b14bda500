"""``Stack`` to ``Desired``: replicas expanded, names fixed, limits merged, images located. The last pass."""

from __future__ import annotations

import os.path
from collections import Counter
from typing import TYPE_CHECKING

from orchestra.compose.api_socket import api_access
from orchestra.compose.config_hash import config_hash, service_hash
from orchestra.compose.container import first_replica
from orchestra.compose.image_references import image_reference
from orchestra.compose.implied import all_dependencies
from orchestra.compose.init_containers import init_containers
from orchestra.compose.joining import default_bind, endpoints, fixed, networks, ports
from orchestra.compose.models import model_names, models
from orchestra.compose.mounts import Mounts, mounts
from orchestra.compose.not_applied import report
from orchestra.compose.render import dump
from orchestra.graph import ranks
from orchestra.model.codec import encode
from orchestra.model.container import Condition, ContainerSpec, Dependency
from orchestra.model.desired import Desired, ImageSpec, ProviderSpec, VolumeSpec
from orchestra.model.device_edits import DeviceEdits
from orchestra.model.mount import ImageMount
from orchestra.model.names import ContainerName, ServiceName, StackName, VolumeName, container_name
from orchestra.model.start_first import obstacle
from orchestra.model.update import Order
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from orchestra.compose.context import Context
    from orchestra.compose.schema.service import Service
    from orchestra.compose.schema.stack import FileObject


def normalise(context: Context, declared: Collection[str], scale: Mapping[str, int]) -> Desired:
    """The whole stack as it should be.

    declared: every service of the file, even inactive ones. scale: numbers of replicas from the command. The stack must
    be complete and free of cycles.
    """
    stack = context.stack
    report(context)
    related = context.related
    edges = {key: [name for name in all_dependencies(service) if name in related] for key, service in related.items()}
    order = ranks(edges)
    containers: list[ContainerSpec] = []
    mounts_of: dict[str, Mounts] = {}
    for key in sorted(stack.services, key=lambda key: order[key]):
        mounts_of[key] = mounts(key, mounts_of, context)
    for key, service in stack.services.items():
        if not service.provider and key not in context.left_out:
            count = replicas(service, scale.get(key))
            containers += _replicas(key, service, order[key], count, mounts_of[key], context)
    containers.sort(key=lambda spec: (spec.rank, spec.service, spec.index))
    used = Counter(endpoint.network for spec in containers for endpoint in spec.endpoints)
    images: dict[tuple[str, str], ImageSpec] = {}
    for spec in containers:
        place = context.location(("services", spec.service, "image"))
        images.setdefault((spec.image, spec.platform), ImageSpec(spec.image, spec.platform, spec.pull_policy, place))
    for init in (init for spec in containers for init in spec.pre_start):
        images.setdefault(
            (init.image, init.platform), ImageSpec(init.image, init.platform, init.pull_policy, init.location)
        )
    for spec in containers:
        place = context.location(("services", spec.service, "volumes"), key=True)
        for mount in spec.mounts:
            if isinstance(mount, ImageMount):
                images.setdefault((mount.image, spec.platform), ImageSpec(mount.image, spec.platform, location=place))
    return Desired(
        stack=StackName(stack.name or ""),
        project_directory=context.project.directory,
        config_files=context.project.files,
        services=tuple(ServiceName(name) for name in sorted(declared)),
        containers=tuple(containers),
        networks=networks(context, used),
        volumes=_volumes(context),
        images=tuple(images.values()),
        models=models(context),
        providers=tuple(
            ProviderSpec(ServiceName(key), service.provider.type, dict(service.provider.options or {}))
            for key, service in stack.services.items()
            if service.provider and key not in context.left_out
        ),
    )


def replicas(service: Service, asked: int | None = None) -> int:
    """How many containers a service has: from the command, ``scale``, ``deploy.replicas``, or 1."""
    if asked is not None:
        return asked
    if service.scale is not None:
        return service.scale
    if service.deploy and service.deploy.mode != "global" and service.deploy.replicas is not None:
        return service.deploy.replicas
    return 1


def _replicas(
    key: str, service: Service, rank: int, count: int, shared_mounts: Mounts, context: Context
) -> list[ContainerSpec]:
    stack = context.stack.name or ""
    digest = service_digest(key, service, context)
    dependencies = _dependencies(service, context)
    image = image_reference(key, service, context)
    first = first_replica(key, image, digest, rank, dependencies, context)
    specs: list[ContainerSpec] = []
    for index in range(1, count + 1):
        name = ContainerName(service.container_name or container_name(stack, key, index, context.project.separator))
        made = replace(
            first,
            name=name,
            index=index,
            mounts=shared_mounts,
            endpoints=endpoints(key, name, context),
            ports=ports(key, index, context),
            labels=_labels(key, service, index, digest, dependencies, context),
        )
        specs.append(replace(made, pre_start=init_containers(service, made, (specs or [made])[0], context)))
    _warn_of_order(key, specs, context)
    return specs


def _warn_of_order(key: str, specs: list[ContainerSpec], context: Context) -> None:
    """Say before anything is done that containers are stopped before their successors start, if the file asks else."""
    place = ("services", key, "deploy", "update_config", "order")
    for spec in specs[:1]:
        why = obstacle(spec, context.stack.name or "")
        if why and spec.update is not None and spec.update.order is Order.START_FIRST:
            message = f"{key} is replaced stop-first, since {why}"
            context.problems.warn("update-order", message, context.span(place), place)


def service_digest(key: str, service: Service, context: Context) -> str:
    """The hash of a service's own definition, of the names of what it uses, and of its files."""
    return service_hash(dump(service, extensions=False), _surroundings(key, service, context))


def _dependencies(service: Service, context: Context) -> tuple[Dependency, ...]:
    return tuple(
        Dependency(ServiceName(name), Condition(entry.condition), entry.restart, entry.required)
        for name, entry in sorted(all_dependencies(service).items())
        if name in context.related
    )


def _labels(
    key: str,
    service: Service,
    index: int,
    digest: str,
    dependencies: tuple[Dependency, ...],
    context: Context,
) -> dict[str, str]:
    """The user's labels, and those by which other tools recognise Compose's containers."""
    return {
        **(service.labels or {}),
        "com.docker.compose.project": context.stack.name or "",
        "com.docker.compose.service": key,
        "com.docker.compose.container-number": str(index),
        "com.docker.compose.config-hash": digest,
        "com.docker.compose.depends_on": ",".join(
            f"{item.service}:{item.condition}:{str(item.restart).lower()}" for item in dependencies
        ),
        "com.docker.compose.oneoff": "False",
        "com.docker.compose.project.working_dir": context.project.directory,
        "com.docker.compose.project.config_files": ",".join(context.project.files),
    }


def _surroundings(key: str, service: Service, context: Context) -> dict[str, object]:
    """What is not in its own definition: names on the host, CDI devices, the content of configs and secrets."""
    stack = context.stack
    contents: dict[str, str] = {}
    for attribute in ("configs", "secrets"):
        for entry in getattr(service, attribute):
            definition = getattr(stack, attribute).get(entry.source)
            if definition is not None:
                contents[f"{attribute}/{entry.source}"] = _content_digest(
                    (attribute, entry.source or ""), definition, context
                )
    volumes = {mount.source for mount in service.volumes if mount.type == "volume" and mount.source}
    edits, _ = context.device_edits(service)
    return {
        **({"devices": encode(edits)} if edits != DeviceEdits() else {}),
        **({"api": access} if (access := api_access(service)) else {}),
        **({"models": model_names(service, context)} if service.models else {}),
        "interfaces": fixed(key, context),
        "bind": default_bind(key, context) if service.ports else "",
        "volumes": {key: stack.volumes[key].name for key in sorted(volumes) if key in stack.volumes},
        "contents": contents,
    }


def _content_digest(declared: tuple[str, str], definition: FileObject, context: Context) -> str:
    """For a config or secret. The hash of a service shows that it has changed, and nothing else about it."""
    if definition.file:
        return context.reader.digest(os.path.normpath(definition.file))
    variable = definition.environment
    content = context.project.content_of(*declared, variable) if variable else definition.content
    return config_hash({"content": content})


def _volumes(context: Context) -> tuple[VolumeSpec, ...]:
    return tuple(
        VolumeSpec(
            key=key,
            name=VolumeName(volume.name or key),
            config_hash=config_hash(dump(volume, extensions=False)),
            external=volume.external,
            driver=volume.driver or "local",
            driver_options=dict(volume.driver_opts or {}),
            labels={
                "com.docker.compose.project": context.stack.name or "",
                "com.docker.compose.volume": key,
                **(volume.labels or {}),
            },
            location=context.location(("volumes", key), key=True),
        )
        for key, volume in context.stack.volumes.items()
    )
