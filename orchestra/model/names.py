"""Names that must not be mixed up, and how they are built (Compose's own scheme)."""

from __future__ import annotations

from typing import NewType

StackName = NewType("StackName", str)
ServiceName = NewType("ServiceName", str)
ContainerName = NewType("ContainerName", str)
NetworkName = NewType("NetworkName", str)
VolumeName = NewType("VolumeName", str)

SHORT_ID = 12
"""Characters."""


def container_name(stack: str, service: str, index: int, separator: str = "-") -> ContainerName:
    """``stack-service-1``; replicas count from 1."""
    return ContainerName(f"{stack}{separator}{service}{separator}{index}")


def scoped_name(stack: str, name: str) -> str:
    """The name on the host of a network or volume whose key in the file is ``name``: ``stack_name``."""
    return f"{stack}_{name}"


def short_id(id: str) -> str:
    """The id of a container, network or image, as Docker shows it."""
    return id.removeprefix("sha256:")[:SHORT_ID]
