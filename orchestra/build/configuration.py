"""What images say about their containers, as builds read, change and write it (OCI image-spec, "Image Configuration").

``Healthcheck``, ``Shell`` and ``OnBuild`` are Docker's additions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.document import mapping, strings, text
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping


class ImageConfiguration(Record):
    """The configuration of an image, unlike the driver's with all that a stage takes over from its base.

    environment: in the order of the image. entrypoint, command: None if the image has none. exposed_ports: as
    ``80/tcp``. healthcheck: Docker's members ``Test``, ``Interval``, … (in nanoseconds). on_build: instructions for
    the builds that start from the image. platform: as ``linux/amd64``, or empty if the image does not say.
    """

    environment: tuple[tuple[str, str], ...] = ()
    working_directory: str = ""
    user: str = ""
    shell: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    labels: Mapping[str, str] = {}
    volumes: frozenset[str] = frozenset()
    exposed_ports: frozenset[str] = frozenset()
    stop_signal: str = ""
    healthcheck: Mapping[str, object] | None = None
    on_build: tuple[str, ...] = ()
    author: str = ""
    platform: str = ""


def parse_configuration(document: Mapping[str, object]) -> ImageConfiguration:
    """document: the whole configuration file of an image. Raises DocumentError if it does not have the right shape."""
    config = mapping(document, "config")
    labels = mapping(config, "Labels")
    environment = (line.partition("=") for line in strings(config, "Env"))
    parts = (text(document, key) for key in ("os", "architecture", "variant"))
    return ImageConfiguration(
        environment=tuple((name, value) for name, _, value in environment if name),
        working_directory=text(config, "WorkingDir"),
        user=text(config, "User"),
        shell=strings(config, "Shell"),
        entrypoint=strings(config, "Entrypoint") or None,
        command=strings(config, "Cmd") or None,
        labels={name: text(labels, name) for name in labels},
        volumes=frozenset(mapping(config, "Volumes")),
        exposed_ports=frozenset(mapping(config, "ExposedPorts")),
        stop_signal=text(config, "StopSignal"),
        healthcheck=mapping(config, "Healthcheck") or None,
        on_build=strings(config, "OnBuild"),
        author=text(document, "author"),
        platform="/".join(part for part in parts if part),
    )


def render_configuration(configuration: ImageConfiguration) -> dict[str, object]:
    """The ``config`` of an image, with the members that are not empty, in Docker's order."""
    config: dict[str, object] = {
        "User": configuration.user,
        "ExposedPorts": {port: {} for port in sorted(configuration.exposed_ports)},
        "Env": [f"{name}={value}" for name, value in configuration.environment],
        "Entrypoint": configuration.entrypoint and list(configuration.entrypoint),
        "Cmd": configuration.command and list(configuration.command),
        "Healthcheck": configuration.healthcheck and dict(configuration.healthcheck),
        "Volumes": {volume: {} for volume in sorted(configuration.volumes)},
        "WorkingDir": configuration.working_directory,
        "OnBuild": list(configuration.on_build),
        "Labels": dict(sorted(configuration.labels.items())),
        "StopSignal": configuration.stop_signal,
        "Shell": list(configuration.shell),
    }
    return {key: value for key, value in config.items() if value}
