"""Endpoints of volumes."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from orchestra.engine_api.errors import bad_request, conflict, not_found
from orchestra.engine_api.filters import as_options, parse_filters, truth
from orchestra.errors import UserError
from orchestra.model.log import render_moment
from orchestra.stacks.host_volumes import (
    HostVolume,
    NewVolume,
    create_volume,
    find_unused,
    find_volume,
    list_volumes,
    remove_volume,
)

if TYPE_CHECKING:
    from typing import Any

    from orchestra.engine_api.exchange import Exchange
    from orchestra.engine_api.world import World


def list_all(world: World, exchange: Exchange) -> None:
    filters = parse_filters(exchange.request.query.get("filters", ""), ("dangling", "driver", "label", "name"))
    found = list_volumes(world.context, as_options(filters))
    exchange.answer({"Volumes": [shape(each) for each in found if _is_seen(world, each)], "Warnings": None})


def _is_seen(world: World, volume: HostVolume) -> bool:
    return not world.stacks or volume.stack in world.stacks


def shape(volume: HostVolume) -> dict[str, Any]:
    """Engine API, ``Volume``."""
    labels = dict(volume.labels)
    if volume.stack:
        labels.setdefault("com.docker.compose.project", volume.stack)
    return {
        "Name": volume.name,
        "Driver": "local",
        "Mountpoint": volume.mountpoint,
        "CreatedAt": render_moment(volume.created_at),
        "Labels": labels or None,
        "Scope": "local",
        "Options": dict(volume.options) or None,
    }


def _find(world: World, name: str) -> HostVolume:
    try:
        found = find_volume(world.context, name)
    except UserError as error:
        raise not_found(f"get {name}: no such volume") from error
    if not _is_seen(world, found):
        raise not_found(f"get {name}: no such volume")
    return found


def inspect(world: World, exchange: Exchange) -> None:
    exchange.answer(shape(_find(world, exchange.parameters["name"])))


def create(world: World, exchange: Exchange) -> None:
    body = exchange.document()
    driver = body.get("Driver") or "local"
    if driver != "local":
        raise not_found(f"error looking up volume plugin {driver}: plugin {driver!r} not found")
    name = body.get("Name") or None
    if name is not None and not isinstance(name, str):
        raise bad_request("Name is not a string")
    asked = NewVolume(name, labels=_pairs(body.get("Labels")), options=_pairs(body.get("DriverOpts")))
    made = create_volume(world.context, asked)
    world.events.tell("volume", "create", made, {"driver": "local"})
    exchange.answer(shape(find_volume(world.context, made)), HTTPStatus.CREATED)


def _pairs(values: dict[str, str] | None) -> tuple[str, ...]:
    return tuple(f"{key}={value}" for key, value in (values or {}).items())


def remove(world: World, exchange: Exchange) -> None:
    name, force = exchange.parameters["name"], exchange.request.flag("force")
    if not force:
        _find(world, name)
    try:
        freed = remove_volume(world.context, name, force=force)
    except UserError as error:
        raise conflict(f"remove {name}: {error.message}") from error
    if freed is not None:
        world.events.tell("volume", "destroy", name, {"driver": "local"})
    exchange.empty()


def prune(world: World, exchange: Exchange) -> None:
    """``all=true`` includes volumes with names."""
    filters = parse_filters(exchange.request.query.get("filters", ""), ("all", "label", "label!"))
    everything = truth(filters, "all") is True
    labels = as_options({key: values for key, values in filters.items() if key != "all"})
    gone, size = [], 0
    for each in find_unused(world.context, labels, everything=everything):
        size += remove_volume(world.context, each.name, force=True) or 0
        gone.append(each.name)
        world.events.tell("volume", "destroy", each.name, {"driver": "local"})
    exchange.answer({"VolumesDeleted": gone or None, "SpaceReclaimed": size})
