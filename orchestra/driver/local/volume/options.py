"""``driver_opts`` of the driver ``local``, which are mount(8) options. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.errors import FatalError
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

KNOWN = ("type", "device", "o")


class Place(Record):
    """Where a volume's data is, if not in its own directory. kind: ``bind``, or a file system type."""

    kind: str
    source: str
    options: tuple[str, ...] = ()
    read_only: bool = False


def parse_driver_options(name: str, options: Mapping[str, str]) -> Place | None:
    """None if the data is in the volume's own directory. Raises FatalError."""
    if not options:
        return None
    for key in options:
        if key not in KNOWN:
            hint = "the local driver supports type, device and o"
            raise FatalError(f"volume {name}: unknown driver option {key}", hint=hint)
    kind, device = options.get("type", ""), options.get("device", "")
    words = [word.strip() for word in options.get("o", "").split(",") if word.strip()]
    is_bind = kind == "bind" or "bind" in words or "rbind" in words
    if not device or not (kind or is_bind):
        hint = "give both, as in type: nfs and device: ':/export'; o: bind needs no type"
        raise FatalError(f"volume {name}: the driver options need type and device", hint=hint)
    read_only = "ro" in words
    words = [word for word in words if word not in ("ro", "rw", "bind", "rbind")]
    if not is_bind:
        return Place(kind, device, tuple(words), read_only)
    if not device.startswith("/"):
        raise FatalError(f"volume {name}: the device {device} is not an absolute path", hint="begin it with a slash")
    recursion = "rbind" if "rbind" in options.get("o", "").split(",") else "bind"
    return Place("bind", device, (recursion, *words), read_only)
