"""The variables of a command's environment that matter to registries: each ``up`` hands them to the supervisor.

The supervisor was started with the environment of the first ``up``; since then the user may have logged in elsewhere,
or use another proxy. The variables are never written to disk: a restarted supervisor has those of the first command.
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
    "PATH",  # to find credential helpers
)


def for_registries(environment: Mapping[str, str]) -> dict[str, str]:
    """environment: that of the command."""
    return {name: environment[name] for name in VARIABLES if name in environment}
