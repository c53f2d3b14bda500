"""Everything that a service refers to must exist: networks, volumes, configs, secrets, and its dependencies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.compose.implied import all_dependencies, shared_service

if TYPE_CHECKING:
    from collections.abc import Collection

    from orchestra.compose.context import Context
    from orchestra.compose.nodes import Path
    from orchestra.compose.schema.service import Service
    from orchestra.compose.schema.stack import Stack


def check_references(service: Service, path: Path, context: Context, declared: Stack) -> None:
    """``declared``: everything that the file declares, used or not."""
    stack = context.stack
    for name in service.networks or {}:
        if name not in stack.networks:
            _undefined("network", name, (*path, "networks"), name, declared.networks, context)
    for index, mount in enumerate(service.volumes):
        if mount.type == "volume" and mount.source and mount.source not in stack.volumes:
            _undefined("volume", mount.source, (*path, "volumes"), index, declared.volumes, context)
    for attribute, known in (("configs", stack.configs), ("secrets", stack.secrets)):
        for index, entry in enumerate(getattr(service, attribute)):
            if entry.source not in known:
                place = (*path, attribute)
                _undefined(attribute[:-1], entry.source or "", place, index, getattr(declared, attribute), context)
    for index, entry in enumerate(service.build.secrets if service.build else ()):
        if entry.source not in stack.secrets:
            _undefined("secret", entry.source or "", (*path, "build", "secrets"), index, declared.secrets, context)
    for name in service.models or {}:
        if name not in stack.models:
            _undefined("model", name, (*path, "models"), name, declared.models, context)


def _undefined(noun: str, name: str, path: Path, part: str | int, known: Collection[str], context: Context) -> None:
    if context.problems.lacks(f"{noun}s", name) or context.problems.lacks("include"):
        return
    place = (*path, part)
    close = context.problems.nearest(name, known)
    hint = f"did you mean {close}?" if close else f"declare it at the top level, under {noun}s:"
    if noun == "volume" and "/" in name:
        hint = f"begin a host path with a dot, a slash or a tilde: ./{name}"
    message = f"service {path[1]} refers to the undefined {noun} {name}"
    context.problems.error("undefined", message, context.span(place, key=True), place, hint)


def check_dependencies(service: Service, path: Path, context: Context, declared: Collection[str]) -> None:
    """Every service that this one depends on must exist and be able to meet the condition."""
    services = context.stack.services
    for name, dependency in all_dependencies(service).items():
        if name not in services:
            if dependency.required and name not in context.left_out and not _is_refused(name, context):
                _missing(service, path, name, context, declared)
        elif dependency.condition == "service_healthy" and _has_no_probe(name, context):
            place = dependency_path(service, path, name)
            message = f"service {path[-1]} waits for {name} to be healthy, but {name} has no healthcheck"
            hint = f"give {name} a healthcheck, or wait for service_started"
            if dependency.required:
                context.problems.error("no-healthcheck", message, context.span(place, key=True), place, hint)
            else:
                context.problems.warn("no-healthcheck", message, context.span(place, key=True), place, hint)


def _missing(service: Service, path: Path, name: str, context: Context, declared: Collection[str]) -> None:
    if name in declared:
        what, hint = f"{name}, which no active profile enables", "activate its profile, or write required: false"
    else:
        close = context.problems.nearest(name, context.stack.services)
        what, hint = f"the undefined service {name}", f"did you mean {close}?" if close else ""
    place = dependency_path(service, path, name)
    message = f"service {path[-1]} depends on {what}"
    context.problems.error("undefined", message, context.span(place, key=True), place, hint)


def dependency_path(service: Service, path: Path, name: str) -> Path:
    """The place at which the service depends on ``name``."""
    for attribute in ("network_mode", "ipc", "pid", "uts", "cgroup"):
        if shared_service(getattr(service, attribute)) == name:
            return (*path, attribute)
    for attribute in ("links", "volumes_from"):
        for index, entry in enumerate(getattr(service, attribute)):
            if entry.partition(":")[0] == name:
                return (*path, attribute, index)
    return (*path, "depends_on", name)


def _is_refused(name: str, context: Context) -> bool:
    """Whether a missing service may have been declared at a place that was refused."""
    return context.problems.lacks("services", name) or context.problems.lacks("include")


def _has_no_probe(name: str, context: Context) -> bool:
    """Whether the service can certainly never become healthy: its image may have a healthcheck."""
    service = context.stack.services[name]
    if any(context.problems.lacks("services", name, key) for key in ("healthcheck", "extends")):
        return False
    check = service.healthcheck
    if check is not None and (check.disable or (check.test or ())[:1] == ("NONE",)):
        return True
    return not (check and check.test) and (service.image or "").startswith("rootfs:")
