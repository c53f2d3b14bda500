"""A second machine: OpenSSH's server with keys, a configuration and an Orchestra home of its own, on the loopback."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.examples.conftest import Stack, busybox_root, eventually  # noqa: F401 - a fixture
from tests.ports import free_port

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
BIN = Path(sys.executable).parent

needs_ssh = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="OpenSSH's server needs root"),
    pytest.mark.skipif(SSHD is None, reason="OpenSSH's server must be installed"),
    pytest.mark.timeout(120),
]


class Server:
    """home: of the Orchestra there. client: a directory whose ``ssh`` uses the client's configuration of the test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.home = path / "home"
        self.port = free_port()
        self.url = f"ssh://root@127.0.0.1:{self.port}"
        self.client = path / "client"

    def write(self, program: Path = BIN, others: str = os.environ["PATH"]) -> None:
        """program: the directory of the Orchestra there. others: where its shell looks for other programs."""
        for name in ("host", "user"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.path / f"{name}_key")]
            subprocess.run(command, check=True)
        host = (self.path / "host_key.pub").read_text()
        (self.path / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {host}")
        (self.path / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1\nPort {self.port}\nHostKey {self.path}/host_key\nPidFile none\n"
            f"AuthorizedKeysFile {self.path}/user_key.pub\nPermitRootLogin yes\nStrictModes no\nUsePAM no\n"
            f"PasswordAuthentication no\nAllowStreamLocalForwarding no\nAllowTcpForwarding no\nPermitTTY no\n"
            f"SetEnv ORCHESTRA_HOME={self.home} PATH={program}:{others}\n"
        )
        (self.path / "ssh_config").write_text(
            f"Host *\n  IdentityFile {self.path}/user_key\n  IdentitiesOnly yes\n  BatchMode yes\n"
            f"  UserKnownHostsFile {self.path}/known_hosts\n  GlobalKnownHostsFile /dev/null\n"
        )
        self.client.mkdir()
        ssh = self.client / "ssh"
        ssh.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {self.path}/ssh_config "$@"\n')
        ssh.chmod(0o755)

    @property
    def environment(self) -> dict[str, str]:
        """For commands here."""
        return {"PATH": f"{self.client}:{os.environ['PATH']}", "ORCHESTRA_HOST": self.url}

    @contextmanager
    def running(self):
        log = self.path / "sshd.log"
        with subprocess.Popen([SSHD, "-D", "-f", self.path / "sshd_config", "-E", log]) as process:
            try:
                eventually(lambda: "listening on" in log.read_text())
                yield
            finally:
                subprocess.run(["pkill", "-P", str(process.pid)], check=False)
                process.terminate()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    found = Server(tmp_path_factory.mktemp("server"))
    found.write()
    with found.running():
        yield found


@pytest.fixture
def write_remote_stack(server, tmp_path, busybox_root):  # noqa: F811
    """As ``write_stack``, for commands given here whose containers are there."""
    made = []

    def make(text: str, name: str = "stack", files: dict[str, str] | None = None, **environment: str) -> Stack:
        folder = tmp_path / name
        folder.mkdir()
        for file, content in (files or {}).items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(content)
        stack = Stack(folder / "compose.yaml", server.home, busybox_root, **server.environment | environment)
        stack.environment["ORCHESTRA_HOME"] = str(tmp_path / "here")
        stack.write(text)
        made.append(stack)
        return stack

    yield make
    for stack in made:
        there = Stack(stack.file, server.home, busybox_root)
        there.environment.pop("ORCHESTRA_HOST", None)
        there.down()
        assert not list((tmp_path / "here").glob("data/stacks/*"))
