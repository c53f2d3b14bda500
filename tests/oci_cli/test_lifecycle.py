"""OCI runtime specification, runtime: "State", "Operations", "Lifecycle", "Errors". Each runtime, by command line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.oci_cli.conftest import eventually, is_gone


def test_state_of_what_is_created(runtime):
    bundle = runtime.bundle()
    runtime.ok("create", "c")
    state = runtime.state()
    assert state["ociVersion"].startswith("1.")
    assert (state["id"], state["status"], state["bundle"]) == ("c", "created", str(bundle.path))
    assert state["annotations"] == {"org.example": "word"}
    assert not is_gone(state["pid"])


def test_state_goes_from_created_over_running_to_stopped(runtime):
    runtime.bundle()
    runtime.ok("create", "c")
    created = runtime.state()
    runtime.ok("start", "c")
    assert runtime.state()["status"] == "running"
    assert runtime.state()["pid"] == created["pid"]
    runtime.ok("kill", "c", "KILL")
    runtime.stopped()
    assert runtime.state().get("pid", 0) == 0
    runtime.ok("delete", "c")
    assert runtime.fails("state", "c")
    assert is_gone(created["pid"])


def test_create_does_not_run_the_program(runtime):
    runtime.bundle("echo", "ran")
    runtime.ok("create", "c")
    with open(runtime.output, "w"):
        assert runtime.status() == "created"


def test_create_needs_an_unused_id(runtime):
    runtime.bundle()
    runtime.ok("create", "c")
    before = runtime.state()
    assert runtime.fails("create", "c")
    assert runtime.state() == before


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../c"])
def test_create_refuses_an_invalid_name(ours, name):
    ours.bundle()
    before = sorted(os.listdir(ours.path))
    assert ours.fails("create", name)
    assert sorted({*os.listdir(ours.path)} - {"root", "output", "errors", "bundle-c"}) == [
        entry for entry in before if entry not in ("output", "errors", "bundle-c")
    ]


def test_create_checks_the_configuration(runtime):
    bundle = runtime.bundle()
    bundle.config["root"]["path"] = "nowhere"
    assert runtime.fails("create", "c")
    assert runtime.fails("state", "c")


def test_create_fails_when_there_is_no_program(ours):
    """Some versions of the others find it out when they start it."""
    ours.bundle("nothing-of-this-name")
    assert "no such file or directory" in ours.fails("create", "c")
    assert ours.fails("state", "c")


def test_create_writes_the_pid_to_a_file(runtime):
    runtime.bundle()
    file = runtime.path / "pid"
    runtime.ok("create", "--pid-file", str(file), "c")
    assert int(file.read_text()) == runtime.state()["pid"]


def test_start_is_for_what_is_created_only(runtime):
    runtime.bundle()
    runtime.ok("create", "c")
    runtime.ok("start", "c")
    assert runtime.fails("start", "c")
    assert runtime.status() == "running"
    runtime.ok("kill", "c", "KILL")
    runtime.stopped()
    assert runtime.fails("start", "c")


def test_kill_sends_the_signal(runtime):
    runtime.bundle("sh", "-c", "trap 'exit 3' USR1; echo ready; while :; do sleep 0.01; done")
    runtime.ok("run", "--detach", "c")
    eventually(lambda: runtime.output.read_text() == "ready\n")
    runtime.ok("kill", "c", "USR1")
    runtime.stopped()


def test_kill_is_for_what_is_created_or_running_only(runtime):
    runtime.bundle()
    runtime.ok("create", "c")
    runtime.ok("kill", "c", "9")
    runtime.stopped()
    assert runtime.fails("kill", "c", "KILL")


@pytest.mark.lacks(crun="it says nothing of a signal it does not know, and sends none")
def test_kill_knows_its_signals(runtime):
    runtime.bundle()
    runtime.ok("create", "c")
    assert runtime.fails("kill", "c", "NOSUCH")
    assert runtime.status() == "created"


def test_kill_all_reaches_every_process(runtime):
    runtime.bundle("sh", "-c", "sleep 60 & sleep 60 & wait")
    runtime.ok("run", "--detach", "c")
    pids = eventually(lambda: (found := json.loads(runtime.ok("ps", "--format", "json", "c")))[2:] and found)
    runtime.ok("kill", "--all", "c", "KILL")
    eventually(lambda: all(is_gone(pid) for pid in pids))


def test_no_reader_left_is_no_error(runtime):
    """Signal 0 only asks whether there is somebody (kill(2))."""
    runtime.bundle()
    runtime.ok("create", "c")
    runtime.ok("kill", "c", "0")
    runtime.ok("kill", "c", "KILL")
    runtime.stopped()
    runtime.ok("kill", "--all", "c", "0")
    assert runtime.fails("kill", "c", "0")


def test_ps_of_a_stopped_container_shows_no_process(ours):
    ours.bundle()
    ours.ok("create", "c")
    ours.ok("kill", "c", "KILL")
    ours.stopped()
    assert ours.ok("ps", "--format", "json", "c") == "[]\n"
    assert len(ours.ok("ps", "c").splitlines()) == 1


def test_delete_is_not_for_what_is_running(runtime):
    runtime.bundle()
    runtime.ok("run", "--detach", "c")
    assert runtime.fails("delete", "c")
    assert runtime.status() == "running"


def test_delete_is_not_for_what_is_only_created(ours):
    """The specification's word; crun and runc end such a container."""
    ours.bundle()
    ours.ok("create", "c")
    assert "created" in ours.fails("delete", "c")
    assert ours.status() == "created"


