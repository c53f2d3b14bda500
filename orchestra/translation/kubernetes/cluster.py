"""What the parts of the translation have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestra.translation.ledger import Given
    from orchestra.translation.result import Object

NAME, STACK, MANAGER = "app.kubernetes.io/name", "app.kubernetes.io/part-of", "app.kubernetes.io/managed-by"
NETWORK = "network.orchestra.io"
"""Before the slash of labels that tell which networks a pod is in."""


class Cluster(Record):
    """names: of the services, claims: of the volumes, files: of the configs and secrets, by their kind and key."""

    stack: str
    names: Mapping[str, str]
    claims: Mapping[str, str]
    files: Mapping[tuple[str, str], str]
    networks: Mapping[str, str]

    def of_stack(self) -> dict[str, str]:
        return {STACK: self.stack, MANAGER: "orchestra"}

    def selector(self, service: str) -> dict[str, str]:
        """Labels that select the pods of a service."""
        return {NAME: self.names[service], STACK: self.stack}

    def metadata(self, name: str, service: str = "") -> Object:
        own = {NAME: self.names[service]} if service else {}
        return {"name": name, "labels": {**own, **self.of_stack()}}


def patched(target: Object, patch: Any) -> Object:
    """A JSON merge patch (RFC 7396) applied."""
    result = dict(target)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            below = result.get(key)
            result[key] = patched(below if isinstance(below, dict) else {}, value)
        else:
            result[key] = value
    return result


def escaped(texts: Iterable[str]) -> list[str]:
    """Kubernetes replaces ``$(NAME)`` in commands and variables."""
    return [text.replace("$(", "$$(") for text in texts]


def seconds(duration: int | None, default: float, given: Given, name: str, least: int = 1) -> int:
    """A time of the file, in nanoseconds, as whole seconds; fractions are rounded up, and that is told."""
    if duration is None:
        return max(least, round(default))
    whole = max(least, -(-duration // 1_000_000_000))
    if whole * 1_000_000_000 != duration:
        given.approximate(name, f"Kubernetes counts in whole seconds: it becomes {whole}s")
    return whole
