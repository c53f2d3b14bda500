"""``ps`` shows what a restart policy is at, even between two runs."""

from __future__ import annotations

import json
import os
import time

import pytest

from tests.examples.conftest import eventually

STACK = """
services:
  crashing: {image: "rootfs:/", command: ["false"], restart: always}
  limited: {image: "rootfs:/", command: ["false"], restart: "on-failure:1"}
  done: {image: "rootfs:/", command: ["true"]}
"""


@pytest.mark.root
@pytest.mark.scenario
@pytest.mark.timeout(120)
@pytest.mark.skipif(os.geteuid() != 0, reason="containers need root")
def test_what_is_between_two_runs_is_restarting(write_stack):
    stack = write_stack(STACK)
    stack.run("up", "-d")
    deadline = time.monotonic() + 30
    while stack.containers()["limited"]["State"] != "exited" or stack.containers()["crashing"]["State"] != "restarting":
        assert time.monotonic() < deadline, stack.containers()
    (row,) = map(json.loads, stack.run("ps", "--format", "json").stdout.splitlines())
    assert row["Service"] == "crashing"
    if row["State"] == "restarting":
        assert row["Status"] == "Restarting" or row["Status"].startswith("Restarting (1) ")
    assert stack.containers()["done"]["State"] == "exited"


def test_what_is_just_being_started_again_is_not_left_out(orchestra, by_hand):
    by_hand.want(containers=[{"name": "s-web-1", "service": "web", "restart": {"policy": "always"}}])
    directory = by_hand.home.container(by_hand.create("web"))
    assert orchestra("-p", "s", "ps", "-q") == (0, "", "")
    with open(f"{directory}/start.json", "w") as file:
        json.dump({"restarts": 1, "backoff": 1}, file)
    _, shown, _ = orchestra("-p", "s", "ps", "--format", "json")
    row = json.loads(shown)
    assert (row["State"], row["Status"]) == ("restarting", "Restarting")


def test_a_paused_update_is_told_on_standard_error(orchestra, by_hand):
    failed = {"at": 5.0, "reason": "s-web-1 exited (1)"}
    by_hand.want(
        containers=[{"name": "s-web-1", "service": "web"}],
        failing={"web": {"ending": "paused", **failed}, "db": {"ending": "rolled back", **failed}},
    )
    name = by_hand.create("web")
    code, out, err = orchestra("-p", "s", "ps", "-a", "--format", "{{.Name}}")
    assert (code, out) == (0, f"{name}\n")
    assert err.splitlines() == [
        "warning: the update of web is paused: s-web-1 exited (1)",
        "  hint: run orchestra up to try again, or orchestra rollback to go back",
    ]


@pytest.mark.parametrize("command", ["ps", "logs", "images"])
def test_damage_is_reported_before_a_service_is_refused(orchestra, by_hand, command):
    name = by_hand.create("web")
    with open(f"{by_hand.home.container(name)}/container.json", "w") as file:
        file.write("[]")
    code, _, error = orchestra("-p", "s", command, "nobody")
    assert code == 1
    assert [line.partition(":")[0] for line in error.splitlines()] == ["warning", "error", "  hint"]
    assert name in error


def test_without_a_supervisor_nothing_is_about_to_be_restarted(orchestra, by_hand):
    by_hand.want(containers=[{"name": "s-web-1", "service": "web", "restart": {"policy": "always"}}])
    by_hand.exit(by_hand.create("web"), 1)
    assert orchestra("-p", "s", "ps", "-q") == (0, "", "")
    _, shown, _ = orchestra("-p", "s", "ps", "-a", "--format", "json")
    assert json.loads(shown)["State"] == "exited"


def names(orchestra, *options):
    code, out, error = orchestra("-p", "s", "ps", "--format", "{{.Name}}", *options)
    assert code == 0, error
    return out.split()


