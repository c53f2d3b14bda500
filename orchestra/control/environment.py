"""What of the environment of a command counts when registries are asked: the supervisor takes it over with each ``up``.

It was started with the environment of the first one, and the user may have logged in elsewhere since, or be behind
another proxy. It is never written down: a supervisor that is restarted has that of the first command again.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
VARIABLES = (
    *("HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"),
    *("REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "CONTAINERS_REGISTRIES_CONF"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR"),
    *PROXIES,
    *map(str.lower, PROXIES),
    "PATH",  # where credential helpers are
)


def for_registries(environment: Mapping[str, str]) -> dict[str, str]:
    """environment: of who asks."""
    return {name: environment[name] for name in VARIABLES if name in environment}
