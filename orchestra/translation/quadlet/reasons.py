"""Why an attribute has no counterpart in units of Podman, and what to do instead. Checked to be complete by a test."""

from __future__ import annotations

from orchestra.compose.patterns import plant

_CLUSTER = "is for clusters"
_UPDATE = "systemd restarts one unit at a time, when it is asked to"
_WINDOWS = "is for Windows"
_LOCAL = "is read by Orchestra only"
_LINK = "Podman makes the interfaces"
_CONTENT = "the content itself is stored"
_MODELS = "models run in Orchestra only"

_TABLE: dict[str, tuple[str, str]] = {
    "models": (_MODELS, ""),
    "networks.*.attachable": (_CLUSTER, ""),
    "networks.*.driver": ("Podman has the drivers bridge, macvlan and ipvlan", ""),
    "networks.*.enable_ipv4": ("networks of Podman have IPv4", ""),
    "networks.*.ipam.config.[].aux_addresses": ("Podman reserves a range only", "set ip_range"),
    "networks.*.ipam.driver": ("Podman has the drivers host-local, dhcp and none", ""),
    "networks.*.ipam.options": ("Podman's drivers take no options", ""),
    "networks.*.scope": (_CLUSTER, ""),
    "secrets.*.driver": (_CONTENT, ""),
    "secrets.*.driver_opts": (_CONTENT, ""),
    "secrets.*.template_driver": ("nothing is filled in", ""),
    "configs.*.driver": (_CONTENT, ""),
    "configs.*.driver_opts": (_CONTENT, ""),
    "configs.*.template_driver": ("nothing is filled in", ""),
    "services.*": ("a provider runs in Orchestra only", ""),
    "services.*.x-orchestra": (_LOCAL, ""),
    "services.*.attach": ("nothing is attached", "journalctl --unit"),
    "services.*.cgroup_parent": ("systemd puts the container below its unit", ""),
    "services.*.cpu_count": (_WINDOWS, "limit cpus"),
    "services.*.cpu_percent": (_WINDOWS, "limit cpus"),
    "services.*.credential_spec": (_WINDOWS, ""),
    "services.*.deploy.endpoint_mode": (_CLUSTER, ""),
    "services.*.deploy.labels": ("a unit has no labels", "use labels of the service"),
    "services.*.deploy.placement": (_CLUSTER, ""),
    "services.*.deploy.resources.reservations.cpus": ("Podman reserves no processors", "use cpu_shares"),
    "services.*.deploy.resources.reservations.generic_resources": (_CLUSTER, ""),
    "services.*.deploy.resources.reservations.devices.[].options": ("the file of the device says it", ""),
    "services.*.deploy.rollback_config": (_UPDATE, ""),
    "services.*.deploy.update_config": (_UPDATE, ""),
    "services.*.develop": ("nothing is watched", "orchestra watch"),
    "services.*.domainname": ("Podman sets the host's name only", "write it into hostname"),
    "services.*.external_links": ("containers find each other on a network", "give both one external network"),
    "services.*.gpus.[].options": ("the file of the device says it", ""),
    "services.*.healthcheck": ("has no test", ""),
    "services.*.healthcheck.start_interval": ("Podman has one interval", ""),
    "services.*.ipc": ("is not known to Podman", ""),
    "services.*.isolation": (_WINDOWS, ""),
    "services.*.links": ("is a name of a service that is not there", ""),
    "services.*.logging": ("Podman writes logs to journald or a file", ""),
    "services.*.logging.driver": ("Podman writes logs to journald or a file", ""),
    "services.*.models": (_MODELS, ""),
    "services.*.network_mode": ("is not known to Podman", ""),
    "services.*.networks.*.driver_opts": (_LINK, ""),
    "services.*.networks.*.gw_priority": (_LINK, ""),
    "services.*.networks.*.link_local_ips": (_LINK, ""),
    "services.*.networks.*.priority": (_LINK, ""),
    "services.*.pid": ("is not known to Podman", ""),
    "services.*.ports.[].name": ("a port has a number only", ""),
    "services.*.ports.[].app_protocol": ("a port has a number only", ""),
    "services.*.pre_start": ("units have nothing like it", "make it a service that others wait for to complete"),
    "services.*.provider": ("a provider runs in Orchestra only", ""),
    "services.*.pull_refresh_after": ("Podman looks at each start, or not", ""),
    "services.*.use_api_socket": (_LOCAL, "mount the socket of Podman"),
    "services.*.volumes.[].bind.recursive": ("Podman mounts what is below, too", ""),
    "services.*.volumes.[].consistency": ("has no meaning on Linux", ""),
    "services.*.volumes.[].volume.labels": ("a volume is labelled where it is declared", "use volumes.*.labels"),
    "x-orchestra": (_LOCAL, ""),
}
REASONS = plant(_TABLE)
