"""Which attributes `plan` says have changed, and that it shows nothing that may be secret."""

from __future__ import annotations

import pytest

from orchestra.model.container import ContainerSpec, Endpoint, HealthcheckSpec, Port, Restart, RestartPolicy
from orchestra.model.desired import Location, NetworkSpec
from orchestra.model.limits import BlockIO, DeviceValue, Resources, Ulimit
from orchestra.model.mount import BindMount, FileMount, TmpfsMount
from orchestra.plan.difference import differences
from orchestra.record import replace

BASE = ContainerSpec("s-web-1", "web", 1, "app:1", "hash 1")


def changes(before=None, after=None):
    return [str(c) for c in differences(replace(BASE, **(before or {})), replace(BASE, **(after or {})))]


def test_attributes_are_called_as_in_the_file():
    assert changes(
        {
            "environment": {"DEBUG": "0", "GONE": "x"},
            "command": ("serve", "--port", "80"),
            "image": "app:1",
            "restart": Restart(RestartPolicy.ON_FAILURE, 3),
            "resources": Resources(memory=64 << 20, cpus=0.5),
            "labels": {"team": "a", "com.docker.compose.config-hash": "1"},
            "stop_grace_period": 10.0,
        },
        {
            "environment": {"DEBUG": "1", "NEW": "y"},
            "command": ("serve", "--port", "81"),
            "image": "app:2",
            "restart": Restart(RestartPolicy.ALWAYS),
            "resources": Resources(memory=128 << 20, cpus=0.5, block_io=BlockIO(100, (DeviceValue("/dev/sda", 9),))),
            "labels": {"team": "b", "com.docker.compose.config-hash": "2"},
            "stop_grace_period": 1.5,
            "init": True,
        },
    ) == [
        "blkio_config.device_weights./dev/sda: not set → 9",
        "blkio_config.weight: not set → 100",
        'command: ["serve", "--port", "80"] → ["serve", "--port", "81"]',
        'environment.DEBUG: "0" → "1"',
        'environment.GONE: "x" → not set',
        'environment.NEW: not set → "y"',
        'image: "app:1" → "app:2"',
        "init: not set → true",
        'labels.team: "a" → "b"',
        "mem_limit: 64 MiB → 128 MiB",
        "restart: on-failure → always",
        "restart.max_attempts: 3 → not set",
        "stop_grace_period: 10 → 1.5",
    ]


def test_entries_of_lists_are_explained_one_by_one():
    assert changes(
        {
            "mounts": (BindMount("/data", "/srv/a"), TmpfsMount("/tmp")),
            "ports": (Port(80, 8080), Port(53, 53, "127.0.0.1", "udp", Location("f", 1, 1))),
            "endpoints": (Endpoint("s_default", ("web",)),),
            "ulimits": (Ulimit("nofile", 1, 2),),
            "healthcheck": HealthcheckSpec(("true",), interval=5.0),
        },
        {
            "mounts": (BindMount("/data", "/srv/b", read_only=True),),
            "ports": (Port(80, 8081), Port(53, 53, "127.0.0.1", "udp", Location("f", 9, 9))),
            "endpoints": (Endpoint("s_default", ("web", "www")), Endpoint("s_back", ("web",))),
            "ulimits": (Ulimit("nofile", 1, 3),),
            "healthcheck": HealthcheckSpec(("false",), interval=5.0),
        },
    ) == [
        'healthcheck.test: ["true"] → ["false"]',
        'networks.s_back: not set → "web"',
        'networks.s_default: "web" → "web, www"',
        'ports.80/tcp: "8080:80" → "8081:80"',
        "ulimits.nofile: 1:2 → 1:3",
        'volumes./data: "/srv/a" → "/srv/b, read_only"',
        'volumes./tmp: "tmpfs" → not set',
    ]


@pytest.mark.parametrize("name", ["DB_PASSWORD", "api_key", "GITHUB_TOKEN", "PGPASSFILE", "Client-Secret", "AWS_CREDS"])
def test_values_of_variables_that_sound_like_a_secret_are_not_shown(name):
    assert changes({"environment": {name: "hunter1"}}, {"environment": {name: "hunter2"}}) == [
        f"environment.{name}: changed (not shown)"
    ]
    assert changes({}, {"environment": {name: "hunter2"}}) == [f"environment.{name}: not set → (not shown)"]


@pytest.mark.parametrize(
    "value",
    [
        "postgres://app:hunter2@db/app",
        "redis://:hunter2@cache:6379",
        "sh -c 'mysql --password=hunter2 -h db'",
        "mysql --db-password hunter2",
        "API_TOKEN=hunter2 serve",
        ("serve", "--password", "hunter2"),
        ("serve", "--api-key=hunter2"),
        ("sh", "-c", "exec x --token hunter2"),
        ("sh", "-c", "SECRET=hunter2; x"),
        ("env", "https://me:hunter2@host/x"),
    ],
)
def test_secrets_within_values_are_not_shown(value):
    field = "command" if isinstance(value, tuple) else "environment"
    after = {field: value if isinstance(value, tuple) else {"ARGUMENTS": value}}
    (change,) = changes({}, after)
    assert "hunter2" not in change
    assert "***" in change


def test_content_of_a_secret_is_not_shown():
    token = FileMount("/run/secrets/token", content="hunter1", declared="secret token")
    (change,) = changes({"mounts": (token,)}, {"mounts": (replace(token, content="hunter2"),)})
    assert change == "secrets.token: changed (not shown)"


def test_what_is_long_or_steers_a_terminal_is_shown_short_and_visible():
    (change,) = changes({}, {"environment": {"X\x1b": "\x1b[2J" + "y" * 500}})
    assert "\x1b" not in change
    assert change.startswith("environment.X\\x1b: not set → ")
    assert len(change) < 130


def test_networks_have_attributes_too():
    before = NetworkSpec("front", "s_front", "1", subnet="10.1.0.0/24")
    after = replace(before, config_hash="2", subnet="10.2.0.0/24", internal=True)
    assert [str(change) for change in differences(before, after)] == [
        "internal: not set → true",
        'subnet: "10.1.0.0/24" → "10.2.0.0/24"',
    ]
