"""Files of a stack that are emptied, cut short, overwritten or removed while it runs: every command goes on.

None hangs or shows a traceback; the next ``up`` has everything right again, the next ``down`` leaves nothing, and other
stacks of the home are not touched.
"""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from orchestra.driver.local.net.link import home_hash
from orchestra.driver.local.strays import find_strays, group_roots
from orchestra.home import Home
from tests.cli.test_prune import processes_of
from tests.examples.conftest import eventually, needs_containers
from tests.examples.test_survival import greeting

pytestmark = needs_containers

STACK = """
services:
  web:
    image: "rootfs:/"
    command: [sh, -c, "echo hello; exec sleep infinity"]
    stop_signal: SIGKILL
    healthcheck: {test: [CMD, "true"], interval: 1s}
    ports: ["80"]
  job: {image: "rootfs:/", command: [echo, done]}
"""
OTHER = """
services:
  web: {image: "rootfs:/", command: [sleep, infinity], stop_signal: SIGKILL, ports: ["80"]}
"""
RUN, WEB, JOB = "run/stacks/stack", "run/stacks/stack/containers/stack-web-1", "run/stacks/stack/containers/stack-job-1"
FILES = (
    "data/stacks/stack/desired.json",
    "run/networks/leases.json",
    "run/networks/names/stack_default/stack.json",
    *(f"{WEB}/{name}.json" for name in ("container", "network", "config", "shim", "state", "start", "health")),
    f"{WEB}/shim.pid",
    f"{JOB}/exit.json",
)
DAMAGES = {
    "empty": lambda _text: b"",
    "cut": lambda text: text[: len(text) // 2],
    "no JSON": lambda _text: b"\0\xff{",
    "a list": lambda _text: b"[]",
    "other keys": lambda _text: b'{"container": {"name": 7}, "a": []}',
}
LOOKING = ("ps -a", "ls -a", "logs", "plan", "config -q", "exec -T web true", "system prune -f", "system df")


def check(stack, line: str, *codes: int) -> str:
    """Run a command: one of these exit codes, or any, and no traceback. What it wrote."""
    done = stack.run(*line.split(), code=None)
    said = done.stdout + done.stderr
    assert not codes or done.returncode in codes, f"{line}: {done.returncode}\n{said}\n{stack.trouble()}"
    assert "Traceback" not in said, said
    return said


@pytest.fixture
def stacks(write_stack):
    """The stack that suffers, and the one that does not; the latter is checked at the end."""
    stack, other = write_stack(STACK), write_stack(OTHER, "other")
    stack.run("up", "-d")
    other.run("up", "-d")
    before = {row["ID"]: row["Ports"] for row in other.containers().values()}
    eventually(lambda: (stack.home / WEB / "health.json").exists() and (stack.home / JOB / "exit.json").exists())
    yield stack
    assert {row["ID"]: row["Ports"] for row in other.containers().values()} == before
    assert other.run("exec", "-T", "web", "echo", "well").stdout == "well\n"


def check_recovers(stack, *options: str) -> None:
    """What follows a look: ``up``, all that it promises, and ``down`` without a trace."""
    home = Home(f"{stack.home}/data", f"{stack.home}/run")
    check(stack, " ".join(("up", "-d", *options)), 0)
    assert stack.containers()["web"]["State"] == "running"
    assert stack.run("exec", "-T", "web", "getent", "hosts", "web").stdout
    assert find_strays(home, "stack") == []
    check(stack, "down -t 1", 0)
    assert eventually(
        lambda: not processes_of(stack) or all("other" in of for of in map(command_line, processes_of(stack)))
    )
    groups = [f"{root}/orchestra/{home_hash(home)}/stack" for root in group_roots()]
    assert not any(map(os.path.exists, groups))
    assert not (stack.home / RUN).exists()
    assert "Traceback" not in stack.trouble(), stack.trouble()


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except FileNotFoundError:
        return "other"


def kill_supervisor(stack) -> None:
    """So that nothing is remembered; the next one reads all files."""
    before = greeting(stack.home / RUN)["supervisor"]
    os.kill(before, signal.SIGKILL)
    eventually(lambda: greeting(stack.home / RUN)["supervisor"] != before)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", FILES)
def test_corrupt_state_hangs(stacks, file, damage):
    path = stacks.home / file
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    for line in LOOKING:
        check(stacks, line)
    kill_supervisor(stacks)
    check(stacks, "ps -a", 0)
    check(stacks, "plan", 0, 2)
    # Of a bundle only the ends are looked at while its container runs: errors name the file, and say this.
    is_unseen = damage == "other keys" and file in (f"{WEB}/config.json", f"{WEB}/shim.json")
    check_recovers(stacks, *(["--force-recreate"] if is_unseen else []))


@pytest.mark.parametrize("gone", [WEB, f"{RUN}/containers", RUN, f"{RUN}/fork.sock", f"{RUN}/control.sock", *FILES])
def test_run_directory_wiped(stacks, gone):
    path = stacks.home / gone
    shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()  # its health is written meanwhile
    for line in LOOKING:
        check(stacks, line)
    check_recovers(stacks)


@pytest.mark.parametrize("file", ["network.json", "config.json", "shim.json"])
def test_a_container_of_which_a_file_is_damaged_is_stopped_as_its_definition_says(write_stack, file):
    stack = write_stack("""
services:
  web:
    image: "rootfs:BUSYBOX"
    command: [sh, -c, "trap 'echo bye >> /out/said; exit' USR1; touch /out/ready; while :; do sleep 0.01; done"]
    stop_signal: SIGUSR1
    volumes: [./out:/out]
""")
    stack.run("up", "-d")
    eventually((stack.folder / "out/ready").exists)
    (stack.home / WEB / file).write_bytes(b"")
    stack.run("up", "-d")
    assert (stack.folder / "out/said").read_text() == "bye\n"
