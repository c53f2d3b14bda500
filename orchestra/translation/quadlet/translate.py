"""The whole translation to units of Podman."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.translation.ledger import Given, Ledger
from orchestra.translation.quadlet.files import secret_files, secret_names
from orchestra.translation.quadlet.names import Names
from orchestra.translation.quadlet.networks import network_objects
from orchestra.translation.quadlet.ordering import awaited_services
from orchestra.translation.quadlet.reasons import REASONS
from orchestra.translation.quadlet.service import service_objects
from orchestra.translation.quadlet.unit import Lines, unit_object, whole, words
from orchestra.translation.reading import links
from orchestra.translation.result import Translation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.translation.result import Object
    from orchestra.translation.source import Source

_LOCAL = {"device": "Device", "type": "Type", "o": "Options"}
_ONE = "a name is that of one container: with more of them theirs are {}"


def translate(source: Source) -> Translation:
    """Units of networks and volumes first, then those of containers. files: contents that Podman has to be given."""
    ledger = Ledger(source.place, REASONS)
    stack = Given(source.stack, (), ledger)
    given = {
        key: service
        for key, service in stack.entries("services").items()
        if service is not None and service.peek("provider") is None
    }
    names = _names(stack, given, source)
    linked, awaited = links(given), awaited_services(given)
    objects = [*network_objects(stack, names), *_volumes(stack, names)]
    for key, service in given.items():
        objects += service_objects(key, service, names, linked.get(key, []), awaited)
    stack.take("name")
    stack.take("version")
    files = secret_files(stack, source.contents, names.secrets)
    return Translation(tuple(objects), ledger.settle(source.stack), files)


def _names(stack: Given, given: dict[str, Given], source: Source) -> Names:
    items = {(kind, key): item for kind in ("networks", "volumes") for key, item in stack.entries(kind).items()}
    numbers = {key: _number(service) for key, service in given.items()}
    titles = {}
    for key, service in given.items():
        title = service.peek("container_name")
        if title and numbers[key] > 1:
            service.approximate("container_name", _ONE.format(f"{source.stack.name}-{key}-NUMBER"))
        elif title:
            titles[key] = title
    return Names(
        stack=source.stack.name or "",
        numbers=numbers,
        titles=titles,
        declared=frozenset(place for place, item in items.items() if item),
        external={
            place: item.peek("name") or place[1] for place, item in items.items() if item and item.peek("external")
        },
        secrets=secret_names(stack, source.contents),
    )


def _number(service: Given) -> int:
    """How many containers of it run."""
    deploy = service.below("deploy")
    if deploy and (deploy.peek("mode") or "").startswith("global"):
        return 1
    asked = (service.peek("scale"), deploy.peek("replicas") if deploy else None)
    return next((number for number in asked if number is not None), 1)


def _volumes(stack: Given, names: Names) -> Iterator[Object]:
    for key, volume in stack.entries("volumes").items():
        if volume is None:
            continue
        name = volume.take("name") or key
        if volume.take("external"):
            continue
        lines = Lines()
        lines.add("VolumeName", whole(name))
        driver, options = volume.take("driver"), volume.take("driver_opts") or {}
        if driver:
            lines.add("Driver", whole(driver))
        known = driver in (None, "local") and "device" in options
        for option, value in options.items():
            if known and option in _LOCAL:
                lines.add(_LOCAL[option], whole(value))
            else:
                lines.add("PodmanArgs", words(f"--opt={option}={value}"))
        lines.add("Label", *(words(f"{label}={value}") for label, value in (volume.take("labels") or {}).items()))
        yield unit_object(names.volume(key), {"Volume": lines.found})
