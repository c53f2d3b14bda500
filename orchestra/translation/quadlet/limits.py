"""Limits and reservations of a container."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestra.translation.ledger import Given
    from orchestra.translation.quadlet.unit import Lines

_CHOSEN = "devices are named as the CDI files of this machine do"


def add_limits(service: Given, lines: Lines) -> None:
    """The deploy section comes before the older attributes, as here."""
    declared = deploy.below("resources") if (deploy := service.below("deploy")) else None
    limits = declared.below("limits") if declared else None
    reservations = declared.below("reservations") if declared else None
    most: dict[str, Any] = {
        "cpus": service.take("cpus"),
        "memory": service.take("mem_limit"),
        "pids": service.take("pids_limit"),
    }
    least = service.take("mem_reservation")
    if limits:
        most = {name: limits.take(name) or value for name, value in most.items()}
    if reservations:
        least = reservations.take("memory") or least
        _add_devices(reservations, "devices", lines)
    _add_devices(service, "gpus", lines)
    if most["cpus"]:
        lines.option("cpus", f"{most['cpus']:g}")
    for option, size in (("memory", most["memory"]), ("memory-reservation", least)):
        if size:
            lines.option(option, int(size))
    if most["pids"]:
        lines.add("PidsLimit", str(most["pids"]))


def _add_devices(owner: Given, name: str, lines: Lines) -> None:
    for request in owner.each(name):
        driver = request.peek("driver") or "nvidia"
        known = {"gpu", "nvidia"} & set(request.peek("capabilities") or ()) or name == "gpus"
        if not known or driver not in ("nvidia", "cdi"):
            request.ledger.lose(request.path, "Podman gives devices by their names", "write them into devices")
            continue
        request.take("capabilities")
        request.take("driver")
        chosen, count = request.take("device_ids"), request.take("count")
        if driver == "cdi":
            lines.add("AddDevice", *chosen)
            continue
        request.ledger.approximate(request.path, _CHOSEN, "nvidia-ctk cdi generate")
        numbers = chosen or (["all"] if count in (None, -1) else [str(number) for number in range(count)])
        lines.add("AddDevice", *(f"nvidia.com/gpu={number}" for number in numbers))
