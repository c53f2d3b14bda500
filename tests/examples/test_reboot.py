"""The machine reboots: no process, mount or file of the ``run`` directory is left, and the ``data`` directory is."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
from contextlib import contextmanager
from pathlib import Path

from orchestra.control.client import Client
from orchestra.home import Home
from orchestra.linux.mounts.mount import MNT_DETACH, unmount
from orchestra.model.request import HaltRequest
from orchestra.model.result import HaltResult
from orchestra.shim.launch import fork_server_of
from tests.cli.test_prune import kill_all, kill_containers
from tests.examples.conftest import eventually, free_port, needs_containers

pytestmark = needs_containers

SERVICE = 'image: "rootfs:BUSYBOX", command: [sleep, infinity], stop_signal: SIGKILL'


def lose_what_a_reboot_loses(*stacks) -> None:
    """stacks: all of the home."""
    for stack in stacks:
        kill_all(stack)
        kill_containers(stack)
    pins = Path(stacks[0].home, "run/netns")
    for mounted in (*pins.iterdir(), pins):
        unmount(str(mounted), MNT_DETACH)
    shutil.rmtree(f"{stacks[0].home}/run")
    for file in stacks[0].home.glob("data/stacks/*/containers/*.json"):
        file.write_text(json.dumps(json.loads(file.read_text()) | {"boot": "before"}))


def wait_until_kept(stack, **wanted: str) -> None:
    """Until it is on disk of each service what it would be after a reboot: running, stopped, or ended by itself."""

    def kept_as(path: Path) -> str:
        kept = json.loads(path.read_text())
        if "exit.json" in kept.get("files", ()):
            return "ended"
        if kept.get("ended"):
            return "stopped"
        return "running" if kept.get("began_at") else "made"

    folder = stack.home / "data/stacks/stack/containers"
    # Not one that is just being written, under another name: it would be lost.
    eventually(
        lambda: {(path.stem.split("-")[1], kept_as(path)) for path in folder.glob("*.json")} == {*wanted.items()}
    )


def within(stack, service: str, *command: str) -> str:
    return stack.run("exec", "-T", service, *command).stdout


def test_recover_brings_back_what_was_there_and_nothing_else(write_stack):
    port = free_port()
    stack = write_stack(f"""
services:
  db: {{{SERVICE}, restart: always, volumes: ["named:/named", /anonymous], ports: ["{port}:80"], depends_on: [job]}}
  idle: {{{SERVICE}, restart: always}}
  job: {{image: "rootfs:BUSYBOX", command: [sh, -c, "echo ran >> /log"]}}
  once: {{{SERVICE}}}
