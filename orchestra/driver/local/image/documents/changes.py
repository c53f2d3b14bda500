"""Instructions of a Dockerfile that change an image's configuration, as ``docker import --change`` takes them. Pure."""

from __future__ import annotations

import json
import posixpath
import shlex
from typing import TYPE_CHECKING, Any

from orchestra.errors import UserError
from orchestra.units import parse_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SHELL = ("/bin/sh", "-c")
INSTRUCTIONS = "CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME and WORKDIR"
HEALTHCHECK_TIMES = {
    "interval": "Interval",
    "timeout": "Timeout",
    "start-period": "StartPeriod",
    "start-interval": "StartInterval",
}


def apply_changes(changes: Iterable[str], base: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The ``config`` of an image configuration (OCI image-spec, "Image Configuration"). Raises UserError.

    base: the previous configuration.
    """
    config: dict[str, Any] = dict(base or {})
    for change in changes:
        word, _, rest = change.strip().partition(" ")
        rest = rest.strip()
        if not rest:
            raise UserError(f"--change {change}: nothing follows {word}", hint='for example --change "CMD /bin/sh"')
        try:
            _apply(config, word.upper(), rest)
        except ValueError as error:
            raise UserError(f"--change {change}: {error}", hint="write it as in a Dockerfile") from error
    return config


def _apply(config: dict[str, Any], word: str, rest: str) -> None:
    match word:
        case "CMD":
            config["Cmd"] = _command(rest)
        case "ENTRYPOINT":
            config["Entrypoint"] = _command(rest)
        case "ENV":
            environment = dict(item.split("=", 1) for item in config.get("Env") or ())
            config["Env"] = [f"{name}={value}" for name, value in (environment | _pairs(rest)).items()]
        case "LABEL":
            config["Labels"] = (config.get("Labels") or {}) | _pairs(rest)
        case "EXPOSE":
            ports = (port if "/" in port else f"{port}/tcp" for port in rest.split())
            config["ExposedPorts"] = (config.get("ExposedPorts") or {}) | {port: {} for port in ports}
        case "VOLUME":
            places = _list(rest) if rest.startswith("[") else rest.split()
            config["Volumes"] = (config.get("Volumes") or {}) | {place: {} for place in places}
        case "ONBUILD":
            config["OnBuild"] = [*(config.get("OnBuild") or ()), rest]
        case "HEALTHCHECK":
            config["Healthcheck"] = _healthcheck(rest)
        case "USER":
            config["User"] = rest
        case "WORKDIR":
            config["WorkingDir"] = posixpath.normpath(posixpath.join("/", config.get("WorkingDir") or "", rest))
        case "STOPSIGNAL":
            config["StopSignal"] = rest
        case _:
            raise ValueError(f"{word} is not one of {INSTRUCTIONS}")


def _command(text: str) -> list[str]:
    return _list(text) if text.startswith("[") else [*SHELL, text]


def _healthcheck(text: str) -> dict[str, Any]:
    """``NONE``, or ``[--interval=30s] [--retries=3] CMD command``, with times in nanoseconds as Docker writes them."""
    settings: dict[str, Any] = {}
    while text.startswith("--"):
        option, _, text = text.partition(" ")
        text = text.lstrip()
        name, _, value = option[2:].partition("=")
        if name == "retries" and value.isdecimal():
            settings["Retries"] = int(value)
        elif name in HEALTHCHECK_TIMES:
            settings[HEALTHCHECK_TIMES[name]] = _span(value)
        else:
            known = ", ".join(f"--{time}=TIME" for time in HEALTHCHECK_TIMES)
            raise ValueError(f"{option} is not one of {known} and --retries=NUMBER")
    kind, _, command = text.partition(" ")
    command = command.strip()
    match kind.upper(), command:
        case "NONE", "" if not settings:
            return {"Test": ["NONE"]}
        case "CMD", command if command:
            test = ["CMD", *_list(command)] if command.startswith("[") else ["CMD-SHELL", command]
            if len(test) > 1:
                return {"Test": test, **settings}
    raise ValueError("HEALTHCHECK is followed by NONE, or by options and CMD with a command")


def _span(text: str) -> int:
    span = parse_duration(text)
    # 0 is "the default"; less than a millisecond is refused by Docker too.
    if span and span < 1_000_000:
        raise ValueError(f"{text} is less than 1ms")
    return int(span)


def _list(text: str) -> list[str]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ValueError(f"it begins like a JSON list, but is not one: {error}") from None
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise ValueError("it is not a list of strings")
    return found


def _pairs(text: str) -> dict[str, str]:
    """``A=1 B="x y"``, or the old form ``A anything``."""
    words = shlex.split(text)
    if "=" not in words[0]:
        name, blank, value = text.partition(" ")
        if not blank or not words[0]:
            raise ValueError(f"{name!r} has no value")
        return {name: value.strip()}
    pairs = [word.partition("=") for word in words]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise ValueError(f"{name!r} has no value")
    return {name: value for name, _, value in pairs}
