"""The installed command on real stacks: each test has a home of its own, and takes its stack down."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

STACKS = Path(__file__).parent.parent.parent / "examples" / "stacks"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def eventually(question, seconds=15.0):
    """The first true answer. ``OSError`` and ``ValueError`` mean "not yet"; fails with the last of them."""
    deadline = time.monotonic() + seconds
    last = None
    while time.monotonic() < deadline:
        try:
            if answer := question():
                return answer
        except (OSError, ValueError) as error:
            last = error
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {last}")


class Orchestra:
    """The command line on one stack file."""

    def __init__(self, file: Path, home: Path, **environment: str) -> None:
        self.file = file
        self.home = home
        self.environment = os.environ | {"ORCHESTRA_HOME": str(home), "NO_COLOR": "1"} | environment

    def start(self, *arguments: str, **options) -> subprocess.Popen:
        command = [sys.executable, "-m", "orchestra", "-f", str(self.file), *arguments]
        return subprocess.Popen(command, env=self.environment, text=True, **options)

    def run(self, *arguments: str, code: int | None = 0) -> subprocess.CompletedProcess:
        process = self.start(*arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = process.communicate(timeout=60)
        done = subprocess.CompletedProcess(process.args, process.returncode, out, err)
        if code is not None:
            assert done.returncode == code, f"{arguments}: exit code {done.returncode}\n{out}\n{err}\n{self.trouble()}"
        return done

    def containers(self) -> dict[str, dict]:
        """Rows of ``ps -a`` by service."""
        lines = self.run("ps", "-a", "--format", "json").stdout.splitlines()
        return {row["Service"]: row for row in map(json.loads, lines)}

    def trouble(self) -> str:
        """What the supervisor had to say, for the report of a failed test."""
        logs = self.home.glob("data/stacks/*/supervisor.log")
        return "\n".join(log.read_text(errors="replace")[-3000:] for log in logs)


def http(port: int, method: str, path: str, value: object = None):
    """The decoded JSON answer. Raises OSError when there is none, or when it is not one of success."""
    data = None if value is None else json.dumps(value).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=data, method=method)
    try:
        with urllib.request.urlopen(request, timeout=5) as reply:
            return json.load(reply)
    except urllib.error.HTTPError as error:
        error.close()
        raise


@pytest.fixture
def stack(tmp_path):
    """A factory: the name of an example gives the command line on a copy of it. All are taken down at the end."""
    made: list[Orchestra] = []

    def make(name: str, **environment: str) -> Orchestra:
        folder = tmp_path / name
        shutil.copytree(STACKS / name, folder, ignore=shutil.ignore_patterns("data", "images"))
        orchestra = Orchestra(folder / "compose.yaml", tmp_path / "home", **environment)
        made.append(orchestra)
        return orchestra

    yield make
    for orchestra in made:
        orchestra.run("down", "-v", "-t", "1", "--remove-orphans")


@pytest.fixture
def write_stack(tmp_path):
    """A factory: the text of a Compose file gives the command line on it. All are taken down at the end."""
    made: list[Orchestra] = []

    def make(text: str, name: str = "stack", **environment: str) -> Orchestra:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "compose.yaml").write_text(text)
        orchestra = Orchestra(folder / "compose.yaml", tmp_path / "home", **environment)
        made.append(orchestra)
        return orchestra

    yield make
    for orchestra in made:
        orchestra.run("-p", orchestra.file.parent.name, "down", "-v", "-t", "1", "--remove-orphans", code=None)
