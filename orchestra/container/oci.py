"""What the OCI runtime specification sends to other programs: a container's state, and its filter's listener."""

from __future__ import annotations

import json
import os
from errno import EPIPE

from orchestra.container import OCI_VERSION
from orchestra.linux import unix_socket
from orchestra.linux.syscall import SystemCallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def state(
    name: str, status: str, pid: int, bundle: str, annotations: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """runtime, "State". pid: as the host sees it, 0 for a container that has stopped."""
    told: dict[str, Any] = {"ociVersion": OCI_VERSION, "id": name, "pid": pid, "status": status, "bundle": bundle}
    if annotations:
        told["annotations"] = dict(annotations)
    return told


def send_listener(profile: Mapping[str, Any], listener: int, pid: int, container: Mapping[str, Any]) -> None:
    """config-linux, "The Container Process State": send it to the socket at ``listenerPath``, and nothing else over it.

    listener: of the filter of process ``pid``, whose calls wait for an answer; closed here. container: its state.
    """
    told = {
        "ociVersion": OCI_VERSION,
        "fds": ["seccompFd"],
        "pid": pid,
        "metadata": profile.get("listenerMetadata") or "",
        "state": container,
    }
    path = profile["listenerPath"]
    try:
        with unix_socket.connect(path) as connection:
            unix_socket.send(connection, json.dumps(told).encode(), (listener,))
    except OSError as error:
        hint = "no program accepts the seccomp listener there (linux.seccomp.listenerPath)"
        raise SystemCallError(error.errno or EPIPE, "connect", path, hint) from error
    finally:
        os.close(listener)
