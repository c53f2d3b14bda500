from __future__ import annotations

import re

import pytest

from orchestra.compose.shellwords import split
from orchestra.compose.shorthand import parse_device, parse_host, parse_port, parse_volume


def port(target: int, published: str | None = None, **more: str) -> dict[str, object]:
    entry: dict[str, object] = {"mode": "ingress", "protocol": "tcp", "target": target, **more}
    return entry if published is None else {**entry, "published": published}


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("80", [port(80)]),
        ("8080:80", [port(80, "8080")]),
        ("8080:80/udp", [port(80, "8080", protocol="udp")]),
        ("127.0.0.1:8080:80", [port(80, "8080", host_ip="127.0.0.1")]),
        ("127.0.0.1::80", [port(80, host_ip="127.0.0.1")]),
        ("[::1]:8080:80", [port(80, "8080", host_ip="::1")]),
        ("80-81", [port(80), port(81)]),
        ("90-91:80-81", [port(80, "90"), port(81, "91")]),
        ("90-99:80", [port(80, "90-99")]),
    ],
)
def test_a_short_port_is_one_or_more_long_ones(text, entries):
    assert parse_port(text) == entries


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the container port is missing"),
        ("80:", "the container port is missing"),
        ("a", "'a' is not a port or a port range"),
        ("99999", "port 99999 is above 65535"),
        ("80/icmp", "unknown protocol 'icmp': use tcp, udp or sctp"),
        ("1-3:80-81", "the port ranges 1-3 and 80-81 differ in length"),
        ("host:8080:80", "'host' is not an IP address"),
    ],
)
def test_a_wrong_port_is_explained(text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_port(text)


BIND = {"bind": {"create_host_path": True}}


@pytest.mark.parametrize(
    ("text", "volume"),
    [
        ("/data", {"type": "volume", "target": "/data", "volume": {}}),
        ("cache:/data", {"type": "volume", "source": "cache", "target": "/data", "volume": {}}),
        ("./x:/data", {"type": "bind", "source": "./x", "target": "/data", **BIND}),
        ("~/x:/data:ro", {"type": "bind", "source": "~/x", "target": "/data", "read_only": True, **BIND}),
        (
            "/x:/data:z,rslave",
            {
                "type": "bind",
                "source": "/x",
                "target": "/data",
                "bind": {"selinux": "z", "propagation": "rslave", "create_host_path": True},
            },
        ),
        ("cc:/data:nocopy", {"type": "volume", "source": "cc", "target": "/data", "volume": {"nocopy": True}}),
    ],
)
def test_a_short_volume_is_a_long_one(text, volume):
    assert parse_volume(text) == volume


def test_one_letter_before_a_colon_is_a_windows_drive():
    assert parse_volume("c:/data:/x")["source"] == "c:/data"


@pytest.mark.parametrize("text", ["", ":/data", "/a::ro", "/a:/b:ro:z"])
def test_a_wrong_volume_is_refused(text):
    with pytest.raises(ValueError, match=r"empty|colons"):
        parse_volume(text)


def test_a_device_is_seen_where_it_is_unless_said_otherwise():
    assert parse_device("/dev/fuse") == {"source": "/dev/fuse", "target": "/dev/fuse", "permissions": "rwm"}
    assert parse_device("/dev/a:/dev/b:r") == {"source": "/dev/a", "target": "/dev/b", "permissions": "r"}
    assert parse_device("vendor.com/gpu=0")["source"] == "vendor.com/gpu=0"


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("db=10.0.0.1", ("db", ("10.0.0.1",))),
        ("db:10.0.0.1", ("db", ("10.0.0.1",))),
        ("db=[::1]", ("db", ("::1",))),
        ("db:::1", ("db", ("::1",))),
        ("host.docker.internal:host-gateway", ("host.docker.internal", ("host-gateway",))),
    ],
)
def test_a_host_line(text, host):
    assert parse_host(text) == host


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b  c", ("a", "b", "c")),
        ("sh -c 'a b' \"c d\"", ("sh", "-c", "a b", "c d")),
        (r"a\ b", ("a b",)),
        ("a ''", ("a", "")),
        ("x'y'z", ("xyz",)),
    ],
)
def test_a_command_is_split_into_words(text, words):
    assert split(text) == (words, "")


def test_a_shell_operator_ends_a_command():
    assert split("echo a && echo b") == (("echo", "a"), "&& echo b")


def test_an_open_quote_is_refused():
    with pytest.raises(ValueError, match="never closed"):
        split("echo 'a")
