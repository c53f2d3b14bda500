"""Details of a container that are looked up only on request: its labels, its mounts, and how much it has written."""

from __future__ import annotations

from orchestra.container.directory import ContainerDirectory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestra.home import Home, StackHome

OURS = "io.orchestra."
"""Prefixes of annotations that tell a runtime what to do."""


def load_labels(stack_home: StackHome, name: str) -> dict[str, str]:
    """Labels of image and file, including annotations; none for a container whose configuration is gone or damaged."""
    found = ContainerDirectory(stack_home.container(name)).load_sound("config.json").get("annotations")
    return {key: str(value) for key, value in found.items() if not key.startswith(OURS)} if type(found) is dict else {}


def load_bind_sources(home: Home, stack_home: StackHome, name: str, volumes: Iterable[str]) -> list[str]:
    """The paths of this machine that are mounted into the container, except its volumes and its own files."""
    from orchestra.driver.local.volume.store import load_record

    directory = ContainerDirectory(stack_home.container(name))
    mounts = directory.load_sound("config.json").get("mounts")
    records = (load_record(home, volume) for volume in volumes)
    devices = {record.driver_options.get("device") for record in records if record is not None}
    own = (f"{directory.path}/", f"{home.volumes}/")
    sources = (
        [str(entry.get("source")) for entry in mounts if entry.get("type") == "bind"] if type(mounts) is list else []
    )
    return [
        source for source in sources if source.startswith("/") and not source.startswith(own) and source not in devices
    ]


def written_size(home: Home, stack_home: StackHome, name: str) -> int:
    """Bytes on disk that the container has written over its image. PermissionError if this user may not see that."""
    from orchestra.driver.local.image.removal import tree_size

    return tree_size(f"{home.snapshots}/containers/{stack_home.name}/{name}")