def test_containers_by_their_state(orchestra, by_hand):
    by_hand.run(by_hand.create("web"))
    by_hand.create("new")
    by_hand.exit(by_hand.create("old"), 1)
    assert names(orchestra) == ["s-web-1"]
    assert names(orchestra, "--status", "exited") == ["s-old-1"]
    assert names(orchestra, "--status", "exited", "--filter", "status=created") == ["s-new-1", "s-old-1"]
    assert names(orchestra, "--status", "running", "old") == []


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        (("--status", "runing"), "no such status: runing", "did you mean running?"),
        (("--filter", "status=nothing"), "no such status: nothing", "statuses are created, "),
        (("--filter", "name=x"), "--filter name=x: there is no filter name", "status=running"),
        (("--filter", "status"), "--filter status: a value is missing", "status=running"),
        (("--format", "{{.Nam}}"), "--format: column 3: there is no .Nam", "did you mean .Name?"),
        (("--format", "{{.Name"), "--format: column 1: {{ is not closed", "}}"),
        (("--format", "jsn"), "--format jsn: there is no such format", "did you mean json?"),
        (("wbe",), "no such service: wbe", "did you mean web?"),
    ],
)
def test_what_cannot_be_asked(orchestra, by_hand, options, message, hint):
    by_hand.run(by_hand.create("web"))
    code, out, error = orchestra("-p", "s", "ps", *options)
    assert (code, out) == (1, "")
    assert f"error: {message}" in error
    assert hint in error


def test_a_malformed_template_is_refused_even_without_containers(orchestra, by_hand):
    assert orchestra("-p", "s", "ps", "--format", "{{upper}")[0] == 1


def test_orphans_can_be_left_out(orchestra, by_hand, tmp_path):
    (tmp_path / "empty/compose.yaml").write_text("name: s\nservices: {web: {image: x}}\n")
    for service in ("web", "gone"):
        by_hand.run(by_hand.create(service))
    assert orchestra("ps", "--services")[1] == "gone\nweb\n"
    assert orchestra("ps", "--services", "--orphans=false")[1] == "web\n"
    assert orchestra("ps", "--services", "--orphans=false", "gone")[1] == "gone\n"


MOUNTS = """
services:
  web:
    image: "rootfs:BUSYBOX"
    command: [sh, -c, "dd if=/dev/zero of=/big bs=1000 count=5000 2>/dev/null; echo done >> /data/done; sleep infinity"]
    labels: {tier: front, "com.example.a": "1"}
    volumes: ["data:/data", "/anonymous", "./site:/srv/with/a/long/name:ro"]
    init: true
volumes: {data: {}}
"""
FIELDS = {
    *("Command", "CreatedAt", "ExitCode", "Health", "ID", "Image", "Labels", "LocalVolumes", "Mounts", "Name", "Names"),
    *("Networks", "Ports", "Project", "Publishers", "RunningFor", "Service", "Size", "State", "Status"),
}
"""Those of Docker Compose 5.5."""


@pytest.mark.root
@pytest.mark.scenario
@pytest.mark.timeout(120)
@pytest.mark.skipif(os.geteuid() != 0, reason="containers need root")
def test_every_field_of_docker_compose(write_stack):
    stack = write_stack(MOUNTS, files={"site/index.html": "hello"})
    stack.run("up", "-d")
    done = stack.home / "data/volumes/stack_data/_data/done"
    eventually(done.exists)
    (row,) = map(json.loads, stack.run("ps", "--format", "json").stdout.splitlines())
    assert set(row) - FIELDS == {"Error", "HealthExitCode", "HealthOutput", "OOMKilled"}
    assert set(row) >= FIELDS
    assert row["Command"] == '"sh -c \'dd if=/dev/z…"'
    whole = stack.run("ps", "-q").stdout.strip()
    assert row["ID"] == whole[:12]
    assert "tier=front" in row["Labels"].split(",")
    assert row["LocalVolumes"] == "2"
    assert 5_000_000 <= float(row["Size"].removesuffix("MB")) * 1e6 < 6_000_000
    full = json.loads(stack.run("ps", "--no-trunc", "--format", "json").stdout)
    assert full["ID"] == whole
    volume, site = sorted(name for name in full["Mounts"].split(",") if len(name) != 64)[::-1]
    assert (volume, site) == ("stack_data", f"{stack.folder}/site")
    assert all(len(name) <= 15 for name in row["Mounts"].split(","))
    template = '{{.Label "tier"}} {{.Label "com.docker.compose.service"}} {{.Label "none"}}.'
    assert stack.run("ps", "--format", template).stdout == "front web .\n"
