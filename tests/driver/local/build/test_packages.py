"""Package databases in the layers of an image."""

from __future__ import annotations

import gzip
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from orchestra.build.attestation.rpm_databases import DatabaseError, headers_of_hash
from orchestra.driver.local.build.packages import read_packages
from tests.build.test_attestation import DPKG, rpm_header


@pytest.fixture
def layers(tmp_path):
    """Two directories, topmost first."""
    found = [tmp_path / "upper", tmp_path / "lower"]
    for layer in found:
        layer.mkdir()
    return found


def write(layer, path, text):
    target = layer / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


def read(layers):
    warnings = []
    found = read_packages([str(layer) for layer in layers], warnings.append)
    return [one.name for one in found], warnings


def test_the_topmost_database_counts(layers):
    write(layers[1], "var/lib/dpkg/status", DPKG)
    write(layers[0], "var/lib/dpkg/status.d/base", "Package: base\nVersion: 1\n")
    write(layers[1], "var/lib/dpkg/status.d/lib", "Package: lib\nVersion: 1\n")
    write(layers[1], "var/lib/dpkg/status.d/lib.md5sums", "Package: sums\nVersion: 1\n")
    write(layers[1], "lib/apk/db/installed", "P:low\nV:1\n")
    write(layers[0], "lib/apk/db/installed", "P:high\nV:1\n")
    assert read(layers) == (["zlib1g", "part", "base", "lib", "high"], [])
    assert read(layers[:1])[0] == ["base", "high"]


def test_a_database_of_rpm_is_read_in_its_usual_mode(layers):
    path = layers[1] / "usr/lib/sysimage/rpm/rpmdb.sqlite"
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB NOT NULL)")
        database.execute("INSERT INTO Packages (blob) VALUES (?)", (rpm_header({1000: "bash", 1001: "5"}),))
        database.commit()
    assert path.read_bytes()[18:20] == b"\x02\x02"
    assert read(layers) == (["bash"], [])


RECORDED = {"hash": "var/lib/rpm/Packages", "hash-big-endian": "var/lib/rpm/Packages"} | {
    "slots": "usr/lib/sysimage/rpm/Packages.db"
}
"""Databases of two packages, of which ``large`` has a long description. rpm 4.20 has written the slots, with one that
was erased; db_load of Berkeley DB 5.3 has written the hashes, in pages of 4096 and 512 bytes.
"""


def recorded(kind):
    return gzip.decompress((Path(__file__).parent / f"rpm/{kind}.gz").read_bytes())


def put(layer, kind, data):
    path = layer / RECORDED[kind]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


@pytest.mark.parametrize("kind", RECORDED)
def test_older_databases_of_rpm_are_read(layers, kind):
    put(layers[1], kind, recorded(kind))
    found = read_packages([str(layer) for layer in layers], pytest.fail)
    assert {(one.name, one.version, one.epoch, one.license, one.supplier) for one in found} == {
        (name, "1.2-3", "4", "MIT", "Us") for name in ("small", "large")
    }


@pytest.mark.parametrize("kind", RECORDED)
def test_what_is_damaged_in_a_database_of_rpm_is_said_or_left_out(layers, kind):
    whole, chance = recorded(kind), random.Random(1)
    damaged = [whole[: chance.randrange(len(whole))] for _ in range(50)]
    for _ in range(200):
        data = bytearray(whole)
        for _ in range(20):
            # Most of what counts stands at the beginning.
            data[chance.randrange(chance.choice((64, len(data))))] = chance.choice((0, 1, 255, chance.randrange(256)))
        damaged.append(bytes(data))
    said = []
    for data in damaged:
        put(layers[0], kind, data)
        names, warnings = read(layers)
        assert len(names) <= 2
        said += warnings
    assert len(said) > 100
    assert all(warning.startswith(f"/{RECORDED[kind]}: ") for warning in said)


def test_a_header_that_is_a_circle_of_pages_is_refused():
    data = bytearray(recorded("hash"))
    for page in range(0, len(data), 4096):
        if data[page + 25] == 7:
            data[page + 16 : page + 20] = data[page + 8 : page + 12]  # the next one is itself
    with pytest.raises(DatabaseError, match="does not continue"):
        list(headers_of_hash(bytes(data)))


@pytest.mark.parametrize("kind", ["endless", "junk", "empty", "other"])
def test_a_database_that_cannot_be_read_is_said(layers, kind):
    path = layers[0] / "var/lib/rpm/rpmdb.sqlite"
    path.parent.mkdir(parents=True)
    if kind == "endless":
        with closing(sqlite3.connect(path)) as database:
            rows = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT x FROM r"
            database.execute(f"CREATE VIEW Packages(blob) AS {rows}")
            database.commit()
    elif kind == "other":
        path = path.with_name("Packages")
        path.write_bytes(b"")
    else:
        path.write_bytes(b"junk" * 100 if kind == "junk" else b"")
    names, [warning] = read(layers)
    assert names == []
    assert warning.startswith(f"/var/lib/rpm/{path.name}")


def test_links_of_an_image_stay_in_it(layers, tmp_path):
    (tmp_path / "status").write_text(DPKG)
    target = layers[0] / "var/lib/dpkg/status"
    target.parent.mkdir(parents=True)
    target.symlink_to(tmp_path / "status")
    assert read(layers) == ([], [])
