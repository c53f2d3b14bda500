from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestra.compose import render_config

TEXT = """\
x-note: kept
services:
  web:
    image: x
    command: echo "$$HOME"
    environment: [A=1, B]
    ports: ["8080:80"]
    volumes: [./d:/d/]
    networks: [front]
    stop_grace_period: 90s
    mem_limit: 1k
    init: false
    privileged: false
    build: ./src
networks: {front: , unused: }
"""


def as_json(loaded) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(render_config(loaded.stack, "json"))
    return result


def test_config_is_the_canonical_form(folder):
    data = as_json(folder.load(TEXT))
    assert data == {
        "name": "shop",
        "x-note": "kept",
        "networks": {"front": {"name": "shop_front", "ipam": {}}},
        "services": {
            "web": {
                "image": "x",
                "build": {"context": str(folder / "src"), "dockerfile": "Dockerfile"},
                "command": ["echo", "$$HOME"],
                "entrypoint": None,
                "environment": {"A": "1", "B": None},
                "init": False,
                "mem_limit": "1024",
                "networks": {"front": None},
                "ports": [{"mode": "ingress", "target": 80, "published": "8080", "protocol": "tcp"}],
                "stop_grace_period": "1m30s",
                "volumes": [
                    {"type": "bind", "source": str(folder / "d"), "target": "/d", "bind": {"create_host_path": True}}
                ],
            }
        },
    }


def test_yaml_has_docker_composes_order_and_nothing_that_is_empty(folder):
    text = """\
x-note: {b: 1, a: }
configs: {c: {content: text}}
secrets: {s: {file: ./s}}
volumes: {data: }
networks: {front: }
services:
  web:
    volumes: [/anonymous, "data:/data"]
    command: []
    configs: [c]
    deploy: {labels: {a: b}}
    secrets: [{source: s, mode: 0o440}]
    networks: [front]
    ports: ["80"]
    image: x
"""
    assert (
        render_config(folder.load(text).stack, "yaml")
        == f"""\
name: shop
services:
  web:
    command: []
    configs:
      - source: c
    deploy:
      labels:
        a: b
    image: x
    networks:
      front: null
    ports:
      - mode: ingress
        target: 80
        protocol: tcp
    secrets:
      - source: s
        target: /run/secrets/s
        mode: "0440"
    volumes:
      - type: volume
        target: /anonymous
        volume: {{}}
      - type: volume
        source: data
        target: /data
        volume: {{}}
networks:
  front:
    name: shop_front
volumes:
  data:
    name: shop_data
secrets:
  s:
    name: shop_s
    file: {folder / "s"}
configs:
  c:
    name: shop_c
    content: text
x-note:
  a: null
  b: 1
"""
    )


def test_a_stack_without_services_says_so(folder):
    assert json.loads(render_config(folder.load("name: shop\nservices: {}\n").stack, "json"))["services"] == {}


@pytest.mark.parametrize("format_", ["yaml", "json"])
def test_config_of_config_is_the_same(folder, format_):
    first = render_config(folder.load(TEXT).stack, format_)
    assert render_config(folder.load(first).stack, format_) == first


words = st.sampled_from(["a", "x y", "$", "${X}", "yes", "1", "0440", "", "é", "a: b", "# c", "two\nlines\n"])
services = st.fixed_dictionaries(
    {"image": st.just("x")},
    optional={
        "command": st.one_of(words.map(lambda text: ["sh", text]), st.none()),
        "environment": st.dictionaries(st.sampled_from(["A", "B"]), st.one_of(st.none(), words)),
        "labels": st.dictionaries(st.sampled_from(["l.one", "l/two"]), words.filter(lambda text: "\n" not in text)),
        "ports": st.lists(st.sampled_from(["80", "81:80", "90-91:90-91/udp"]), max_size=2),
        "volumes": st.lists(st.sampled_from(["/a", "./b:/b:ro", "~/c:/c"]), max_size=3),
        "deploy": st.sampled_from([{"replicas": 0}, {"resources": {"limits": {"cpus": "0.25", "memory": "1g"}}}]),
        "healthcheck": st.sampled_from([{"test": "true"}, {"disable": True}, {"test": ["CMD", "x"], "retries": 0}]),
        "extra_hosts": st.just({"h": ["1.1.1.1", "::1"]}),
        "tty": st.booleans(),
    },
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=40, deadline=None
)
@given(st.dictionaries(st.sampled_from(["web", "db"]), services, min_size=1))
def test_config_loads_to_what_it_was_made_from(folder, found):
    text = json.dumps({"services": found}).replace("${X}", "$${X}").replace('"$"', '"$$"')
    loaded = folder.load(text)
    for format_ in ("yaml", "json"):
        again = folder.load(render_config(loaded.stack, format_))
        assert as_json(again) == as_json(loaded)
        hashes = [spec.config_hash for spec in loaded.desired.containers]
        assert [spec.config_hash for spec in again.desired.containers] == hashes


def test_extensions_are_in_yaml_everywhere_and_in_json_at_the_top(folder):
    text = "services: {web: {image: x, x-own: 1, healthcheck: {test: [CMD, x], x-inner: 2}}}\nx-top: {a: {b: 3}}\n"
    loaded = folder.load(text)
    shown = render_config(loaded.stack, "yaml")
    assert "x-own: 1" in shown
    assert "x-inner: 2" in shown
    data = as_json(loaded)
    assert data["x-top"] == {"a": {"b": 3}}
    assert not [key for key in (*data["services"]["web"], *data["services"]["web"]["healthcheck"]) if key[:2] == "x-"]


def test_extensions_do_not_change_the_container(folder):
    plain, noted = (folder.load(f"services: {{web: {{image: x{more}}}}}").hashes for more in ("", ", x-note: 1"))
    assert plain == noted
