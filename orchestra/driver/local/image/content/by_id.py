"""Images by their id, or the beginning of it, as Docker takes them: the digest of the configuration or manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.driver.local.image.content.parts import Parts, load_parts
from orchestra.errors import FatalError
from orchestra.regex import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.driver.local.image.content.store import ContentStore, Stored

_ID = regex(r"(?:sha256:)?[0-9a-f]{4,64}")
_DIGITS = 64


def may_be_id(text: str) -> bool:
    """Whether it has the form of an id or of the beginning of one, which may also be a name."""
    return _ID.fullmatch(text) is not None


def is_id(text: str) -> bool:
    """Whether it can only be an id: Docker gives no image such a name."""
    return may_be_id(text) and (text.startswith("sha256:") or len(text) == _DIGITS)


def find_by_id(content: ContentStore, text: str) -> list[tuple[Stored, Parts | None]]:
    """The images with this id: several entries with one id if it has several names. Raises FatalError if several
    images have ids that begin like this.
    """
    digits = text.removeprefix("sha256:")
    found = [
        (entry, parts)
        for entry, parts in (*_named(content), *_nameless(content))
        if any(digest[7:].startswith(digits) for digest in (entry.digest, image_id(entry, parts)))
    ]
    if len({image_id(entry, parts) for entry, parts in found}) > 1:
        raise FatalError(f"{text} is the beginning of several image IDs", hint="give more digits of it")
    return found


def image_id(entry: Stored, parts: Parts | None) -> str:
    """The digest of the configuration, as in Docker."""
    return parts.config_blob.digest if parts else entry.digest


def _named(content: ContentStore) -> Iterator[tuple[Stored, Parts | None]]:
    for _, entry in sorted(content.entries().items()):
        try:
            yield entry, load_parts(content, entry.digest)
        except FatalError:
            yield entry, None


def _nameless(content: ContentStore) -> Iterator[tuple[Stored, Parts | None]]:
    from orchestra.driver.local.image.content.nameless import find_nameless

    yield from find_nameless(content)
