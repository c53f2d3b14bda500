"""``POST /containers/{id}/update``: other limits for a container that stays, and another restart policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.container.directory import ContainerDirectory
from orchestra.driver.local.bundle.host import observe_host
from orchestra.driver.local.bundle.resources import render_resources
from orchestra.engine_api.containers.create import change
from orchestra.engine_api.containers.definition import resources_of, restart_of
from orchestra.engine_api.errors import conflict
from orchestra.record import replace
from orchestra.shim.finding import group_of

if TYPE_CHECKING:
    from typing import Any

    from orchestra.engine_api.exchange import Exchange
    from orchestra.engine_api.world import Found, World
    from orchestra.model.container import ContainerSpec


def update(world: World, exchange: Exchange) -> None:
    """A value of 0 leaves a limit as it is, as in Docker."""
    found, body = world.find(exchange.parameters["name"]), exchange.document()
    if found.made is None or found.spec is None:
        raise conflict(f"the file of stack {found.home.name} sets the limits of {found.name}; change them there")
    asked = {key: value for key, value in body.items() if value not in (0, None, "", [], {})}
    if not (asked.get("RestartPolicy") or {}).get("Name"):
        asked.pop("RestartPolicy", None)
    host = {**found.made.host_config, **asked}
    resources, restart = resources_of(host), restart_of(host.get("RestartPolicy") or {})
    warnings = _apply(found, replace(found.spec, resources=resources))
    change(world, found, found.made._replace(host_config=host), resources=resources, restart=restart)
    world.events.tell_of(found, "update")
    exchange.answer({"Warnings": warnings})


def _apply(found: Found, spec: ContainerSpec) -> list[str]:
    """To the container's group if it runs, and to its next run."""
    directory = ContainerDirectory(found.directory)
    config: dict[str, Any] = directory.load("config.json")
    before = config["linux"].get("resources") or {}
    wanted = {name: value for name, value in render_resources(spec, observe_host(spec)).items() if name != "devices"}
    warnings = list(group_of(directory).update(wanted)) if found.runs else []
    config["linux"]["resources"] = {**before, **wanted}
    directory.store("config.json", config)
    return warnings
