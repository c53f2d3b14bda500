"""The container of a service, its init containers and its hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.translation.kubernetes.cluster import escaped
from orchestra.translation.kubernetes.names import label
from orchestra.translation.kubernetes.ports import container_ports
from orchestra.translation.kubernetes.probes import probes
from orchestra.translation.kubernetes.resources import resources
from orchestra.translation.kubernetes.security import container_context
from orchestra.translation.plain import full
from orchestra.translation.reading import image_name, set_variables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.translation.kubernetes.cluster import Cluster
    from orchestra.translation.ledger import Given
    from orchestra.translation.result import Object

_PULLED = {"always": "Always", "never": "Never", "missing": "IfNotPresent", "if_not_present": "IfNotPresent"}
_BUILT = "Kubernetes builds nothing: push the image to a registry that the nodes can reach"
_ONE_PROBE = "Kubernetes takes one command for each: these run one after the other in a shell of the image"
_AS_THE_CONTAINER = "a hook of Kubernetes runs as the container does"


def container(key: str, service: Given, cluster: Cluster, mounts: list[Object]) -> Object:
    entrypoint, command = service.take("entrypoint"), service.take("command")
    return {
        "name": cluster.names[key],
        "image": image_name(key, service, cluster.stack, _BUILT),
        **full(
            imagePullPolicy=_pull_policy(service),
            command=escaped(entrypoint or ()),
            args=escaped(command or ()),
            workingDir=service.take("working_dir"),
            env=variables(service.take("environment")),
            ports=container_ports(service),
            volumeMounts=mounts,
            resources=resources(service),
            securityContext=container_context(service),
            tty=service.take("tty") or None,
            stdin=service.take("stdin_open") or None,
            lifecycle=_hooks(service),
            **probes(service),
        ),
    }


def variables(environment: Mapping[str, str | None] | None) -> list[Object]:
    """``env`` of a container."""
    given = set_variables(environment)
    return [{"name": name, "value": value} for name, value in zip(given, escaped(given.values()), strict=True)]


def init_containers(service: Given, mounts: list[Object]) -> list[Object]:
    found = []
    for index, hook in enumerate(service.each("pre_start")):
        hook.take("per_replica")  # every pod runs its init containers
        user = hook.take("user")
        numbers = [part for part in (user or "").split(":") if part.isdecimal()]
        context = full(
            privileged=hook.take("privileged") or None,
            runAsUser=int(numbers[0]) if numbers else None,
            runAsGroup=int(numbers[1]) if len(numbers) > 1 else None,
        )
        found.append(
            {
                "name": label(f"pre-start-{index}"),
                "image": hook.take("image") or service.peek("image"),
                **full(
                    command=escaped(hook.take("command") or ()),
                    workingDir=hook.take("working_dir"),
                    env=variables(hook.take("environment")),
                    volumeMounts=mounts,
                    securityContext=context,
                ),
            }
        )
    return found


def _pull_policy(service: Given) -> str | None:
    policy = service.peek("pull_policy")
    if policy is None:
        return None
    if policy in _PULLED:
        service.take("pull_policy")
        return _PULLED[policy]
    service.approximate("pull_policy", f"{policy} becomes Always: the nodes look at every start")
    return "Always"


def _hooks(service: Given) -> Object:
    return full(postStart=_hook(service, "post_start"), preStop=_hook(service, "pre_stop"))


def _hook(service: Given, name: str) -> Object | None:
    hooks = service.each(name)
    commands = []
    for hook in hooks:
        commands.append(list(hook.take("command") or ()))
        for attribute in ("user", "privileged", "working_dir", "environment"):
            if hook.peek(attribute):
                hook.lose(attribute, _AS_THE_CONTAINER)
    if not commands:
        return None
    if len(commands) == 1:
        return {"exec": {"command": escaped(commands[0])}}
    import shlex

    service.ledger.approximate((*service.path, name), _ONE_PROBE)
    return {"exec": {"command": ["/bin/sh", "-ec", *escaped([" && ".join(map(shlex.join, commands))])]}}
