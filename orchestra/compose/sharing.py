"""Namespaces that a service shares, as written in the file: ``network_mode``, ``pid``, ``ipc``, ``uts``, ``cgroup``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.names import ServiceName
from orchestra.model.sharing import Bare, Host, OfContainer, OfService, Own

if TYPE_CHECKING:
    from orchestra.compose.schema.service import Service
    from orchestra.model.sharing import Sharing

WORDS: dict[str, dict[str, Sharing]] = {
    "network_mode": {"bridge": Own(), "none": Bare(), "host": Host()},
    "pid": {"private": Own(), "host": Host()},
    "ipc": {"private": Own(), "shareable": Own(), "none": Bare(), "host": Host()},
    "uts": {"private": Own(), "host": Host()},
    "cgroup": {"private": Own(), "host": Host()},
}
JOINABLE = ("network_mode", "pid", "ipc")
"""The kinds that may be another container's."""


def sharing(attribute: str, service: Service) -> Sharing:
    """The service's value for one kind of namespace. attribute: one of ``WORDS``. Raises ValueError."""
    text: str = getattr(service, attribute) or ""
    if not text:
        return Own()
    if text in WORDS[attribute]:
        return WORDS[attribute][text]
    kind, _, name = text.partition(":")
    if name and attribute in JOINABLE:
        if kind == "service":
            return OfService(ServiceName(name))
        if kind == "container":
            return OfContainer(name)
    raise ValueError(f"{attribute} {text} is not known")


def choices(attribute: str) -> str:
    """The permitted values, for a hint."""
    return ", ".join([*WORDS[attribute], *(["service:NAME", "container:NAME"] if attribute in JOINABLE else [])])
