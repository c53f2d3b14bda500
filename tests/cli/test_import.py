"""``orchestra import``."""

from __future__ import annotations

import io
import stat

import pytest

from orchestra.cli.start import start

UNIT = "[Container]\nImage=app\nAutoUpdate=registry\n"


@pytest.fixture
def directory(tmp_path, monkeypatch):
    (tmp_path / "units").mkdir()
    (tmp_path / "units" / "web.container").write_text(UNIT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_directory_is_printed_as_a_compose_file(directory, capsys):
    assert start(["import", "units"]) == 0
    shown = capsys.readouterr()
    assert shown.out == "services:\n  web:\n    image: app\n"
    assert "units/web.container:3:1: Container.AutoUpdate: has no counterpart" in shown.err


def test_a_file_is_written_but_none_is_replaced(directory, capsys):
    assert start(["import", "-o", "compose.yaml", "units/web.container"]) == 0
    written = directory / "compose.yaml"
    assert (written.read_text(), stat.S_IMODE(written.stat().st_mode)) == ("services:\n  web:\n    image: app\n", 0o600)
    assert start(["import", "-o", "compose.yaml", "units"]) == 1
    assert "cannot write compose.yaml: File exists" in capsys.readouterr().err


def test_standard_input_is_read(directory, capsys, monkeypatch):
    text = b'[{"Id": "1", "Name": "/a", "Config": {"Image": "a"}}]'
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert start(["import", "-"]) == 0
    assert "image: a" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["none", ".", "binary.yaml"])
def test_what_cannot_be_read_is_said(directory, capsys, name):
    (directory / "binary.yaml").write_bytes(b"\xff")
    if name == ".":
        (directory / "binary.yaml").unlink()
    assert start(["import", name]) == 1
    assert name in capsys.readouterr().err
