"""Where the manager of a Swarm is, as Docker's own client finds it: an address, variables, or a context.

https://docs.docker.com/engine/manage-resources/contexts/
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

from orchestra.errors import UserError
from orchestra.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT = "unix:///var/run/docker.sock"
_DEFAULT_CONTEXT = "default"


class Endpoint(NamedTuple):
    """address: ``unix://PATH``, ``tcp://HOST:PORT`` or ``ssh://[USER@]HOST[:PORT]``. certificates: the directory of
    ``ca.pem``, ``cert.pem`` and ``key.pem``, empty to speak without TLS. checked: the certificate of the engine, too.
    """

    address: str
    certificates: str = ""
    checked: bool = True


def find_endpoint(environment: Mapping[str, str], address: str = "", context: str = "") -> Endpoint:
    """address and context: as given on the command line, at most one of them.

    Without both: ``DOCKER_HOST``, ``DOCKER_CONTEXT``, the current context, or the engine of this machine. Raises
    UserError for a context that does not exist or is invalid.
    """
    home = environment.get("DOCKER_CONFIG") or os.path.join(environment.get("HOME", "/"), ".docker")
    address = address or ("" if context else environment.get("DOCKER_HOST", ""))
    context = context or environment.get("DOCKER_CONTEXT") or _current(home)
    if not address and context not in ("", _DEFAULT_CONTEXT):
        return _endpoint_of(home, context)
    certificates = environment.get("DOCKER_CERT_PATH", "") if environment.get("DOCKER_TLS_VERIFY") else ""
    return Endpoint(address or environment.get("DOCKER_HOST") or DEFAULT, certificates)


def _current(home: str) -> str:
    return str(_read(f"{home}/config.json").get("currentContext") or "")


def _endpoint_of(home: str, name: str) -> Endpoint:
    """Docker keeps a context below the digest of its name."""
    identity = hashlib.sha256(name.encode()).hexdigest()
    content = _read(f"{home}/contexts/meta/{identity}/meta.json")
    said = (content.get("Endpoints") or {}).get("docker") or {}
    if not said.get("Host"):
        raise UserError(f"Docker has no context {name!r}", hint="see docker context ls")
    certificates = f"{home}/contexts/tls/{identity}/docker"
    return Endpoint(
        address=str(said["Host"]),
        certificates=certificates if os.path.isdir(certificates) else "",
        checked=not said.get("SkipTLSVerify"),
    )


def _read(path: str) -> dict[str, Any]:
    """Empty without such a file."""
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} is not an object of JSON")
    return content
