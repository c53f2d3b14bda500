"""Compose attributes that have no effect on containers of this machine, and why.

Each path, as in ``services.*.ports.[].mode``, with the reason. Standard library only.
"""

from __future__ import annotations

_WINDOWS = "it is only for Windows"
_IN_THE_CONTAINER = "these hooks run in each container of the service; only pre_start has containers of its own"
_SWARM = "it is for Swarm's own store"
_OF_THE_MOUNT = "the Dockerfile says it: RUN --mount=type=secret,mode=0400"
_ONE_MACHINE = "there is only one machine"
_DEVICE_OPTIONS = "devices come from CDI files, which have no options"

FOREIGN: dict[str, str] = {
    "services.*.cpu_count": f"{_WINDOWS}; use cpus",
    "services.*.cpu_percent": f"{_WINDOWS}; use cpus",
    "services.*.credential_spec": _WINDOWS,
    "services.*.deploy.endpoint_mode": "it is for Swarm: names resolve to the addresses of all replicas",
    "services.*.deploy.placement": _ONE_MACHINE,
    "services.*.deploy.resources.reservations.generic_resources": _ONE_MACHINE,
    "services.*.build.isolation": _WINDOWS,
    "services.*.isolation": _WINDOWS,
    "configs.*.driver_opts": _SWARM,
    "secrets.*.driver_opts": _SWARM,
}
"""Those that mean something only on Windows or on several machines; Docker Compose on Linux ignores them too."""

UNSUPPORTED: dict[str, str] = {
    **FOREIGN,
    **{f"services.*.build.secrets.[].{key}": _OF_THE_MOUNT for key in ("gid", "mode", "uid")},
    "services.*.cgroup_parent": "containers' cgroups have a fixed parent",
    "services.*.deploy.resources.reservations.cpus": "CPUs are shared by weight; use cpu_shares",
    "services.*.deploy.resources.reservations.devices.[].options": _DEVICE_OPTIONS,
    "services.*.develop.watch.[].exec.image": "the command is run in the service's containers",
    "services.*.develop.watch.[].exec.per_replica": "the command is run in every container of the service",
    "services.*.gpus.[].options": _DEVICE_OPTIONS,
    **{f"services.*.{kind}.[].image": _IN_THE_CONTAINER for kind in ("post_start", "pre_stop")},
    **{f"services.*.{kind}.[].per_replica": _IN_THE_CONTAINER for kind in ("post_start", "pre_stop")},
    "services.*.storage_opt": "the root file system has no quota",
    "services.*.volumes.[].bind.selinux": "SELinux labels are not set",
    "networks.*.ipam.options": "addresses are assigned in order",
}

REFUSED: dict[str, str] = {
    f"{kind}.*.{name}": f"a service that uses it is refused: {reason}"
    for kind in ("configs", "secrets")
    for name, reason in (
        ("driver", "drivers are for Swarm"),
        ("external", "there is no store of configs and secrets"),
        ("template_driver", "templates are for Swarm"),
    )
}
"""Those with which a container cannot be made, as with Docker Compose."""

LACKS = {**UNSUPPORTED, **REFUSED}
"""Every attribute that has no effect, or only a partial one, with the reason."""
