"""Which namespaces a container has of its own, joins, or shares with the host; and the sysctls that go with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.errors import FatalError

if TYPE_CHECKING:
    from orchestra.driver.local.net.attachment import Attachment
    from orchestra.model.desired import ContainerSpec

PRIVATE = {"pid": ("", "private"), "ipc": ("", "private", "shareable", "none"), "uts": ("", "private")}

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


def render_namespaces(
    spec: ContainerSpec, attachment: Attachment, pid_namespace: str, ipc_namespace: str
) -> list[dict[str, str]]:
    """pid_namespace, ipc_namespace: paths to join where the file says ``service:`` or ``container:``."""
    found = [{"type": "mount"}, {"type": "cgroup"}]
    if not _is_hosts(spec, "uts"):
        found.append({"type": "uts"})
    for kind, path in (("ipc", ipc_namespace), ("pid", pid_namespace)):
        if not _is_hosts(spec, kind):
            found.append({"type": kind, "path": path} if path and joins(spec, kind) else {"type": kind})
    if attachment.namespace_path is not None:
        found.append({"type": "network", "path": attachment.namespace_path})
    return found


def joins(spec: ContainerSpec, kind: str) -> bool:
    """Whether a namespace is shared with another container."""
    return str(getattr(spec, kind)).partition(":")[0] in ("service", "container")


def _is_hosts(spec: ContainerSpec, kind: str) -> bool:
    mode: str = getattr(spec, kind)
    if mode == "host":
        return True
    if mode in PRIVATE[kind] or (kind != "uts" and joins(spec, kind)):
        return False
    choices = ["host", *filter(None, PRIVATE[kind]), *(() if kind == "uts" else ("service:NAME", "container:NAME"))]
    message = f"service {spec.service}: {kind} {mode} is not known"
    raise FatalError(message, hint=f"it is one of {', '.join(choices)}")


def render_hostname(spec: ContainerSpec, attachment: Attachment) -> str:
    """Empty where the name is the host's: setting it would rename the host."""
    if not _is_hosts(spec, "uts"):
        # 64 is what sethostname(2) takes; a container's name may be longer.
        return attachment.hostname if spec.hostname else attachment.hostname[:64]
    for attribute in ("hostname", "domainname"):
        if getattr(spec, attribute):
            message = f"service {spec.service}: {attribute} cannot be set with uts: host"
            raise FatalError(message, hint=f"remove {attribute} or uts")
    return ""


def render_sysctls(spec: ContainerSpec, attachment: Attachment) -> dict[str, str]:
    """With the domain name, which the kernel takes the same way."""
    found = {_sysctl(name, spec, attachment): value for name, value in spec.sysctls.items()}
    if spec.domainname:
        found["kernel.domainname"] = spec.domainname
    return found


def _sysctl(name: str, spec: ContainerSpec, attachment: Attachment) -> str:
    """One spelling for each: with dots, or as a path where a name has a dot in it.

    Of what is written, the first separator tells which of the two means a level (sysctl.d(5)).
    """
    path = name
    if "." in name and "/" not in name.partition(".")[0]:
        path = name.translate(str.maketrans("./", "/."))
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise FatalError(f"service {spec.service}: sysctl {name} is malformed", hint="as in net.core.somaxconn")
    shared = ""
    if parts[0] == "net":
        shared = "network_mode" if attachment.namespace_path is None else ""
    elif path in IPC_SYSCTLS or path.startswith("fs/mqueue/"):
        shared = "ipc" if spec.ipc == "host" else ""
    elif path in ("kernel/hostname", "kernel/domainname"):
        attribute = parts[1]
        raise FatalError(f"service {spec.service}: sysctl {name} is set by `{attribute}`", hint=f"use {attribute}")
    else:
        hint = "set it on the host: the kernel has it once for all containers"
        raise FatalError(f"service {spec.service}: sysctl {name} cannot be set for a container", hint=hint)
    if shared:
        message = f"service {spec.service}: sysctl {name} would change the host"
        raise FatalError(message, hint=f"remove it, or {shared}: host")
    return path if "." in path else path.replace("/", ".")
