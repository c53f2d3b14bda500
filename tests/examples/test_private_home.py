"""Other users of the machine can enter nothing below Orchestra's two roots, whatever the umask was."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.examples.conftest import Orchestra

pytestmark = [
    pytest.mark.scenario,
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="containers need root"),
    pytest.mark.timeout(120),
]

STRANGER = 12345
STACK = """
name: private
services:
  web:
    image: "rootfs:/"
    command: [sh, -c, "echo secret; exec sleep infinity"]
    stop_signal: SIGKILL
    volumes: ["vol:/data"]
    secrets: [key]
secrets: {key: {file: ./key}}
volumes: {vol: {}}
"""
# What belongs to containers and is as their programs and images have it.
CONTAINERS_OWN = {
    *("_data", "fs", "work", "files", "rootfs", "layers", "blobs", "netns"),
    *("hosts", "hostname", "resolv.conf"),
}


@pytest.fixture
def stack(monkeypatch):
    """A stack whose home every user can reach, started with no umask."""
    folder = Path(tempfile.mkdtemp(prefix="orchestra-private-"))
    folder.chmod(0o755)
    (folder / "compose.yaml").write_text(STACK)
    (folder / "key").write_text("key")
    before = os.umask(0)
    made = Orchestra(folder / "compose.yaml", folder / "home")
    yield made
    os.umask(before)
    made.run("down", "-v", "-t", "1")
    shutil.rmtree(folder)


def open_to_others(home: Path) -> list[str]:
    found = []
    for here, below, files in os.walk(home):
        below[:] = [name for name in below if name not in CONTAINERS_OWN]
        for name in (*below, *(file for file in files if file not in CONTAINERS_OWN)):
            mode = os.lstat(f"{here}/{name}").st_mode
            if mode & 0o077 and not stat.S_ISLNK(mode):
                found.append(f"{here}/{name}: {stat.S_IMODE(mode):o}")
    return found


def test_setuid_in_volume(stack):
    for path in ("data/volumes", "run/networks"):  # as an older version has left them
        os.makedirs(stack.home / path, 0o777)
    stack.run("up", "-d")
    stack.run("exec", "-T", "web", "sh", "-c", "cp $(command -v id) /data/id && chmod 4755 /data/id")
    program = stack.home / "data/volumes/private_vol/_data/id"
    assert program.stat().st_mode & stat.S_ISUID
    with pytest.raises(PermissionError):
        subprocess.run([program, "-u"], user=STRANGER, group=STRANGER, extra_groups=[], check=False)


def test_nothing_that_orchestra_makes_is_open_to_others(stack):
    stack.run("up", "-d")
    stack.run("ps")
    for path in ("run/networks/leases.json", "data/stacks/private/logs/private-web-1.log"):
        assert stat.S_IMODE((stack.home / path).stat().st_mode) == 0o600
    assert list(stack.home.glob("run/networks/names/private_default/private.json"))
    assert open_to_others(stack.home) == []
