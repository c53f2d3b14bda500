"""Filling in what the file leaves out: names on the host, the default network, implied dependencies, variables.

A ``Stack`` in, a ``Stack`` out; what ``config`` prints is the result.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any, TypeVar

from orchestra.compose.dotenv import DotenvError, parse_dotenv, parse_raw
from orchestra.compose.drives import with_named_drives
from orchestra.compose.environment import decode_text, warn_of_unset
from orchestra.compose.implied import all_dependencies
from orchestra.compose.nodes import Map, locate
from orchestra.compose.request import Passes
from orchestra.compose.schema.network import Network
from orchestra.compose.schema.process import EnvFile
from orchestra.errors import Span
from orchestra.model.names import scoped_name
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.compose.discovery import Project
    from orchestra.compose.environment import Environment
    from orchestra.compose.problems import Problems
    from orchestra.compose.reader import Reader
    from orchestra.compose.schema.build import Build
    from orchestra.compose.schema.deploy import Deploy, DeviceRequest
    from orchestra.compose.schema.mounts import FileReference, ServiceVolume
    from orchestra.compose.schema.service import Service
    from orchestra.compose.schema.stack import FileObject, Stack, Volume

ALL_PASSES = Passes()
DEFAULT_NETWORK = "default"
Resource = TypeVar("Resource", "Network", "Volume", "FileObject")


def complete(
    stack: Stack,
    name: str,
    document: Map,
    project: Project,
    reader: Reader,
    problems: Problems,
    passes: Passes = ALL_PASSES,
) -> Stack:
    """The complete stack. ``document`` has the places, for messages."""
    services = {
        key: _complete_service(
            key, with_named_drives(service, stack.volumes), document, project, reader, problems, passes
        )
        for key, service in sorted(stack.services.items())
    }
    networks = dict(stack.networks)
    if any(DEFAULT_NETWORK in (service.networks or ()) for service in services.values()):
        networks.setdefault(DEFAULT_NETWORK, Network())
    completed = replace(
        stack,
        name=name,
        services=services,
        networks=_named(name, networks),
        volumes=_named(name, stack.volumes),
        configs=_named(name, stack.configs),
        secrets=_named(name, stack.secrets),
    )
    return completed if project.keeps_unused else _without_unused(completed)


def _named(stack: str, resources: Mapping[str, Resource]) -> dict[str, Resource]:
    """Each resource with its name on the host; an external one keeps its key from the file."""
    return {
        key: resource
        if resource.name
        else replace(resource, name=key if resource.external else scoped_name(stack, key))
        for key, resource in sorted(resources.items())
    }


def _without_unused(stack: Stack) -> Stack:
    """Without the resources that none of its services uses."""
    services = stack.services.values()
    networks = {key for service in services for key in service.networks or ()}
    volumes = {mount.source for service in services for mount in service.volumes if mount.type == "volume"}
    configs = {entry.source for service in services for entry in service.configs}
    secrets = {entry.source for service in services for entry in service.secrets}
    models = {key for service in services for key in service.models or ()}
    secrets |= {entry.source for service in services if service.build for entry in service.build.secrets}
    return replace(
        stack,
        networks={key: item for key, item in stack.networks.items() if key in networks},
        volumes={key: item for key, item in stack.volumes.items() if key in volumes},
        configs={key: item for key, item in stack.configs.items() if key in configs},
        secrets={key: item for key, item in stack.secrets.items() if key in secrets},
        models={key: item for key, item in stack.models.items() if key in models},
    )


def _complete_service(
    key: str,
    service: Service,
    document: Map,
    project: Project,
    reader: Reader,
    problems: Problems,
    passes: Passes,
) -> Service:
    environment = project.environment
    update: dict[str, Any] = {
        "extra_hosts": tuple(sorted(service.extra_hosts)),
        "gpus": tuple(_with_count(request) for request in service.gpus),
        "volumes": tuple(_clean_target(mount) for mount in service.volumes),
        "secrets": tuple(_with_target(entry, "/run/secrets/") for entry in service.secrets),
    }
    if passes.environment:
        update["environment"] = _environment(key, service, document, environment, reader, problems)
        update["labels"] = _labels(key, service, document, environment, reader, problems)
        update["env_file"] = update["label_file"] = ()
    if dependencies := all_dependencies(service):
        update["depends_on"] = dict(sorted(dependencies.items()))
    if not service.networks and not service.network_mode and not service.provider:
        update["networks"] = {DEFAULT_NETWORK: None}
    if service.pull_policy == "if_not_present":
        update["pull_policy"] = "missing"
    if service.image:
        hooks = (hook if hook.image else replace(hook, image=service.image) for hook in service.pre_start)
        update["pre_start"] = tuple(hooks)
    if service.deploy:
        update["deploy"] = _complete_deploy(service.deploy)
    if service.build:
        update["build"] = _complete_build(service.build, project.directory if passes.paths else ".", environment)
    return replace(service, **update)


def _with_count(request: DeviceRequest) -> DeviceRequest:
    """A request that gives neither device ids nor a count is for all devices (-1)."""
    if request.device_ids or request.count is not None:
        return request
    return replace(request, count=-1)


def _complete_deploy(deploy: Deploy) -> Deploy:
    reservations = deploy.resources.reservations
    if reservations is None or not reservations.devices:
        return deploy
    devices = tuple(_with_count(request) for request in reservations.devices)
    changed = replace(reservations, devices=devices)
    resources = replace(deploy.resources, reservations=changed)
    return replace(deploy, resources=resources)


def _clean_target(mount: ServiceVolume) -> ServiceVolume:
    if not mount.target or not mount.target.startswith("/"):
        return mount
    return replace(mount, target=posixpath.normpath(mount.target))


def _with_target(entry: FileReference, directory: str) -> FileReference:
    return entry if entry.target else replace(entry, target=directory + (entry.source or ""))


def _complete_build(build: Build, directory: str, environment: Environment) -> Build:
    update: dict[str, Any] = {}
    if not build.context:
        update["context"] = directory
    if not build.dockerfile and not build.dockerfile_inline:
        update["dockerfile"] = "Dockerfile"
    if build.args:
        found = {key: environment.lookup(key) if value is None else value for key, value in build.args.items()}
        # Unlike a variable of the container, an argument without a value is left out.
        update["args"] = {key: value for key, value in found.items() if value is not None}
    return replace(build, **update)


def _environment(
    key: str, service: Service, document: Map, environment: Environment, reader: Reader, problems: Problems
) -> dict[str, str | None] | None:
    """The files in order, then the service's own; a variable without a value takes that of the process environment."""
    values: dict[str, str | None] = {}
    for index, entry in enumerate(service.env_file):
        place = locate(document, ("services", key, "env_file", index))
        values.update(_read_variables(entry, values, place, environment, reader, problems))
    for name, value in (service.environment or {}).items():
        values[name] = environment.lookup(name) if value is None else value
    return dict(sorted(values.items())) or None


