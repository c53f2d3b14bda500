"""Limits and reservations: ``resources`` of a container."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.translation.plain import full

if TYPE_CHECKING:
    from orchestra.translation.ledger import Given
    from orchestra.translation.result import Object

_GPU = "nvidia.com/gpu"


def resources(service: Given) -> Object:
    """The deploy section comes before the older attributes, as here."""
    declared = deploy.below("resources") if (deploy := service.below("deploy")) else None
    limits = declared.below("limits") if declared else None
    reservations = declared.below("reservations") if declared else None
    cpus, memory = service.take("cpus"), service.take("mem_limit")
    least = service.take("mem_reservation")
    least_cpus = None
    devices: dict[str, str] = _gpus(service, "gpus")
    if limits:
        cpus, memory = limits.take("cpus") or cpus, limits.take("memory") or memory
    if reservations:
        least_cpus, least = reservations.take("cpus"), reservations.take("memory") or least
        devices |= _gpus(reservations, "devices")
    return full(
        limits=full(cpu=_cpus(cpus), memory=_bytes(memory)) | devices,
        requests=full(cpu=_cpus(least_cpus), memory=_bytes(least)),
    )


def _gpus(owner: Given, name: str) -> dict[str, str]:
    total = 0
    for request in owner.each(name):
        known = {"gpu", "nvidia"} & set(request.peek("capabilities") or ()) or name == "gpus"
        if not known or request.peek("driver") not in (None, "", "nvidia"):
            request.ledger.lose(request.path, "a device plugin names its devices", "give it as x-kubernetes.container")
            continue
        request.take("capabilities")
        request.take("driver")
        count, chosen = request.take("count"), request.peek("device_ids")
        if count == -1 or (count is None and not chosen):
            request.approximate("count", "a pod cannot ask for all GPUs: it gets one", "write how many it needs")
            count = 1
        if chosen:
            request.approximate("device_ids", "a pod asks for a number of GPUs, and the cluster chooses which")
        total += len(chosen) or count or 0
    return {_GPU: str(total)} if total else {}


def _cpus(cores: float | None) -> str | None:
    return f"{max(1, round(cores * 1000))}m" if cores else None


def _bytes(size: int | None) -> str | None:
    return str(int(size)) if size else None
