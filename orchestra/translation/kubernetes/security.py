"""What a container may do: security contexts of containers and pods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestra.translation.plain import full

if TYPE_CHECKING:
    from orchestra.translation.ledger import Given
    from orchestra.translation.result import Object

_NUMBERS = "Kubernetes takes users and groups as numbers only"


def container_context(service: Given) -> Object:
    """``securityContext`` of a container."""
    capabilities = full(
        add=[_capability(name) for name in service.take("cap_add")],
        drop=[_capability(name) for name in service.take("cap_drop")],
    )
    return full(
        capabilities=capabilities,
        privileged=service.take("privileged") or None,
        readOnlyRootFilesystem=service.take("read_only") or None,
        **_user(service),
        **_options(service),
    )


def pod_context(service: Given) -> Object:
    """``securityContext`` of a pod."""
    groups = service.take("group_add")
    if not all(group.isdecimal() for group in groups):
        service.approximate("group_add", _NUMBERS, "write the number of the group")
    sysctls = service.take("sysctls") or {}
    return full(
        supplementalGroups=[int(group) for group in groups if group.isdecimal()],
        sysctls=[{"name": name, "value": value} for name, value in sorted(sysctls.items())],
    )


def _capability(name: str) -> str:
    return name.upper().removeprefix("CAP_")


def _user(service: Given) -> Object:
    text = service.peek("user")
    if not text:
        return {}
    user, _, group = text.partition(":")
    if not user.isdecimal() or not (group.isdecimal() or not group):
        service.lose("user", _NUMBERS, "write the numbers of the user and the group, as in user: 1000:1000")
        return {}
    service.take("user")
    return full(runAsUser=int(user), runAsGroup=int(group) if group else None)


def _options(service: Given) -> Object:
    found: dict[str, Any] = {}
    for index, text in enumerate(service.peek("security_opt")):
        path = (*service.path, "security_opt", index)
        name, _, value = text.replace("=", ":", 1).partition(":")
        if name == "no-new-privileges":
            found["allowPrivilegeEscalation"] = value == "false"
        elif text in ("seccomp:unconfined", "seccomp=unconfined"):
            found["seccompProfile"] = {"type": "Unconfined"}
        elif name == "label" and value.partition(":")[0] in ("user", "role", "type", "level"):
            kind, _, label = value.partition(":")
            found.setdefault("seLinuxOptions", {})[kind] = label
        else:
            service.ledger.lose(path, "names a profile of this machine", "install it on the nodes, see x-kubernetes")
            continue
        service.ledger.use(path)
    return found
