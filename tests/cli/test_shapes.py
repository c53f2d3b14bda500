"""JSON has Docker Compose's names and types: what scripts rely on. The shapes are recorded here."""

from __future__ import annotations

import json

from tests.examples.conftest import free_port, needs_containers

pytestmark = needs_containers

STACK = """
services:
  web:
    image: "rootfs:BUSYBOX"
    command: [sleep, infinity]
    stop_signal: SIGKILL
    ports: ["127.0.0.1:{port}:80"]
    volumes: ["data:/data"]
volumes: {{data: }}
"""
PS = {
    **dict.fromkeys(("Command", "CreatedAt", "Health", "ID", "Image", "Labels", "LocalVolumes", "Mounts"), str),
    **dict.fromkeys(("Name", "Names", "Networks", "Ports", "Project", "RunningFor", "Service", "Size"), str),
    **dict.fromkeys(("State", "Status"), str),
    "ExitCode": int,
    "Publishers": list,
}
PUBLISHER = {"URL": str, "TargetPort": int, "PublishedPort": int, "Protocol": str}
IMAGES = {
    **dict.fromkeys(("ID", "ContainerName", "Repository", "Tag", "Platform"), str),
    "Size": int,
}
LS = dict.fromkeys(("Name", "Status", "ConfigFiles"), str)


def types_of(row, shape):
    return {name: type(row[name]) for name in shape}


def test_json_has_docker_composes_names_and_types(write_stack):
    port = free_port()
    stack = write_stack(STACK.format(port=port))
    stack.run("up", "-d")
    (row,) = [json.loads(line) for line in stack.run("ps", "--format", "json").stdout.splitlines()]
    assert types_of(row, PS) == PS
    assert row["Name"] == row["Names"] == "stack-web-1"
    assert row["LocalVolumes"] == "1"
    assert "com.docker.compose.service=web" in row["Labels"].split(",")
    assert row["Publishers"] == [{"URL": "127.0.0.1", "TargetPort": 80, "PublishedPort": port, "Protocol": "tcp"}]
    assert types_of(row["Publishers"][0], PUBLISHER) == PUBLISHER
    (image,) = json.loads(stack.run("images", "--format", "json").stdout)
    assert types_of(image, IMAGES) == IMAGES
    (listed,) = json.loads(stack.run("ls", "--format", "json").stdout)
    assert types_of(listed, LS) == LS
    assert list(listed) == list(LS)
    assert list(json.loads(stack.run("version", "--format", "json").stdout)) == ["version"]
    assert stack.run("port", "web", "80").stdout == f"127.0.0.1:{port}\n"
