"""``port`` tells where a port is published, and ``volumes`` which volumes a stack has."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.examples.conftest import free_port, needs_containers

STACK = """
services:
  web:
    image: "rootfs:BUSYBOX"
    command: [sleep, infinity]
    init: true
    scale: 2
    ports: ["127.0.0.1::80", "127.0.0.1::53/udp"]
    volumes: ["data:/data", "/anonymous"]
  db:
    image: "rootfs:BUSYBOX"
    command: [sleep, infinity]
    init: true
    ports: ["127.0.0.1:PORT:5432"]
    volumes: ["base:/base"]
  quiet: {image: "rootfs:BUSYBOX", command: [sleep, infinity], init: true, expose: ["80"]}
  job: {image: "rootfs:BUSYBOX", command: ["true"]}
volumes:
  data: {labels: {kept: "yes"}}
  base: {}
"""

pytestmark = needs_containers


def test_ports_and_volumes_of_a_stack(write_stack):
    number = free_port()
    stack = write_stack(STACK.replace("PORT", str(number)))
    stack.run("up", "-d", "web", "db", "quiet")
    rows = map(json.loads, stack.run("ps", "--format", "json").stdout.splitlines())
    published = {
        (row["Name"], port["TargetPort"], port["Protocol"]): f"{port['URL']}:{port['PublishedPort']}\n"
        for row in rows
        for port in row["Publishers"]
    }
    assert stack.run("port", "db", "5432").stdout == f"127.0.0.1:{number}\n"
    assert stack.run("port", "web", "80").stdout == published["stack-web-1", 80, "tcp"]
    assert stack.run("port", "--index", "2", "web", "80").stdout == published["stack-web-2", 80, "tcp"]
    assert stack.run("port", "--protocol", "UDP", "web", "53").stdout == published["stack-web-1", 53, "udp"]
    first, second = published["stack-web-1", 53, "udp"], published["stack-web-2", 53, "udp"]
    assert stack.run("port", "--protocol", "udp", "web").stdout == f"53/udp -> {first}53/udp -> {second}"
    second = published["stack-web-2", 53, "udp"], published["stack-web-2", 80, "tcp"]
    assert stack.run("port", "--index", "2", "web").stdout == f"53/udp -> {second[0]}80/tcp -> {second[1]}"
    assert len(stack.run("port", "web").stdout.splitlines()) == 4
    assert stack.run("port", "quiet").stdout == ""
    command = [sys.executable, "-m", "orchestra", "__complete", "zsh", "-f", str(stack.file), "port", "web", ""]
    assert subprocess.run(command, env=stack.environment, capture_output=True, check=True).stdout == b"53\t\n80\t\n"

    for words, message, hint in (
        (("web", "81"), "no port 81/tcp for container stack-web-1", "published are 53/udp, 80/tcp"),
        (("web", "53"), "no port 53/tcp for container stack-web-1", "published are 53/udp, 80/tcp"),
        (("quiet", "80"), "no port 80/tcp for container stack-quiet-1", "it publishes no ports"),
        (("--index", "3", "web", "80"), 'service "web" is not running container #3', "ps -a"),
        (("job", "80"), 'service "job" is not running', "up -d"),
        (("job",), 'service "job" is not running', "up -d"),
        (("--index", "3", "web"), 'service "web" is not running container #3', "ps -a"),
        (("--protocol", "tpc", "web"), "no such protocol: tpc", "did you mean tcp?"),
        (("wep", "80"), "no such service: wep", "did you mean web?"),
        (("web", "http"), "'http' is not a port", "1 to 65535"),
        (("web", "0"), "'0' is not a port", "1 to 65535"),
        (("--protocol", "tpc", "web", "80"), "no such protocol: tpc", "did you mean tcp?"),
    ):
        refused = stack.run("port", *words, code=1)
        assert refused.stdout == ""
        assert f"error: {message}\n" in refused.stderr
        assert hint in refused.stderr

    assert stack.run("volumes").stdout == "DRIVER   VOLUME NAME\nlocal    stack_base\nlocal    stack_data\n"
    assert stack.run("volumes", "-q", "web").stdout == "stack_data\n"
    assert stack.run("volumes", "-q", "web", "db").stdout == "stack_base\nstack_data\n"
    assert stack.run("volumes", "-q", "job").stdout == ""
    (row,) = map(json.loads, stack.run("volumes", "--format", "json", "web").stdout.splitlines())
    assert row == {
        **dict.fromkeys(("Availability", "Group", "Links", "Size", "Status"), "N/A"),
        **{"Driver": "local", "Name": "stack_data", "Scope": "local"},
        "Labels": "com.docker.compose.project=stack,com.docker.compose.volume=data,kept=yes",
        "Mountpoint": f"{stack.home}/data/volumes/stack_data/_data",
    }
    shown = stack.run("volumes", "--format", '{{.Name}} {{.Label "kept"}}').stdout
    assert shown == "stack_base \nstack_data yes\n"
    assert "did you mean web?" in stack.run("volumes", "wbe", code=1).stderr

    stack.run("down")
    assert stack.run("volumes", "-q").stdout == "stack_base\nstack_data\n", "they outlive containers"
    assert stack.run("volumes", "-q", "web").stdout == ""
    assert 'service "web" is not running' in stack.run("port", "web", "80", code=1).stderr


def test_a_stack_without_a_port_or_a_volume(write_stack):
    stack = write_stack('services: {job: {image: "rootfs:BUSYBOX", command: ["true"]}}')
    stack.run("up")
    assert stack.run("volumes").stdout == "DRIVER   VOLUME NAME\n"
    assert stack.run("volumes", "--format", "json").stdout == ""
    assert "not running" in stack.run("port", "job", "80", code=1).stderr
