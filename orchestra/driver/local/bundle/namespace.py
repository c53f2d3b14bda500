"""Which namespaces a container has, joins, or shares with the host; and the sysctls that go with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestra.errors import FatalError
from orchestra.model.sharing import Bare, Host, Own
from orchestra.model.user_namespace import OfStack

if TYPE_CHECKING:
    from orchestra.driver.local.bundle.world import HostFacts
    from orchestra.driver.local.net.attachment import Attachment
    from orchestra.model.container import ContainerSpec

# Kernel settings that exist once for each namespace of a kind; any other would change the host (sysctl(8)).
IPC_SYSCTLS = (
    "kernel/msgmax",
    "kernel/msgmnb",
    "kernel/msgmni",
    "kernel/sem",
    "kernel/shmall",
    "kernel/shmmax",
    "kernel/shmmni",
    "kernel/shm_rmid_forced",
)

# As in Docker, since images count on it: a user other than root may listen on port 80 (ip(7)) and ping (icmp(7)).
OPEN_PORTS = {"net.ipv4.ip_unprivileged_port_start": "0"}
NETWORK = ("net.", "net/")
OPEN_PING = {"net.ipv4.ping_group_range": "0 2147483647"}


def render_namespaces(spec: ContainerSpec, attachment: Attachment) -> list[dict[str, str]]:
    """The namespaces it has, and the network's to join. Those of other containers are known only when it is started."""
    found = [{"type": "mount"}]
    found += [{"type": kind} for kind in ("cgroup", "uts", "ipc", "pid") if not isinstance(getattr(spec, kind), Host)]
    if attachment.namespace_path is not None:
        found.append({"type": "network", "path": attachment.namespace_path})
    if not isinstance(spec.user_namespace, OfStack):
        found.append({"type": "user"})
    return found


def render_hostname(spec: ContainerSpec, attachment: Attachment) -> str:
    """Empty if the container has the host's name: setting it would rename the host."""
    if not isinstance(spec.uts, Host):
        # 64 is what sethostname(2) takes; a container's name may be longer.
        return attachment.hostname if spec.hostname else attachment.hostname[:64]
    for attribute in ("hostname", "domainname"):
        if getattr(spec, attribute):
            message = f"service {spec.service}: {attribute} cannot be set with uts: host"
            raise FatalError(message, hint=f"remove {attribute} or uts")
    return ""


def render_sysctls(spec: ContainerSpec, attachment: Attachment, host: HostFacts) -> dict[str, str]:
    """With the domain name, which the kernel takes the same way."""
    found: dict[str, str] = {}
    if attachment.namespace_path is not None and isinstance(spec.network_mode, Own | Bare):
        # The kernel refuses a range of groups that the user namespace does not have.
        found |= OPEN_PORTS | (OPEN_PING if host.every_group else {})
    found |= {_sysctl(name, spec, attachment): value for name, value in spec.sysctls.items()}
    if spec.domainname:
        found["kernel.domainname"] = spec.domainname
    return found


def take_network_sysctls(config: dict[str, Any]) -> dict[str, str]:
    """Take those of the network namespace out of a bundle's configuration, and return them."""
    found: dict[str, str] = config["linux"]["sysctl"]
    config["linux"]["sysctl"] = {key: value for key, value in found.items() if not key.startswith(NETWORK)}
    return {key: value for key, value in found.items() if key.startswith(NETWORK)}


def _sysctl(name: str, spec: ContainerSpec, attachment: Attachment) -> str:
    """One spelling for each: with dots, or as a path where a name has a dot in it.

    Of what is written, the first separator tells which of the two means a level (sysctl.d(5)).
    """
    path = name
    if "." in name and "/" not in name.partition(".")[0]:
        path = name.translate(str.maketrans("./", "/."))
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise FatalError(
            f"service {spec.service}: sysctl {name} is malformed", hint="use a name such as net.core.somaxconn"
        )
    shared = ""
    if parts[0] == "net":
        shared = "network_mode" if attachment.namespace_path is None else ""
    elif path in IPC_SYSCTLS or path.startswith("fs/mqueue/"):
        shared = "ipc" if isinstance(spec.ipc, Host) else ""
    elif path in ("kernel/hostname", "kernel/domainname"):
        attribute = parts[1]
        raise FatalError(f"service {spec.service}: sysctl {name} is set by `{attribute}`", hint=f"use {attribute}")
    else:
        hint = "set it on the host: the kernel has one value for all containers"
        raise FatalError(f"service {spec.service}: sysctl {name} cannot be set for a container", hint=hint)
    if shared:
        message = f"service {spec.service}: sysctl {name} would change the host"
        raise FatalError(message, hint=f"remove it, or {shared}: host")
    return path if "." in path else path.replace("/", ".")
