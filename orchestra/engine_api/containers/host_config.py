"""``HostConfig`` of containers as Docker shows it: what was asked for, and defaults for the rest. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.engine_api.containers.definition import network_mode_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from orchestra.engine_api.made import Made

DEFAULTS: Mapping[str, Any] = {
    "Binds": None,
    "ContainerIDFile": "",
    "LogConfig": {"Type": "json-file", "Config": {}},
    "NetworkMode": "bridge",
    "PortBindings": {},
    "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
    "AutoRemove": False,
    "VolumeDriver": "",
    "VolumesFrom": None,
    "ConsoleSize": [0, 0],
    "CapAdd": None,
    "CapDrop": None,
    "CgroupnsMode": "private",
    "Dns": [],
    "DnsOptions": [],
    "DnsSearch": [],
    "ExtraHosts": None,
    "GroupAdd": None,
    "IpcMode": "private",
    "Cgroup": "",
    "Links": None,
    "OomScoreAdj": 0,
    "PidMode": "",
    "Privileged": False,
    "PublishAllPorts": False,
    "ReadonlyRootfs": False,
    "SecurityOpt": None,
    "UTSMode": "",
    "UsernsMode": "",
    "ShmSize": 67108864,
    "Runtime": "runc",
    "Isolation": "",
    "CpuShares": 0,
    "Memory": 0,
    "NanoCpus": 0,
    "CgroupParent": "",
    "BlkioWeight": 0,
    "BlkioWeightDevice": [],
    "BlkioDeviceReadBps": [],
    "BlkioDeviceReadIOps": [],
    "BlkioDeviceWriteBps": [],
    "BlkioDeviceWriteIOps": [],
    "CpuPeriod": 0,
    "CpuQuota": 0,
    "CpuRealtimePeriod": 0,
    "CpuRealtimeRuntime": 0,
    "CpuCount": 0,
    "CpuPercent": 0,
    "IOMaximumIOps": 0,
    "IOMaximumBandwidth": 0,
    "CpusetCpus": "",
    "CpusetMems": "",
    "Devices": [],
    "DeviceCgroupRules": None,
    "DeviceRequests": None,
    "MemoryReservation": 0,
    "MemorySwap": 0,
    "MemorySwappiness": None,
    "OomKillDisable": False,
    "PidsLimit": None,
    "Ulimits": [],
    "Init": None,
    "MaskedPaths": [],
    "ReadonlyPaths": [],
}
"""What a ``HostConfig`` has besides what was asked for."""


def as_asked(made: Made) -> dict[str, Any]:
    asked = {key: value for key, value in made.host_config.items() if _is_asked(key, value)}
    log = {key: value for key, value in (asked.get("LogConfig") or {}).items() if value}
    return {**DEFAULTS, **asked, "LogConfig": {**DEFAULTS["LogConfig"], **log}, "NetworkMode": network_mode_of(asked)}


def _is_asked(key: str, value: Any) -> bool:
    """Whether it is another value than clients send for one that is not given."""
    if key == "MemorySwappiness":
        return value not in (None, -1)
    return isinstance(value, bool) or value not in (None, "", 0)


def mount_mode(made: Made, mount: Mapping[str, Any]) -> str:
    """The options in ``Binds``. Docker shows one to SELinux for a volume without any."""
    for text in made.host_config.get("Binds") or ():
        source, _, rest = text.partition(":")
        target, _, mode = rest.partition(":")
        if target.rstrip("/") == mount["Destination"]:
            return mode or ("" if source.startswith("/") else "z")
    return ""
