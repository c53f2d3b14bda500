"""Which capabilities a container has: Docker's fourteen, what is added, what is dropped."""

from __future__ import annotations

from orchestra.errors import FatalError
from orchestra.linux.security.capabilities import NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from orchestra.model.container import ContainerSpec

DEFAULT = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
)
ALL = "ALL"


def choose_capabilities(spec: ContainerSpec, available: Sequence[str]) -> tuple[str, ...]:
    """In the kernel's order. As in Docker, adding ALL wins over dropping ALL, and privileged ignores both lists."""
    added = {_normalise(word, spec) for word in spec.cap_add}
    dropped = {_normalise(word, spec) for word in spec.cap_drop}
    if spec.privileged:
        chosen = set(available)
    elif ALL in added:
        chosen = set(available) - dropped
    elif ALL in dropped:
        chosen = added
    else:
        chosen = (set(DEFAULT) - dropped) | added
    return tuple(name for name in NAMES if name in chosen)


def render_capabilities(chosen: Iterable[str], uid: int) -> dict[str, list[str]]:
    """The five sets. Users other than root have none in effect, as after execve(2), but may get them by set-uid."""
    names = list(chosen)
    effective = names if uid == 0 else []
    return {"bounding": names, "effective": effective, "permitted": list(effective), "inheritable": [], "ambient": []}


def _normalise(word: str, spec: ContainerSpec) -> str:
    name = word.strip().upper()
    if name == ALL:
        return name
    name = f"CAP_{name.removeprefix('CAP_')}"
    if name not in NAMES:
        hint = "see capabilities(7) for the names; the prefix CAP_ is optional"
        raise FatalError(f"service {spec.service}: unknown capability {word}", hint=hint)
    return name
