"""Addresses of other machines."""

from __future__ import annotations

import pytest

from orchestra.errors import UserError
from orchestra.ssh.address import parse_address


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("ssh://server", ("", "server", "")),
        ("ssh://me@server.example:2222", ("me", "server.example", "2222")),
        ("ssh://root@[fd00::1%eth0]:22/", ("root", "[fd00::1%eth0]", "22")),
        ("ssh://alias_of-mine", ("", "alias_of-mine", "")),
    ],
)
def test_an_address(text, parts):
    address = parse_address(text)
    assert address == parts
    assert address.command[-2:] == [text.rstrip("/"), "orchestra __answer"]
    assert address.command[-3] == "--"


@pytest.mark.parametrize(
    "text",
    [
        *("", "server", "tcp://server", "ssh://", "ssh://-oProxyCommand=x", "ssh://-l@server", "ssh://me:word@server"),
        *(
            "ssh://server/path",
            "ssh://server:0",
            "ssh://server:65536",
            "ssh://a b",
            "ssh://server\n",
            "ssh://me@-server",
        ),
    ],
)
def test_what_is_no_address(text):
    with pytest.raises(UserError, match="is not the address of a machine"):
        parse_address(text)
