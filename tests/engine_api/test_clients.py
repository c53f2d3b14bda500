"""Programs that speak Docker's Engine API, where they are installed: docker, its Compose plugin and docker-py."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.examples.conftest import needs_containers

pytestmark = [*needs_containers, pytest.mark.xdist_group("engine_api"), pytest.mark.timeout(300)]

PLUGINS = [
    Path(directory, "docker-compose")
    for directory in (
        "/usr/libexec/docker/cli-plugins",
        "/usr/lib/docker/cli-plugins",
        "/usr/local/lib/docker/cli-plugins",
    )
]
needs_docker = pytest.mark.skipif(shutil.which("docker") is None, reason="the docker command must be installed")
needs_compose = pytest.mark.skipif(
    not any(path.exists() for path in PLUGINS), reason="Docker Compose must be installed as a plugin of docker"
)
FILE = """
services:
  web:
    image: bb
    command: sh -c 'cat /data/x; exec sleep 10000'
    init: true
    depends_on: {db: {condition: service_healthy}}
    volumes: ["data:/data"]
  db:
    image: bb
    command: sh -c 'echo stored > /data/x; exec sleep 10000'
    init: true
    healthcheck: {test: "test -f /data/x", interval: 1s}
    volumes: ["data:/data"]
volumes: {data: {}}
"""


@pytest.fixture
def docker(engine, tmp_path):
    """Runs the command to its end: returns its exit code and everything it wrote."""

    def run(*arguments, text="", cwd=tmp_path):
        environment = os.environ | {"DOCKER_HOST": f"unix://{engine.path}", "DOCKER_BUILDKIT": "0"}
        done = subprocess.run(
            ["docker", *arguments],
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            cwd=cwd,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout

    return run


@needs_docker
def test_the_docker_command_works(docker, tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM bb\nRUN echo built > /made\n")
    name = ["--format", "{{.Names}} {{.State}}"]
    steps = [
        (["version", "--format", "{{.Server.APIVersion}}"], 0, r"1\.47\n"),
        (["run", "--rm", "bb", "echo", "hello"], 0, "hello\n"),
        (["run", "--rm", "bb", "sh", "-c", "exit 7"], 7, ""),
        (["run", "--rm", "bb", "nosuch"], 127, "(?s).*no such file or directory.*"),
        (["run", "--rm", "nosuch-image", "true"], 125, "(?s).*Unable to find image.*"),
        (["run", "-d", "--name", "long", "-p", "127.0.0.1::80", "--init", "bb", "sleep", "10000"], 0, "[0-9a-f]{64}\n"),
        (["ps", *name, "--filter", "name=long"], 0, "long running\n"),
        (["port", "long"], 0, r"80/tcp -> 127\.0\.0\.1:\d+\n"),
        (["exec", "long", "sh", "-c", "echo out; exit 4"], 4, "out\n"),
        (["exec", "long", "nosuch"], 127, "(?s).*no such file or directory.*"),
        (["cp", str(tmp_path / "Dockerfile"), "long:/tmp/copied"], 0, "(?s).*"),
        (["diff", "long"], 0, "C /tmp\nA /tmp/copied\n"),
        (["stats", "--no-stream", "--format", "{{.Name}}", "long"], 0, "long\n"),
        (["build", "-q", "-t", "made", "."], 0, "(?s).*sha256:[0-9a-f]{64}\n"),
        (["run", "--rm", "made", "cat", "/made"], 0, "built\n"),
        (["rmi", "made"], 0, "(?s)Untagged: made:latest\n.*"),
        (["network", "create", "mesh"], 0, "[0-9a-f]{64}\n"),
        (["network", "connect", "mesh", "long"], 0, ""),
        (["run", "--rm", "--network", "mesh", "bb", "ping", "-c1", "long"], 0, "(?s).*1 packets received.*"),
        (["network", "disconnect", "mesh", "long"], 0, ""),
        (["network", "rm", "mesh"], 0, "mesh\n"),
        (
            ["events", "--since", "10m", "--until", "0s", "--filter", "event=create", "--filter", "container=long"],
            0,
            ".+\n",
        ),
        (["rm", "-f", "long"], 0, "long\n"),
        (["service", "ls"], 1, "(?s).*not a swarm manager.*"),
    ]
    failed = {}
    for words, code, pattern in steps:
        found = docker(*words)
        if found[0] != code or not re.fullmatch(pattern, found[1]):
            failed[" ".join(words)] = found
    assert failed == {}
    assert docker("run", "--rm", "-i", "bb", "cat", text="typed") == (0, "typed")


@needs_docker
@needs_compose
def test_docker_compose_brings_a_file_up_replaces_and_takes_down(docker, tmp_path):
    (tmp_path / "compose.yaml").write_text(FILE)

    def compose(*words):
        code, output = docker("compose", "-p", "composed", *words)
        assert code == 0, f"{words}: {output}"
        return output

    compose("up", "-d")
    assert "stored" in compose("logs", "web")
    assert compose("exec", "-T", "web", "ping", "-c1", "db").count("1 packets received") == 1
    (tmp_path / "compose.yaml").write_text(FILE.replace("cat /data/x", "echo replaced"))
    compose("up", "-d")
    assert "replaced" in compose("logs", "web")
    assert compose("ps", "--format", "{{.Name}}").split() == ["composed-db-1", "composed-web-1"]
    compose("down", "-v", "-t", "1")
    assert compose("ps", "-aq") == ""


def test_docker_py_works(engine):
    docker = pytest.importorskip("docker", reason="docker-py must be installed")
    client = docker.DockerClient(base_url=f"unix://{engine.path}", timeout=60)
    try:
        assert client.containers.run("bb", "echo hello", remove=True) == b"hello\n"
        container = client.containers.run("bb", ["sleep", "10000"], detach=True, init=True, ports={"80/tcp": None})
        assert container.exec_run(["sh", "-c", "echo out; exit 3"]) == (3, b"out\n")
        container.reload()
        assert container.ports["80/tcp"][0]["HostPort"]
        container.remove(force=True)
        with pytest.raises(docker.errors.NotFound):
            client.containers.get(container.id)
    finally:
        client.close()
