"""The packages of an image, as its package managers have written them down: dpkg(1), apk(8) and rpm(8).

Texts come from images, so nothing in them is relied on.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from orchestra.build.attestation.statement import package_url
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_OS_LINE = re.compile(r"""^(ID|VERSION_ID)=(["']?)([a-z0-9._-]*)\2\s*$""", re.MULTILINE)
# Types and tags of an RPM header (rpm.org, "RPM V4 Package format").
_INTEGER, _STRING, _TRANSLATED = 4, 6, 9
_TAGS = {1000: "name", 1001: "version", 1002: "release", 1003: "epoch", 1014: "license", 1015: "packager", 1022: "arch"}
_INDEX = struct.Struct(">IIII")
_LARGEST = 1 << 20


class Package(Record):
    """kind: as in package URLs: ``deb``, ``apk`` or ``rpm``. license: as the package says it, or empty.

    source: the name and the version of what it was built from, where the database says so.
    """

    kind: str
    name: str
    version: str
    architecture: str = ""
    epoch: str = ""
    license: str = ""
    supplier: str = ""
    source: str = ""


class System(Record):
    """The distribution: ``ID`` and ``VERSION_ID`` of os-release(5), each may be empty."""

    id: str = ""
    version: str = ""


def parse_system(text: str) -> System:
    """text: os-release(5)."""
    found = {name: value for name, _, value in _OS_LINE.findall(text)}
    return System(found.get("ID", ""), found.get("VERSION_ID", ""))


def url_of(package: Package, system: System) -> str:
    """The package URL."""
    distribution = "-".join(filter(None, (system.id, system.version)))
    usual = {"deb": "debian", "apk": "alpine"}.get(package.kind, "")
    name = "/".join(filter(None, (system.id or usual, package.name)))
    more = {"arch": package.architecture, "distro": distribution, "epoch": package.epoch, "upstream": package.source}
    return package_url(package.kind, name, package.version, more)


def parse_dpkg(text: str) -> Iterator[Package]:
    """text: ``/var/lib/dpkg/status``, or a file of ``status.d``. Leaves out what is not installed."""
    for fields in _paragraphs(text, ": "):
        state = fields.get("Status", "install ok installed").split()
        if fields.get("Package") and fields.get("Version") and state[-1:] == ["installed"]:
            source, _, version = fields.get("Source", "").partition(" ")
            yield Package(
                kind="deb",
                name=fields["Package"],
                version=fields["Version"],
                architecture=fields.get("Architecture", ""),
                supplier=fields.get("Maintainer", ""),
                source=f"{source}@{version.strip('()')}".rstrip("@"),
            )


def parse_apk(text: str) -> Iterator[Package]:
    """text: ``/lib/apk/db/installed``."""
    for fields in _paragraphs(text, ":"):
        if fields.get("P") and fields.get("V"):
            yield Package(
                kind="apk",
                name=fields["P"],
                version=fields["V"],
                architecture=fields.get("A", ""),
                license=fields.get("L", ""),
                supplier=fields.get("m", ""),
                source=fields.get("o", ""),
            )


def parse_rpm(headers: Iterable[bytes]) -> Iterator[Package]:
    """headers: those of the database's ``Packages``. Leaves out what is damaged, and the keys of signers."""
    for header in headers:
        fields = _header(header)
        if fields.get("name") and fields.get("version") and fields["name"] != "gpg-pubkey":
            release = fields.get("release", "")
            yield Package(
                kind="rpm",
                name=fields["name"],
                version="-".join(filter(None, (fields["version"], release))),
                architecture=fields.get("arch", ""),
                epoch=fields.get("epoch", ""),
                license=fields.get("license", ""),
                supplier=fields.get("packager", ""),
            )


def _paragraphs(text: str, separator: str) -> Iterator[dict[str, str]]:
    """Fields of each; continued lines are left out."""
    for paragraph in re.split(r"\n\s*\n", text):
        rows = (line.partition(separator) for line in paragraph.splitlines() if not line.startswith((" ", "\t")))
        yield {name: value.strip() for name, _, value in rows}


def _header(data: bytes) -> dict[str, str]:
    """A header: numbers of entries and of bytes, the entries, then the bytes that these point into."""
    found: dict[str, str] = {}
    if len(data) < 8:
        return found
    count, _ = struct.unpack_from(">II", data)
    start = 8 + count * _INDEX.size
    if start > len(data):
        return found
    for number in range(count):
        tag, kind, offset, _ = _INDEX.unpack_from(data, 8 + number * _INDEX.size)
        name, place = _TAGS.get(tag), start + offset
        if name is None or place >= len(data):
            continue
        if kind in (_STRING, _TRANSLATED):
            found[name] = data[place : place + _LARGEST].partition(b"\0")[0].decode(errors="replace")
        elif kind == _INTEGER and place + 4 <= len(data):
            found[name] = str(int.from_bytes(data[place : place + 4]))
    return found
