"""Files that are no files: each is refused at once, and nothing is read without end."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from orchestra.compose.reader import MAXIMUM_SIZE, Reader
from orchestra.errors import ComposeError


@pytest.fixture
def reader():
    return Reader({})


def test_a_pipe_without_a_writer_is_refused_without_waiting(folder, reader):
    os.mkfifo(folder / "compose.yaml")
    with pytest.raises(ComposeError, match=r"compose.yaml is a pipe, not a file"):
        reader.read(str(folder / "compose.yaml"))


def test_a_device_without_end_is_refused(reader):
    with pytest.raises(ComposeError, match=r"/dev/zero is a device, not a file"):
        reader.read("/dev/zero")


def test_the_null_device_is_an_empty_file(reader):
    assert reader.read("/dev/null") == b""


def test_a_large_file_is_refused_unread(folder, reader):
    with open(folder / "large", "wb") as file:
        file.truncate(MAXIMUM_SIZE + 1)
    with pytest.raises(ComposeError, match="larger than 4 MiB"):
        reader.read(str(folder / "large"))


def test_a_directory_is_reported_differently_from_a_missing_file(folder, reader):
    assert reader.read(str(folder.path)) is None
    assert reader.lack(str(folder.path)) == f"{folder.path} is a directory"
    assert reader.lack("/none") == "/none does not exist"


def test_what_a_shell_hands_over_through_a_pipe_is_read(folder):
    script = f"exec {sys.executable} -m orchestra -f <(echo 'services: {{a: {{image: x}}}}') config --services"
    environment = {"PATH": os.environ["PATH"], "ORCHESTRA_HOME": str(folder / "home")}
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder.path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("a\n", 0), done.stderr


def test_a_secret_file_of_any_size_has_a_fingerprint(folder):
    with open(folder / "large", "wb") as file:
        file.truncate(MAXIMUM_SIZE * 4)
    text = "services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {file: large}}"
    first = folder.load(text)
    os.utime(folder / "large", ns=(1, 1))
    second = folder.load(text)
    assert first.desired.containers[0].config_hash != second.desired.containers[0].config_hash
    assert not first.inputs.is_repeatable
