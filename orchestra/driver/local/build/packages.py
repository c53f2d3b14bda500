"""The packages of an image, read from its files: those that its package managers have written down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.build.attestation.packages import parse_apk, parse_dpkg, parse_rpm, parse_system
from orchestra.build.attestation.rpm_databases import DatabaseError, headers_of_hash, headers_of_slots
from orchestra.driver.local.image.layers.lookup import find, list_names, read_file
from orchestra.errors import FatalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from orchestra.build.attestation.packages import Package, System

LIMIT = 256 << 20
DPKG, DPKG_PARTS = "/var/lib/dpkg/status", "/var/lib/dpkg/status.d"
APK = ("/lib/apk/db/installed", "/usr/lib/apk/db/installed")
RPM = ("/var/lib/rpm", "/usr/lib/sysimage/rpm")
SYSTEM = ("/etc/os-release", "/usr/lib/os-release")
LARGEST = 64 << 20
"""Bytes of a header."""
OPERATIONS = 2_000_000
"""Of SQLite's machine, for all the headers of a database."""


def read_system(layers: Sequence[str]) -> System:
    """The distribution of an image. layers: directories, topmost first."""
    texts = (read_file(layers, path) for path in SYSTEM)
    return parse_system(next(filter(None, texts), b"").decode(errors="replace"))


def read_packages(layers: Sequence[str], warn: Callable[[str], None]) -> list[Package]:
    """Those that the package managers of an image know. layers: directories, topmost first. warn: of a database that
    is there and cannot be read.

    Raises DriverError.
    """
    found: list[Package] = []
    parts = find(layers, DPKG_PARTS)
    names = (
        [name for name in list_names(parts) if not name.endswith(".md5sums")] if parts and parts.is_directory else []
    )
    for path in (DPKG, *(f"{DPKG_PARTS}/{name}" for name in names)):
        found += parse_dpkg(_text(layers, path))
    for path in APK:
        found += parse_apk(_text(layers, path))
    for path, read in ((f"{directory}/{name}", read) for directory in RPM for name, read in DATABASES.items()):
        data = read_file(layers, path, limit=LIMIT)
        if data is not None:
            try:
                found += parse_rpm(read(data))
            except (FatalError, DatabaseError) as error:
                warn(f"{path}: {error}")
    return found


def _text(layers: Sequence[str], path: str) -> str:
    return (read_file(layers, path, limit=LIMIT) or b"").decode(errors="replace")


def headers_of_sqlite(data: bytes) -> Iterator[bytes]:
    """Raises FatalError. data: a database of SQLite, which the image may have made up."""
    import sqlite3
    from contextlib import closing

    # In the mode WAL (bytes 18 and 19 of https://www.sqlite.org/fileformat.html) it could not be opened in memory.
    plain = data[:18] + b"\x01\x01" + data[20:]
    with closing(sqlite3.connect(":memory:")) as database:
        try:
            database.deserialize(plain)
            database.execute("PRAGMA trusted_schema = OFF")
            database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST)
            left = iter(range(OPERATIONS // 1000))
            database.set_progress_handler(lambda: int(next(left, None) is None), 1000)
            for (header,) in database.execute("SELECT blob FROM Packages"):
                if isinstance(header, bytes):
                    yield header
        except (sqlite3.Error, OverflowError) as error:
            raise FatalError(f"the package database cannot be read: {error}") from error


DATABASES = {"rpmdb.sqlite": headers_of_sqlite, "Packages": headers_of_hash, "Packages.db": headers_of_slots}
"""Of rpm: since 4.16, before that, and SUSE's."""
