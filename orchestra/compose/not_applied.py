"""Attributes that are understood and kept in ``config``, but have no effect on the containers yet, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestra.compose.context import Context
    from orchestra.compose.nodes import Path

_SERVICE = {
    "blkio_config": "block I/O is not limited",
    "cgroup": "every container has a cgroup namespace of its own",
    "cgroup_parent": "containers' cgroups have a fixed parent",
    "cpu_count": "it is for Windows only; use cpus",
    "cpu_percent": "it is for Windows only; use cpus",
    "cpu_rt_period": "real-time scheduling is not configured",
    "cpu_rt_runtime": "real-time scheduling is not configured",
    "credential_spec": "it is for Windows only",
    "develop": "files are not watched",
    "device_cgroup_rules": "device rules beyond the listed devices are not set",
    "external_links": "containers outside the stack are reached through a shared network",
    "gpus": "GPUs are not passed to containers",
    "isolation": "it is for Windows only",
    "mem_swappiness": "the kernel's own setting is used",
    "models": "there is no runtime for AI models",
    "oom_kill_disable": "the kernel's out-of-memory handling stays on",
    "post_start": "hooks are not run",
    "pre_start": "hooks are not run",
    "pre_stop": "hooks are not run",
    "provider": "there are no providers",
    "pull_refresh_after": "images are not refreshed by age",
    "storage_opt": "the root file system has no quota",
    "use_api_socket": "there is no engine socket to mount",
    "userns_mode": "containers share the user namespace of the stack",
}
_DEPLOY = {
    "placement": "there is one machine only",
    "update_config": "containers are replaced one after another, the old one stopped first",
    "rollback_config": "there is no going back to an earlier definition",
    "endpoint_mode": "names resolve to the addresses of all replicas",
}


def report(context: Context) -> None:
    """Name each attribute in use that has no effect, at its place."""
    for key, service in context.stack.services.items():
        for attribute, reason in _SERVICE.items():
            if getattr(service, attribute) and not (attribute == "cgroup" and service.cgroup == "private"):
                path: Path = ("services", key, attribute)
                context.problems.not_apply(f"{attribute}: {reason}", context.span(path, key=True), path)
        if service.build:
            path = ("services", key, "build")
            hint = "" if service.image else "give the service an image"
            context.problems.not_apply("build: images are not built", context.span(path, key=True), path, hint)
        if service.deploy is None:
            continue
        for attribute, reason in _DEPLOY.items():
            value = getattr(service.deploy, attribute)
            if value and value != type(value)():
                path = ("services", key, "deploy", attribute)
                context.problems.not_apply(f"deploy.{attribute}: {reason}", context.span(path, key=True), path)
        reservations = service.deploy.resources.reservations
        if reservations and reservations.devices:
            path = ("services", key, "deploy", "resources", "reservations", "devices")
            context.problems.not_apply("devices: GPUs are not passed to containers", context.span(path), path)
