"""Compose attributes that have no effect on containers of this machine, and why.

Each path, as in ``services.*.ports.[].mode``, with the reason. Standard library only.
"""

from __future__ import annotations

_WINDOWS = "it is only for Windows"
_HOOKS = "hooks are not run"
_SWARM = "it is for Swarm's own store"
_ONE_MACHINE = "there is only one machine"
_DEVICE_OPTIONS = "devices come from CDI files, which have no options"

UNSUPPORTED: dict[str, str] = {
    "services.*.build": "images are not built; give the service an image",
    "services.*.cgroup": "every container has a cgroup namespace of its own",
    "services.*.cgroup_parent": "containers' cgroups have a fixed parent",
    "services.*.cpu_count": f"{_WINDOWS}; use cpus",
    "services.*.cpu_percent": f"{_WINDOWS}; use cpus",
    "services.*.credential_spec": _WINDOWS,
    "services.*.deploy.endpoint_mode": "names resolve to the addresses of all replicas",
    "services.*.deploy.placement": _ONE_MACHINE,
    "services.*.deploy.resources.reservations.cpus": "CPUs are shared by weight; use cpu_shares",
    "services.*.deploy.resources.reservations.devices.[].options": _DEVICE_OPTIONS,
    "services.*.deploy.resources.reservations.generic_resources": _ONE_MACHINE,
    "services.*.deploy.rollback_config": "earlier definitions cannot be restored",
    "services.*.deploy.update_config": "containers are replaced one after another, the old one stopped first",
    "services.*.develop": "files are not watched",
    "services.*.external_links": "containers outside the stack are reached through a shared network",
    "services.*.gpus.[].options": _DEVICE_OPTIONS,
    "services.*.isolation": _WINDOWS,
    "services.*.models": "there is no runtime for AI models",
    "services.*.networks.*.driver_opts": "interfaces have no options",
    "services.*.networks.*.gw_priority": "the network with the highest priority has the default route",
    "services.*.networks.*.interface_name": "interfaces are numbered",
    "services.*.networks.*.ipv6_address": "networks have IPv4 addresses only",
    "services.*.networks.*.link_local_ips": "interfaces have one address",
    "services.*.pre_start": _HOOKS,
    "services.*.storage_opt": "the root file system has no quota",
    "services.*.use_api_socket": "there is no engine socket to mount",
    "services.*.volumes.[].bind.recursive": "submounts are always included unchanged",
    "services.*.volumes.[].bind.selinux": "SELinux labels are not set",
    "services.*.volumes.[].volume.labels": "anonymous volumes have no labels of their own",
    "networks.*.enable_ipv6": "networks have IPv4 addresses only",
    "networks.*.ipam.options": "addresses are assigned in order",
    "configs.*.driver": _SWARM,
    "configs.*.driver_opts": _SWARM,
    "configs.*.template_driver": "contents are used unchanged",
    "secrets.*.driver": _SWARM,
    "secrets.*.driver_opts": _SWARM,
    "secrets.*.template_driver": "contents are used unchanged",
}

# Reported if a service uses the config or secret: a declaration alone is no problem.
UNSUPPORTED_IN_USE: dict[str, str] = {
    **{
        f"{kind}.*.external": "a service that uses it is refused: there is no store of configs and secrets"
        for kind in ("configs", "secrets")
    },
    "models": "there is no runtime for AI models",
}

LACKS = {**UNSUPPORTED, **UNSUPPORTED_IN_USE}
"""Every attribute that has no effect, or only a partial one, with the reason."""
