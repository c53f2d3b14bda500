"""The part of an image's configuration that containers inherit (OCI image-spec, "Image Configuration"). Pure.

Docker's own configuration has the same shape, with ``Healthcheck`` and ``Shell`` on top.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestra.model.document import DocumentError, integer, mapping, strings, text
from orchestra.model.observed import Healthcheck
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEFAULT_SHELL = ("/bin/sh", "-c")


class ImageConfig(Record):
    """exposed_ports as ``80/tcp``; healthcheck None: the image has none, or says NONE."""

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}
    working_directory: str = ""
    user: str = ""
    volumes: tuple[str, ...] = ()
    exposed_ports: tuple[str, ...] = ()
    labels: Mapping[str, str] = {}
    stop_signal: str = ""
    healthcheck: Healthcheck | None = None


def parse_config(document: Mapping[str, Any]) -> ImageConfig:
    """document: the whole configuration file, whose ``config`` may be missing. Raises DocumentError."""
    config = mapping(document, "config")
    shell = strings(config, "Shell") or DEFAULT_SHELL
    labels = mapping(config, "Labels")
    return ImageConfig(
        entrypoint=strings(config, "Entrypoint"),
        command=strings(config, "Cmd"),
        environment=_environment(strings(config, "Env")),
        working_directory=text(config, "WorkingDir"),
        user=text(config, "User"),
        volumes=tuple(sorted(mapping(config, "Volumes"))),
        exposed_ports=tuple(sorted(port if "/" in port else f"{port}/tcp" for port in mapping(config, "ExposedPorts"))),
        labels={key: text(labels, key) for key in labels},
        stop_signal=text(config, "StopSignal"),
        healthcheck=_healthcheck(mapping(config, "Healthcheck"), shell),
    )


def _environment(lines: Sequence[str]) -> dict[str, str]:
    pairs = (line.partition("=") for line in lines)
    return {name: value for name, _, value in pairs if name}


def _healthcheck(document: Mapping[str, Any], shell: tuple[str, ...]) -> Healthcheck | None:
    match strings(document, "Test"):
        case () | ("NONE",):
            return None
        case ("CMD", *command) if command:
            test = tuple(command)
        case ("CMD-SHELL", *command) if command:
            test = (*shell, " ".join(command))
        case other:
            raise DocumentError(f"Healthcheck.Test begins with {other[0]!r}, not with CMD, CMD-SHELL or NONE")
    # Docker writes nanoseconds, and 0 for "the default".
    default = Healthcheck(test)
    return Healthcheck(
        test,
        interval=integer(document, "Interval") / 1e9 or default.interval,
        timeout=integer(document, "Timeout") / 1e9 or default.timeout,
        retries=integer(document, "Retries") or default.retries,
        start_period=integer(document, "StartPeriod") / 1e9 or default.start_period,
        start_interval=integer(document, "StartInterval") / 1e9 or default.start_interval,
    )
