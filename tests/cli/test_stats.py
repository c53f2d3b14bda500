"""``stats`` shows what containers use: known loads, amounts of memory, of network traffic and of processes."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess

import pytest

from orchestra.cli.render.sizes import describe_binary_size
from orchestra.cli.stats import render
from orchestra.model.usage import Usage
from orchestra.stacks.stats import StatsRow
from tests.examples.conftest import eventually, needs_containers

STACK = """
services:
  busy:
    image: "rootfs:BUSYBOX"
    command: [sh, -c, "while :; do :; done"]
    cpus: 0.25
    stop_signal: SIGKILL
  full:
    image: "rootfs:BUSYBOX"
    command: [sh, -c, "dd if=/dev/zero of=/dev/shm/block bs=1M count=40 && touch /dev/shm/done && sleep infinity"]
    mem_limit: 100m
    shm_size: 60m
    stop_signal: SIGKILL
  crowd:
    image: "rootfs:BUSYBOX"
    command: [sh, -c, "for i in 1 2 3 4; do sleep 1000 & done; wait"]
    network_mode: none
    stop_signal: SIGKILL
  job: {image: "rootfs:BUSYBOX", command: ["true"]}
"""
FIELDS = {"BlockIO", "CPUPerc", "Container", "ID", "MemPerc", "MemUsage", "Name", "NetIO", "PIDs"}
UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "kB": 10**3, "MB": 10**6, "B": 1}


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0B"), (1023, "1023B"), (1024, "1KiB"), (1 << 20, "1MiB"), (1_234_567, "1.177MiB"), (5 << 30, "5GiB")],
)
def test_memory_is_shown_in_powers_of_two(size, text):
    assert describe_binary_size(size) == text


def test_columns_are_those_of_docker():
    running = StatsRow(
        "0123456789abcdef", "s-web-1", 12.345, Usage(0.0, 0, 1 << 20, 4 << 20, 1500, 0, 12, 5_000_000, 3)
    )
    assert render([running, StatsRow("f" * 64, "s-job-1")], "table", full=False) == (
        "CONTAINER ID   NAME      CPU %    MEM USAGE / LIMIT   MEM %    NET I/O      BLOCK I/O   PIDS\n"
        "0123456789ab   s-web-1   12.35%   1MiB / 4MiB         25.00%   1.5kB / 0B   12B / 5MB   3\n"
        "ffffffffffff   s-job-1   0.00%    0B / 0B             0.00%    0B / 0B      0B / 0B     0\n"
    )
    assert json.loads(render([running], "json", full=True))["ID"] == "0123456789abcdef"
    uncounted = StatsRow("f" * 64, "s-job-1", 0.0, Usage(read=None, written=None))
    assert render([uncounted], "{{.BlockIO}}", full=False) == "--\n"
    assert render([running], "{{.Container}} {{.PIDs}}", full=True) == "0123456789ab 3\n"


def size(text: str) -> float:
    unit = next(unit for unit in UNITS if text.endswith(unit))
    return float(text.removesuffix(unit)) * UNITS[unit]


class TestRealContainers:
    pytestmark = needs_containers

    def test_loads_are_measured(self, write_stack):
        stack = write_stack(STACK)
        stack.run("up", "-d")
        stack.run("exec", "-T", "full", "sh", "-c", "until [ -e /dev/shm/done ]; do :; done")

        def measured(*words: str) -> dict[str, dict[str, str]]:
            lines = stack.run("stats", "--no-stream", "--format", "json", *words).stdout.splitlines()
            return {row["Name"].split("-")[1]: row for row in map(json.loads, lines)}

        rows = measured()
        assert set(rows) == {"busy", "full", "crowd"}
        assert set(rows["busy"]) == FIELDS
        # A quarter of a processor is granted, with a period of 100 ms, unless others keep the machine busy.
        assert 1 < float(rows["busy"]["CPUPerc"].removesuffix("%")) < 40
        assert float(rows["crowd"]["CPUPerc"].removesuffix("%")) < 1
        used, limit = map(size, rows["full"]["MemUsage"].split(" / "))
        assert (40 << 20) <= used < (48 << 20)
        assert limit == 100 << 20
        share = float(rows["full"]["MemPerc"].removesuffix("%"))
        assert abs(share - 100 * used / limit) < 0.02
        machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        assert abs(size(rows["busy"]["MemUsage"].split(" / ")[1]) - machine) < machine / 1000
        assert rows["crowd"]["PIDs"] == "5"
        assert rows["crowd"]["NetIO"] == "0B / 0B"
        assert rows["busy"]["ID"] == rows["busy"]["Container"] == stack.containers()["busy"]["ID"]

        rows = measured("-a", "--no-trunc")
        assert rows["job"]["MemUsage"] == "0B / 0B"
        assert rows["job"]["PIDs"] == "0"
        assert len(rows["busy"]["ID"]) == 64
        assert set(measured("crowd")) == {"crowd"}
        assert "did you mean crowd?" in stack.run("stats", "crwd", code=1).stderr
        assert "column 3" in stack.run("stats", "--format", "{{uper .Name}}", code=1).stderr

    def test_network_traffic_is_measured_in_the_containers_own_network(self, write_stack):
        stack = write_stack("""
