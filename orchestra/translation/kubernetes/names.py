"""Names that Kubernetes takes: labels of the domain name system (RFC 1035 and 1123)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from orchestra.regex import regex

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LONGEST = 63
_OTHER = regex(r"[^a-z0-9]+")
_LABEL = regex(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_QUALIFIED = regex(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")


def is_label(text: str) -> bool:
    """Whether it can be the name of a Service, the strictest of all names (RFC 1035)."""
    return len(text) <= LONGEST and _LABEL.fullmatch(text) is not None


def label(text: str) -> str:
    """The text itself if it is such a name, otherwise one that resembles it."""
    if is_label(text):
        return text
    name = _OTHER.sub("-", text.lower()).strip("-")
    if not name or not name[0].isalpha():
        name = f"x-{name}".rstrip("-")
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 9].rstrip('-')}-{_digest(text.encode())}"


def labels(texts: Iterable[str]) -> Mapping[str, str]:
    """A name for each, no two alike."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for text in sorted(texts, key=lambda text: (not is_label(text), text)):
        name = label(text)
        if name in taken:
            name = f"{name[: LONGEST - 9].rstrip('-')}-{_digest(text.encode())}"
        taken.add(name)
        found[text] = name
    return found


def with_digest(name: str, content: bytes) -> str:
    """A name that changes with the content."""
    return f"{name[: LONGEST - 9].rstrip('-')}-{_digest(content)}"


def is_key(text: str) -> bool:
    """Whether it can be the key of an annotation or a label."""
    name = text.rpartition("/")[2]
    return len(name) <= LONGEST and _QUALIFIED.fullmatch(text) is not None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:8]
