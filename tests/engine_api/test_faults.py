"""Clients that are broken, hostile or gone: the process lives, and serves the others."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestra.engine_api.routes import ROUTES
from tests.engine_api.client import ANY, read_all
from tests.engine_api.conftest import serving
from tests.examples.conftest import eventually, needs_containers

pytestmark = [*needs_containers, pytest.mark.xdist_group("engine_api")]

ENDLESS = re.compile("/stats|^/events|/push|^/distribution|^/images/create")
"""Streams that do not end by themselves, and requests that ask a registry of any name."""
HALVES = [
    b"GET /contain",
    b"GET /containers/json HTTP/1.1\r\nHost: x\r\n",
    b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
    b"POST /build HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    b"\x00\x16\x03\x01\x02\x00",
    b"GET / HTTP/9.9\r\n\r\n",
    b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"GET " + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
]


def _descriptors(process) -> int:
    return len(list(Path(f"/proc/{process.pid}/fd").iterdir()))


def _threads(process) -> int:
    return len(list(Path(f"/proc/{process.pid}/task").iterdir()))


def test_half_requests_harm_nobody(engine, served):
    before = eventually(lambda: _descriptors(served.process))
    for half in HALVES:
        with engine.connect() as connection:
            with contextlib.suppress(OSError):
                connection.sendall(half)
                connection.shutdown(socket.SHUT_WR)
                read_all(connection)
            assert engine.ask("GET", "/_ping").body == b"OK"
    eventually(lambda: _descriptors(served.process) <= before)


@pytest.mark.fuzz
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    route=st.sampled_from([route for route in ROUTES if not ENDLESS.search(route.pattern)]),
    parameter=st.text(max_size=20),
    query=st.dictionaries(
        st.sampled_from(
            ["filters", "all", "name", "path", "tag", "repo", "since", "until", "tail", "signal", "t", "h"]
        ),
        st.text(max_size=20),
        max_size=4,
    ),
    body=st.one_of(
        st.binary(max_size=50),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=10),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        ["Image", "Cmd", "HostConfig", "Name", "Labels", "Binds", "Mounts", "Ulimits", "IPAM"]
                    ),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=10,
        ),
    ),
)
def test_whatever_is_asked_is_answered(served, route, parameter, query, body):
    from urllib.parse import quote

    path = route.pattern
    for name in ("{name:path}", "{id:path}", "{name}", "{id}"):
        path = path.replace(name, quote(parameter, safe="") or "x")
    if route.method in ("DELETE", "POST") and "prune" in path:
        return
    answer = served.engine.ask(route.method, path, body, headers={"Connection": "close"}, status=ANY, **query)
    if answer.status >= 500:
        assert answer.status in (501, 503) or "errno" not in answer.body.decode().lower(), answer
    assert b"Traceback" not in answer.body


def test_a_hundred_listeners_all_hear(engine, served):
    before = _threads(served.process)
    listeners = []
    for _ in range(100):
        connection = engine.connect()
        connection.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        listeners.append(connection)
    for connection in listeners:
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    engine.post("/volumes/create", {"Name": "heard"})
    engine.delete("/volumes/heard")
    for connection in listeners:
        heard = b""
        while b"destroy" not in heard:
            heard += connection.recv(4096)
        connection.close()
    eventually(lambda: _threads(served.process) <= before + 1, seconds=60)


def test_a_stream_cut_in_the_middle_leaves_nothing(engine, served):
    engine.create("loud", "sh", "-c", "while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done")
    descriptors = _descriptors(served.process)
    connection, rest = engine.hijack("/containers/loud/attach", stream=1, stdout=1)
    engine.post("/containers/loud/start")
    while len(rest) < 10_000:
        rest += connection.recv(4096)
    connection.close()
    following = engine.connect()
    following.sendall(b"GET /containers/loud/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: x\r\n\r\n")
    following.recv(4096)
    following.close()
    engine.delete("/containers/loud", force=1)
    eventually(lambda: _descriptors(served.process) <= descriptors, seconds=60)


def test_read_only_refuses_every_write(served, tmp_path):
    with serving(served.stack, tmp_path / "ro.sock", "--read-only") as reading:
        for route in ROUTES:
            if route.writes:
                path = route.pattern.replace("{name:path}", "x").replace("{id:path}", "x")
                path = path.replace("{name}", "shop-db-1").replace("{id}", "x")
                assert "read-only" in reading.engine.ask(route.method, path, {}, status=403).json["message"]
        assert len(reading.engine.get("/containers/json")) == 3
        assert os.stat(tmp_path / "ro.sock").st_mode & 0o777 == 0o600
