"""Consistency between the parts of a stack: references, cycles, limits, names. All findings at once."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from orchestra.compose import sharing
from orchestra.compose.addresses import check_addresses
from orchestra.compose.api_socket import check_api_access
from orchestra.compose.control_characters import check_control_characters
from orchestra.compose.healing import check_healing
from orchestra.compose.implied import all_dependencies
from orchestra.compose.limits import check_limits
from orchestra.compose.log_drivers import check_logging
from orchestra.compose.normalise import replicas
from orchestra.compose.other_machine import check_other_machine
from orchestra.compose.references import check_dependencies, check_references, dependency_path
from orchestra.compose.resources import check_name, check_resources
from orchestra.compose.tmpfs import parse_tmpfs_options
from orchestra.graph import find_cycles
from orchestra.model.container import RestartPolicy
from orchestra.model.user_namespace import OfStack, parse_user_namespace
from orchestra.regex import regex
from orchestra.units import parse_duration, parse_port_range

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestra.compose.context import Context
    from orchestra.compose.nodes import Path
    from orchestra.compose.schema.service import Service
    from orchestra.compose.schema.stack import Stack

MAXIMUM_REPLICAS = 10_000
MAXIMUM_CONTAINERS = 50_000
_SERVICE_NAME = regex(r"[a-zA-Z0-9._-]+")
_RESTART = regex(r"no|always|unless-stopped|on-failure(:\d+)?")
_PULL_POLICY = regex(r"always|never|missing|build|daily|weekly|refresh")


def check(context: Context, declared: Stack, scale: Mapping[str, int]) -> None:
    """Report everything that is inconsistent to the context's problems.

    ``declared``: everything that the file declares, used or not.
    """
    for key, service in context.stack.services.items():
        if context.problems.has_enough_errors:
            break
        path: Path = ("services", key)
        if not _SERVICE_NAME.fullmatch(key):
            message = f"{key!r} is not a valid service name"
            hint = "use letters, digits, dots, dashes and underscores"
            context.problems.error("invalid-name", message, context.span(path, key=True), path, hint)
        _check_image(service, path, context)
        _check_single_values(service, path, context)
        _check_mounts(service, path, context)
        _check_hooks(service, path, context)
        check_other_machine(service, path, context)
        check_references(service, path, context, declared)
        check_dependencies(service, path, context, declared.services)
        _check_agreement(service, path, context)
        check_limits(service, path, context)
        check_healing(service, path, context)
        check_api_access(service, path, context)
        _check_scale(service, path, context, scale.get(key))
    _check_number(context, scale)
    _check_names(context)
    check_addresses(context, lambda key: replicas(context.stack.services[key], scale.get(key)))
    check_control_characters(context, declared)
    _check_cycles(context)
    check_resources(declared, context)


def _check_image(service: Service, path: Path, context: Context) -> None:
    if not service.image and not service.build and not service.provider and not _may_have_origin(path, context):
        message = f'service "{path[-1]}" has neither an image nor a build context specified'
        context.problems.error("missing-key", message, context.span(path, key=True), path, "set image:")
    if service.build and service.build.dockerfile and service.build.dockerfile_inline:
        place = (*path, "build")
        message = "dockerfile and dockerfile_inline cannot be combined"
        context.problems.error("conflict", message, context.span((*place, "dockerfile_inline"), key=True), place)
    platforms = service.build.platforms if service.build else ()
    if service.platform and platforms and service.platform not in platforms:
        place = (*path, "build", "platforms")
        message = f"build.platforms does not include the service's platform {service.platform}"
        context.problems.error("conflict", message, context.span(place), place)


def _check_hooks(service: Service, path: Path, context: Context) -> None:
    """An init container may run the command of its image; a hook in a container that runs has none of its own."""
    for kind in ("post_start", "pre_stop"):
        for index, hook in enumerate(getattr(service, kind)):
            if not hook.command:
                place = (*path, kind, index)
                message = f"{kind}[{index}] has no command"
                context.problems.error("missing-key", message, context.span(place), place, "set command:")


def _may_have_origin(path: Path, context: Context) -> bool:
    """Whether a service's image or build was refused, or a place that it could have come from."""
    lacks = context.problems.lacks
    return lacks("include") or any(lacks(*path, key) for key in ("image", "build", "provider", "extends"))


def _is_pull_policy(text: str) -> bool:
    if text.startswith("every_"):
        try:
            return parse_duration(text.removeprefix("every_")).seconds > 0
        except ValueError:
            return False
    return _PULL_POLICY.fullmatch(text) is not None


