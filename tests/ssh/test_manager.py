"""The manager of a swarm on another machine: its engine is reached through ``ssh`` and ``docker system dial-stdio``."""

from __future__ import annotations

import shutil

import pytest

from orchestra.cluster.endpoint import Endpoint
from orchestra.cluster.manager import Manager
from orchestra.errors import Unreachable
from tests.cluster.engine import Engine, listening
from tests.oci_cli.engines import UNPACKED
from tests.ssh.conftest import Server, needs_ssh

DOCKER = shutil.which("docker", path=f"{UNPACKED}/usr/bin")

pytestmark = [*needs_ssh, pytest.mark.skipif(DOCKER is None, reason="Docker's client must be in .venv/engines")]


@pytest.fixture(scope="module")
def engine():
    return Engine()


@pytest.fixture(scope="module")
def far(engine, tmp_path_factory):
    """A machine whose ``docker`` speaks to that engine."""
    path = tmp_path_factory.mktemp("far")
    programs = path / "programs"
    programs.mkdir()
    server = Server(path)
    server.write(programs, "/usr/bin:/bin")
    with listening(engine, str(path / "engine.sock")) as address, server.running():
        docker = programs / "docker"
        docker.write_text(f'#!/bin/sh\nexport DOCKER_HOST={address}\nexec {DOCKER} "$@"\n')
        docker.chmod(0o755)
        yield server


@pytest.fixture
def open_manager(far, monkeypatch):
    monkeypatch.setenv("PATH", far.environment["PATH"])
    opened = []

    def open_manager(address: str) -> Manager:
        opened.append(Manager(Endpoint(address), lambda _: None))
        return opened[-1]

    yield open_manager
    for manager in opened:
        manager.close()


def test_an_engine_is_asked_and_told_through_ssh(far, engine, open_manager):
    manager = open_manager(far.url)
    assert manager.get("/info")["Swarm"]["ControlAvailable"]
    manager.post("/networks/create", {"Name": "shop_default", "Labels": {"a": "b"}})
    assert [item["Name"] for item in manager.get("/networks", filters={"label": ["a=b"]})] == ["shop_default"]
    assert manager.delete("/networks/shop_default")
    assert engine.items["networks"] == {}


def test_a_machine_that_cannot_be_reached_is_asked_once(far, open_manager, capfd):
    with pytest.raises(Unreachable, match=r"no connection to the engine on 127\.0\.0\.1: .* exit code 255"):
        open_manager("ssh://root@127.0.0.1:1").get("/info")
    assert capfd.readouterr().err.count("refused") == 1


def test_a_machine_without_docker(far, open_manager, monkeypatch):
    docker = far.path / "programs/docker"
    docker.rename(far.path / "away")
    try:
        with pytest.raises(Unreachable, match=r"no docker on 127\.0\.0\.1"):
            open_manager(far.url).get("/info")
    finally:
        (far.path / "away").rename(docker)
