"""`up --ports auto`: fixed host ports that another program uses give way to free ones, which are remembered."""

from __future__ import annotations

import os
import socket

from tests.examples.conftest import needs_containers

pytestmark = needs_containers

WEB = 'image: "rootfs:BUSYBOX", command: [sleep, infinity], init: true, stop_signal: SIGKILL'


def test_ports_in_use_are_replaced_by_free_ones_that_stay_the_same(write_stack):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        file = f"services: {{web: {{{WEB}, ports: ['127.0.0.1:{number}:80']}}}}\n"
        stack = write_stack(file)
        told = stack.run("up", "-d", code=1).stderr
        assert "is already in use by" in told
        assert f"(pid {os.getpid()})" in told
        assert "up --ports auto" in told

        told = stack.run("up", "-d", "--ports", "auto").stderr
        place = stack.run("port", "web", "80").stdout.strip()
        assert place != f"127.0.0.1:{number}"
        assert f"stack-web-1: port {number}/tcp is in use; published at {place} instead" in told
        assert f"{place}->80/tcp" in stack.run("ps").stdout
        stack.run("down")

        stack.write(f"{file}x-orchestra: {{ports: auto}}\n")
        stack.run("up", "-d")
        assert stack.run("port", "web", "80").stdout.strip() == place
        stack.run("restart")
        assert stack.run("port", "web", "80").stdout.strip() == place


def test_a_free_port_of_the_file_is_kept(write_stack):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
    stack = write_stack(f"services: {{web: {{{WEB}, ports: ['127.0.0.1:{number}:80']}}}}\n")
    assert "instead" not in stack.run("up", "-d", "--ports", "auto").stderr
    assert stack.run("port", "web", "80").stdout.strip() == f"127.0.0.1:{number}"
