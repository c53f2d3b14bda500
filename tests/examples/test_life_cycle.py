"""Real containers are created, started, stopped, killed, paused, removed, counted and waited for."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from pathlib import Path

from tests.examples.conftest import eventually, needs_containers
from tests.examples.test_survival import greeting

pytestmark = needs_containers

STACK = """
services:
  db:
    image: "rootfs:BUSYBOX"
    command: [sh, -c, "trap 'exit 5' TERM; trap 'echo reloaded' HUP; echo begun; while :; do sleep 1000 & wait; done"]
    restart: always
    volumes: [/anonymous]
  web:
    image: "rootfs:BUSYBOX"
    command: [sleep, "1000"]
    stop_signal: SIGKILL
    restart: unless-stopped
    depends_on: {db: {condition: service_started, restart: true}}
  job: {image: "rootfs:BUSYBOX", command: [sh, -c, "exit 3"]}
"""


def statuses(stack):
    """``Up``, ``Exited (5)`` or ``Created`` by service."""
    words = {service: row["Status"].split() for service, row in stack.containers().items()}
    return {service: " ".join(each[: 2 if each[0] == "Exited" else 1]) for service, each in words.items()}


def ids(stack):
    return {service: row["ID"] for service, row in stack.containers().items()}


def until_it_waits(stack, waiting):
    """Its request was sent, and another that was sent later has been answered."""
    eventually(lambda: "unix_stream" in Path(f"/proc/{waiting.pid}/wchan").read_text())
    stack.run("kill", "-s", "CONT")


def test_a_day_of_a_stack(write_stack):
    stack = write_stack(STACK)
    assert 'stack "stack" has no container to start' in stack.run("start", code=1).stderr
    for command in ("stop", "restart", "kill", "pause", "unpause"):
        stack.run(command)
    assert "No stopped containers" in stack.run("rm", "-f").stderr
    assert not (stack.home / "run").exists() or not list((stack.home / "run").rglob("control.sock"))

    stack.run("create")
    assert set(statuses(stack).values()) == {"Created"}
    made = ids(stack)
    stack.run("start", "web")
    assert statuses(stack) == {"db": "Up", "web": "Up", "job": "Created"}
    stack.run("up", "-d")
    assert stack.run("wait", "job", code=None).returncode in (1, 3)

    stack.run("stop", "db")
    assert statuses(stack) == {"db": "Exited (5)", "web": "Up", "job": "Exited (3)"}
    seen = greeting(next((stack.home / "run" / "stacks").glob("*")))
    os.kill(seen["supervisor"], signal.SIGKILL)
    eventually(lambda: greeting(next((stack.home / "run" / "stacks").glob("*")))["supervisor"] != seen["supervisor"])
    assert statuses(stack) == {"db": "Exited (5)", "web": "Up", "job": "Exited (3)"}

    stack.run("restart", "db")
    assert statuses(stack)["db"] == "Up"
    assert ids(stack) == made
    assert stack.run("logs", "--no-log-prefix", "db").stdout.splitlines().count("begun") == 2

    assert "db-1 Killed" in stack.run("kill", "-s", "hup", "db").stderr
    eventually(lambda: "reloaded" in stack.run("logs", "db").stdout)
    stack.run("kill", "db", "web")
    eventually(lambda: statuses(stack)["db"] == "Exited (137)")
    assert "no container to kill" in stack.run("kill", "db").stderr

    stack.run("rm", "-f", "job")
    assert set(statuses(stack)) == {"db", "web"}
    assert 'service "job" has no container to start' in stack.run("start", "job", code=1).stderr
    stack.run("up", "-d")
    assert statuses(stack)["db"] == "Up"
    stack.run("rm", "-fsv", "db")
    assert set(statuses(stack)) == {"web", "job"}


def test_a_paused_container_does_nothing_until_it_is_resumed(write_stack):
    stack = write_stack(
        """
services:
  web:
    image: "rootfs:BUSYBOX"
    command: [sh, -c, "while :; do echo tick; sleep 0.05; done"]
    stop_signal: SIGKILL
    healthcheck: {test: ["CMD", "true"], interval: 100ms, retries: 1, timeout: 1s}
