"""``deploy`` of a service, with what the newer format says elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestra.translation.plain import full, plain

if TYPE_CHECKING:
    from orchestra.translation.ledger import Given
    from orchestra.translation.result import Object

_ALIKE = ("mode", "labels", "update_config", "rollback_config", "endpoint_mode")
_CONDITIONS = {"no": "none", "always": "any", "unless-stopped": "any", "on-failure": "on-failure"}


def deploy_object(service: Given) -> Object:
    deploy = service.below("deploy")
    made: Object = plain({name: deploy.take(name) for name in _ALIKE}) if deploy else {}
    scale, replicas = service.take("scale"), deploy.take("replicas") if deploy else None
    number = replicas if scale is None else scale
    return made | {
        **full(resources=_resources(service, deploy), restart_policy=_restart(service, deploy)),
        **full(placement=_placement(service, deploy)),
        **({} if number is None else {"replicas": number}),
    }


def _restart(service: Given, deploy: Given | None) -> Object:
    """Without a word of it, Swarm restarts whatever ends."""
    policy: Object = plain(deploy.take("restart_policy")) if deploy else {}
    name, _, attempts = (service.take("restart") or "").partition(":")
    if policy or not name:
        return policy or {}
    return full(condition=_CONDITIONS[name], max_attempts=int(attempts) if attempts else None)


def _resources(service: Given, deploy: Given | None) -> Object:
    declared = deploy.below("resources") if deploy else None
    limits = declared.below("limits") if declared else None
    reservations = declared.below("reservations") if declared else None
    found: dict[str, Any] = {
        "cpus": service.take("cpus"),
        "memory": service.take("mem_limit"),
        "pids": service.take("pids_limit"),
    }
    least: dict[str, Any] = {"cpus": None, "memory": service.take("mem_reservation"), "generic_resources": None}
    for part, values in ((limits, found), (reservations, least)):
        if part:
            values.update({name: part.take(name) or value for name, value in values.items()})
    return full(limits=_quoted(found), reservations=_quoted(least))


def _quoted(values: dict[str, Any]) -> Object:
    """Numbers of processors are text in the older format."""
    cores = values["cpus"]
    made: Object = plain({**values, "cpus": f"{cores:g}" if cores else None})
    return made


def _placement(service: Given, deploy: Given | None) -> Object:
    """The platform is a constraint among the others."""
    placed = deploy.below("placement") if deploy else None
    made: Object = plain({name: placed.take(name) for name in placed.model.hints()}) if placed else {}
    platform = service.take("platform")
    if platform:
        system, _, rest = platform.partition("/")
        architecture = rest.partition("/")[0]
        names = {"amd64": "x86_64", "arm64": "aarch64"}
        wanted = [f"node.platform.os == {system}"]
        wanted += [f"node.platform.arch == {names.get(architecture, architecture)}"] if architecture else []
        made["constraints"] = [*made.get("constraints", ()), *wanted]
    return made