def _check_user_namespace(service: Service, refuse: Callable[[str, str, str], None]) -> None:
    """Privileges in a user namespace reach only what belongs to it: neither the machine nor the stack's networks."""
    try:
        wanted = parse_user_namespace(service.userns_mode or "")
    except ValueError as error:
        refuse("userns_mode", str(error), "write host, keep-id, keep-id:uid=N,gid=N, auto or auto:size=N")
        return
    if isinstance(wanted, OfStack):
        return
    mode = (service.userns_mode or "").partition(":")[0]
    if service.privileged:
        refuse("privileged", f"a container with userns_mode {mode} cannot be privileged", "remove one of them")
    if service.runtime not in (None, "", "orchestra"):
        refuse("runtime", f"userns_mode {mode} works only with the built-in runtime", "remove runtime")
    powers = {word.strip().upper().removeprefix("CAP_") for word in service.cap_add}
    if powers & {"NET_ADMIN", "ALL"}:
        message = (
            f"the capability NET_ADMIN has no effect with userns_mode {mode}: networks belong to the stack's users"
        )
        refuse("cap_add", message, "remove it, or userns_mode")


def _check_single_values(service: Service, path: Path, context: Context) -> None:
    def refuse(attribute: str, message: str, hint: str = "") -> None:
        # A dot may be in a name that is the file's own, as that of an option: it comes after a slash.
        attribute, _, own = attribute.partition("/")
        place = (*path, *attribute.split("."), *((own,) if own else ()))
        context.problems.error("invalid-value", message, context.span(place), place, hint)

    if service.restart is not None and not _RESTART.fullmatch(service.restart):
        choices = ", ".join(RestartPolicy) + ", on-failure:N"
        refuse("restart", f"{service.restart!r} is not a valid restart policy", f"use one of {choices}")
    if service.pull_policy is not None and not _is_pull_policy(service.pull_policy):
        hint = "use always, missing, never, build, daily, weekly, every_DURATION such as every_12h, or refresh"
        refuse("pull_policy", f"{service.pull_policy!r} is not a valid pull policy", hint)
    _check_user_namespace(service, refuse)
    test = service.healthcheck.test if service.healthcheck else None
    if test and test[0] not in ("CMD", "CMD-SHELL", "NONE"):
        refuse("healthcheck.test", "a test must begin with CMD, CMD-SHELL or NONE", f'write ["CMD", "{test[0]}", …]')
    for attribute in sharing.WORDS:
        try:
            sharing.sharing(attribute, service)
        except ValueError as error:
            refuse(attribute, str(error), f"write {sharing.choices(attribute)}")
    check_logging(service, refuse)
    for index, watch in enumerate(service.develop.watch if service.develop else ()):
        place: Path = (*path, "develop", "watch", index)
        if watch.action.startswith("sync") and not watch.target and not context.problems.lacks(*place, "target"):
            message = f"the action {watch.action} needs a target"
            context.problems.error("missing-key", message, context.span(place), place)
        if watch.action == "sync+exec" and not watch.exec.command and not context.problems.lacks(*place, "exec"):
            message = "the action sync+exec needs exec with a command"
            context.problems.error("missing-key", message, context.span(place), place)
    for index, port in enumerate(service.ports):
        place = (*path, "ports", index)
        if not 0 < port.target < 65536:
            message = f"{port.target} is not a valid port: it must be from 1 to 65535"
            context.problems.error("invalid-port", message, context.span(place), place)
        try:
            parse_port_range(port.published or "0")
        except ValueError as error:
            context.problems.error("invalid-port", str(error), context.span(place), place)
    requests = service.deploy.resources.reservations if service.deploy else None
    for request in requests.devices if requests else ():
        if request.capabilities is None:
            refuse("deploy", "a device needs capabilities", "write capabilities: [gpu]")
    for request in (*service.gpus, *(requests.devices if requests else ())):
        if request.count not in (None, -1) and request.device_ids:
            refuse("deploy", "count and device_ids of a device cannot be combined")


