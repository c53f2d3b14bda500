"""What must agree between the parts of a stack: references, cycles, limits, names. All findings at once."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from orchestra.compose.implied import all_dependencies, shared_service
from orchestra.compose.normalise import replicas
from orchestra.graph import find_cycles
from orchestra.state.desired import RestartPolicy

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from orchestra.compose.context import Context
    from orchestra.compose.nodes import Path
    from orchestra.compose.schema.network import Network
    from orchestra.compose.schema.service import Service
    from orchestra.compose.schema.stack import Stack, Volume

# What an external resource cannot have: it was made elsewhere.
_OF_OWN_NETWORKS = ("driver", "driver_opts", "labels", "internal", "attachable", "enable_ipv6")
_OF_OWN_VOLUMES = ("driver", "driver_opts", "labels")
_SERVICE_NAME = re.compile(r"[a-zA-Z0-9._-]+")
_RESTART = re.compile(r"no|always|unless-stopped|on-failure(:\d+)?")
_PULL_POLICY = re.compile(r"always|never|missing|build|daily|weekly|refresh|every_\S+")


def check(context: Context, declared: Stack, scale: Mapping[str, int]) -> None:
    """Report everything that is inconsistent to the context's problems. ``declared``: all that the file
    declares, used or not."""
    for key, service in context.stack.services.items():
        path: Path = ("services", key)
        if not _SERVICE_NAME.fullmatch(key):
            message = f"{key!r} is not a name for a service"
            hint = "use letters, digits, dots, dashes and underscores"
            context.problems.error("invalid-name", message, context.span(path, key=True), path, hint)
        _check_image(service, path, context)
        _check_single_values(service, path, context)
        _check_references(service, path, context, declared)
        _check_dependencies(service, path, context, declared.services)
        _check_limits(service, path, context)
        _check_scale(service, path, context, scale.get(key))
    _check_names(context)
    _check_cycles(context)
    _check_resources(declared, context)


def _check_image(service: Service, path: Path, context: Context) -> None:
    if not service.image and not service.build and not service.provider:
        message = f"service {path[-1]} has neither an image nor a build"
        context.problems.error("missing-key", message, context.span(path, key=True), path, "give it an image")
    if service.build and service.build.dockerfile and service.build.dockerfile_inline:
        place = (*path, "build")
        message = "dockerfile and dockerfile_inline exclude each other"
        context.problems.error("conflict", message, context.span((*place, "dockerfile_inline"), key=True), place)
    platforms = service.build.platforms if service.build else ()
    if service.platform and platforms and service.platform not in platforms:
        place = (*path, "build", "platforms")
        message = f"build.platforms does not hold the service's platform {service.platform}"
        context.problems.error("conflict", message, context.span(place), place)


def _check_single_values(service: Service, path: Path, context: Context) -> None:
    def refuse(attribute: str, message: str, hint: str = "") -> None:
        place = (*path, *attribute.split("."))
        context.problems.error("invalid-value", message, context.span(place), place, hint)

    if service.restart is not None and not _RESTART.fullmatch(service.restart):
        choices = ", ".join(RestartPolicy) + ", on-failure:N"
        refuse("restart", f"{service.restart!r} is not a restart policy", f"it is one of {choices}")
    if service.pull_policy is not None and not _PULL_POLICY.fullmatch(service.pull_policy):
        refuse("pull_policy", f"{service.pull_policy!r} is not a pull policy", "always, never, missing or build")
    test = service.healthcheck.test if service.healthcheck else None
    if test and test[0] not in ("CMD", "CMD-SHELL", "NONE"):
        refuse("healthcheck.test", "a test begins with CMD, CMD-SHELL or NONE", f'write ["CMD", "{test[0]}", …]')
    for index, watch in enumerate(service.develop.watch if service.develop else ()):
        if watch.action.startswith("sync") and not watch.target:
            place = (*path, "develop", "watch", index)
            message = f"the action {watch.action} needs a target"
            context.problems.error("missing-key", message, context.span(place), place)
    for attribute, entries in (("ports", service.ports),):
        for index, port in enumerate(entries):
            if not 0 < port.target < 65536:
                place = (*path, attribute, index)
                context.problems.error(
                    "invalid-port", f"{port.target} is not a port: it must be 1 to 65535", context.span(place), place
                )
    requests = service.deploy.resources.reservations if service.deploy else None
    for request in requests.devices if requests else ():
        if request.capabilities is None:
            refuse("deploy", "a device needs capabilities", "write capabilities: [gpu]")
    for request in (*service.gpus, *(requests.devices if requests else ())):
        if request.count not in (None, -1) and request.device_ids:
            refuse("deploy", "count and device_ids of a device exclude each other")


def _check_references(service: Service, path: Path, context: Context, declared: Stack) -> None:
    stack, problems = context.stack, context.problems
    if service.network_mode and service.networks:
        place = (*path, "network_mode")
        message = "network_mode and networks exclude each other"
        problems.error("conflict", message, context.span(place), place, "remove one of the two")
    for name in service.networks or {}:
        if name not in stack.networks:
            _undefined("network", name, (*path, "networks"), name, declared.networks, context)
    for index, mount in enumerate(service.volumes):
        if mount.type == "volume" and mount.source and mount.source not in stack.volumes:
            _undefined("volume", mount.source, (*path, "volumes"), index, declared.volumes, context)
        if not mount.target:
            place = (*path, "volumes", index)
            problems.error("missing-key", "a volume needs a target", context.span(place), place)
        if mount.tmpfs and mount.tmpfs.size is not None and mount.tmpfs.size < 0:
            place = (*path, "volumes", index, "tmpfs", "size")
            problems.error("invalid-value", "a size cannot be negative", context.span(place), place)
        if mount.type == "bind" and not mount.source:
            place = (*path, "volumes", index)
            problems.error("missing-key", "a bind mount needs a source", context.span(place), place)
    for attribute, known in (("configs", stack.configs), ("secrets", stack.secrets)):
        for index, entry in enumerate(getattr(service, attribute)):
            if entry.source not in known:
                _undefined(
                    attribute[:-1], entry.source or "", (*path, attribute), index, getattr(declared, attribute), context
                )
    for index, entry in enumerate(service.build.secrets if service.build else ()):
        if entry.source not in stack.secrets:
            _undefined("secret", entry.source or "", (*path, "build", "secrets"), index, declared.secrets, context)


def _undefined(noun: str, name: str, path: Path, part: str | int, known: Collection[str], context: Context) -> None:
    place = (*path, part)
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"declare it at the top level, under {noun}s:"
    message = f"service {path[1]} refers to the undefined {noun} {name}"
    context.problems.error("undefined", message, context.span(place, key=True), place, hint)


def _check_dependencies(service: Service, path: Path, context: Context, declared: Collection[str]) -> None:
    services = context.stack.services
    for name, dependency in all_dependencies(service).items():
        place = _dependency_path(service, path, name)
        if name not in services:
            if not dependency.required:
                continue
            off = name in declared
            close = difflib.get_close_matches(name, services, n=1)
            what = f"{name}, which no active profile enables" if off else f"the undefined service {name}"
            hint = "activate its profile, or write required: false" if off else ""
            hint = hint or (f"did you mean {close[0]}?" if close else "")
            message = f"service {path[-1]} depends on {what}"
            context.problems.error("undefined", message, context.span(place, key=True), place, hint)
        elif dependency.condition == "service_healthy" and _has_no_probe(services[name]):
            message = f"service {path[-1]} waits for {name} to be healthy, but {name} has no healthcheck"
            hint = f"give {name} a healthcheck, or wait for service_started"
            context.problems.error("no-healthcheck", message, context.span(place, key=True), place, hint)


def _dependency_path(service: Service, path: Path, name: str) -> Path:
    """Where the service says that it depends on ``name``."""
    for attribute in ("network_mode", "ipc", "pid", "uts", "cgroup"):
        if shared_service(getattr(service, attribute)) == name:
            return (*path, attribute)
    for attribute in ("links", "volumes_from"):
        for index, entry in enumerate(getattr(service, attribute)):
            if entry.partition(":")[0] == name:
                return (*path, attribute, index)
    return (*path, "depends_on", name)


def _has_no_probe(service: Service) -> bool:
    """Whether it is certain that nothing will ever call the service healthy: images may bring a healthcheck."""
    check = service.healthcheck
    if check is not None and (check.disable or (check.test or ())[:1] == ("NONE",)):
        return True
    return not (check and check.test) and (service.image or "").startswith("rootfs:")


def _check_limits(service: Service, path: Path, context: Context) -> None:
    """Limits said twice must be the same."""
    deploy = service.deploy
    limits = deploy.resources.limits if deploy else None
    reservations = deploy.resources.reservations if deploy else None
    pairs = (
        ("scale", service.scale, "replicas", deploy.replicas if deploy else None),
        ("cpus", service.cpus, "resources.limits.cpus", limits.cpus if limits else None),
        ("mem_limit", service.mem_limit, "resources.limits.memory", limits.memory if limits else None),
        ("pids_limit", service.pids_limit, "resources.limits.pids", limits.pids if limits else None),
        (
            "mem_reservation",
            service.mem_reservation,
            "resources.reservations.memory",
            reservations.memory if reservations else None,
        ),
    )
    for attribute, value, other, deployed in pairs:
        if value is not None and deployed is not None and value != deployed:
            place = (*path, attribute)
            message = f"{attribute} and deploy.{other} differ"
            context.problems.error("conflict", message, context.span(place), place, "remove one of the two")


def _check_scale(service: Service, path: Path, context: Context, asked: int | None) -> None:
    count = replicas(service, asked)
    if count < 0:
        place = (*path, "scale")
        context.problems.error("invalid-value", "a number of containers cannot be negative", context.span(place), place)
    if service.container_name and count > 1:
        place = (*path, "container_name")
        message = f"{count} containers of {path[-1]} cannot all be called {service.container_name}"
        context.problems.error("conflict", message, context.span(place), place, "remove container_name")


def _check_names(context: Context) -> None:
    owners: dict[str, str] = {}
    for key, service in context.stack.services.items():
        name = service.container_name
        if name and name in owners:
            place = ("services", key, "container_name")
            message = f"services {owners[name]} and {key} both call their container {name}"
            context.problems.error("conflict", message, context.span(place), place)
        elif name:
            owners[name] = key


def _check_cycles(context: Context) -> None:
    services = context.stack.services
    edges = {key: all_dependencies(service).keys() & services.keys() for key, service in services.items()}
    for cycle in find_cycles(edges):
        ring = cycle[:-1]
        places = [
            _dependency_path(services[name], ("services", name), ring[(index + 1) % len(ring)])
            for index, name in enumerate(ring)
        ]
        # Told from where a reader of the file meets it first.
        first = min(range(len(ring)), key=lambda index: context.span(places[index], key=True))
        names = (*ring[first:], *ring[:first], ring[first])
        message = f"services depend on each other: {' -> '.join(names)}"
        hint = "one of them must be able to start before the others"
        context.problems.error("cycle", message, context.span(places[first], key=True), places[first], hint)


def _check_resources(stack: Stack, context: Context) -> None:
    for attribute in ("configs", "secrets"):
        for key, item in getattr(stack, attribute).items():
            sources = [name for name in ("file", "environment", "content") if getattr(item, name)]
            path: Path = (attribute, key)
            if not item.external and not item.driver and len(sources) != 1:
                problem = "needs one of" if not sources else "may have only one of"
                message = f"{attribute[:-1]} {key} {problem} file, environment and content"
                context.problems.error("conflict", message, context.span(path, key=True), path)
            elif item.external and sources:
                message = f"{attribute[:-1]} {key} is external, so it cannot have {sources[0]}"
                context.problems.error("conflict", message, context.span(path, key=True), path)
    for key, network in stack.networks.items():
        if network.external:
            _check_external("network", ("networks", key), network, _OF_OWN_NETWORKS, context)
    for key, volume in stack.volumes.items():
        if volume.external:
            _check_external("volume", ("volumes", key), volume, _OF_OWN_VOLUMES, context)


def _check_external(
    noun: str, path: Path, resource: Network | Volume, attributes: tuple[str, ...], context: Context
) -> None:
    for attribute in attributes:
        if not getattr(resource, attribute):
            continue
        place = (*path, attribute)
        message = f"{noun} {path[-1]} is external, so it cannot have {attribute}"
        context.problems.error("conflict", message, context.span(place, key=True), place)
