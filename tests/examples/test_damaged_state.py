"""Files of a stack that are emptied, cut short, overwritten or removed while it runs: every command goes on.

None hangs or shows a traceback; the next ``up`` has everything right again, the next ``down`` leaves nothing, and other
stacks of the home are not touched.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from pathlib import Path

import pytest

from orchestra.driver.local.net.mark import home_hash
from orchestra.driver.local.strays import find_strays, group_roots
from orchestra.home import Home
from tests.cli.test_prune import processes_of
from tests.examples.conftest import Stack, eventually, needs_containers
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
NO_JSON = {"cut": lambda text: text[: len(text) // 2], "no JSON": lambda _text: b"\0\xff{"}
OTHER_JSON = {"a list": lambda _text: b"[]", "other keys": lambda _text: b'{"container": {"name": 7}, "a": []}'}
DAMAGES = NO_JSON | OTHER_JSON


def damages(file: str) -> tuple[str, str]:
    """One of either kind, by turns: within a kind all files are read alike."""
    turn = FILES.index(file) % 2
    return [*NO_JSON][turn], [*OTHER_JSON][1 - turn]


LOOKING = ("ps -a", "ls -a", "logs", "plan", "exec -T web true", "system prune -f", "system df")


def check(stack, line: str, *codes: int) -> str:
    """Run a command: one of these exit codes, or any, and no traceback. What it wrote."""
    done = stack.run(*line.split(), code=None)
    said = done.stdout + done.stderr
    assert not codes or done.returncode in codes, f"{line}: {done.returncode}\n{said}\n{stack.trouble()}"
    assert "Traceback" not in said, said
    return said


@pytest.fixture(scope="module")
def both(tmp_path_factory, busybox_root):
    """The stack that suffers, and the one that does not."""
    folder = tmp_path_factory.mktemp("damaged")
    found = []
    for name, text in (("stack", STACK), ("other", OTHER)):
        (folder / name).mkdir()
        found.append(Stack(folder / name / "compose.yaml", folder / "home", busybox_root))
        found[-1].write(text)
    found[1].run("up", "-d")
    yield found
    assert found[1].run("exec", "-T", "web", "echo", "well").stdout == "well\n"
    for each in found:
        each.down()


@pytest.fixture
def stack(both):
    """The stack that suffers, up. Of the other one is made sure in the end that nothing has happened to it."""
    stack, other = both
    # One whose supervisor is killed again and again starts it later and later.
    with contextlib.suppress(FileNotFoundError, ConnectionRefusedError, ProcessLookupError):
        known = greeting(stack.home / RUN)
        os.kill(known["fork_server"], signal.SIGKILL)
        os.kill(known["supervisor"], signal.SIGKILL)  # or it would start both anew, and execute them
    stack.run("up", "-d")
    before = files_of(other)
    eventually(lambda: (stack.home / WEB / "health.json").exists() and (stack.home / JOB / "exit.json").exists())
    yield stack
    assert files_of(other) == before


def files_of(stack) -> dict[str, str]:
    """What tells which container runs, since when, and how it is reached."""
    directory = stack.home / f"run/stacks/{stack.folder.name}/containers/{stack.folder.name}-web-1"
    return {name: (directory / name).read_text() for name in ("container.json", "state.json", "network.json")}


def check_recovers(stack, *options: str) -> None:
    """What follows a look: ``up``, and all that it promises."""
    check(stack, " ".join(("up", "-d", *options)), 0)
    assert stack.containers()["web"]["State"] == "running"
    published = (stack.home / "run/networks/names/stack_default/stack.json").read_text()
    found = stack.run("exec", "-T", "web", "getent", "hosts", "web", code=None)
    assert found.stdout, f"{found}\n{published}\n{stack.trouble()}"
    assert find_strays(home_of(stack), "stack") == []
    assert "Traceback" not in stack.trouble(), stack.trouble()


def check_goes_down(stack) -> None:
    """Without a trace."""
    check(stack, "down -t 1", 0)
    assert eventually(
        lambda: not processes_of(stack) or all("other" in of for of in map(command_line, processes_of(stack)))
    )
    groups = [f"{root}/orchestra/{home_hash(home_of(stack))}/stack" for root in group_roots()]
    assert not any(map(os.path.exists, groups))
    assert not (stack.home / RUN).exists()
    assert "Traceback" not in stack.trouble(), stack.trouble()


def home_of(stack) -> Home:
    return Home(f"{stack.home}/data", f"{stack.home}/run")


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


@pytest.mark.parametrize("file", FILES)
def test_corrupt_state_hangs(stack, file):
    path = stack.home / file
    for damage in damages(file):
        eventually(path.exists)  # it is written anew
        path.write_bytes(DAMAGES[damage](path.read_bytes()))
        for line in LOOKING:
            check(stack, line)
        kill_supervisor(stack)
        check(stack, "ps -a", 0)
        check(stack, "plan", 0, 2)
        # Of a bundle only the ends are looked at while its container runs: errors name the file, and say this.
        is_unseen = damage == "other keys" and file in (f"{WEB}/config.json", f"{WEB}/shim.json")
        check_recovers(stack, *(["--force-recreate"] if is_unseen else []))


@pytest.mark.parametrize("file", FILES)
def test_a_stack_of_which_a_file_is_damaged_goes_down(stack, file):
    path = stack.home / file
    path.write_bytes(b"")
    check_goes_down(stack)


@pytest.mark.parametrize("gone", [WEB, f"{RUN}/containers", RUN, f"{RUN}/fork.sock", f"{RUN}/control.sock", *FILES])
def test_run_directory_wiped(stack, gone):
    path = stack.home / gone
    shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()  # its health is written meanwhile
    for line in LOOKING:
        check(stack, line)
    check_recovers(stack)
    check_goes_down(stack)


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
