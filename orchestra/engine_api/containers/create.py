"""``POST /containers/create``, rename, update."""

from __future__ import annotations

import os
from http import HTTPStatus
from typing import TYPE_CHECKING

from orchestra.engine_api.containers.definition import Surroundings, check_name, define
from orchestra.engine_api.containers.mounts import volume_names
from orchestra.engine_api.containers.network_choice import choose_networks, with_hash
from orchestra.engine_api.errors import ApiError, bad_request, conflict
from orchestra.engine_api.made import ANNOTATION, Made
from orchestra.engine_api.own_stack import put
from orchestra.engine_api.world import OWN_STACK
from orchestra.errors import DriverError, UserError
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, NamedTuple

    from orchestra.engine_api.exchange import Exchange
    from orchestra.engine_api.world import Found, World
    from orchestra.model.result import UpResult

    class Pinned(NamedTuple):
        reference: str
        exposed: Sequence[str]


ADJECTIVES = ("able", "brave", "calm", "eager", "fair", "gentle", "happy", "keen", "lively", "merry", "noble", "quick")
NOUNS = (
    "badger",
    "bison",
    "crane",
    "falcon",
    "heron",
    "ibis",
    "lark",
    "lynx",
    "marten",
    "otter",
    "owl",
    "seal",
    "wren",
)


def create_container(world: World, exchange: Exchange) -> None:
    """The image has to be here: clients pull it when they are told that it is not."""
    body = exchange.document()
    name = check_name(exchange.request.query["name"].removeprefix("/")) if exchange.request.query.get("name") else ""
    config = {key: value for key, value in body.items() if key not in ("HostConfig", "NetworkingConfig")}
    host = _object(body, "HostConfig")
    asked = _object(_object(body, "NetworkingConfig"), "EndpointsConfig")
    image = config.get("Image")
    if not isinstance(image, str) or not image:
        raise bad_request("no image specified")
    taken = {each.name: each for each in world.containers()}
    if name in taken:
        raise conflict(
            f'Conflict. The container name "/{name}" is already in use by container "{taken[name].id}". '
            "You have to remove (or rename) that container to be able to reuse that name."
        )
    made = Made(name or _any_name(taken), image, config, host)
    pinned = _pin(world, image)
    home = world.context.home.stack(OWN_STACK)
    internal = _internal_name(world, made.name, taken.values())
    choice = choose_networks(world.context, host, asked, made.name, str(config.get("MacAddress") or ""))
    is_left_open = bool(config.get("OpenStdin")) and not config.get("StdinOnce")
    spec = define(
        made,
        Surroundings(
            internal=internal,
            image=pinned[0],
            exposed=pinned[1],
            endpoints=choice.endpoints,
            caller="" if is_left_open else f"{home.callers}/{internal}.sock",
            find=lambda word: world.find(word).id,
            hash=os.urandom(32).hex(),
        ),
    )
    volumes = volume_names(spec.mounts)
    _create_volumes(world, volumes)
    try:
        _check(put(world, spec, choice.networks, volumes))
    except Exception:
        _give_up(world, internal)
        raise
    found = world.at(OWN_STACK, internal)
    if found is None:
        raise ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, f"container {made.name} was removed meanwhile")
    world.events.look_for_stacks()
    exchange.answer({"Id": found.id, "Warnings": []}, HTTPStatus.CREATED)


def _object(body: dict[str, Any], key: str) -> dict[str, Any]:
    value = body.get(key)
    if value is not None and not isinstance(value, dict):
        raise bad_request(f"{key} is not an object")
    return value or {}


def _any_name(taken: dict[str, Found]) -> str:
    while True:
        first, second, *_ = os.urandom(2)
        name = f"{ADJECTIVES[first % len(ADJECTIVES)]}_{NOUNS[second % len(NOUNS)]}"
        if name not in taken:
            return name
        name += os.urandom(3).hex()
        if name not in taken:
            return name


def _internal_name(world: World, name: str, there: Iterable[Found]) -> str:
    """The name, unless a container has it that has been renamed."""
    home = world.context.home.stack(OWN_STACK)
    used = {*world.states.specs(home), *(each.container.name for each in there if each.home == home)}
    while name in used:
        name = f"{name}-{os.urandom(3).hex()}"
    return name


def _pin(world: World, image: str) -> tuple[str, Sequence[str]]:
    """A reference to what the name means by now, and the ports of the image."""
    from orchestra.engine_api.images.names import no_such_image
    from orchestra.stacks.images.library import open_library

    if image.startswith("rootfs:/"):
        return image, ()
    try:
        item = open_library(world.context).find(image)
    except (UserError, DriverError) as error:
        raise no_such_image(image) from error
    document = item.parts.document if item.parts else {}
    return item.id, tuple((document.get("config") or {}).get("ExposedPorts") or ())


def _create_volumes(world: World, names: Sequence[str]) -> None:
    from orchestra.stacks.host_volumes import NewVolume, create_volume

    for name in names:
        create_volume(world.context, NewVolume(name))


def _check(result: UpResult) -> None:
    if result.failures:
        first = result.failures[0]
        raise ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, f"{first.error}: {first.hint}" if first.hint else first.error)


def _give_up(world: World, internal: str) -> None:
    from orchestra.model.request import RemoveRequest
    from orchestra.model.result import RemoveResult

    world.client(OWN_STACK).ask_if_running(RemoveResult, RemoveRequest((internal,), remove_volumes=True))


def rename(world: World, exchange: Exchange) -> None:
    found, name = world.find(exchange.parameters["name"]), check_name(exchange.request.query.get("name", ""))
    if found.made is None or found.spec is None:
        raise conflict(f"the file of stack {found.home.name} names {found.name}; change it there")
    if any(each.name == name for each in world.containers()):
        raise conflict(f'Error when allocating new name: Conflict. The container name "/{name}" is already in use')
    before = found.name
    made = found.made._replace(name=name)
    endpoints = tuple(
        with_hash(replace(each, aliases=tuple(name if alias == before else alias for alias in each.aliases)))
        for each in found.spec.endpoints
    )
    change(world, found, made, endpoints=endpoints)
    world.events.tell_of(found, "rename", name=name, oldName=f"/{before}")
    exchange.empty()


def change(world: World, found: Found, made: Made, **fields: Any) -> None:
    """Write down another definition of a container that stays. fields: of its ``ContainerSpec``."""
    assert found.spec is not None
    annotations = {**found.spec.annotations, ANNOTATION: made.render()}
    spec = replace(found.spec, annotations=annotations, **fields)
    current = world.states.desired(found.home)
    names = {each.network for each in spec.endpoints}
    networks = [each for each in (current.networks if current else ()) if each.name in names]
    _check(put(world, spec, networks, volume_names(spec.mounts), start=found.runs))