services:
  sink:
    image: "rootfs:BUSYBOX"
    command: [sh, -c, "sleep infinity | nc -l -p 99 > /dev/null"]
    stop_signal: SIGKILL
  source:
    image: "rootfs:BUSYBOX"
    command: [sh, -c, "until dd if=/dev/zero bs=1000 count=3000 | nc sink 99; do :; done; sleep infinity"]
    stop_signal: SIGKILL
  host: {image: "rootfs:BUSYBOX", command: [sleep, infinity], network_mode: host, init: true}
""")
        stack.run("up", "-d")

        def traffic() -> dict[str, list[float]]:
            shown = stack.run("stats", "--no-stream", "--format", "{{.Name}}={{.NetIO}}").stdout.splitlines()
            pairs = (line.split("=") for line in shown)
            return {name.split("-")[1]: [*map(size, counts.split(" / "))] for name, counts in pairs}

        eventually(lambda: traffic()["sink"][0] >= 3e6)
        counts = traffic()
        assert 3e6 <= counts["sink"][0] < 4e6
        assert 3e6 <= counts["source"][1] < 4e6
        assert counts["sink"][1] < 1e6
        assert counts["host"] == [0, 0]

    def test_it_ends_with_its_reader_and_at_ctrl_c(self, write_stack):
        stack = write_stack(STACK)
        stack.run("up", "-d", "crowd")
        with stack.start("stats", "--format", "json", stdout=subprocess.PIPE) as process:
            first, second = process.stdout.readline(), process.stdout.readline()
            assert json.loads(first)["Name"] == json.loads(second)["Name"] == "stack-crowd-1"
            process.stdout.close()
            assert process.wait(30) == 141
        with stack.start("stats", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            head = process.stdout.readline()
            assert head.startswith("CONTAINER ID   NAME")
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
            assert process.returncode == 130
            assert "\033" not in head + out
            assert err == ""

    def test_containers_that_come_and_go_are_followed_on_a_terminal(self, write_stack):
        stack = write_stack(STACK)
        stack.run("up", "-d", "crowd")
        controller, terminal = pty.openpty()
        try:
            with stack.start("stats", "--format", "{{.Name}};", stdout=terminal) as process:
                os.close(terminal)
                read_until(controller, b"stack-crowd-1;")
                stack.run("up", "-d", "busy")
                screen = read_until(controller, b"stack-busy-1;").split(b"\033[H")[-1]
                assert b"stack-busy-1;\033[K\r\nstack-crowd-1" in screen + read_until(controller, b"\033[J")
                stack.run("down", "-t", "0")
                read_until(controller, b"\033[H\033[J")
                process.send_signal(signal.SIGINT)
                assert process.wait(30) == 130
        finally:
            os.close(controller)


def read_until(fd: int, wanted: bytes) -> bytes:
    seen = b""
    while wanted not in seen:
        assert select.select([fd], [], [], 30)[0], seen
        seen += os.read(fd, 4096)
    return seen
