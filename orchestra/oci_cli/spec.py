"""``spec``: a configuration to begin with."""

from __future__ import annotations

import json
import os
from errno import EEXIST

from orchestra.linux.cgroup import machine_hierarchy
from orchestra.linux.syscall import SystemCallError
from orchestra.oci_cli import OCI_VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.oci_cli.arguments import Options
    from orchestra.oci_cli.context import Context

CAPABILITIES = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
STRICT = ["nosuid", "noexec", "nodev"]
MOUNTS: tuple[tuple[str, str, str, list[str]], ...] = (
    ("/proc", "proc", "proc", []),
    ("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
    ("/dev/pts", "devpts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
    ("/dev/shm", "tmpfs", "shm", [*STRICT, "mode=1777", "size=65536k"]),
    ("/dev/mqueue", "mqueue", "mqueue", STRICT),
    ("/sys", "sysfs", "sysfs", [*STRICT, "ro"]),
    ("/sys/fs/cgroup", "cgroup", "cgroup", [*STRICT, "relatime", "ro"]),
)
MASKED = ("acpi", "asound", "kcore", "keys", "latency_stats", "timer_list", "timer_stats", "sched_debug", "scsi")
READ_ONLY = ("bus", "fs", "irq", "sys", "sysrq-trigger")


def spec_command(_context: Context, options: Options, _words: list[str]) -> int:
    config = example()
    if machine_hierarchy().version == 1:
        # runc and crun leave it out here too, and callers add to the result.
        config["linux"]["namespaces"].remove({"type": "cgroup"})
    if options.flag("rootless"):
        _give_to_user(config)
    path = os.path.join(options.value("bundle") or ".", "config.json")
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except FileExistsError:
        raise SystemCallError(EEXIST, "spec", path, "remove it first") from None
    with open(fd, "w") as file:
        json.dump(config, file, indent=2)
        file.write("\n")
    return 0


def example() -> dict[str, Any]:
    return {
        "ociVersion": OCI_VERSION,
        "process": {
            "terminal": True,
            "user": {"uid": 0, "gid": 0},
            "args": ["sh"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), CAPABILITIES),
            "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 1024}],
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "orchestra",
        "mounts": [
            {"destination": destination, "type": kind, "source": source, "options": options}
            for destination, kind, source, options in MOUNTS
        ],
        "linux": {
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
            "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount", "cgroup")],
            "maskedPaths": [*(f"/proc/{name}" for name in MASKED), "/sys/firmware"],
            "readonlyPaths": [f"/proc/{name}" for name in READ_ONLY],
        },
    }


def _give_to_user(config: dict[str, Any]) -> None:
    """For the caller, as the only user and root in it: with the network of the host, and without limits."""
    linux = config["linux"]
    linux["namespaces"] = [row for row in linux["namespaces"] if row["type"] != "network"] + [{"type": "user"}]
    for key, number in (("uidMappings", os.geteuid()), ("gidMappings", os.getegid())):
        linux[key] = [{"containerID": 0, "hostID": number, "size": 1}]
    del linux["resources"]
    for mount in config["mounts"]:
        if mount["type"] == "devpts":
            mount["options"].remove("gid=5")  # this group is not mapped
        if mount["type"] == "sysfs":
            # A container can only have a sysfs of its own with a network of its own.
            mount |= {"type": "none", "source": "/sys", "options": ["rbind", *mount["options"]]}
