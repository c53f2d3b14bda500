"""In-toto statements, and the names by which they speak of images."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STATEMENT = "https://in-toto.io/Statement/v1"
NAMELESS = "_"
"""A subject that has no name but its digest."""


class Material(Record):
    """Something that a build took from elsewhere. digest: as ``sha256:…`` or ``sha1:…``; empty if it has none."""

    uri: str
    digest: str = ""


def render_statement(
    names: Sequence[str], digest: str, kind: str, predicate: Mapping[str, object]
) -> dict[str, object]:
    """names: of the image, as package URLs. digest: of its manifest. kind: the type of the predicate."""
    subject = [{"name": name, "digest": render_digest(digest)} for name in names or (NAMELESS,)]
    return {"_type": STATEMENT, "subject": subject, "predicateType": kind, "predicate": dict(predicate)}


def render_digest(digest: str) -> dict[str, str]:
    algorithm, _, value = digest.partition(":")
    return {algorithm: value}


def image_url(repository: str, tag: str, platform: str, digest: str = "") -> str:
    """A package URL (https://github.com/package-url/purl-spec): ``pkg:docker/alpine@3.17?platform=linux%2Famd64``.

    repository: as users write it.
    """
    return package_url("docker", repository, tag, {"digest": digest, "platform": platform})


def package_url(kind: str, name: str, version: str, qualifiers: Mapping[str, str]) -> str:
    """name: with what stands before it, separated by slashes. Qualifiers that are empty are left out."""
    said = sorted((key, value) for key, value in qualifiers.items() if value)
    at = f"@{quote(version, safe=':+~')}" if version else ""
    return f"pkg:{kind}/{quote(name, safe='/:+')}{at}{'?' if said else ''}{urlencode(said, quote_via=quote, safe='')}"
