"""Configs and secrets: both are secrets of Podman, which can have an owner and a mode, named by their content."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from orchestra.translation.plain import full

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.translation.ledger import Given
    from orchestra.translation.source import Contents

LARGEST = 512_000
"""Bytes that Podman takes; podman-secret-create(1)."""


def secret_names(stack: Given, contents: Contents) -> dict[tuple[str, str], str]:
    """By kind and key, of all that have a content or exist already."""
    found = {}
    for kind in ("configs", "secrets"):
        for key, item in stack.entries(kind).items():
            if item is None:
                continue
            content = contents.get((kind, key))
            if item.peek("external"):
                found[kind, key] = item.peek("name") or key
            elif content is not None and len(content) <= LARGEST:
                digest = hashlib.sha256(content).hexdigest()[:8]
                found[kind, key] = f"{item.peek('name') or key}-{digest}"
    return found


def secret_files(stack: Given, contents: Contents, names: Mapping[tuple[str, str], str]) -> dict[str, bytes]:
    """Contents by the names of their files. Each has to be given to Podman, which is reported."""
    found = {}
    for kind in ("configs", "secrets"):
        for key, item in stack.entries(kind).items():
            if item is None:
                continue
            item.take("name")
            for attribute in ("file", "content", "environment"):
                item.take(attribute)
            if item.take("external"):
                item.ledger.use(item.path)
                continue
            content = contents.get((kind, key))
            if content is None or (kind, key) not in names:
                why = "has no content here" if content is None else f"is larger than {LARGEST} bytes, the most it takes"
                item.ledger.lose(item.path, why)
                continue
            name = names[kind, key]
            found[f"{name}.secret"] = content
            labels = item.take("labels") or {}
            options = "".join(f"--label {label}={value} " for label, value in full(**labels).items())
            command = f"podman secret create {options}{name} {name}.secret"
            item.ledger.approximate(item.path, "Podman stores it: create it before the first start", command)
    return found
