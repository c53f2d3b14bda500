"""What holds for every stack: config reads back the same, order of keys does not matter, rubbish never crashes."""

from __future__ import annotations

import contextlib
import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestra.compose import LoadRequest, load, render_config
from orchestra.errors import OrchestraError

if TYPE_CHECKING:
    from pathlib import Path

# Generated cases take long where other programs keep the machine busy.
pytestmark = pytest.mark.timeout(300)
QUIET = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
names = st.sampled_from(["a", "b", "c.d", "e-f"])
texts = st.text(
    st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cc", "Cs", "Cn"]), max_size=8
)
words = st.text("abcxyz019._-", min_size=1, max_size=6)
variables = st.dictionaries(words, st.none() | texts | st.integers(-9, 9) | st.booleans(), max_size=3)
ports = st.one_of(
    st.integers(1, 65535),
    st.builds("{}:{}".format, st.integers(1, 65535), st.integers(1, 65535)),
    st.builds("127.0.0.1:{}-{}:80/udp".format, st.integers(1, 100), st.integers(100, 200)),
    st.fixed_dictionaries(
        {"target": st.integers(1, 65535)}, optional={"published": st.integers(1, 65535), "name": words}
    ),
)
durations = st.sampled_from(["90s", "1h30m", "0s", "1.5s", "100ms", "2d"])
sizes = st.sampled_from(["64m", "1.5g", 1024, "1k", "100b"])
targets = st.builds("/{}".format, words)
volumes = st.one_of(
    targets,
    st.builds("./{}:{}:ro".format, words, targets),
    st.fixed_dictionaries(
        {"type": st.just("tmpfs"), "target": targets, "tmpfs": st.fixed_dictionaries({"size": sizes})}
    ),
)
commands = st.none() | st.lists(texts, max_size=3) | st.sampled_from(["serve --port 80", "echo '$$HOME'", ""])
services = st.fixed_dictionaries(
    {"image": words},
    optional={
        "command": commands,
        "entrypoint": commands,
        "environment": variables | st.lists(words, max_size=2),
        "labels": st.dictionaries(words, texts, max_size=2),
        "ports": st.lists(ports, max_size=3),
        "volumes": st.lists(volumes, max_size=2, unique_by=lambda item: str(item).rpartition("/")[2]),
        "healthcheck": st.fixed_dictionaries(
            {"test": st.sampled_from(["true", ["CMD", "x"], ["NONE"]])},
            optional={"interval": durations, "retries": st.integers(0, 5), "disable": st.booleans()},
        ),
        "deploy": st.fixed_dictionaries(
            {},
            optional={
                "replicas": st.integers(0, 3),
                "resources": st.fixed_dictionaries({"limits": st.fixed_dictionaries({"memory": sizes})}),
                "labels": st.dictionaries(words, texts, max_size=2),
            },
        ),
        "ulimits": st.dictionaries(words, st.integers(0, 9) | st.just({"soft": 1, "hard": 2}), max_size=2),
        "stop_grace_period": durations,
        "shm_size": sizes,
        "init": st.booleans(),
        "tty": st.booleans(),
        "restart": st.sampled_from(["no", "always", "on-failure:3", "unless-stopped"]),
        "extra_hosts": st.lists(st.sampled_from(["a=1.2.3.4", "b:::1"]), max_size=2, unique=True),
        "dns": st.sampled_from(["1.1.1.1", ["8.8.8.8", "9.9.9.9"]]),
        "networks": st.sampled_from([["front"], {"front": {"aliases": ["x"]}, "back": None}]),
        "secrets": st.just(["token"]),
        "build": st.sampled_from([".", {"context": "./src", "args": {"A": None, "B": "1"}, "ssh": ["default"]}]),
        "x-own": st.recursive(
            st.none() | texts | st.integers(), lambda inner: st.lists(inner, max_size=2), max_leaves=4
        ),
    },
)
stacks = st.fixed_dictionaries(
    {
        "services": st.dictionaries(names, services, min_size=1, max_size=3),
        "networks": st.just({"front": None, "back": {"driver_opts": {"a": 1}, "internal": True}}),
        "secrets": st.just({"token": {"file": "./token"}}),
    },
    optional={"x-top": texts, "name": st.just("shop"), "version": st.just("3")},
)


def request(directory: Path, *files: str) -> LoadRequest:
    return LoadRequest({"HOME": "/home/me", "A": "from outside"}, str(directory), files=files)


