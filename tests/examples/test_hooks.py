"""Hooks of real containers: order, users and variables, failures and exit codes, and a supervisor that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.examples.conftest import eventually, needs_containers
from tests.examples.test_survival import greeting

pytestmark = needs_containers

TEXT = """
services:
  db:
    image: "rootfs:BUSYBOX"
    command: [sh, -c, "trap 'echo ended >>/log/events; exit 0' TERM; sleep infinity & wait"]
    volumes: [./log:/log]
    post_start:
      - command: [sh, -c, 'echo "started by $$(id -u) in $$PWD for $$NAME" >>/log/events']
        user: "1000"
        working_dir: /tmp
        environment: [NAME=web]
      - command: [sh, -c, "cat /log/gate && echo open >>/log/events"]
    pre_stop:
      - command: [sh, -c, "echo bye >>/log/events"]
  web:
    image: "rootfs:BUSYBOX"
    command: [sh, -c, "echo web >>/log/events; sleep infinity"]
    init: true
    stop_signal: KILL
    volumes: [./log:/log]
    depends_on: [db]
"""
UP = ["started by 1000 in /tmp for web", "open", "web"]
DOWN = ["bye", "ended"]


def make(write_stack):
    stack = write_stack(TEXT)
    log = stack.folder / "log"
    log.mkdir()
    log.chmod(0o777)
    (log / "events").touch()
    (log / "events").chmod(0o666)

    def events() -> list[str]:
        lines = (log / "events").read_text().splitlines()
        (log / "events").write_text("")
        return lines

    def events_until(last: str) -> list[str]:
        """The same, once this is the last: what a container writes comes after it has been started."""
        eventually(lambda: (log / "events").read_text().endswith(f"{last}\n"))
        return events()

    return stack, log, events, events_until


def at_gate(log: Path) -> list[int]:
    """The processes of hooks that wait for the gate in this directory."""
    waiting = []
    for directory in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            if (directory / "cmdline").read_bytes() == b"cat\0/log/gate\0" and log.samefile(directory / "root/log"):
                waiting.append(int(directory.name))
    return waiting


def test_hooks_run_in_order_with_every_command_and_not_at_a_crash(write_stack):
    stack, log, events, events_until = make(write_stack)
    (log / "gate").touch()
    stack.run("up", "-d")
    assert events_until("web") == UP
    stack.run("restart", "db")
    assert events() == [*DOWN, *UP[:2]]
    stack.run("up", "-d", "--force-recreate", "--no-deps", "db")
    assert events() == [*DOWN, *UP[:2]]
    stack.run("kill", "db")
    assert events() == []
    stack.run("start", "db")
    assert events() == UP[:2]
    stack.run("down")
    assert events() == DOWN


def test_a_hook_that_fails_fails_the_command_and_shows_what_it_said(write_stack):
    stack, log, events, events_until = make(write_stack)
    up = stack.run("up", "-d", code=1)
    assert "db hook exited with status 1: cat: can't open '/log/gate'" in up.stderr
    assert stack.states() == {"db": "running", "web": "created"}
    assert events() == UP[:1]
    (log / "gate").touch()
    stack.run("up", "-d")
    assert events_until("web") == UP[1:]
    stack.write(TEXT.replace("echo bye >>/log/events", "echo no >&2; exit 4"))
    stack.run("down", "--timeout", "0")
    stack.run("up", "-d")
    down = stack.run("down", code=1)
    assert "db hook exited with status 4: no" in down.stderr
    assert stack.states() == {"db": "running"}
    stack.run("down", "--timeout", "0")
    assert stack.states() == {}


def test_up_in_the_foreground_shows_what_hooks_write(write_stack):
    stack = write_stack("""
services:
  web:
    image: "rootfs:BUSYBOX"
    command: [sleep, infinity]
    stop_signal: KILL
    post_start: [{command: [printf, "one\\ntwo"]}, {command: [echo, three]}]
    pre_stop: [{command: [echo, leaving]}]
  job: {image: "rootfs:BUSYBOX", command: ["true"], attach: false}
""")
    with stack.start("up", stdout=subprocess.PIPE) as up:
        assert [next(up.stdout) for _ in range(3)] == [f"web-1 ->  | {line}\n" for line in ("one", "two", "three")]
        up.send_signal(signal.SIGINT)
        assert sorted(up.stdout.readlines()) == ["web-1 ->  | leaving\n", "web-1 exited with code 137\n"]
    stop = stack.run("stop").stderr
    assert stop.splitlines() == [" Container stack-job-1 Stopped", " Container stack-web-1 Stopped"]


def test_a_hook_whose_supervisor_is_killed_runs_again(write_stack):
    stack, log, _events, events_until = make(write_stack)
    os.mkfifo(log / "gate")
    up = stack.start("up", "-d")
    home = stack.folder.parent / "home"
    eventually(lambda: list(home.rglob("hooks.json")))  # the success of the first is recorded
    (control,) = home.rglob("control.sock")
    eventually(lambda: at_gate(log))
    (interrupted,) = at_gate(log)
    os.kill(greeting(control.parent)["supervisor"], signal.SIGKILL)
    eventually(lambda: interrupted not in at_gate(log))

    def has_passed_the_gate() -> bool:
        with suppress(OSError):  # no hook waits there, yet or any more
            os.close(os.open(log / "gate", os.O_WRONLY | os.O_NONBLOCK))
        return stack.states()["web"] == "running"

    eventually(has_passed_the_gate)
    up.wait(timeout=30)
    assert events_until("web") == UP


INIT = """
services:
  db: {image: "rootfs:BUSYBOX", command: [sleep, infinity], init: true}
  web:
    image: "rootfs:BUSYBOX"
    command: [sh, -c, "cat /data/log /own/log; exec sleep infinity"]
    init: true
    user: "1000"
    volumes: [data:/data, /own, ./gate:/gate]
    depends_on: [db]
    pre_start:
      - command:
          - sh
          - -c
          - |
            ping -c 1 db >/dev/null && echo first >>/data/log && echo own >/own/log
            chmod 666 /data/log
        user: root
      - command: [sh, -c, "echo missing >&2; cat /gate/open >>/data/log"]
volumes: {data: {}}
"""


def test_init_containers_complete_before_their_service_starts(write_stack):
    stack = write_stack(INIT)
    (stack.folder / "gate").mkdir()
    up = stack.run("up", "-d", code=1)
    assert 'service "web" pre_start[1] exited with code 1' in up.stderr
    assert stack.run("ps", "-aq", "--status", "running", "web").stdout == ""
    assert "stack-web-pre_start-1  | missing" in stack.run("logs", "web").stdout
    (stack.folder / "gate" / "open").write_text("second\n")
    stack.run("up", "-d")
    assert stack.run("ps", "-q", "--status", "running", "web").stdout
    eventually(lambda: "own" in stack.run("logs", "--index", "1", "web").stdout)
    lines = stack.run("logs", "--no-log-prefix", "--index", "1", "web").stdout.splitlines()
    assert lines == ["first", "second", "own"]
    stack.run("stop", "web")
    stack.run("start", "web")
    stack.run("up", "-d")
    assert stack.run("exec", "-T", "web", "cat", "/data/log").stdout == "first\nsecond\n"
    stack.run("up", "-d", "--force-recreate", "web")
    assert stack.run("exec", "-T", "web", "cat", "/data/log", "/own/log").stdout == "first\nsecond\n" * 2 + "own\n"
    stack.run("down", "-v")
    assert stack.run("ps", "-aq").stdout == ""
    assert stack.run("volume", "ls", "-q").stdout == ""
