"""One process that serves the API, and a stack of a file beside it, for all tests of a module."""

from __future__ import annotations

import io
import signal
import subprocess
import tarfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.engine_api.client import Engine
from tests.examples.conftest import busybox_root, eventually, write_shared_stack, write_stack

if TYPE_CHECKING:
    from pathlib import Path

    from tests.examples.conftest import Stack

__all__ = ["busybox_root", "write_shared_stack", "write_stack"]

FILE = """
services:
  web:
    image: "rootfs:BUSYBOX"
    command: [sh, -c, "echo ready; exec sleep 10000"]
    labels: {traefik.enable: "true"}
    init: true
    deploy: {replicas: 2}
  db: {image: "rootfs:BUSYBOX", command: [sleep, "10000"], init: true}
"""


class Served(NamedTuple):
    """stack: of the file above, in the same home."""

    engine: Engine
    stack: Stack
    process: subprocess.Popen


@contextmanager
def serving(stack, path: Path, *options: str):
    """A client of ``orchestra api`` with these options."""
    with stack.start("api", "--socket", str(path), *options, stdin=subprocess.DEVNULL) as process:
        try:
            engine = Engine(path)
            eventually(lambda: path.exists() and engine.ask("GET", "/_ping").body == b"OK", seconds=60)
            yield Served(engine, stack, process)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            finally:
                process.kill()


@pytest.fixture(scope="module")
def served(write_shared_stack, busybox_root):
    stack = write_shared_stack(FILE, name="shop")
    stack.run("up", "-d")
    with serving(stack, stack.home.parent / "docker.sock") as served:
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add(busybox_root, ".")
        served.engine.post("/images/create", archive.getvalue(), fromSrc="-", repo="bb")
        yield served


@pytest.fixture
def engine(served):
    """Whatever a test has made through the API and left is removed."""
    yield served.engine
    for row in served.engine.get("/containers/json", all=1):
        if row["Labels"].get("com.docker.compose.project") != "shop":
            served.engine.delete(f"/containers/{row['Id']}", force=1, v=1)
