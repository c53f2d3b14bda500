"""What a plan acts on, by kind and name. Standard library only, and light: most commands import it."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache

from orchestra.named_tuple import NamedTuple

KEPT = 1 << 16
"""A plan names each of its resources many times, and so does the next plan."""


class Kind(StrEnum):
    IMAGE = "image"
    NETWORK = "network"
    VOLUME = "volume"
    CONTAINER = "container"
    SERVICE = "service"


class ResourceId(NamedTuple):
    """name: on the host; for an image its key, ``ImageSpec.key``. As text, in messages and files: ``kind/name``."""

    kind: Kind
    name: str

    @classmethod
    @lru_cache(KEPT)
    def image(cls, key: str) -> ResourceId:
        return cls(Kind.IMAGE, key)

    @classmethod
    @lru_cache(KEPT)
    def network(cls, name: str) -> ResourceId:
        return cls(Kind.NETWORK, name)

    @classmethod
    @lru_cache(KEPT)
    def volume(cls, name: str) -> ResourceId:
        return cls(Kind.VOLUME, name)

    @classmethod
    @lru_cache(KEPT)
    def container(cls, name: str) -> ResourceId:
        return cls(Kind.CONTAINER, name)

    @classmethod
    def parse(cls, text: str) -> ResourceId:
        """Raises ValueError for anything but ``kind/name``."""
        kind, _, name = text.partition("/")
        return cls(Kind(kind), name)

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"

    def __format__(self, specification: str) -> str:
        return format(str(self), specification)
