"""The platform that a document of an image states. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestra.model.document import text
from orchestra.model.platform import Platform

if TYPE_CHECKING:
    from collections.abc import Mapping


def platform_of(document: Mapping[str, Any]) -> Platform | None:
    """The platform that a descriptor or an image configuration states, if any."""
    system, architecture = text(document, "os"), text(document, "architecture")
    return Platform(system, architecture, text(document, "variant")) if system and architecture else None
