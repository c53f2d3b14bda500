"""The credentials that clients send with a request: base64 of JSON, in a header."""

from __future__ import annotations

import base64
import binascii
import json
import os
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from orchestra.driver.local.image.naming.name import DEFAULT_CREDENTIALS
from orchestra.driver.local.image.registry import Access
from orchestra.engine_api.errors import bad_request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestra.engine_api.exchange import Request
    from orchestra.engine_api.world import World

HEADER = "x-registry-auth"


@contextmanager
def access_of(world: World, request: Request, host: str) -> Iterator[Access]:
    """How to reach the registry. host: of the image. The credentials are in a private file for as long as it takes."""
    environment = world.context.environment
    sent = _read(request.headers.get(HEADER, ""))
    if not sent.get("username") and not sent.get("identitytoken"):
        yield Access(environment)
        return
    pair = f"{sent.get('username', '')}:{sent.get('password', '')}".encode()
    entry = {"auth": base64.b64encode(pair).decode()}
    if sent.get("identitytoken"):
        entry["identitytoken"] = sent["identitytoken"]
    with tempfile.TemporaryDirectory(prefix="orchestra-auth-") as directory:
        descriptor = os.open(f"{directory}/config.json", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump({"auths": {DEFAULT_CREDENTIALS if host == "docker.io" else host: entry}}, file)
        yield Access({**environment, "DOCKER_CONFIG": directory, "REGISTRY_AUTH_FILE": f"{directory}/config.json"})


def _read(header: str) -> Mapping[str, str]:
    if not header:
        return {}
    try:
        found = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    except (ValueError, binascii.Error) as error:
        raise bad_request(f"the header {HEADER} cannot be read") from error
    return found if isinstance(found, dict) else {}
