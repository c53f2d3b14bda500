"""A stack file as what the API of a manager takes: https://docs.docker.com/reference/api/engine/version/v1.41/.

As ``docker stack deploy`` makes it: names begin with the stack's, and labels say which stack it is of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestra.record import Record
from orchestra.translation.plain import full
from orchestra.units import parse_bytes, parse_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.translation.result import Object

NAMESPACE, IMAGE = "com.docker.stack.namespace", "com.docker.stack.image"


class Specs(Record):
    """By name in the engine, without those that exist already."""

    networks: Mapping[str, Object]
    configs: Mapping[str, Object]
    secrets: Mapping[str, Object]
    services: Mapping[str, Object]


def specs(document: Object, stack: str, files: Mapping[str, bytes], completing: frozenset[str] = frozenset()) -> Specs:
    """document: without doubled dollars. completing: services whose end others wait for, which is not an end if the
    swarm starts them again: unless the file says when to restart them, it does not.
    """
    kinds = {kind: document.get(kind) or {} for kind in ("networks", "volumes", "configs", "secrets")}
    return Specs(
        networks={
            _name(item, key, stack): _network(item, _name(item, key, stack), stack)
            for key, item in _own(kinds["networks"])
        },
        configs={item["name"]: _file(item, stack, files) for _key, item in _own(kinds["configs"])},
        secrets={item["name"]: _file(item, stack, files) for _key, item in _own(kinds["secrets"])},
        services={
            f"{stack}_{key}": _service(key, item, kinds, stack, ends=key in completing)
            for key, item in document["services"].items()
        },
    )


def _own(items: Mapping[str, Object]) -> list[tuple[str, Object]]:
    return [(key, item) for key, item in items.items() if not item.get("external")]


def _name(item: Object, key: str, stack: str) -> str:
    return str(item.get("name") or (key if item.get("external") else f"{stack}_{key}"))


def _network(item: Object, name: str, stack: str) -> Object:
    ipam = item.get("ipam") or {}
    return {
        "Name": name,
        "Driver": "overlay",
        "Labels": {**(item.get("labels") or {}), NAMESPACE: stack},
        **full(
            Internal=item.get("internal"),
            Attachable=item.get("attachable"),
            Options=item.get("driver_opts"),
            IPAM=full(
                Driver=ipam.get("driver"), Config=[{"Subnet": pool["subnet"]} for pool in ipam.get("config") or ()]
            ),
        ),
    }


def _file(item: Object, stack: str, files: Mapping[str, bytes]) -> Object:
    import base64

    content = files[item["file"].removeprefix("./")]
    labels = {**(item.get("labels") or {}), NAMESPACE: stack}
    templating = {"Name": item["template_driver"]} if item.get("template_driver") else None
    return {
        "Name": item["name"],
        "Labels": labels,
        "Data": base64.b64encode(content).decode(),
        **full(Templating=templating),
    }


def _service(key: str, item: Object, kinds: Mapping[str, Mapping[str, Object]], stack: str, *, ends: bool) -> Object:
    deploy = item.get("deploy") or {}
    policy = deploy.get("restart_policy") or ({"condition": "none"} if ends else {})
    networks = [
        full(
            Target=_name(kinds["networks"].get(name, {}), name, stack),
            Aliases=[key, *((given or {}).get("aliases") or ())],
        )
        for name, given in (item.get("networks") or {}).items()
    ]
    logging = item.get("logging") or {}
    task = {
        "ContainerSpec": _container(item, kinds, stack),
        **full(
            Resources=_resources(deploy.get("resources") or {}),
            RestartPolicy=_times(policy, _POLICY),
            Placement=_placement(deploy.get("placement") or {}),
            Networks=networks,
            LogDriver=full(Name=logging.get("driver"), Options=logging.get("options")),
        ),
    }
    return {
        "Name": f"{stack}_{key}",
        "Labels": {**(deploy.get("labels") or {}), NAMESPACE: stack, IMAGE: item["image"]},
        "TaskTemplate": task,
        "Mode": _mode(deploy),
        **full(
            UpdateConfig=_times(deploy.get("update_config") or {}, _UPDATE),
            RollbackConfig=_times(deploy.get("rollback_config") or {}, _UPDATE),
            EndpointSpec=full(
                Mode=deploy.get("endpoint_mode"), Ports=[_port(port) for port in item.get("ports") or ()]
            ),
        ),
    }


def _container(item: Object, kinds: Mapping[str, Mapping[str, Object]], stack: str) -> Object:
    addresses = [text.replace("=", ":", 1).split(":", 1) for text in item.get("extra_hosts") or ()]
    limits = [
        {"Name": name, "Soft": both.get("soft"), "Hard": both.get("hard")}
        for name, limit in (item.get("ulimits") or {}).items()
        for both in [limit if isinstance(limit, dict) else {"soft": limit, "hard": limit}]
    ]
    grace = item.get("stop_grace_period")
    return {
        "Image": item["image"],
        "Labels": {**(item.get("labels") or {}), NAMESPACE: stack},
        **full(
            Command=item.get("entrypoint"),
            Args=item.get("command"),
            Hostname=item.get("hostname"),
            Env=[f"{name}={value}" for name, value in (item.get("environment") or {}).items()],
            Dir=item.get("working_dir"),
            User=item.get("user"),
            TTY=item.get("tty"),
            OpenStdin=item.get("stdin_open"),
            ReadOnly=item.get("read_only"),
            StopSignal=item.get("stop_signal"),
            StopGracePeriod=parse_duration(grace) if grace else None,
            Hosts=[f"{address} {name}" for name, address in addresses],
            DNSConfig=full(Nameservers=item.get("dns"), Search=item.get("dns_search")),
            Mounts=[_mount(mount, kinds["volumes"], stack) for mount in item.get("volumes") or ()],
            Healthcheck=_times(item.get("healthcheck") or {}, _HEALTH),
            Isolation=item.get("isolation"),
            Init=item.get("init"),
            Sysctls=item.get("sysctls"),
            CapabilityAdd=item.get("cap_add"),
            CapabilityDrop=item.get("cap_drop"),
            Ulimits=limits,
            OomScoreAdj=item.get("oom_score_adj"),
            Secrets=[_reference(file, kinds["secrets"], "Secret") for file in item.get("secrets") or ()],
            Configs=[_reference(file, kinds["configs"], "Config") for file in item.get("configs") or ()],
        ),
    }


def _reference(file: Object, known: Mapping[str, Object], kind: str) -> Object:
    """Without its id, which only the engine knows."""
    item = known.get(file["source"], {})
    owner = {"UID": str(file.get("uid") or "0"), "GID": str(file.get("gid") or "0")}
    place = {"Name": file.get("target") or file["source"], **owner, "Mode": file.get("mode", 0o444)}
    return {f"{kind}Name": item.get("name") or file["source"], "File": place}


def _mount(mount: Object, volumes: Mapping[str, Object], stack: str) -> Object:
    kind, source = mount["type"], mount.get("source")
    made = full(Type=kind, Source=source, Target=mount.get("target"), ReadOnly=mount.get("read_only"))
    if kind == "bind":
        return made | full(BindOptions=full(Propagation=(mount.get("bind") or {}).get("propagation")))
    if kind == "tmpfs":
        options = mount.get("tmpfs") or {}
        return made | full(TmpfsOptions=full(SizeBytes=options.get("size"), Mode=options.get("mode")))
    options, volume = mount.get("volume") or {}, volumes.get(source or "", {})
    if source:
        made["Source"] = _name(volume, source, stack)
    driver = full(Name=volume.get("driver"), Options=volume.get("driver_opts"))
    labels = {**(volume.get("labels") or {}), **(options.get("labels") or {})}
    if source and not volume.get("external"):
        labels[NAMESPACE] = stack
    more = full(NoCopy=options.get("nocopy"), Subpath=options.get("subpath"), Labels=labels, DriverConfig=driver)
    return made | full(VolumeOptions=more)


def _port(port: Object) -> Object:
    return full(
        Protocol=port.get("protocol"),
        TargetPort=port["target"],
        PublishedPort=port.get("published"),
        PublishMode=port.get("mode"),
    )


def _mode(deploy: Object) -> Object:
    number = deploy.get("replicas", 1)
    match deploy.get("mode"):
        case "global":
            return {"Global": {}}
        case "global-job":
            return {"GlobalJob": {}}
        case "replicated-job":
            return {"ReplicatedJob": {"MaxConcurrent": number, "TotalCompletions": number}}
        case _:
            return {"Replicated": {"Replicas": number}}


_POLICY = {"condition": "Condition", "delay": "Delay", "max_attempts": "MaxAttempts", "window": "Window"}
_UPDATE = {
    "parallelism": "Parallelism",
    "delay": "Delay",
    "failure_action": "FailureAction",
    "monitor": "Monitor",
    "max_failure_ratio": "MaxFailureRatio",
    "order": "Order",
}
_HEALTH = {
    "test": "Test",
    "interval": "Interval",
    "timeout": "Timeout",
    "start_period": "StartPeriod",
    "retries": "Retries",
}
_DURATIONS = frozenset({"delay", "window", "monitor", "interval", "timeout", "start_period"})


def _times(given: Object, names: Mapping[str, str]) -> Object:
    """With durations in nanoseconds. Of a health check that is disabled nothing else counts."""
    if given.get("disable"):
        return {"Test": ["NONE"]}
    made: dict[str, Any] = {}
    for name, title in names.items():
        if name in given:
            made[title] = int(parse_duration(given[name])) if name in _DURATIONS else given[name]
    return made


def _resources(given: Object) -> Object:
    return full(Limits=_amounts(given.get("limits") or {}), Reservations=_amounts(given.get("reservations") or {}))


def _amounts(given: Object) -> Object:
    cores, memory = given.get("cpus"), given.get("memory")
    generic = [
        {"DiscreteResourceSpec": {"Kind": inner["kind"], "Value": int(inner["value"])}}
        for resource in given.get("generic_resources") or ()
        for inner in [resource["discrete_resource_spec"]]
    ]
    return full(
        NanoCPUs=round(float(cores) * 1e9) if cores else None,
        MemoryBytes=int(parse_bytes(str(memory))) if memory else None,
        Pids=given.get("pids"),
        GenericResources=generic,
    )


def _placement(given: Object) -> Object:
    spread = [{"Spread": {"SpreadDescriptor": entry["spread"]}} for entry in given.get("preferences") or ()]
    return full(
        Constraints=given.get("constraints"), Preferences=spread, MaxReplicas=given.get("max_replicas_per_node")
    )
