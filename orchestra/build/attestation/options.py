"""What attestations a build is asked for: ``provenance`` and ``sbom``, ``--attest``.

Values as in https://docs.docker.com/build/metadata/attestations. Unlike there, none are made unless they are asked for.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from orchestra.record import Record, replace

if TYPE_CHECKING:
    from collections.abc import Iterable

# What is always so here: an image is the only output.
_WITHOUT_EFFECT = frozenset(("filename", "inline-only"))
_FALSE, _TRUE = ("false", "0", "f"), ("", "true", "1", "t")


class Version(StrEnum):
    """Of SLSA provenance."""

    V02 = "v0.2"
    V1 = "v1"


class Provenance(Record):
    """is_full: with the values of arguments, the names of secrets, the Dockerfile and the steps (``mode=max``).

    builder: a URI that names who has built. is_reproducible: whether the same is claimed to come out again.
    """

    is_full: bool = True
    version: Version = Version.V1
    builder: str = ""
    is_reproducible: bool = False


class Bill(Record):
    """A bill of materials. generator: an image that BuildKit would make it with; empty for its own."""

    generator: str = ""


class Attestations(Record):
    """None for what is not asked for."""

    provenance: Provenance | None = None
    bill: Bill | None = None

    def __bool__(self) -> bool:
        return self.provenance is not None or self.bill is not None


class AttestationOptionError(ValueError):
    """A value of ``provenance``, ``sbom`` or ``--attest`` is not valid."""


def parse_provenance(text: str) -> Provenance | None:
    """text: ``true``, ``false`` or ``mode=min,…``. Raises AttestationOptionError."""
    fields = _fields(text)
    if fields is None:
        return None
    mode = fields.pop("mode", "max")
    if mode not in ("min", "max"):
        raise AttestationOptionError(f"{text}: mode is {mode}, not min or max")
    version = fields.pop("version", Version.V1)
    if version not in tuple(Version):
        raise AttestationOptionError(f"{text}: version is {version}, not {' or '.join(Version)}")
    builder = fields.pop("builder-id", "")
    reproducible = fields.pop("reproducible", "false").lower()
    if reproducible not in (*_TRUE, *_FALSE):
        raise AttestationOptionError(f"{text}: reproducible is {reproducible}, not true or false")
    _end(text, fields)
    return Provenance(mode == "max", Version(version), builder, reproducible in _TRUE)


def parse_bill(text: str) -> Bill | None:
    """text: ``true``, ``false`` or ``generator=IMAGE``. Raises AttestationOptionError."""
    fields = _fields(text)
    if fields is None:
        return None
    generator = fields.pop("generator", "")
    _end(text, fields)
    return Bill(generator)


def parse_attestations(entries: Iterable[str], provenance: str | None, bill: str | None) -> Attestations:
    """entries: as ``type=provenance,mode=min``. provenance, bill: what counts more; None for nothing said.

    Raises AttestationOptionError.
    """
    found = Attestations()
    for entry in entries:
        fields = dict(part.partition("=")[::2] for part in entry.split(","))
        kind = fields.pop("type", "")
        rest = ",".join(f"{name}={value}" if value else name for name, value in fields.items())
        if kind == "provenance":
            found = replace(found, provenance=parse_provenance(rest))
        elif kind == "sbom":
            found = replace(found, bill=parse_bill(rest))
        else:
            raise AttestationOptionError(f"{entry}: its type is not provenance or sbom")
    if provenance is not None:
        found = replace(found, provenance=parse_provenance(provenance))
    if bill is not None:
        found = replace(found, bill=parse_bill(bill))
    return found


def _fields(text: str) -> dict[str, str] | None:
    """None if it says that there is to be none."""
    if text.lower() in _FALSE:
        return None
    if text.lower() in _TRUE:
        return {}
    fields = dict(part.partition("=")[::2] for part in text.split(","))
    return None if fields.pop("disabled", "false").lower() in _TRUE else fields


def _end(text: str, fields: dict[str, str]) -> None:
    unknown = sorted(fields.keys() - _WITHOUT_EFFECT)
    if unknown:
        raise AttestationOptionError(f"{text}: {unknown[0]} is not known")