def write(directory: Path, name: str, data: Any) -> str:
    """``$`` stands for itself."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False).replace("$", "$$")
    (directory / name).write_text(text, encoding="utf-8")
    return name


@QUIET
@given(stack=stacks)
def test_what_config_prints_is_read_back_as_the_same(stack, tmp_path):
    file = write(tmp_path, "compose.yaml", stack)
    first = load(request(tmp_path, file))
    printed = render_config(first.stack, "json")
    for format_ in ("json", "yaml"):
        again = load(request(tmp_path, write(tmp_path, "again.yaml", render_config(first.stack, format_))))
        assert render_config(again.stack, "json") == printed
        assert again.hashes == first.hashes
        assert [spec.name for spec in again.desired.containers] == [spec.name for spec in first.desired.containers]


@QUIET
@given(stack=stacks, seed=st.integers())
def test_the_order_of_keys_does_not_change_a_hash(stack, seed, tmp_path):
    first = load(request(tmp_path, write(tmp_path, "compose.yaml", stack)))
    second = load(request(tmp_path, write(tmp_path, "compose.yaml", shuffled(stack, random.Random(seed)))))
    assert second.hashes == first.hashes
    assert render_config(second.stack) == render_config(first.stack)


def shuffled(value: Any, dice: random.Random) -> Any:
    if isinstance(value, list):
        return [shuffled(item, dice) for item in value]
    if not isinstance(value, dict):
        return value
    keys = list(value)
    dice.shuffle(keys)
    return {key: shuffled(value[key], dice) for key in keys}


@QUIET
@given(stack=stacks)
def test_an_override_that_says_nothing_changes_nothing(stack, tmp_path):
    file = write(tmp_path, "compose.yaml", stack)
    empty = write(tmp_path, "empty.yaml", {"services": {name: {} for name in stack["services"]}})
    alone, together = load(request(tmp_path, file)), load(request(tmp_path, file, empty))
    assert together.stack == alone.stack
    assert together.hashes == alone.hashes


@QUIET
@given(stack=stacks)
def test_a_file_given_twice_is_the_same_as_once(stack, tmp_path):
    for service in stack["services"].values():
        service.pop("build", None)  # build.ssh is appended, as any list without an identity
        service.pop("x-own", None)
    file = write(tmp_path, "compose.yaml", stack)
    assert load(request(tmp_path, file, file)).stack == load(request(tmp_path, file)).stack


RICH = """\
name: shop
x-base: &base
  restart: always
  environment: &env {LEVEL: "${LEVEL:-info}", HOME: }
include: [part.yaml]
services:
  web:
    <<: *base
    image: "app:${TAG-1}"
    command: serve --port "80" 'x y'
    ports: ["8080:80", "53:53/udp", {target: 9, published: "9-10"}]
    volumes: [./d:/d:ro, cache:/c, {type: tmpfs, target: /t, tmpfs: {size: 1m}}]
    depends_on: {db: {condition: service_healthy, restart: true}}
    deploy: {replicas: 2, resources: {limits: {cpus: "0.5", memory: 64m}}}
    labels: [a.b=c, d]
  db:
    extends: {service: web}
    image: !override db
    ports: !reset []
    depends_on: !reset null
    healthcheck: {test: pg_isready, interval: 1m30s, retries: 3}
    networks: {back: {aliases: [store], ipv4_address: 10.5.0.9}}
volumes: {cache: {driver_opts: {type: none, o: bind, device: ./x}}}
networks: {back: {ipam: {config: [{subnet: 10.5.0.0/24}]}}}
secrets: {token: {environment: TOKEN}}
"""
SCRAPS = [
    "\t",
    "\n",
    "- ",
    ": ",
    "{",
    "}",
    "[",
    "]",
    "${",
    "}",
    "$",
    "&a",
    "*a",
    "*base",
    "<<: ",
    "!reset ",
    "!!int ",
    "'",
    '"',
]
SCRAPS += [
    "|\n",
    ">-\n",
    "#",
    "---\n",
    "...\n",
    "? ",
    "0x",
    "1e9",
    "-1",
    "null",
    "~",
    "services:",
    "  web: ",
    "\u2028",
    "\x85",
    "%YAML",
]


@pytest.mark.fuzz
@settings(QUIET, max_examples=120)
@given(data=st.data())
def test_a_damaged_file_is_answered_and_never_crashes(data, tmp_path):
    text = RICH
    for _ in range(data.draw(st.integers(1, 6), "damages")):
        start = data.draw(st.integers(0, len(text)), "start")
        end = min(len(text), start + data.draw(st.integers(0, 40), "length"))
        filling = data.draw(st.sampled_from(SCRAPS) | st.just(text[start:end] * 2) | texts, "filling")
        text = text[:start] + filling + text[end:]
    write(tmp_path, "part.yaml", "services: {part: {image: p}}")
    loaded = None
    with contextlib.suppress(OrchestraError):
        loaded = load(request(tmp_path, write(tmp_path, "compose.yaml", text)))
    if loaded is not None:
        again = load(request(tmp_path, write(tmp_path, "again.yaml", render_config(loaded.stack))))
        assert again.stack == loaded.stack


@pytest.mark.fuzz
@settings(QUIET, max_examples=120)
@given(content=st.binary(max_size=200))
def test_any_bytes_at_all_are_answered(content, tmp_path):
    (tmp_path / "compose.yaml").write_bytes(content)
    (tmp_path / "bytes.env").write_bytes(content)
    write(tmp_path, "with.yaml", "services: {a: {image: x, env_file: bytes.env}}")
    for file in ("compose.yaml", "with.yaml"):
        with contextlib.suppress(OrchestraError):
            load(request(tmp_path, file))