def _check_mounts(service: Service, path: Path, context: Context) -> None:
    problems = context.problems
    if service.network_mode and service.networks:
        place: Path = (*path, "network_mode")
        message = "network_mode and networks cannot be combined"
        problems.error("conflict", message, context.span(place), place, "remove one of the two")
    targets: dict[str, Path] = {}
    for index, text in enumerate(service.tmpfs):
        target, _, options = text.partition(":")
        _claim(target, (*path, "tmpfs", index), targets, context)
        for problem in parse_tmpfs_options(options).problems:
            problems.error("invalid-value", problem, context.span((*path, "tmpfs", index)), (*path, "tmpfs", index))
    for index, mount in enumerate(service.volumes):
        place = (*path, "volumes", index)
        if not mount.target and problems.lacks(*place, "target"):
            continue
        if not mount.target:
            problems.error("missing-key", "a volume needs a target", context.span(place), place)
            continue
        _claim(mount.target, place, targets, context)
        if not mount.target.startswith("/"):
            message = f"the target {mount.target} is not an absolute path"
            hint = "begin it with a slash"
            if mount.target[1:2] == ":":
                message = (
                    f"one letter before a colon is a Windows drive: {mount.target} is not volume {mount.target[0]}"
                )
                hint = f"declare {mount.target[0]} under volumes:, or give the volume a longer name"
            problems.warn("relative-target", message, context.span(place), place, hint)
        if mount.tmpfs and isinstance(mount.tmpfs.size, int) and mount.tmpfs.size < 0:
            place = (*place, "tmpfs", "size")
            problems.error("invalid-value", "a size cannot be negative", context.span(place), place)
        if mount.type in ("bind", "image") and not mount.source and not problems.lacks(*place, "source"):
            message = f"{'a bind' if mount.type == 'bind' else 'an image'} mount needs a source"
            problems.error("missing-key", message, context.span(place), place)
        if mount.bind and mount.bind.recursive == "readonly" and not mount.read_only:
            place = (*place, "bind", "recursive")
            message = "bind.recursive readonly needs read_only: true"
            problems.error("conflict", message, context.span(place), place)
        subpath = (mount.image.subpath or "") if mount.image else ""
        if ".." in subpath.split("/"):
            place = (*place, "image", "subpath")
            hint = "use a path without .."
            problems.error("invalid-value", f"{subpath} leads outside the image", context.span(place), place, hint)


def _claim(target: str, path: Path, taken: dict[str, Path], context: Context) -> None:
    """Two mounts at one place hide each other."""
    target = posixpath.normpath(target) if target else target
    if target in taken:
        other = context.span(taken[target])
        message = f"{target} is already mounted at line {other.line}"
        context.problems.error("conflict", message, context.span(path), path, "remove one of the two")
    taken.setdefault(target, path)


def _check_agreement(service: Service, path: Path, context: Context) -> None:
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
    place = (*path, "scale") if service.scale is not None else (*path, "deploy", "replicas")
    if not 0 <= count <= MAXIMUM_REPLICAS:
        message = f"{count} is not a valid number of containers: it must be from 0 to {MAXIMUM_REPLICAS}"
        context.problems.error("invalid-value", message, context.span(place), place)
    if service.container_name and count > 1:
        place = (*path, "container_name")
        message = f"{count} containers of {path[-1]} cannot all be named {service.container_name}"
        context.problems.error("conflict", message, context.span(place), place, "remove container_name")


def _check_number(context: Context, scale: Mapping[str, int]) -> None:
    counts = {key: replicas(service, scale.get(key)) for key, service in context.stack.services.items()}
    if sum(counts.values()) > MAXIMUM_CONTAINERS:
        path: Path = ("services", max(counts, key=counts.__getitem__))
        message = f"the stack has {sum(counts.values())} containers; the maximum is {MAXIMUM_CONTAINERS}"
        context.problems.error("invalid-value", message, context.span(path, key=True), path)


def _check_names(context: Context) -> None:
    owners: dict[str, str] = {}
    for key, service in context.stack.services.items():
        name = service.container_name
        check_name(("services", key, "container_name"), name, context)
        if name and name in owners:
            place = ("services", key, "container_name")
            message = f'service {key}: container name "{name}" is already in use by service {owners[name]}'
            context.problems.error("conflict", message, context.span(place), place)
        elif name:
            owners[name] = key


def _check_cycles(context: Context) -> None:
    services = context.related
    edges = {key: all_dependencies(service).keys() & services.keys() for key, service in services.items()}
    for cycle in find_cycles(edges):
        if context.problems.has_enough_errors:
            break
        ring = cycle[:-1]
        places = [
            dependency_path(services[name], ("services", name), ring[(index + 1) % len(ring)])
            for index, name in enumerate(ring)
        ]
        # Reported at the place that comes first in the file.
        first = min(range(len(ring)), key=lambda index: context.span(places[index], key=True))
        names = (*ring[first:], *ring[:first], ring[first])
        shown = names if len(names) <= 12 else (*names[:6], f"… {len(names) - 11} more …", *names[-5:])
        message = f"services depend on each other: {' -> '.join(shown)}"
        hint = "one of them must be able to start before the others"
        context.problems.error("cycle", message, context.span(places[first], key=True), places[first], hint)
