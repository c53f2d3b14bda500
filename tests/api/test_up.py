"""A stack for the time of a ``with`` statement: what a program can ask it, and what is left of it."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request

import anyio
import pytest

import orchestra
from orchestra.control.conversation import GivenUp
from orchestra.errors import UserError
from tests.examples.conftest import eventually, needs_containers

pytestmark = [*needs_containers, pytest.mark.xdist_group("stack of the api")]

TEXT = """
services:
  web:
    image: "rootfs:{root}"
    command: sh -c 'echo hello > /data/index.html; echo ready; exec httpd -f -p 80 -h /data'
    init: true
    ports: ["80"]
    volumes: ["data:/data"]
  job:
    image: "rootfs:{root}"
    command: sh -c 'echo working; sleep 2; exit 3'
    profiles: [job]
volumes: {{data: {{}}}}
"""
BROKEN = """
services:
  web:
    image: "rootfs:{root}"
    command: sh -c 'echo cannot work; exec sleep infinity'
    init: true
    healthcheck: {{test: "false", interval: 100ms, retries: 2}}
"""
SLOW = BROKEN.replace("retries: 2", "retries: 1000")
DESIRED = "data/stacks/{}/desired.json"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Where all stacks of this file live."""
    with pytest.MonkeyPatch.context() as patch:
        path = tmp_path_factory.mktemp("home")
        patch.setenv("ORCHESTRA_HOME", str(path))
        yield path


@pytest.fixture(scope="module")
def write(tmp_path_factory, busybox_root):
    """The path of a file with this text."""

    def write(text):
        path = tmp_path_factory.mktemp("shop") / "compose.yaml"
        path.write_text(text.format(root=busybox_root))
        return path

    return write


@pytest.fixture(scope="module")
def file(write):
    return write(TEXT)


@pytest.fixture(scope="module")
def stack(home, file):
    with orchestra.up(file, name="shop") as stack:
        yield stack


def fetch(address):
    with urllib.request.urlopen(f"http://{address}/", timeout=5) as reply:
        return reply.read().decode()


def stacks(home):
    """Names of stacks that have left anything."""
    places = ("run/stacks", "data/stacks", "data/ports", "data/volumes")
    return {name for place in places if (home / place).exists() for name in os.listdir(home / place)}


def test_published_ports_have_an_address(stack):
    address = stack.address("web", 80)
    assert address == ("127.0.0.1", stack.port("web", 80))
    assert eventually(lambda: fetch(address)) == "hello\n"
    with pytest.raises(UserError, match="no port 81/tcp"):
        stack.port("web", 81)


def test_the_file_and_the_containers_are_described(stack):
    assert (stack.name, stack.services, stack.notes) == ("shop", ("job", "web"), ())
    assert [(row.name, row.state) for row in stack.containers("web")] == [("shop-web-1", "running")]


def test_a_command_gets_input_and_gives_output_and_its_exit_code(stack):
    more = "x" * 200_000
    script = "cat; echo no >&2; echo $A; pwd; exit 4"
    result = stack.exec("web", ["sh", "-c", script], input=more, environment={"A": "b"}, directory="/data")
    assert result == (4, f"{more}b\n/data\n", "no\n")
    with pytest.raises(orchestra.ExecError, match="exit code 4") as caught:
        stack.exec("web", ["sh", "-c", "echo why >&2; exit 4"], check=True)
    assert (caught.value.code, caught.value.stderr, caught.value.__notes__) == (4, "why\n", ["why"])


def test_a_command_that_takes_too_long_is_killed(stack):
    with pytest.raises(TimeoutError, match="sleep in web"):
        stack.exec("web", ["sleep", "4711"], timeout=0.1)
    assert eventually(lambda: "4711" not in stack.exec("web", ["ps"]).stdout)


def test_a_command_is_a_list_and_a_program_in_the_background_holds_nobody(stack):
    with pytest.raises(UserError, match="is one text"):
        stack.exec("web", "ls /")
    assert stack.exec("web", ["sh", "-c", "sleep 100 & echo done"]) == (0, "done\n", "")
    stack.exec("web", ["killall", "sleep"], check=True)


def test_lines_of_logs_are_found_and_waited_for(stack):
    assert stack.wait_for_log("web", "^rea").text == "ready"
    assert [(line.service, line.stream, line.text) for line in stack.logs("web", tail=1)] == [
        ("web", "stdout", "ready")
    ]
    with pytest.raises(TimeoutError, match="wrote no line with 'never'"):
        stack.wait_for_log("web", "never", timeout=0.1)
    with pytest.raises(UserError, match="no such service: wep"):
        stack.wait_for_log("wep", "ready")


def test_containers_are_scaled_stopped_and_started_as_events_tell(stack):
    with stack.events(timeout=20) as events:
        assert isinstance(next(events), orchestra.SnapshotEvent)
        changes = (each for each in events if isinstance(each, orchestra.ContainerEvent))
        stack.scale("web", 2)
        assert [next(changes).change for _ in range(2)] == ["created", "started"]
        stack.kill("web")
        killed = {(each.container, each.change, each.exit_code) for each in (next(changes), next(changes))}
        assert killed == {("shop-web-1", "exited", 137), ("shop-web-2", "exited", 137)}
    with pytest.raises(UserError, match="not running"):
        stack.port("web", 80)
    stack.crash("web")  # nothing runs
    stack.scale("web", 1)
    stack.pause("web")
    assert [row.state for row in stack.containers("web")] == ["paused"]
    stack.unpause("web")
    stack.stop("web", timeout=0)
    assert [row.state for row in stack.containers("web")] == ["exited"]
    stack.start("web")
    stack.restart("web", timeout=0)
    assert [row.state for row in stack.containers("web")] == ["running"]


