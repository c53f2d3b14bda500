"""What builds take over from elsewhere and leave for others: ``cache_from`` and ``cache_to``. Pure.

Options as in https://docs.docker.com/build/cache/backends. A *cache document* tells which layers a step has made, by
the step's key; the layers themselves are blobs beside it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from orchestra.model.document import DocumentError, check_digest, mappings, strings, text
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

VERSION = 1
LATEST = "latest"
# What is always so here: an OCI manifest with layers in gzip.
_WITHOUT_EFFECT = frozenset(
    ("oci-mediatypes", "image-manifest", "compression", "compression-level", "force-compression")
)


class CacheType(StrEnum):
    """Where a cache is. The last three are known to BuildKit only."""

    REGISTRY = "registry"
    LOCAL = "local"
    INLINE = "inline"
    ACTIONS = "gha"
    S3 = "s3"
    AZURE = "azblob"

    @property
    def is_supported(self) -> bool:
        return self in (CacheType.REGISTRY, CacheType.LOCAL, CacheType.INLINE)


class CacheSource(Record):
    """place: the name of an image, or a directory, whose manifest is called ``tag``, or has the digest ``tag``."""

    type: CacheType
    place: str = ""
    tag: str = LATEST

    def __str__(self) -> str:
        return " ".join(filter(None, (self.type, self.place)))


class CacheTarget(Record):
    """every_step: those of stages that only files are taken from too. may_fail: the build goes on then."""

    type: CacheType
    place: str = ""
    tag: str = LATEST
    every_step: bool = False
    may_fail: bool = False

    def __str__(self) -> str:
        return " ".join(filter(None, (self.type, self.place)))


class CacheOptionError(ValueError):
    """An entry of ``cache_from`` or ``cache_to`` is not valid."""


def parse_cache_source(entry: str) -> CacheSource:
    """Raises CacheOptionError."""
    kind, fields = _fields(entry)
    if not kind.is_supported:
        return CacheSource(kind)
    place = _place(kind, fields, "src")
    tag = fields.pop("digest", "") or fields.pop("tag", LATEST)
    _end(entry, fields)
    return CacheSource(kind, place, tag)


def parse_cache_target(entry: str) -> CacheTarget:
    """Raises CacheOptionError."""
    kind, fields = _fields(entry)
    if not kind.is_supported:
        return CacheTarget(kind)
    place = "" if kind is CacheType.INLINE else _place(kind, fields, "dest")
    mode = fields.pop("mode", "min")
    if mode not in ("min", "max"):
        raise CacheOptionError(f"{entry}: mode is {mode}, not min or max")
    may_fail = fields.pop("ignore-error", "false")
    tag = fields.pop("tag", LATEST)
    _end(entry, fields)
    return CacheTarget(kind, place, tag, every_step=mode == "max", may_fail=may_fail == "true")


def _fields(entry: str) -> tuple[CacheType, dict[str, str]]:
    if "=" not in entry:
        return CacheType.REGISTRY, {"ref": entry}
    fields = dict(part.partition("=")[::2] for part in entry.split(","))
    try:
        return CacheType(fields.pop("type", CacheType.REGISTRY)), fields
    except ValueError:
        raise CacheOptionError(f"{entry}: its type is not one of {', '.join(CacheType)}") from None


def _place(kind: CacheType, fields: dict[str, str], path: str) -> str:
    name = path if kind is CacheType.LOCAL else "ref"
    place = fields.pop(name, "")
    if not place:
        raise CacheOptionError(f"type={kind} needs {name}=…")
    return place


def _end(entry: str, fields: Mapping[str, str]) -> None:
    unknown = sorted(fields.keys() - _WITHOUT_EFFECT)
    if unknown:
        raise CacheOptionError(f"{entry}: unknown option {unknown[0]}")


class CachedStep(Record):
    """diff_ids: of the layers of the tree that it has made, lowest first. grew: whether the last one is its own.

    created: Unix time. name: its text, for display.
    """

    key: str
    diff_ids: tuple[str, ...]
    grew: bool
    created: float = 0.0
    name: str = ""


def render_cache(steps: Iterable[CachedStep]) -> dict[str, Any]:
    """As JSON: every diff id once, and for each step the positions of its own."""
    places: dict[str, int] = {}
    rows = [
        {
            "key": step.key,
            "layers": [places.setdefault(diff_id, len(places)) for diff_id in step.diff_ids],
            "grew": step.grew,
            "created": step.created,
            "name": step.name,
        }
        for step in steps
    ]
    return {"version": VERSION, "diff_ids": list(places), "steps": rows}


def parse_cache(document: Mapping[str, Any]) -> tuple[CachedStep, ...]:
    """Raises DocumentError."""
    if document.get("version") != VERSION:
        raise DocumentError(f"has version {document.get('version')}, not {VERSION}")
    diff_ids = [check_digest(diff_id) for diff_id in strings(document, "diff_ids")]
    return tuple(_parse_step(row, diff_ids) for row in mappings(document, "steps"))


def _parse_step(row: Mapping[str, Any], diff_ids: Sequence[str]) -> CachedStep:
    layers, created = row.get("layers"), row.get("created")
    if not isinstance(layers, list) or not all(layer in range(len(diff_ids)) for layer in layers):
        raise DocumentError("has a step with layers that are not there")
    if not isinstance(created, int | float):
        raise DocumentError("has a step without its time")
    key = text(row, "key")
    # It becomes the name of a file.
    check_digest(f"sha256:{key}")
    own = tuple(diff_ids[layer] for layer in layers)
    return CachedStep(key, own, row.get("grew") is True, created, text(row, "name"))
