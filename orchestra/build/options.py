"""What the user of a build decides about it, besides the Dockerfile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping


class DirectoryContext(Record):
    """A named context that is a directory, wherever its files come from: ``ContextFiles(name)`` in the graph."""


class ImageContext(Record):
    """A named context that is an image. reference: as the executor is to find it; ``BaseImage`` in the graph."""

    reference: str


NamedContext = DirectoryContext | ImageContext


class Options(Record):
    """target: the stage to build, by name or number; None for the last one.

    arguments: values for ARG; None for one that is to be as if it was not given. platform, build_platform: what is
    built for and what it is built on, as ``linux/arm64/v8``. contexts: by their names; they take the place of stages
    and images that are called so. labels: added to the image. no_cache: nothing that is already known is used.
    no_cache_filter: the same for these stages only.
    """

    platform: str
    build_platform: str
    target: str | None = None
    arguments: Mapping[str, str | None] = {}
    contexts: Mapping[str, NamedContext] = {}
    labels: Mapping[str, str] = {}
    no_cache: bool = False
    no_cache_filter: frozenset[str] = frozenset()