def test_copies_run_side_by_side_and_leave_nothing(stack, home, file):
    with orchestra.up(file, unique=True, profiles=["job"], wait=False) as copy:
        assert copy.name != stack.name
        assert copy.port("web", 80) != stack.port("web", 80)
        assert f"{copy.name}_data" in stacks(home)
        assert [exited.exit_code for exited in copy.wait("job")] == [3]
        copy.exec("web", ["sh", "-c", "echo other > /data/index.html"], check=True)
        assert eventually(lambda: fetch(copy.address("web", 80))) == "other\n"
    assert not {name for name in stacks(home) if copy.name in name}


def test_a_stack_that_does_not_come_up_tells_why_and_is_taken_down(home, write):
    with pytest.raises(orchestra.UpError, match="is unhealthy") as caught, orchestra.up(write(BROKEN), name="broken"):
        pass
    error = caught.value
    assert [failure.resource.name for failure in error.failures] == ["broken-web-1"]
    assert [line.text for line in error.logs] == ["cannot work"]
    assert "broken-web-1 | cannot work" in error.__notes__[0]
    assert "broken" not in stacks(home)


def test_time_is_limited(home, write):
    with (
        pytest.raises(orchestra.UpError, match="still waiting for") as caught,
        orchestra.up(write(SLOW), name="slow", timeout=0.5),
    ):
        pass
    assert caught.value.timed_out
    assert "slow" not in stacks(home)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_asynchronous_program_can_be_cancelled_wherever_it_waits(stack, home, file, write, backend):
    async def program():
        async with orchestra.up(file, name="shop", keep=True) as shop:
            assert (await shop.exec("web", ["echo", "hi"])).stdout == "hi\n"
            assert await shop.port("web", 80) == stack.port("web", 80)
            with anyio.move_on_after(0.1):
                await shop.exec("web", ["sleep", "4711"])
            with anyio.move_on_after(0.1):
                await shop.wait("web")
            with anyio.move_on_after(0.1):
                await shop.wait_for_log("web", "never")
            async with shop.events() as events, anyio.create_task_group() as tasks:
                tasks.start_soon(shop.kill, "web")
                async for event in events:
                    if getattr(event, "exit_code", None) == 137:
                        break
            await shop.start("web")
        with anyio.move_on_after(1.0):
            async with orchestra.up(write(SLOW), name="cancelled"):
                pytest.fail("it cannot be up")

    anyio.run(program, backend=backend)
    assert eventually(lambda: "4711" not in stack.exec("web", ["ps"]).stdout)
    assert "cancelled" not in stacks(home)


def cancel_as_soon_as_there_is(place, opening):
    """place: a path. Returns once the cancelled ``async with`` has ended."""

    def wait():
        while not place.exists():
            pass

    async def program():
        async with anyio.create_task_group() as tasks:

            async def open_it():
                async with opening:
                    pytest.fail("it cannot be up")

            tasks.start_soon(open_it)
            await anyio.to_thread.run_sync(wait)
            tasks.cancel_scope.cancel()

    anyio.run(program)


@pytest.mark.parametrize("place", ["run/stacks/early", "run/stacks/early/control.sock", DESIRED.format("early")])
def test_what_is_cancelled_early_does_not_come_up_later(home, write, place):
    """While the supervisor is being started, and before and after it records what it was asked for."""
    path = write(SLOW)
    for _ in range(3):
        cancel_as_soon_as_there_is(home / place, orchestra.up(path, name="early"))
        assert "early" not in stacks(home)


@pytest.mark.parametrize("keep", [False, True])
def test_an_opening_that_was_given_up_asks_for_nothing(home, write, keep):
    stop, other = os.pipe()
    os.close(other)
    try:
        with pytest.raises(GivenUp):
            orchestra.up(write(SLOW), name="early", keep=keep).open(stop)
    finally:
        os.close(stop)
    assert "early" not in stacks(home)


def test_a_kept_stack_goes_on_coming_up_when_the_wait_is_cancelled(home, write):
    file = write(SLOW)
    cancel_as_soon_as_there_is(home / DESIRED.format("kept"), orchestra.up(file, name="kept", keep=True))
    with orchestra.up(file, name="kept", wait=False) as stack:
        assert eventually(lambda: [row.state for row in stack.containers("web")] == ["running"])
    assert "kept" not in stacks(home)


@pytest.mark.parametrize("change", ["up", "scale"])
def test_what_was_asked_for_and_given_up_does_not_come_after_the_end(home, write, change):
    path = write(SLOW.replace("healthcheck", "x-healthcheck"))

    async def program(seconds):
        async with orchestra.up(path, name="brief") as shop:
            with anyio.move_on_after(seconds):
                await (shop.up() if change == "up" else shop.scale("web", 2))

    for seconds in (0.0, 0.01, 0.03):
        anyio.run(program, seconds)
        assert "brief" not in stacks(home)


def test_another_process_that_waits_is_not_held_by_a_stack_that_stays(stack, file):
    """Of threads that still wait, none keeps the interpreter from exiting."""
    script = (
        "import sys, anyio, orchestra\n"
        "async def main():\n"
        "    async with orchestra.up(sys.argv[1], name='shop', keep=True) as stack:\n"
        "        with anyio.move_on_after(0.1): await stack.wait('web')\n"
        "anyio.run(main)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(file)], check=True, timeout=60)
    assert stack.containers("web")[0].runs


def test_a_stack_in_memory_has_no_logs(home, file):
    with orchestra.up(file, name="dry", driver="fake") as stack:
        assert [row.state for row in stack.containers()] == ["running"]
        with pytest.raises(UserError, match="the driver fake has no logs"):
            stack.logs()
        with pytest.raises(UserError, match="the driver fake has no logs"):
            stack.wait_for_log("web", "ready")