"""
    )
    stack.run("up", "--wait")
    stack.run("pause")
    row = stack.containers()["web"]
    assert (row["State"], row["Status"].endswith("(Paused)")) == ("paused", True)
    lines = len(stack.run("logs", "web").stdout)
    assert stack.run("inspect", "-f", "{{.State.Status}} {{.State.Paused}}", "web").stdout == "paused true\n"
    assert "is paused" in stack.run("exec", "-T", "web", "true", code=1).stderr
    assert stack.run("ps", "-q", "--status", "paused").stdout.startswith(row["ID"])
    assert len(stack.run("logs", "web").stdout) == lines
    stack.run("pause")
    stack.run("unpause")
    eventually(lambda: len(stack.run("logs", "web").stdout) > lines)
    assert stack.containers()["web"]["Health"] == "healthy"
    stack.run("pause")
    stack.run("restart")
    assert stack.states() == {"web": "running"}
    stack.run("pause")
    stack.run("kill")
    eventually(lambda: stack.states() == {"web": "exited"})


def test_the_newest_containers_go_first(write_stack):
    stack = write_stack('services: {web: {image: "rootfs:BUSYBOX", command: ["true"]}, db: {image: "rootfs:BUSYBOX"}}')
    stack.run("scale", "web=3", "--no-deps")
    names = stack.run("ps", "-a", "--format", "{{.Name}}").stdout.split()
    assert names == ["stack-web-1", "stack-web-2", "stack-web-3"]
    stack.run("scale", "web=1")
    assert stack.run("ps", "-a", "--format", "{{.Name}}").stdout.split() == ["stack-web-1"]
    for wrong in ("web", "web=x", "=2", "web=-1"):
        assert "expected SERVICE=NUM" in stack.run("scale", wrong, code=1).stderr
    assert "no such service: wbe" in stack.run("scale", "wbe=1", code=1).stderr


def test_wait_tells_how_runs_end(write_stack):
    stack = write_stack(
        """
services:
  quick: {image: "rootfs:BUSYBOX", command: [sh, -c, "read line < /gate/go; exit 4"], volumes: ["./gate:/gate"]}
  slow:
    image: "rootfs:BUSYBOX"
    command: [sh, -c, "read line < /gate/on; exit 5"]
    stop_signal: SIGKILL
    volumes: ["./gate:/gate"]
"""
    )
    gate = stack.folder / "gate"
    gate.mkdir()
    for name in ("go", "on"):
        os.mkfifo(gate / name)
    stack.run("up", "-d")
    with stack.start("wait", "quick", "slow", stdout=subprocess.PIPE) as waiting:
        until_it_waits(stack, waiting)
        (gate / "go").write_text("\n")
        eventually(lambda: stack.states()["quick"] == "exited")
        assert waiting.poll() is None
        (gate / "on").write_text("\n")
        told = [line.split() for line in waiting.communicate(timeout=30)[0].splitlines()]
    assert waiting.returncode == 5
    assert [(words[0], words[1].strip('"')[:12], words[-1]) for words in told] == [
        ("container", ids(stack)["quick"], "4"),
        ("container", ids(stack)["slow"], "5"),
    ]
    assert "no running containers" in stack.run("wait", "quick", code=1).stderr
    stack.run("start")
    with stack.start("wait", "--down-project", "slow", "quick", stdout=subprocess.PIPE) as waiting:
        until_it_waits(stack, waiting)
        (gate / "go").write_text("\n")
        waiting.communicate(timeout=30)
    assert waiting.returncode == 4
    assert stack.states() == {}


def test_rm_asks_at_a_terminal(write_stack):
    stack = write_stack('services: {job: {image: "rootfs:BUSYBOX", command: ["true"]}}')
    stack.run("up")
    assert "--force" in stack.run("rm", code=1).stderr
    for answer, left in (("n", {"job": "exited"}), ("y", {})):
        master, slave = pty.openpty()
        with stack.start("rm", stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as asking:
            os.close(slave)
            os.write(master, f"{answer}\n".encode())
            assert "Going to remove stack-job-1" in asking.communicate(timeout=30)[0]
        os.close(master)
        assert stack.states() == left


def test_bad_input_is_told_in_one_sentence(write_stack):
    stack = write_stack(STACK)
    stack.run("up", "-d", "db")
    for line, message in {
        "stop wbe": "no such service: wbe",
        "start wbe": "no such service: wbe",
        "restart wbe": "no such service: wbe",
        "kill wbe": "no such service: wbe",
        "pause wbe": "no such service: wbe",
        "rm -f wbe": "no such service: wbe",
        "wait wbe": "no such service: wbe",
        "kill -s nonsense": "no such signal: nonsense",
        "start web": 'service "web" has no container to start',
    }.items():
        error, *hint = stack.run(*line.split(), code=1).stderr.splitlines()
        assert error == f"error: {message}", line
        assert len(hint) == 1, line
    assert statuses(stack) == {"db": "Up"}
    stack.run("kill", "db")
