"""Quadlet files: ``podman-systemd.unit(5)``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestra.importing.compose_file import Imported, escaped, full, render
from orchestra.importing.unit import Unit, parse, unescaped, words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestra.errors import Diagnostic
    from orchestra.importing.compose_file import Service

_RESTARTS = {"always": "always", "on-failure": "on-failure", "no": "no"}
_LISTS = {
    "AddCapability": "cap_add",
    "AddDevice": "devices",
    "AddHost": "extra_hosts",
    "DNS": "dns",
    "DNSOption": "dns_opt",
    "DNSSearch": "dns_search",
    "DropCapability": "cap_drop",
    "ExposeHostPort": "expose",
    "GroupAdd": "group_add",
    "PublishPort": "ports",
    "Tmpfs": "tmpfs",
}
_MAPPINGS = {"Annotation": "annotations", "Label": "labels", "Sysctl": "sysctls"}
_VALUES = {
    "ContainerName": "container_name",
    "HostName": "hostname",
    "Image": "image",
    "Memory": "mem_limit",
    "PidsLimit": "pids_limit",
    "ShmSize": "shm_size",
    "StopSignal": "stop_signal",
    "User": "user",
    "WorkingDir": "working_dir",
}
_HEALTH = {
    "HealthInterval": "interval",
    "HealthTimeout": "timeout",
    "HealthStartPeriod": "start_period",
    "HealthRetries": "retries",
}


def convert(units: Sequence[tuple[str, str]]) -> Imported:
    """units: file names and texts."""
    sections: dict[str, dict[str, Any]] = {"services": {}, "networks": {}, "volumes": {}, "secrets": {}}
    losses: list[Diagnostic] = []
    for path, text in units:
        name, _, kind = path.rpartition("/")[2].rpartition(".")
        lines = list(parse(path, text))
        unit = Unit(lines, losses)
        if kind == "container":
            sections["services"][name] = _service(unit, sections)
        elif kind == "volume":
            sections["volumes"].setdefault(name, None)
            sections["volumes"][name] = _resource(unit, "VolumeName") or None
        elif kind == "network":
            sections["networks"][name] = _network(unit) or None
        else:
            unit.lose_all(f"a .{kind} unit has no counterpart")
        unit.settle()
    return Imported(text=render(sections), losses=tuple(sorted(losses, key=lambda loss: loss.span or ())))


def _pairs(words: Sequence[str]) -> dict[str, str]:
    return {key: escaped(value) for key, _, value in (word.partition("=") for word in words)}


def _resource(unit: Unit, word: str) -> dict[str, Any]:
    options = _pairs(unit.words("DriverOpts") + unit.words("Options"))
    return full(name=unit.one(word), driver=unit.one("Driver"), driver_opts=options)


def _network(unit: Unit) -> dict[str, Any]:
    range_ = full(subnet=unit.one("Subnet"), gateway=unit.one("Gateway"), ip_range=unit.one("IPRange"))
    switches = full(internal=unit.one("Internal") == "true", enable_ipv6=unit.one("IPv6") == "true")
    return {**_resource(unit, "NetworkName"), **switches, **({"ipam": {"config": [range_]}} if range_ else {})}


def _service(unit: Unit, sections: dict[str, dict[str, Any]]) -> Service:
    made: Service = {attribute: escaped(unescaped(unit.one(word))) for word, attribute in _VALUES.items()}
    group = unit.one("Group")
    if group:
        made["user"] = f"{made['user'] or '0'}:{group}"
    made |= {attribute: [escaped(word) for word in unit.words(word)] for word, attribute in _LISTS.items()}
    made |= {attribute: _pairs(unit.words(word)) for word, attribute in _MAPPINGS.items()}
    made |= full(
        command=escaped(words_of(unit.one("Exec"))),
        entrypoint=escaped(_entrypoint(unit.one("Entrypoint"))),
        environment=_pairs(unit.words("Environment")),
        env_file=[line.value for line in unit.each("EnvironmentFile")],
        healthcheck=_health(unit),
        read_only=unit.one("ReadOnly") == "true",
        init=unit.one("RunInit") == "true",
        security_opt=["no-new-privileges:true"] if unit.one("NoNewPrivileges") == "true" else [],
        ulimits={name: _limit(text) for name, _, text in (word.partition("=") for word in unit.words("Ulimit"))},
        stop_grace_period=f"{grace}s" if (grace := unit.one("StopTimeout")) else "",
        pull_policy=unit.one("Pull"),
        logging=full(driver=unit.one("LogDriver"), options=_pairs(unit.words("LogOpt"))),
    )
    made |= full(volumes=_volumes(unit, sections["volumes"]), **_networks(unit, sections["networks"]))
    made |= full(depends_on=_needs(unit), restart=_restart(unit))
    _secrets(unit, made, sections["secrets"])
    _podman_arguments(unit, made)
    return full(**made)


def _entrypoint(text: str) -> list[str]:
    if text.startswith("["):
        import json

        return [str(word) for word in json.loads(text)]
    return words_of(text)


def _limit(text: str) -> int | dict[str, int]:
    soft, _, hard = text.partition(":")
    return {"soft": int(soft), "hard": int(hard)} if hard else int(soft)


def _health(unit: Unit) -> dict[str, Any]:
    text = unescaped(unit.one("HealthCmd"))
    times = {attribute: unit.one(word) for word, attribute in _HEALTH.items() if unit.has(word)}
    if text == "none":
        return {"disable": True}
    if not text:
        return full(**times)
    test: Any = ["CMD-SHELL", text]
    if text.startswith("["):
        import json

        words = json.loads(text)
        test = words if words and words[0] in ("CMD", "CMD-SHELL") else ["CMD", *words]
    return {"test": escaped(test), **{key: int(value) if key == "retries" else value for key, value in times.items()}}


def _volumes(unit: Unit, known: dict[str, Any]) -> list[str]:
    found = []
    for text in unit.words("Volume"):
        source, colon, rest = text.partition(":")
        if source.endswith(".volume"):
            source = source.removesuffix(".volume")
            known.setdefault(source, None)
        elif colon and not source.startswith(("/", ".", "%")):
            known.setdefault(source, {"name": source, "external": True})
        found.append(escaped(source.replace("%h", "~") + colon + rest))
    return found


def _networks(unit: Unit, known: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    aliases = unit.words("NetworkAlias")
    for line in unit.each("Network"):
        name, _, options = line.value.partition(":")
        if name in ("host", "none"):
            return {"network_mode": name}
        if name.endswith(".container"):
            return {"network_mode": f"service:{name.removesuffix('.container')}"}
        given = full(aliases=list(aliases))
        for option in filter(None, options.split(",")):
            word, _, value = option.partition("=")
            if word == "alias":
                given.setdefault("aliases", []).append(value)
            elif word in ("ip", "ip6"):
                given[f"ipv{word[2:] or 4}_address"] = value
            else:
                unit.lose(line, f"option {option} has no counterpart")
        if name.endswith(".network"):
            name = name.removesuffix(".network")
            known.setdefault(name, None)
        else:
            known.setdefault(name, {"name": name, "external": True})
        found[name] = given or None
    for address, attribute in (("IP", "ipv4_address"), ("IP6", "ipv6_address")):
        value = unit.one(address)
        if value and found:
            first = next(iter(found))
            found[first] = {**(found[first] or {}), attribute: value}
    return {"networks": found} if found else {}


def _needs(unit: Unit) -> list[str]:
    words: list[str] = []
    for word in ("Requires", "BindsTo", "Requisite"):
        words += unit.words(word)
    services = (name.removesuffix(".service").removesuffix(".container") for name in words)
    return sorted({name for name in services if not name.endswith((".target", "-volume", "-network", ".socket"))})


def _restart(unit: Unit) -> str:
    lines = unit.each("Restart")
    if not lines:
        return ""
    if lines[-1].value not in _RESTARTS:
        unit.lose(lines[-1], "becomes on-failure", code="approximated")
    return _RESTARTS.get(lines[-1].value, "on-failure")


def _secrets(unit: Unit, made: Service, known: dict[str, Any]) -> None:
    """Their contents are kept by Podman."""
    for line in unit.each("Secret"):
        name, *options = line.value.split(",")
        given = dict(option.partition("=")[::2] for option in options)
        if given.get("type") == "env":
            variable = given.get("target", name)
            made.setdefault("environment", {})[variable] = f"${{{variable}:?}}"
            unit.lose(line, f"its content is not copied: set {variable} in .env", code="approximated")
            continue
        known[name] = {"file": f"./{name}"}
        unit.lose(line, f"its content is not copied: write it to ./{name}", code="approximated")
        asked = full(source=name, target=given.get("target"), uid=given.get("uid"), gid=given.get("gid"))
        asked |= {"mode": int(given["mode"], 8)} if "mode" in given else {}
        made.setdefault("secrets", []).append(asked if len(asked) > 1 else name)


_ARGUMENTS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "cpus": ("cpus", str),
    "cpu-shares": ("cpu_shares", int),
    "cpuset-cpus": ("cpuset", str),
    "memory": ("mem_limit", str),
    "memory-reservation": ("mem_reservation", str),
    "memory-swap": ("memswap_limit", str),
    "pids-limit": ("pids_limit", int),
    "privileged": ("privileged", lambda _text: True),
    "tty": ("tty", lambda _text: True),
    "interactive": ("stdin_open", lambda _text: True),
    "oom-score-adj": ("oom_score_adj", int),
    "platform": ("platform", str),
    "uts": ("uts", str),
    "pid": ("pid", str),
    "ipc": ("ipc", str),
    "userns": ("userns_mode", str),
}


def _podman_arguments(unit: Unit, made: Service) -> None:
    for line in unit.each("PodmanArgs"):
        for word in words_of(line.value):
            name, _, value = word.removeprefix("--").partition("=")
            if word.startswith("--") and name in _ARGUMENTS and (value or name in ("privileged", "tty", "interactive")):
                attribute, read = _ARGUMENTS[name]
                made[attribute] = read(value)
            else:
                unit.lose(line, f"{word} has no counterpart")
