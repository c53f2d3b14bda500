"""Package databases in the layers of an image."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

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