def test_delete_by_force_ends_what_is_running(runtime):
    runtime.bundle()
    runtime.ok("run", "--detach", "c")
    pid = runtime.state()["pid"]
    runtime.ok("delete", "--force", "c")
    assert is_gone(pid)
    assert runtime.fails("state", "c")


def test_delete_leaves_nothing(runtime):
    runtime.bundle("true")
    runtime.ok("run", "--detach", "c")
    runtime.stopped()
    runtime.ok("delete", "c")
    assert os.listdir(runtime.root) == []
    assert not [group for group in runtime.groups() if Path(group, "c").exists()]


@pytest.mark.parametrize("command", ["state", "start", "kill", "delete", "ps", "pause", "resume", "exec"])
def test_a_container_that_is_not_there_is_an_error(runtime, command):
    assert runtime.fails(command, "nobody", *(["true"] if command == "exec" else []))


def test_delete_by_force_of_what_is_not_there_is_no_error(runtime):
    runtime.ok("delete", "--force", "nobody")


def test_list_shows_them_all(runtime):
    for name in ("a", "b"):
        runtime.bundle(name=name)
        runtime.ok("create", name, name=name)
    assert runtime.ok("list", "--quiet").split() == ["a", "b"]
    assert {row["id"]: row["status"] for row in json.loads(runtime.ok("list", "--format", "json"))} == {
        "a": "created",
        "b": "created",
    }
    assert "created" in runtime.ok("list").splitlines()[1]


def test_machines_are_described_without_spaces(ours):
    """In runc's order, for callers that look for a piece of text."""
    ours.bundle().config["annotations"] = {"a": "b"}
    ours.ok("create", "c")
    (row,) = json.loads(ours.ok("list", "--format", "json"))
    keys = ["ociVersion", "id", "pid", "status", "bundle", "rootfs", "created", "annotations", "owner"]
    assert list(row) == keys
    assert list(ours.state()) == keys
    assert '","id":"c","pid":' in ours.ok("list", "--format", "json")
    assert ours.ok("events", "--stats", "c").startswith('{"type":"stats","id":"c","data":{')
    assert '{"level":"error","msg":"' in ours.fails("--log-format", "json", "state", "nobody")
