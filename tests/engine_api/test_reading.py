"""What is pure: routes, filters, times, words, and the definition of a container."""

from __future__ import annotations

import json

import pytest

from orchestra.engine_api.containers.definition import Surroundings, define
from orchestra.engine_api.containers.shape import status_words
from orchestra.engine_api.containers.top import parse_table
from orchestra.engine_api.errors import ApiError
from orchestra.engine_api.filters import parse_filters, truth
from orchestra.engine_api.frames import frame
from orchestra.engine_api.made import Made, read_made
from orchestra.engine_api.moment import NEVER, parse_moment
from orchestra.engine_api.route import Table, read_request
from orchestra.engine_api.routes import ROUTES
from orchestra.model.container import Port, RestartPolicy
from orchestra.model.log import render_moment
from orchestra.model.mount import BindMount, TmpfsMount, VolumeMount
from orchestra.model.sharing import Host, OfContainer
from orchestra.stacks.filters import has_labels, is_one_of
from tests.engine_api.client import frames

AROUND = Surroundings("web", "sha256:1", ("9/udp",), (), "/call", lambda word: f"id-of-{word}", "hash")


def _define(config=None, host=None):
    return define(Made("web", "image", config or {}, host or {}), AROUND)


def test_every_endpoint_is_found_by_its_own_path():
    table = Table(ROUTES)
    for route in ROUTES:
        path = route.pattern.replace("{name:path}", "a/b:1").replace("{id:path}", "x/y")
        assert table.find(route.method, path.replace("{name}", "x").replace("{id}", "x"))[0] == route
    assert len({(route.method, route.pattern) for route in ROUTES}) == len(ROUTES)


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("PATCH", "/containers/json", 405)])
def test_what_is_no_endpoint_is_refused(method, path, status):
    with pytest.raises(ApiError) as error:
        Table(ROUTES).find(method, path)
    assert error.value.status == status


def test_a_version_is_taken_off_the_path():
    request = read_request("GET", "/v1.40/images/a%2Fb/json?all=1&all=0&x", [(b"Host", b"here")])
    assert (request.path, request.version, request.flag("all"), request.flag("x")) == (
        "/images/a/b/json",
        (1, 40),
        False,
        False,
    )
    assert request.headers == {"host": "here"}
    for version in ("1.99", "1.23"):
        with pytest.raises(ApiError):
            read_request("GET", f"/v{version}/info", [])


def test_filters_are_lists_or_objects():
    assert parse_filters('{"a": ["1", "2"], "b": {"x": true, "y": false}}', "ab") == {"a": ["1", "2"], "b": ["x"]}
    assert is_one_of({"a": ["1"]}, "a", "1".__eq__)
    assert is_one_of({}, "a", "1".__eq__)
    assert has_labels({"label": ["x", "y=1"], "label!": ["z"]}, {"x": "", "y": "1"})
    assert not has_labels({"label": ["y=2"]}, {"y": "1"})
    assert truth({"dangling": ["true"]}, "dangling") is True
    for text in ("[]", "{", '{"a": 1}', '{"c": []}'):
        with pytest.raises(ApiError):
            parse_filters(text, "ab")


def test_times_are_numbers_dates_or_durations():
    assert parse_moment("since", "12.5", 100) == 12.5
    assert parse_moment("since", "1970-01-01T00:00:10.123456789Z", 100) == 10.123456789
    assert parse_moment("since", NEVER, 100) < 0
    assert parse_moment("since", "1m30s", 100) == 10
    assert parse_moment("since", "", 100) is None
    assert render_moment(10.5) == "1970-01-01T00:00:10.500000000Z"
    with pytest.raises(ApiError):
        parse_moment("since", "yesterday", 100)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"Status": "created"}, "Created"),
        ({"Status": "running", "StartedAt": "1970-01-01T00:16:30Z"}, "Up 10 seconds"),
        ({"Status": "running", "StartedAt": "1970-01-01T00:15:30Z", "Health": {"Status": "healthy"}},
         "Up About a minute (healthy)"),
        ({"Status": "paused", "StartedAt": "1970-01-01T00:10:00Z", "Paused": True}, "Up 6 minutes (Paused)"),
        ({"Status": "exited", "FinishedAt": "1970-01-01T00:16:39Z", "ExitCode": 3}, "Exited (3) 1 second ago"),
    ],
)  # fmt: skip
def test_a_status_has_the_words_of_docker(state, words):
    assert status_words({"ExitCode": 0, "Paused": False, **state}, 1000.0) == words


