"""Containers made by hand in a home of the test's own; for what needs real ones, the stacks of ``tests.examples``."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest

from orchestra.cli.start import start
from orchestra.driver.local.record import ContainerRecord, store_record, store_stop
from orchestra.home import Home
from orchestra.linux.process import identify
from orchestra.model.log import render_stamp
from orchestra.model.observed import Container, Created
from orchestra.shim.log import render_records
from tests.driver.local.image.making import entry, layer
from tests.examples.conftest import busybox_root, write_shared_stack, write_stack

if TYPE_CHECKING:
    from orchestra.home import StackHome

__all__ = ["busybox_root", "write_shared_stack", "write_stack"]

ROOT_FILE_SYSTEM = layer(entry("etc/name", content=b"this one"))


class ByHand:
    """A stack whose containers exist on paper: their directories are as driver and shims leave them."""

    def __init__(self, home: Home, name: str = "s") -> None:
        self.home: StackHome = home.stack(name)
        self.stack = name
        os.makedirs(self.home.logs)
        os.makedirs(self.home.containers)

    def create(self, service: str, index: int = 1, name: str = "") -> str:
        name = name or f"{self.stack}-{service}-{index}"
        self.add(
            Container(
                name, service, index, f"id-{name}", "hash", "rootfs:/", "digest", Created(), time.time(), command=("x",)
            )
        )
        return name

    def add(self, container: Container) -> None:
        os.makedirs(self.home.container(container.name))
        for file in ("config.json", "shim.json", "network.json"):
            self._store(container.name, file, {"container_id": container.id})
        store_record(self.home.container(container.name), ContainerRecord(container))

    def run(self, name: str) -> None:
        """This very process stands for the container's."""
        own = identify(os.getpid())
        record = {"pid": own.pid, "start_time": own.start_time, "started_at": time.time()}
        self._store(name, "state.json", record)

    def exit(self, name: str, code: int = 0, *, stopped: bool = False) -> None:
        try:
            with open(f"{self.home.container(name)}/state.json") as file:
                began = json.load(file)["started_at"]
        except FileNotFoundError:
            began = time.time()
        if stopped:
            store_stop(self.home.container(name), began)
        record = {"exit_code": code, "oom_killed": False, "started_at": began, "finished_at": time.time()}
        self._store(name, "exit.json", record)

    def write(self, name: str, text: str, second: float = 0, stream: str = "stdout") -> None:
        """second: after the beginning of 2026."""
        stamp = f"2026-01-01T00:{int(second) // 60:02d}:{int(second) % 60:02d}.{int(second * 1000) % 1000:03d}000000Z"
        self._append(name, text, stamp, stream)

    def write_now(self, name: str, text: str) -> None:
        self._append(name, text, render_stamp(time.time_ns()).decode(), "stdout")

    def _append(self, name: str, text: str, stamp: str, stream: str) -> None:
        with open(f"{self.home.logs}/{name}.log", "ab") as file:
            file.write(render_records(text.encode(), stream, stamp))

    def want(self, containers=(), **desired) -> None:
        """containers: definitions, of which what every one has is completed."""
        definitions = [self._define(index, each) for index, each in enumerate(containers, 1)]
        with open(self.home.desired, "w") as file:
            json.dump({"stack": self.stack, "containers": definitions, **desired}, file)

    def _define(self, index: int, given: dict) -> dict:
        service = given.get("service", "web")
        name = f"{self.stack}-{service}-{index}"
        return {"name": name, "service": service, "index": index, "image": "x", "config_hash": "c", **given}

    def _store(self, name: str, file: str, record: dict) -> None:
        path = f"{self.home.container(name)}/{file}"
        with open(f"{path}.new", "w") as opened:
            json.dump(record, opened)
        os.rename(f"{path}.new", path)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ORCHESTRA_HOME", f"{tmp_path}/home")
    monkeypatch.delenv("NO_COLOR", raising=False)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    return Home(f"{tmp_path}/home/data", f"{tmp_path}/home/run")


@pytest.fixture
def by_hand(home):
    return ByHand(home)


@pytest.fixture
def orchestra(home, capfd):
    """Run a command line in this process: its exit code, standard output and standard error."""

    def run(*argv: str) -> tuple[int, str, str]:
        code = start(argv)
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def put(orchestra, tmp_path):
    """Import a root file system under a name, or without one; the id."""

    def put(name: str = "", root: bytes = ROOT_FILE_SYSTEM, *options: str) -> str:
        (tmp_path / "rootfs.tar").write_bytes(root)
        code, out, err = orchestra("image", "import", *options, f"{tmp_path}/rootfs.tar", *([name] if name else []))
        assert code == 0, err
        return out.strip()

    return put
