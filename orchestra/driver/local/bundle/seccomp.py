"""``linux.seccomp`` of a container: the default profile, or a JSON profile in Docker's format. Pure.

Both depend on the container's capabilities: a container that may mount anyway is not denied the call.
"""

from __future__ import annotations

import functools
from errno import ENOSYS, EPERM
from typing import TYPE_CHECKING, Any

from orchestra.driver.local.bundle.seccomp_calls import (
    AF_VSOCK,
    ALLOWED,
    ARCHITECTURE_CALLS,
    ARCHITECTURES,
    CAPABILITY_CALLS,
    NEW_NAMESPACES,
    PERSONALITIES,
    UNDECIDED,
)
from orchestra.driver.local.bundle.security import BUILT_IN, UNCONFINED
from orchestra.errors import FatalError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestra.driver.local.bundle.security import Security
    from orchestra.driver.local.bundle.world import HostFacts
    from orchestra.model.container import ContainerSpec

Profile = dict[str, Any]
Rule = dict[str, Any]

ALLOW, ERRNO = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"

# The names of machines in Docker's profiles.
MACHINE_NAMES = {"x86_64": "amd64", "aarch64": "arm64", "i686": "x86", "armv7l": "arm"}


def render_profile(
    spec: ContainerSpec, security: Security, capabilities: Iterable[str], host: HostFacts
) -> Profile | None:
    """The profile that ``security_opt`` asks for; None for a container without one. Raises FatalError."""
    if security.seccomp == UNCONFINED:
        return None
    if security.seccomp == BUILT_IN or host.seccomp_profile is None:
        return render_default_profile(frozenset(capabilities), host.machine)
    try:
        return resolve_profile(host.seccomp_profile, capabilities, host.machine, host.kernel)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        message = f"service {spec.service}: {security.seccomp} is not a seccomp profile: {error}"
        raise FatalError(message, hint="write it with defaultAction and syscalls, as in Docker's profiles") from error


@functools.lru_cache(maxsize=64)
def render_default_profile(capabilities: frozenset[str], machine: str) -> Profile:
    """machine: as uname(2) has it. The caller must not change the result."""
    names: set[str] = set()
    for calls in ALLOWED.values():
        names.update(calls.split())
    names.update(ARCHITECTURE_CALLS.get(machine, "").split())
    for capability, calls in CAPABILITY_CALLS.items():
        if capability in capabilities:
            names.update(calls.split())
    rules: list[Rule] = [{"names": sorted(names), "action": ALLOW}]
    rules += [_allow("personality", 0, "SCMP_CMP_EQ", value) for value in PERSONALITIES]
    rules.append(_allow("socket", 0, "SCMP_CMP_NE", AF_VSOCK))
    if "clone" not in names:
        rules.append(_allow("clone", 0, "SCMP_CMP_MASKED_EQ", NEW_NAMESPACES))
        # Its flags are in memory, where a filter cannot look: with "no such call" programs use clone instead.
        rules.append({"names": ["clone3"], "action": ERRNO, "errnoRet": ENOSYS})
    rules.append({"names": UNDECIDED.split(), "action": ERRNO, "errnoRet": ENOSYS})
    profile: Profile = {"defaultAction": ERRNO, "defaultErrnoRet": EPERM, "syscalls": rules}
    if machine in ARCHITECTURES:
        profile["architectures"] = list(ARCHITECTURES[machine])
    return profile


def _allow(name: str, index: int, operator: str, value: int) -> Rule:
    arguments = [{"index": index, "op": operator, "value": value}]
    return {"names": [name], "action": ALLOW, "args": arguments}


def resolve_profile(profile: Mapping[str, Any], capabilities: Iterable[str], machine: str, kernel: str) -> Profile:
    """A JSON profile with its conditions decided: ``includes``, ``excludes`` and ``archMap`` are Docker's additions.

    kernel: the release from uname(2). Raises ValueError if this is not a profile.
    """
    if not isinstance(profile.get("defaultAction"), str):
        raise ValueError("defaultAction is missing")
    held = frozenset(capabilities)
    found: Profile = {
        key: profile[key]
        for key in ("defaultAction", "defaultErrnoRet", "flags", "listenerPath", "listenerMetadata")
        if profile.get(key) is not None
    }
    architectures = list(profile.get("architectures") or ())
    for row in profile.get("archMap") or ():
        if row["architecture"] == f"SCMP_ARCH_{machine.upper()}":
            architectures += [row["architecture"], *(row.get("subArchitectures") or ())]
    if architectures:
        found["architectures"] = architectures
    rules: list[Rule] = []
    for rule in profile.get("syscalls") or ():
        includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
        if not all(_conditions(includes, held, machine, kernel)) or any(_conditions(excludes, held, machine, kernel)):
            continue
        kept = {key: rule[key] for key in ("names", "action", "errnoRet", "args") if rule.get(key) is not None}
        if rule.get("name"):
            kept["names"] = [*(rule.get("names") or ()), rule["name"]]
        rules.append(kept)
    found["syscalls"] = rules
    return found


def _conditions(group: Mapping[str, Any], held: frozenset[str], machine: str, kernel: str) -> list[bool]:
    """Whether each condition that the group names holds."""
    found = [capability in held for capability in group.get("caps") or ()]
    if group.get("arches"):
        found.append(MACHINE_NAMES.get(machine, machine) in group["arches"])
    if group.get("minKernel"):
        found.append(_version(kernel) >= _version(group["minKernel"]))
    return found


def _version(text: str) -> tuple[int, int]:
    parts = [int(part) if part.isdecimal() else 0 for part in text.split("-")[0].split(".")[:2]]
    return parts[0], parts[1] if len(parts) > 1 else 0
