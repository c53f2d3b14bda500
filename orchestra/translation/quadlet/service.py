"""The units of a service, one for each of its containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.translation.quadlet.health import add_health
from orchestra.translation.quadlet.limits import add_limits
from orchestra.translation.quadlet.mounts import add_mounts
from orchestra.translation.quadlet.networks import add_networks, add_ports
from orchestra.translation.quadlet.options import add_options
from orchestra.translation.quadlet.ordering import add_need, add_order, add_restart
from orchestra.translation.quadlet.unit import Lines, array, unit_object, whole, words
from orchestra.translation.reading import image_name, set_variables

if TYPE_CHECKING:
    from orchestra.translation.ledger import Given
    from orchestra.translation.quadlet.names import Names
    from orchestra.translation.quadlet.ordering import Awaited
    from orchestra.translation.reading import Link
    from orchestra.translation.result import Object

_BUILT = "systemd builds nothing: Podman must have the image or be able to pull it"
_APPLIED = ("profiles", "env_file", "label_file")
"""By the load itself."""
_PULLS = {"always": "always", "missing": "missing", "if_not_present": "missing", "never": "never"}


def service_objects(key: str, service: Given, names: Names, linked: list[Link], awaited: Awaited) -> list[Object]:
    for attribute in (*_APPLIED, "scale", "container_name"):
        service.take(attribute)
    if deploy := service.below("deploy"):
        for attribute in ("mode", "replicas"):
            deploy.take(attribute)
    count = names.numbers[key]
    if not count:
        service.ledger.lose(service.path, "a service without containers has no unit")
    return [_container(key, index, service, names, linked, awaited) for index in range(1, count + 1)]


def _container(key: str, index: int, service: Given, names: Names, linked: list[Link], awaited: Awaited) -> Object:
    unit, box, process = Lines(), Lines(), Lines()
    unit.add("Description", whole(f"{key} of {names.stack}"))
    box.add("ContainerName", whole(names.container(key, index)))
    box.add("Image", whole(_image(key, service, names.stack)))
    _add_pull(service, box)
    entrypoint, command = service.take("entrypoint"), service.take("command")
    if entrypoint is not None:
        box.add("Entrypoint", array(entrypoint))
    if command:
        box.add("Exec", words(*command))
    variables = set_variables(service.take("environment"))
    box.add("Environment", *(words(f"{name}={value}") for name, value in variables.items()))
    add_networks(key, index, service, names, linked, box)
    add_ports(index, names.numbers[key], service, box)
    add_options(service, box)
    add_limits(service, box)
    add_health(service, box)
    add_mounts(service, names, box, process)
    add_order(key, service, names, awaited, unit, box, process)
    add_restart(service, unit, process)
    _add_shared(index, service, names, unit, box)
    _add_hooks(service, names.container(key, index), process)
    sections = {
        "Unit": unit.found,
        "Container": box.found,
        "Service": process.found,
        "Install": {"WantedBy": ["default.target"]},
    }
    return unit_object(f"{names.unit(key, index)}.container", sections)


def _image(key: str, service: Given, stack: str) -> str:
    """With the name of a registry: Podman asks for one otherwise."""
    name = image_name(key, service, stack, _BUILT)
    if service.peek("image") is None:
        return f"localhost/{name}"
    first, slash, _rest = name.partition("/")
    if not slash:
        return f"docker.io/library/{name}"
    return name if "." in first or ":" in first or first == "localhost" else f"docker.io/{name}"


def _add_pull(service: Given, box: Lines) -> None:
    policy = service.peek("pull_policy")
    if policy in _PULLS:
        service.take("pull_policy")
        box.add("Pull", _PULLS[policy])
    elif policy:
        service.approximate("pull_policy", f"{policy} becomes newer: Podman looks at each start")
        box.add("Pull", "newer")


def _add_shared(index: int, service: Given, names: Names, unit: Lines, box: Lines) -> None:
    """Namespaces and volumes of other containers, which must be there first."""
    for attribute in ("ipc", "pid"):
        kind, _, name = (service.peek(attribute) or "").partition(":")
        if kind == "service" and name in names.numbers:
            other = min(index, names.numbers[name])
            add_need(names.unit(name, other), unit)
            box.option(attribute, f"container:{names.container(name, other)}")
        elif kind in ("host", "container", "private", "shareable", "none"):
            box.option(attribute, service.peek(attribute))
        else:
            continue
        service.take(attribute)
    for text in service.take("volumes_from"):
        name, colon, mode = text.removeprefix("container:").partition(":")
        if name in names.numbers and not text.startswith("container:"):
            add_need(names.unit(name, 1), unit)
            name = names.container(name, 1)
        box.option("volumes-from", f"{name}{colon}{mode}")


def _add_hooks(service: Given, container: str, process: Lines) -> None:
    for attribute, key in (("post_start", "ExecStartPost"), ("pre_stop", "ExecStop")):
        for hook in service.each(attribute):
            options = ["exec"]
            for name, option in (("user", "--user"), ("working_dir", "--workdir")):
                if value := hook.take(name):
                    options += [option, value]
            if hook.take("privileged"):
                options.append("--privileged")
            for name, value in set_variables(hook.take("environment")).items():
                options += ["--env", f"{name}={value}"]
            # A failed pre_stop does not keep a container from being stopped.
            minus = "-" if key == "ExecStop" else ""
            process.add(key, f"{minus}podman {words(*options, container, *(hook.take('command') or ()))}")
