"""The columns of lists of volumes, in Docker's words."""

from __future__ import annotations

from orchestra.cli.render.columns import output_width
from orchestra.cli.render.template import render_rows
from orchestra.cli.template.values import Method

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Protocol

    class Shown(Protocol):
        @property
        def name(self) -> str: ...
        @property
        def labels(self) -> Mapping[str, str]: ...
        @property
        def mountpoint(self) -> str: ...


HEADER = {"Driver": "DRIVER", "Name": "VOLUME NAME"}
UNKNOWN = "N/A"


def render_volumes(found: Sequence[Shown], format: str, *, only_names: bool) -> str:
    if only_names:
        return "".join(f"{volume.name}\n" for volume in found)
    return render_rows(format, HEADER, list(map(_fields, found)), width=output_width())


def _fields(volume: Shown) -> dict[str, Any]:
    """Docker's fields; those of cluster volumes and the size are unknown."""
    return {
        "Availability": UNKNOWN,
        "Driver": "local",
        "Group": UNKNOWN,
        "Label": Method(lambda name: volume.labels.get(name, "")),
        "Labels": ",".join(f"{name}={text}" for name, text in sorted(volume.labels.items())),
        "Links": UNKNOWN,
        "Mountpoint": volume.mountpoint,
        "Name": volume.name,
        "Scope": "local",
        "Size": UNKNOWN,
        "Status": UNKNOWN,
    }