def _labels(
    key: str, service: Service, document: Map, environment: Environment, reader: Reader, problems: Problems
) -> dict[str, str] | None:
    values: dict[str, str] = {}
    for index, path in enumerate(service.label_file):
        place = locate(document, ("services", key, "label_file", index))
        entry = EnvFile(path=path)
        read = _read_variables(entry, dict(values), place, environment, reader, problems)
        values.update({name: value or "" for name, value in read.items()})
    return {**values, **(service.labels or {})} or None


def _read_variables(
    entry: EnvFile,
    earlier: Mapping[str, str | None],
    place: Span,
    environment: Environment,
    reader: Reader,
    problems: Problems,
) -> dict[str, str | None]:
    content: bytes | None = b""
    with problems.at(place, ()):
        content = reader.read(entry.path)
    if content is None:
        if entry.required:
            hint = "create it, or write required: false"
            problems.error("file-not-found", f"env file: {reader.lack(entry.path)}", place, (), hint)
        return {}
    text = decode_text(entry.path, content, problems)
    problems.texts[entry.path] = text
    known = environment.with_defaults({name: value for name, value in earlier.items() if value is not None})
    try:
        if entry.format == "raw":
            return {
                name: environment.lookup(name) if value is None else value for name, value in parse_raw(text).items()
            }
        return dict(parse_dotenv(text, known.lookup, warn_of_unset(entry.path, problems)))
    except DotenvError as error:
        span = Span(entry.path, error.line, error.column, error.line, error.column + 1)
        problems.error("env-file", error.message, span, (), error.hint)
        return {}
