"""``use_api_socket`` of a service, and ``x-orchestra: {api: …}``, which says what may be done with the socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.compose.automatic_ports import EXTENSION
from orchestra.model.mount import ApiAccess, ApiMount

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.compose.context import Context
    from orchestra.compose.nodes import Path
    from orchestra.compose.schema.service import Service

SOCKET = "/var/run/docker.sock"
CREDENTIALS = "/run/secrets/docker"
"""The directory of ``config.json``, as with Docker Compose."""


def api_access(service: Service) -> ApiAccess | None:
    """None for a service without the socket."""
    if not service.use_api_socket:
        return None
    return next((access for access in ApiAccess if access == _word(service)), ApiAccess.ALL)


def api_mounts(service: Service) -> Iterator[ApiMount]:
    access = api_access(service)
    if access is not None:
        yield ApiMount(SOCKET, access)


def api_variables(service: Service) -> dict[str, str]:
    """Where clients find credentials, for a service that may pull and push images."""
    return {"DOCKER_CONFIG": CREDENTIALS} if api_access(service) is ApiAccess.ALL else {}


def check_api_access(service: Service, path: Path, context: Context) -> None:
    word = _word(service)
    if word is None or (service.use_api_socket and word in {*ApiAccess}):
        return
    place = (*path, EXTENSION, "api")
    if word in {*ApiAccess}:
        message, hint = f"{EXTENSION}.api has no effect without use_api_socket", "add use_api_socket: true"
    else:
        message, hint = f"{EXTENSION}.api is {word!r}, which is no access", f"write {', '.join(ApiAccess)}"
    context.problems.error("invalid-value", message, context.span(place), place, hint)


def _word(service: Service) -> object:
    extension = service.extensions.get(EXTENSION)
    return extension.get("api") if isinstance(extension, dict) else None
