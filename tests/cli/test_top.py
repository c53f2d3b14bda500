"""``top`` shows the processes of containers as ``ps -ef`` does."""

from __future__ import annotations

import subprocess
import time

from orchestra.cli.top import render
from orchestra.linux.process_table import ProcessRow
from orchestra.stacks.top import ContainerProcesses
from tests.examples.conftest import eventually, needs_containers

STACK = """
services:
  web:
    image: "rootfs:BUSYBOX"
    command: [sh, -c, "sleep 1001 & sleep 1002 & wait"]
    scale: 2
    stop_signal: SIGKILL
  db: {image: "rootfs:BUSYBOX", command: [sleep, "1003"], user: "12345", init: true, tty: true}
  shared: {image: "rootfs:BUSYBOX", command: [sleep, "1004"], pid: "service:db", stop_signal: SIGKILL}
  job: {image: "rootfs:BUSYBOX", command: ["true"]}
"""
DAY = 86400


def process(**fields: object) -> ProcessRow:
    known = {"pid": 7, "parent": 1, "uid": 0, "started_at": 0.0, "processor": 0.0, "terminal": "", "command": "x"}
    return ProcessRow(**{**known, **fields})


def test_columns_are_those_of_docker_compose():
    now = time.mktime((2026, 11, 29, 13, 0, 0, 0, 0, -1))
    rows = [
        process(started_at=now - 3600, command="/entrypoint"),
        process(pid=123, parent=7, uid=4242424, started_at=now - 20 * DAY, processor=3723, terminal="pts/0"),
        process(pid=9, started_at=now - 400 * DAY, processor=3 * DAY + 62, command="sh -c \x1b[31mred"),
        process(pid=10, started_at=now - 100, processor=50),
    ]
    assert render([ContainerProcesses("simple", 1, rows)], now) == (
        "SERVICE  #   UID      PID  PPID  C   STIME  TTY    TIME        CMD\n"
        "simple   1   root     7    1     0   12:00  ?      00:00:00    /entrypoint\n"
        "simple   1   4242424  123  7     0   Nov09  pts/0  01:02:03    x\n"
        "simple   1   root     9    1     0   2025   ?      3-00:01:02  sh -c \\x1b[31mred\n"
        "simple   1   root     10   1     50  12:58  ?      00:00:50    x\n"
    )
    assert render([ContainerProcesses("empty", 1, [])], now) == ""


class TestRealContainers:
    pytestmark = needs_containers

    def test_every_process_of_a_running_container(self, write_stack):
        stack = write_stack(STACK)
        stack.run("up", "-d")
        stack.run("exec", "-d", "db", "sleep", "1005")

        def rows(*services: str) -> list[list[str]]:
            head, *lines = stack.run("top", *services).stdout.splitlines()
            assert head.split() == ["SERVICE", "#", "UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
            return [line.split(maxsplit=9) for line in lines]

        def commands(*services: str) -> list[tuple[str, str, str]]:
            return sorted((row[0], row[1], row[9]) for row in rows(*services) if row[9].startswith("sleep"))

        expected = [
            ("db", "1", "sleep 1003"),
            ("db", "1", "sleep 1005"),
            ("shared", "1", "sleep 1004"),
            *(("web", index, f"sleep {seconds}") for index in "12" for seconds in (1001, 1002)),
        ]
        eventually(lambda: commands() == sorted(expected))
        shown = {(row[0], row[9]): row for row in rows()}
        assert {row[0] for row in shown.values()} == {"web", "db", "shared"}
        seen = shown["db", "sleep 1003"]
        assert (seen[2], seen[7]) == ("12345", "pts/0")
        told = subprocess.run(
            ["ps", "-o", "pid=,ppid=,stime=,time=,args=", "-p", seen[3]], capture_output=True, text=True, check=True
        )
        assert told.stdout.split(maxsplit=4) == [seen[3], seen[4], seen[6], seen[8], "sleep 1003\n"]
        shells = {row[3] for row in rows("web") if row[9].startswith("sh -c")}
        assert {row[4] for row in rows("web") if row[9].startswith("sleep")} == shells
        assert {row[0] for row in rows("db", "shared")} == {"db", "shared"}
        assert stack.run("top", "job").stdout == ""
        assert "did you mean web?" in stack.run("top", "wbe", code=1).stderr
        stack.run("down", "-t", "0")
        assert stack.run("top").stdout == ""
