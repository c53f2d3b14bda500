"""Filters of system calls that are compiled once for a home."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from orchestra.driver.local import confinement, remembered_filters
from orchestra.linux.security import libseccomp

pytestmark = pytest.mark.skipif(not libseccomp.is_installed(), reason="needs libseccomp (Debian: libseccomp2)")

PROFILE = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["kexec_load"], "action": "SCMP_ACT_ERRNO"}]}
TEXT = json.dumps(PROFILE, sort_keys=True)


@pytest.fixture
def directory(tmp_path):
    return str(tmp_path / "filters")


@pytest.fixture(autouse=True)
def as_in_a_new_process(monkeypatch):
    monkeypatch.setattr(confinement, "_compiled", {})


def test_another_process_takes_the_program_that_was_compiled(directory, monkeypatch):
    program = confinement.compile_filter(PROFILE, directory)
    assert program == libseccomp.compile_profile(PROFILE)
    monkeypatch.setattr(confinement, "_compiled", {})
    monkeypatch.setattr(libseccomp, "compile_profile", None)
    assert confinement.compile_filter(PROFILE, directory) == program


@pytest.mark.parametrize("other", ["COMPILER", "version", "profile"])
def test_a_program_is_not_taken_for_another_one(directory, monkeypatch, other):
    remembered_filters.store(directory, TEXT, b"program")
    assert remembered_filters.load(directory, TEXT) == b"program"
    if other == "COMPILER":
        monkeypatch.setattr(remembered_filters, "COMPILER", 0)
    if other == "version":
        monkeypatch.setattr(libseccomp, "version", lambda: "0.0.1")
    assert remembered_filters.load(directory, TEXT + (" " if other == "profile" else "")) is None


@pytest.mark.parametrize("how", ["empty", "cut short", "changed", "another's", "link", "pipe", "open", "theirs"])
def test_what_is_damaged_or_not_certainly_ours_is_as_good_as_none(directory, how):
    remembered_filters.store(directory, TEXT, b"program")
    [file] = Path(directory).iterdir()
    content = file.read_bytes()
    match how:
        case "empty":
            file.write_bytes(b"")
        case "cut short":
            file.write_bytes(content[:-1])
        case "changed":
            file.write_bytes(content.replace(b"program", b"weakest"))
        case "another's":
            remembered_filters.store(directory, "{}", b"weakest")
            [other] = {*Path(directory).iterdir()} - {file}
            other.rename(file)
        case "link":
            file.rename(f"{directory}/elsewhere")
            file.symlink_to("elsewhere")
        case "pipe":
            file.unlink()
            os.mkfifo(file, 0o600)
        case "open":
            file.chmod(0o620)
        case "theirs":
            if os.geteuid():
                pytest.skip("gives a file to another user: needs root")
            os.chown(file, 12345, -1)
    assert remembered_filters.load(directory, TEXT) is None
    assert confinement.compile_filter(PROFILE, directory) == libseccomp.compile_profile(PROFILE)


def test_a_home_does_not_fill_with_them(directory):
    for number in range(remembered_filters.MOST + 1):
        remembered_filters.store(directory, f"{TEXT}{' ' * number}", b"program")
    assert len(list(Path(directory).iterdir())) == 1


def test_a_directory_that_cannot_be_written_keeps_nothing_from_starting(tmp_path):
    (tmp_path / "file").touch()
    assert confinement.compile_filter(PROFILE, str(tmp_path / "file/filters"))