def test_a_definition_says_what_was_asked():
    spec = _define(
        {
            "Cmd": ["a", "b"],
            "Env": ["A=1=2", "GONE"],
            "ExposedPorts": {"80/tcp": {}},
            "Healthcheck": {"Test": ["CMD-SHELL", "x y"], "Interval": 2_000_000_000},
            "Volumes": {"/anonymous": {}},
            "StopTimeout": 3,
            "Labels": {"k": "v"},
        },
        {
            "Binds": ["/host:/in:ro,rshared", "named:/data"],
            "Mounts": [{"Type": "tmpfs", "Target": "/tmp", "TmpfsOptions": {"SizeBytes": 64}}],
            "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}], "53/udp": [{"HostPort": ""}]},
            "PublishAllPorts": True,
            "NetworkMode": "container:db",
            "PidMode": "host",
            "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2},
            "NanoCpus": 1_500_000_000,
            "ExtraHosts": ["a:::1"],
        },
    )
    assert (spec.command, dict(spec.environment), dict(spec.labels)) == (("a", "b"), {"A": "1=2"}, {"k": "v"})
    assert spec.mounts == (
        VolumeMount("/anonymous"),
        BindMount("/in", "/host", read_only=True, create_host_path=True, propagation="rshared"),
        VolumeMount("/data", "named"),
        TmpfsMount("/tmp", ("size=64",)),
    )
    assert spec.ports == (
        Port(80, 8080, "127.0.0.1"),
        Port(53, None, "", "udp"),
        Port(9, None, "", "udp"),
    )
    assert (spec.network_mode, spec.pid) == (OfContainer("id-of-db"), Host())
    assert (spec.restart.policy, spec.restart.maximum_retries) == (RestartPolicy.ON_FAILURE, 2)
    assert spec.healthcheck is not None
    assert (spec.healthcheck.test, spec.healthcheck.interval) == (("/bin/sh", "-c", "x y"), 2.0)
    assert (spec.resources.cpus, spec.stop_grace_period, spec.extra_hosts) == (1.5, 3.0, (("a", "::1"),))


def test_what_was_asked_is_kept_with_the_definition():
    made = Made("web", "image", {"Labels": {"a": "b"}}, {"AutoRemove": True})
    spec = define(made, AROUND)
    assert read_made(spec) == made
    assert json.loads(made.render())[0] == "web"
    assert made.auto_remove


@pytest.mark.parametrize(
    ("config", "host"),
    [
        ({}, {"Binds": ["a:b"]}),
        ({}, {"Mounts": [{"Type": "npipe", "Target": "/x"}]}),
        ({}, {"RestartPolicy": {"Name": "sometimes"}}),
        ({}, {"PortBindings": {"http": []}}),
        ({}, {"LogConfig": {"Type": "splunk"}}),
        ({}, {"Tmpfs": {"/x": "nosuch"}}),
        ({"Env": 3}, {}),
        ({"Healthcheck": {"Interval": "x"}}, {}),
    ],
)
def test_what_makes_no_sense_is_refused(config, host):
    with pytest.raises(ApiError) as error:
        _define(config, host)
    assert error.value.status == 400


def test_a_frame_has_a_stream_and_a_length():
    assert frame(2, b"abc") == b"\x02\0\0\0\0\0\0\x03abc"
    assert frames(frame(1, b"a") + frame(2, b"bc")) == [(1, b"a"), (2, b"bc")]


def test_a_table_of_processes_has_only_those_that_are_asked_for():
    text = "USER  PID COMMAND\nroot    7 sh -c  a b\nroot   70 other\n"
    assert parse_table(text, {7}) == (["USER", "PID", "COMMAND"], [["root", "7", "sh -c  a b"]])


@pytest.mark.parametrize("text", ["", "USER COMMAND\nroot sh\n", "root 7 look for PID\n"])
def test_a_table_without_titles_or_pids_is_refused(text):
    with pytest.raises(ValueError, match=r"titles|PID"):
        parse_table(text, {7})
