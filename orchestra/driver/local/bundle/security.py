"""``security_opt``, and the parts of /proc and /sys that a container must not see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.errors import FatalError
from orchestra.record import Record

if TYPE_CHECKING:
    from orchestra.model.container import ContainerSpec

MASKED = (
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

# Labels are not applied, so only the wish for none is met.
FULFILLED = {"apparmor": "unconfined", "label": "disable"}
UNCONFINED, BUILT_IN = "unconfined", "builtin"
TRUTH = {"": True, "true": True, "false": False}


class Security(Record):
    """seccomp: ``unconfined``, ``builtin``, or the path of a profile."""

    no_new_privileges: bool = False
    masked: tuple[str, ...] = MASKED
    read_only: tuple[str, ...] = READ_ONLY
    writable_cgroups: bool = False
    seccomp: str = BUILT_IN


def parse_security(spec: ContainerSpec) -> Security:
    """``NAME``, ``NAME=VALUE`` or ``NAME:VALUE``, as in Docker. Raises FatalError for what cannot be done."""
    no_new_privileges = False
    all_visible = writable_cgroups = spec.privileged
    seccomp = UNCONFINED if spec.privileged else BUILT_IN
    for option in spec.security_options:
        name, value = split_option(option)
        match name:
            case "no-new-privileges" if value in TRUTH:
                no_new_privileges = TRUTH[value]
            case "writable-cgroups" if value in TRUTH:
                writable_cgroups = TRUTH[value]
            case "systempaths" if value == "unconfined":
                all_visible = True
            case "seccomp" if value:
                seccomp = value
            case "apparmor" | "label":
                if value != FULFILLED[name]:
                    message = f"service {spec.service}: security_opt {option} cannot be applied"
                    hint = f"only {name}={FULFILLED[name]} is supported: see docs/security.md"
                    raise FatalError(message, hint=hint)
            case _:
                message = f"service {spec.service}: security_opt {option} is not supported"
                hint = "use no-new-privileges:true, seccomp=FILE, systempaths=unconfined or writable-cgroups=true"
                raise FatalError(message, hint=hint)
    masked, read_only = ((), ()) if all_visible else (MASKED, READ_ONLY)
    return Security(no_new_privileges, masked, read_only, writable_cgroups, seccomp)


def split_option(option: str) -> tuple[str, str]:
    """Name and value; '' if there is no value."""
    name, _, value = option.partition("=" if "=" in option else ":")
    return name, value
