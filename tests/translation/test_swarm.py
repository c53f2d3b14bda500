"""What becomes of each part of a file in Swarm."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from orchestra.compose.yaml_text import render_yaml
from orchestra.translation.targets import target
from tests.translation.conftest import told

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.translation.result import Object

WEB = "services: {web: {image: web, %s}}"


@pytest.fixture
def swarm(convert) -> Callable[..., Object]:
    """The service ``web`` of a text."""

    def swarm(text: str, **environment: str) -> Object:
        (document,) = convert(text, "swarm", **environment).objects
        service: Object = document["services"]["web"]
        return service

    return swarm


def test_restarts_and_limits_are_said_in_deploy(swarm):
    made = swarm(WEB % "restart: on-failure:3, cpus: 0.5, mem_limit: 64m, pids_limit: 9, scale: 2")
    assert made["deploy"] == {
        "replicas": 2,
        "restart_policy": {"condition": "on-failure", "max_attempts": 3},
        "resources": {"limits": {"cpus": "0.5", "memory": str(64 << 20), "pids": 9}},
    }


def test_what_deploy_says_stays(swarm):
    said = "update_config: {order: start-first, delay: 5s}, placement: {constraints: [node.role == worker]}"
    made = swarm(WEB % f"platform: linux/arm64, deploy: {{{said}}}")["deploy"]
    assert made["update_config"] == {"order": "start-first", "delay": "5s"}
    assert made["placement"]["constraints"] == [
        "node.role == worker",
        "node.platform.os == linux",
        "node.platform.arch == aarch64",
    ]


def test_a_port_of_this_host_only_is_not_published_to_the_world(convert):
    done = convert(WEB % 'ports: ["127.0.0.1:8080:80", "53:53/udp"]', "swarm")
    assert done.objects[0]["services"]["web"]["ports"] == [
        {"target": 53, "published": 53, "protocol": "udp", "mode": "ingress"}
    ]
    assert told(done) == {"services.web.ports[0].host_ip": "approximated"}


def test_links_and_names_of_containers_are_aliases(convert):
    done = convert("services: {web: {image: w, links: ['db:store']}, db: {image: d, container_name: one}}", "swarm")
    assert done.objects[0]["services"]["db"]["networks"] == {"default": {"aliases": ["store", "one"]}}


def test_the_network_of_the_host_is_one_that_exists(convert):
    (document,) = convert(WEB % "network_mode: host", "swarm").objects
    assert document["services"]["web"]["networks"] == {"host": None}
    assert document["networks"]["host"] == {"external": True, "name": "host"}


def test_secrets_and_configs_are_files_beside_it_named_by_their_content(convert):
    text = (
        "services: {web: {image: w, secrets: [token], configs: [settings]}}\n"
        "secrets: {token: {environment: TOKEN}}\nconfigs: {settings: {content: a}}"
    )
    one, other = convert(text, "swarm", TOKEN="one"), convert(text, "swarm", TOKEN="two")
    secret = one.objects[0]["secrets"]["token"]
    assert one.files[secret["file"].removeprefix("./")] == b"one"
    assert secret["name"] != other.objects[0]["secrets"]["token"]["name"]
    assert set(target("swarm").files(one)) == {"stack.yaml", *one.files}
    service = one.objects[0]["services"]["web"]
    assert service["secrets"] == [{"source": "token", "target": "token"}]
    assert service["configs"] == [{"source": "settings", "target": "/settings"}]


def test_dollars_are_not_taken_for_variables(swarm):
    """``docker stack deploy`` replaces variables once more."""
    assert swarm(WEB % 'environment: {A: "$$HOME"}')["environment"] == {"A": "$$HOME"}


def test_mounts(swarm):
    volumes = "[data:/data, /anonymous, {type: tmpfs, target: /t, tmpfs: {size: 1m, mode: 0700}}]"
    made = swarm(WEB % f"volumes: {volumes}, tmpfs: ['/run:size=2m']" + "\nvolumes: {data: }")["volumes"]
    assert made == [
        {"type": "volume", "source": "data", "target": "/data"},
        {"type": "volume", "target": "/anonymous"},
        {"type": "tmpfs", "target": "/t", "tmpfs": {"size": 1 << 20, "mode": 0o700}},
        {"type": "tmpfs", "target": "/run", "tmpfs": {"size": 2 << 20}},
    ]


@pytest.mark.skipif(shutil.which("docker") is None, reason="needs Docker's command line")
def test_docker_takes_the_stack_file(convert, tmp_path):
    done = convert(
        "services: {web: {image: w, secrets: [token], ports: ['80:80', '443'], tmpfs: ['/run:size=2m'],"
        " ulimits: {nofile: 9}, healthcheck: {test: check, interval: 5s},"
        " deploy: {replicas: 2, resources: {limits: {cpus: 0.5}}},"
        " command: ['$$(HOME)'], sysctls: {a: 1}, init: true, volumes: ['data:/data']}}\n"
        "volumes: {data: }\nsecrets: {token: {environment: TOKEN}}\n"
        "networks: {default: {ipam: {config: [{subnet: 10.9.0.0/24}]}}}",
        "swarm",
        TOKEN="x",
    )
    for name, content in target("swarm").files(done).items():
        (tmp_path / name).write_bytes(content)
    assert (tmp_path / "stack.yaml").read_text() == render_yaml(done.objects[0])
    command = ["docker", "stack", "config", "-c", "stack.yaml"]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "      - $(HOME)\n" in answer.stdout
