"""Instructions of a Dockerfile that change an image's configuration, as ``docker import --change`` takes them. Pure."""

from __future__ import annotations

import json
import posixpath
import shlex
from typing import TYPE_CHECKING, Any

from orchestra.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable

SHELL = ("/bin/sh", "-c")


def apply_changes(changes: Iterable[str]) -> dict[str, Any]:
    """The ``config`` of an image configuration (OCI image-spec, "Image Configuration"). Raises UserError."""
    config: dict[str, Any] = {}
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
            environment = dict(item.split("=", 1) for item in config.get("Env", ()))
            config["Env"] = [f"{name}={value}" for name, value in (environment | _pairs(rest)).items()]
        case "LABEL":
            config["Labels"] = config.get("Labels", {}) | _pairs(rest)
        case "EXPOSE":
            ports = (port if "/" in port else f"{port}/tcp" for port in rest.split())
            config["ExposedPorts"] = config.get("ExposedPorts", {}) | {port: {} for port in ports}
        case "VOLUME":
            places = _list(rest) if rest.startswith("[") else rest.split()
            config["Volumes"] = config.get("Volumes", {}) | {place: {} for place in places}
        case "USER":
            config["User"] = rest
        case "WORKDIR":
            config["WorkingDir"] = posixpath.normpath(posixpath.join("/", config.get("WorkingDir", ""), rest))
        case "STOPSIGNAL":
            config["StopSignal"] = rest
        case _:
            raise ValueError(
                f"{word} is not one of CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME and WORKDIR"
            )


def _command(text: str) -> list[str]:
    return _list(text) if text.startswith("[") else [*SHELL, text]


def _list(text: str) -> list[str]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ValueError(f"it begins like a JSON list and is none: {error}") from None
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
