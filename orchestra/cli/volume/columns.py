"""What lists of volumes show, in Docker's words."""

from __future__ import annotations

from orchestra.cli.template.values import Method

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
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


def volume_fields(volume: Shown) -> dict[str, Any]:
    """Docker's fields; those of cluster volumes, and the size, are not known."""
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
