"""The compiled system call filter in a bundle, for its container and everything that is executed in it."""

from __future__ import annotations

from errno import EINVAL, ENOENT

from orchestra.linux.security import seccomp
from orchestra.linux.syscall import SystemCallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from orchestra.container.configuration import Configuration
    from orchestra.container.directory import ContainerDirectory


NOTIFY = "SCMP_ACT_NOTIFY"
HANDING_OVER = "sendmsg"


def load_filter(directory: ContainerDirectory, config: Configuration, file: str) -> seccomp.Filter | None:
    """None if ``linux.seccomp`` is not set. file: the compiled filter, '' for none.

    Read from the host's side, before anything of the container runs.

    A configuration that asks for a filter without a compiled one is refused, so that no container runs unconfined by
    mistake. So is a filter that asks about the very call that hands over the listener: nothing could answer it yet.
    """
    profile = config.linux.seccomp
    if not profile:
        return None
    if not file:
        raise SystemCallError(ENOENT, "config", "linux.seccomp", "its compiled filter is not in the bundle")
    path = file if file.startswith("/") else directory.file(file)
    with open(path, "rb") as opened:
        program = opened.read()
    if not program or len(program) % seccomp.INSTRUCTION_SIZE:
        raise SystemCallError(EINVAL, "seccomp", path, "not a filter")
    flags = seccomp.parse_flags(profile.get("flags") or ())
    if _asks(profile):
        flags |= seccomp.SECCOMP_FILTER_FLAG_NEW_LISTENER
    return seccomp.Filter(program, flags)


def _asks(profile: Mapping[str, Any]) -> bool:
    """Whether the filter asks another process to decide about calls."""
    rules = [rule for rule in profile.get("syscalls") or () if rule.get("action") == NOTIFY]
    if profile.get("defaultAction") == NOTIFY or any(HANDING_OVER in (rule.get("names") or ()) for rule in rules):
        hint = f"{NOTIFY} can be neither the default nor the action of {HANDING_OVER}, which hands the listener over"
        raise SystemCallError(EINVAL, "config", "linux.seccomp", hint)
    if rules and not profile.get("listenerPath"):
        raise SystemCallError(EINVAL, "config", "linux.seccomp.listenerPath", f"{NOTIFY} needs a listener")
    return bool(rules)
