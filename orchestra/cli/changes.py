"""The options that ``up``, ``create`` and ``plan`` share; each has some of them."""

from __future__ import annotations

from orchestra.errors import UserError
from orchestra.model.project import Chosen
from orchestra.model.request import Changes
from orchestra.model.wish import Recreate
from orchestra.record import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_RECREATING = {
    "force_recreate": "--force-recreate",
    "always_recreate_deps": "--always-recreate-deps",
    "renew_volumes": "--renew-anon-volumes",
}


def read_chosen(values: dict[str, Any]) -> Chosen:
    """values: those of the command line. Raises UserError for an invalid number."""
    return Chosen(
        tuple(values["services"]),
        values.get("no_deps", False),
        parse_scale(values["scale"]),
        automatic_ports=values.get("ports") == "auto",
    )


def read_changes(values: dict[str, Any]) -> Changes:
    """values: of the command line. Raises UserError for options that exclude each other."""
    for name, flag in _RECREATING.items():
        if values["no_recreate"] and values.get(name):
            raise UserError(f"--no-recreate and {flag} cannot be combined")
    recreate = Recreate.ALWAYS if values["force_recreate"] else Recreate.CHANGED
    return Changes(
        recreate=Recreate.NEVER if values["no_recreate"] else recreate,
        recreate_dependencies=values.get("always_recreate_deps", False),
        renew_volumes=values.get("renew_volumes", False),
        pull=None if values["pull"] == "policy" else values["pull"],
        remove_orphans=values["remove_orphans"],
        stop_timeout=values.get("timeout"),
        start=not values.get("no_start", False),
    )


def read_creation(values: dict[str, Any]) -> Changes:
    """The options of ``create``. values: those of the command line. Raises UserError for conflicting options."""
    return replace(read_changes(values), start=False)


def read_scaling(values: dict[str, Any]) -> Chosen:
    """The arguments of ``scale``. values: those of the command line. Raises UserError for an invalid number."""
    scale = parse_scale(values["scale"])
    return Chosen(tuple(scale), values["no_deps"], scale)


def parse_scale(entries: Sequence[str]) -> dict[str, int]:
    """Parse entries such as ``web=3``. Raises UserError."""
    scale: dict[str, int] = {}
    for entry in entries:
        service, equals, number = entry.partition("=")
        if not service or not equals or not number.isdecimal():
            raise UserError(f"number of containers {entry}: expected SERVICE=NUM", hint="for example web=3")
        scale[service] = int(number)
    return scale