volumes: {{named: {{}}}}
""")
    stack.run("up", "-d")
    stack.run("stop", "idle")
    places = ("/named/file", "/anonymous/file", "/file")
    for place in places:
        within(stack, "db", "sh", "-c", f"echo kept > {place}")
    before = stack.containers()
    wait_until_kept(stack, db="running", idle="stopped", job="ended", once="running")
    lose_what_a_reboot_loses(stack)

    assert stack.containers() == {}
    told = stack.run("recover").stderr
    assert "not running again, since restart does not say so: stack-once-1" in told
    after = stack.containers()
    assert {name: row["State"] for name, row in after.items()} == {
        "db": "running",
        "idle": "exited",
        "job": "exited",
        "once": "exited",
    }
    assert after["job"]["Status"].startswith("Exited (0)")
    assert after["idle"]["Status"].startswith("Exited (137)")
    assert stack.run("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "idle").stdout == "exited 137\n"
    assert {name: row["ID"] for name, row in after.items()} == {name: row["ID"] for name, row in before.items()}
    assert after["db"]["Ports"] == before["db"]["Ports"]
    assert within(stack, "db", "cat", *places) == "kept\n" * 3

    stack.run("up", "-d", "once", "job")
    assert stack.states()["once"] == "running"
    log = stack.home / "data/snapshots/containers/stack/stack-job-1/fs/log"
    eventually(lambda: log.read_text() == "ran\nran\n")
    assert stack.states()["idle"] == "exited"
    stack.run("start", "idle")
    assert stack.states()["idle"] == "running"
    assert stack.containers()["idle"]["ID"] == before["idle"]["ID"]


def test_a_stack_that_was_down_stays_down(write_stack):
    stack = write_stack(f"services: {{web: {{{SERVICE}}}}}")
    assert stack.run("recover").stderr == "stack stack was down, and stays down\n"
    assert not (stack.home / "run").exists()


def test_a_stack_that_was_going_down_is_not_made_whole_again(write_stack):
    stack = write_stack(f"services: {{web: {{{SERVICE}}}}}")
    stack.run("up", "-d")
    within(stack, "web", "touch", "/written")
    wait_until_kept(stack, web="running")
    lose_what_a_reboot_loses(stack)
    desired = stack.home / "data/stacks/stack/desired.json"
    desired.write_text(json.dumps(json.loads(desired.read_text()) | {"containers": [], "networks": [], "images": []}))
    assert stack.run("recover").stderr == "stack stack was down, and stays down\n"
    assert not desired.exists()
    stack.run("up", "-d")
    assert "written" not in within(stack, "web", "ls", "/")


@contextmanager
def service_manager(stack):
    """What systemd hears of a unit: the assignments of each message."""
    path = str(stack.folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(path)
        listening.settimeout(30)
        stack.environment["NOTIFY_SOCKET"] = path
        yield lambda: listening.recv(4096).decode().splitlines()


def test_a_unit_tells_how_the_stack_is_and_leaves_it_alone_when_it_is_stopped(write_stack):
    stack = write_stack(f"services: {{web: {{{SERVICE}}}, db: {{{SERVICE}}}}}")
    stack.run("up", "-d")
    with service_manager(stack) as hear, stack.start("recover", "--stay") as unit:
        assert hear() == ["STATUS=2 of 2 running", "READY=1"]
        stack.run("stop", "web")
        assert hear()[0] == "STATUS=1 of 2 running, exited: stack-web-1 (137)"

        home = Home(f"{stack.home}/data", f"{stack.home}/run").stack("stack")
        killed = fork_server_of(home)
        kill_all(stack)
        assert eventually(lambda: fork_server_of(home)) != killed
        stack.run("start", "web")
        while (told := hear()[0]) != "STATUS=2 of 2 running":
            assert told.startswith("STATUS=1 of 2")

        stack.run("down")
        while (told := hear()[0]) != "STATUS=down":
            assert told.startswith("STATUS=")
        stack.run("up", "-d")
        while (told := hear()[0]) != "STATUS=2 of 2 running":
            assert told.startswith("STATUS=")
        unit.send_signal(signal.SIGTERM)
        assert hear() == ["STOPPING=1"]
        assert unit.wait(30) == 0
    assert stack.states() == {"db": "running", "web": "running"}


def test_a_machine_that_goes_down_ends_every_run_and_forgets_none(write_stack):
    stack = write_stack(f"services: {{web: {{{SERVICE}, restart: always}}, job: {{{SERVICE}}}}}")
    stack.run("up", "-d", "web")
    stack.run("run", "-d", "--name", "command", "job")
    home = Home(f"{stack.home}/data", f"{stack.home}/run").stack("stack")
    eventually(lambda: b'"started":true' in Path(home.desired).read_bytes())  # of the command: it is not started again
    desired = Path(home.desired).read_bytes()
    assert Client(home).ask(HaltResult, HaltRequest()) == HaltResult()
    assert {row["State"] for row in stack.containers().values()} == {"exited"}
    assert Path(home.desired).read_bytes() == desired
    kept = json.loads(Path(home.kept, "stack-web-1.json").read_text())
    assert kept["began_at"]
    os.kill(fork_server_of(home), signal.SIGKILL)
    stack.run("recover", code=None)
    eventually(lambda: stack.states()["web"] == "running")
